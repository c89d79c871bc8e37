/*
 * Errors and what becomes of them: see icmp_story.h.
 */
#include "test/bpf/icmp_story.h"

struct kind_of_error {
	uint8_t type, code;
	uint32_t rest;
};

static const struct kind_of_error ERRORS[_FAMILY_COUNT][ERROR_COUNT] = {
	[IPV4] = {{3, 1, 0}, {3, 3, 0}, {3, 4, 1400}, {11, 0, 0}, {11, 1, 0}, {12, 0, 0x14000000}},
	[IPV6] = {{1, 0, 0}, {1, 4, 0}, {2, 0, 1400}, {3, 0, 0}, {3, 1, 0}, {4, 1, 40}},
};

size_t quote_ip_header(const struct kind *kind)
{
	return kind->family == IPV6 ? 40 : 20;
}

static void set_error(struct icmp_error *error, const struct kind *kind, int row)
{
	const struct kind_of_error *chosen = &ERRORS[kind->family][row];

	error->type = chosen->type;
	error->code = chosen->code;
	error->rest = chosen->rest;
	error->quote_length = QUOTE_WHOLE;
}

struct story from_backend_side(const struct kind *kind, enum role sender, int row)
{
	const struct blueprint request = request_of(kind);
	struct story story = {};

	set_error(&story.comes, kind, row);
	story.comes.envelope = reply_of(kind, BACKEND_A);
	story.comes.envelope.src = role_address(sender, kind->family);
	story.comes.quoted = forwarded_to(&request, BACKEND_A, POD);
	story.leaves = story.comes;
	story.leaves.envelope = returned_from_service(&story.comes.envelope, UPLINK);
	if (sender != BACKEND_A)
		story.leaves.envelope.src = story.comes.envelope.src;
	story.leaves.quoted = request;
	story.leaves.quoted.hop_limit--;
	return story;
}

struct story from_client_side(const struct kind *kind, enum role sender, int row)
{
	const struct blueprint reply = reply_of(kind, BACKEND_A);
	struct story story = {};

	set_error(&story.comes, kind, row);
	story.comes.envelope = request_of(kind);
	story.comes.envelope.src = role_address(sender, kind->family);
	story.comes.quoted = returned_from_service(&reply, UPLINK);
	story.leaves = story.comes;
	story.leaves.envelope = forwarded_to(&story.comes.envelope, BACKEND_A, POD);
	story.leaves.quoted = reply;
	story.leaves.quoted.hop_limit--;
	return story;
}

void expect_error(struct scene *scene, enum interface in, const struct icmp_error *comes,
		  enum verdict verdict, const struct icmp_error *leaves)
{
	static struct frame frame, wanted;

	frame_build_error(comes, &frame);
	if (leaves)
		frame_build_error(leaves, &wanted);
	expect_frame(scene, in, &frame, verdict, leaves ? &wanted : NULL);
}

void connect_all(struct scene *scene)
{
	scene_offer_all(scene, &ONLY_A);
	for (int i = 0; i < KIND_COUNT; i++) {
		const struct blueprint request = request_of(&KINDS[i]);

		scene_play(scene, &request, "SsA");
	}
}
