/*
 * Aliases and who has them: see alias_story.h.
 */
#include "test/bpf/alias_story.h"

#include <arpa/inet.h>
#include "include/connection.h"

const struct offer OTHER_ONLY_A = {
	.port = OTHER_PORT,
	.backends = {[BACKEND_A] = BACKEND_ACTIVE},
};

struct blueprint request_to_other(const struct kind *kind)
{
	struct blueprint request = request_of(kind);

	request.dst_port = htons(OTHER_PORT);
	return request;
}

void offer_one_backend(struct scene *scene)
{
	scene_offer_all(scene, &ONLY_A);
	scene_offer_all(scene, &OTHER_ONLY_A);
}

void connect_both(struct scene *scene, const struct kind *kind)
{
	const struct blueprint request = request_of(kind), other = request_to_other(kind);

	scene_play(scene, &request, "SsA");
	scene_play(scene, &other, "SsA");
	assert_int_equal(scene_source_port(scene, &request), request.src_port);
	assert_int_not_equal(scene_source_port(scene, &other), other.src_port);
}

void talk(struct scene *scene, const struct kind *kind)
{
	const struct blueprint request = request_of(kind), other = request_to_other(kind);

	scene_play(scene, &request, "AaA");
	scene_play(scene, &other, "AaA");
	scene_play(scene, &request, "aAa");
	scene_play(scene, &other, "aAa");
}

__be16 alias_port(const struct scene *scene, __be16 port, uint8_t alias)
{
	return connection_other_port(scene->datapath->seed, alias, port);
}
