/*
 * Connections of a scene: what the table remembers, how time passes for it, and whole
 * conversations.
 */
#include <bpf/bpf.h>
#include <bpf/libbpf.h>
#include <ctype.h>
#include "lb/datapath_internal.h"
#include "test/bpf/scene.h"

#define NS_PER_SECOND 1000000000ull

static int connections_of(const struct scene *scene)
{
	return bpf_map__fd(scene->datapath->skeleton->maps.connections);
}

bool scene_find(const struct scene *scene, const struct flow *flow, struct connection *connection)
{
	return !bpf_map_lookup_elem(connections_of(scene), flow, connection);
}

void scene_forget(struct scene *scene, const struct flow *flow)
{
	assert_int_equal(bpf_map_delete_elem(connections_of(scene), flow), 0);
}

static bool count_entry(void *context, const struct flow *flow, const struct connection *connection)
{
	(void)flow;
	(void)connection;
	++*(uint32_t *)context;
	return false;
}

uint32_t scene_count_entries(struct scene *scene)
{
	uint32_t count = 0;

	assert_int_equal(datapath_visit_connections(scene->datapath, count_entry, &count), 0);
	return count;
}

static void set_back(const struct scene *scene, const struct flow *flow, unsigned int seconds)
{
	struct connection connection;

	if (!scene_find(scene, flow, &connection))
		return;
	connection.last_seen_ns -= seconds * NS_PER_SECOND;
	assert_int_equal(bpf_map_update_elem(connections_of(scene), flow, &connection, BPF_EXIST),
			 0);
}

void scene_let_pass(struct scene *scene, const struct blueprint *request, unsigned int seconds)
{
	const struct flow flow = blueprint_flow(request);
	struct connection connection;
	struct flow reverse;

	assert_true(scene_find(scene, &flow, &connection));
	reverse = datapath_reverse_flow(scene->datapath, &flow, &connection);
	set_back(scene, &flow, seconds);
	set_back(scene, &reverse, seconds);
}

uint8_t tcp_flags_of(char letter)
{
	switch (letter) {
	case 'S':
		return SYN;
	case 's':
		return SYN | ACK;
	case 'F':
	case 'f':
		return FIN | ACK;
	case 'R':
	case 'r':
		return RST | ACK;
	default:
		return ACK;
	}
}

static void play_letter(struct scene *scene, const struct blueprint *request, char letter)
{
	const enum family family = blueprint_is_ipv6(request) ? IPV6 : IPV4;
	const struct kind kind = {.family = family, .protocol = request->protocol};
	struct blueprint packet = *request, leaves;

	if (isupper((unsigned char)letter)) {
		packet.tcp_flags = tcp_flags_of(letter);
		leaves = forwarded_to(&packet, BACKEND_A, POD);
		expect_packet(scene, UPLINK, &packet, VERDICT_REDIRECT, &leaves);
		return;
	}
	packet = reply_of(&kind, BACKEND_A);
	packet.dst_port = request->src_port;
	packet.tcp_flags = tcp_flags_of(letter);
	leaves = returned_from_service(&packet, UPLINK);
	expect_packet(scene, POD, &packet, VERDICT_REDIRECT, &leaves);
}

void scene_play(struct scene *scene, const struct blueprint *request, const char *letters)
{
	for (; *letters; letters++)
		play_letter(scene, request, *letters);
}
