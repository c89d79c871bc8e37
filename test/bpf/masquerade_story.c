/*
 * Masqueraded connections: see masquerade_story.h.
 */
#include "test/bpf/masquerade_story.h"

#include <arpa/inet.h>
#include <bpf/bpf.h>
#include <bpf/libbpf.h>
#include <string.h>
#include "include/masquerade.h"

const struct offer MASQUERADED = {
	.backends = {[BACKEND_A] = BACKEND_ACTIVE},
	.masquerade = MASQUERADE_STRANGERS,
	.is_remote = {[BACKEND_A] = true, [BACKEND_B] = true},
};

struct address node_address(enum family family)
{
	struct address address;

	assert_int_equal(address_parse(family == IPV6 ? "fd00:9::1" : "10.9.0.1", &address), 0);
	return address;
}

void offer_masqueraded(struct scene *scene)
{
	const struct masquerade_source source = {
		.ipv4 = node_address(IPV4),
		.ipv6 = node_address(IPV6),
	};

	assert_int_equal(datapath_set_masquerade_source(scene->datapath, POD, &source), 0);
	scene_offer_all(scene, &MASQUERADED);
}

static enum family family_of(const struct blueprint *packet)
{
	return blueprint_is_ipv6(packet) ? IPV6 : IPV4;
}

__be16 node_port(const struct scene *scene, const struct blueprint *request)
{
	const struct flow flow = blueprint_flow(request);
	struct masquerade_record found;

	return masquerades_find(scene->datapath, &flow, &found) ? found.other.dst_port : 0;
}

struct blueprint masqueraded_request(const struct scene *scene, const struct blueprint *request)
{
	struct blueprint packet = forwarded_to(request, BACKEND_A, POD);

	packet.src = node_address(family_of(request));
	packet.src_port = node_port(scene, request);
	return packet;
}

struct blueprint masqueraded_reply(const struct scene *scene, const struct blueprint *request)
{
	const struct kind kind = {.family = family_of(request), .protocol = request->protocol};
	struct blueprint reply = reply_of(&kind, BACKEND_A);

	reply.dst = node_address(kind.family);
	reply.dst_port = node_port(scene, request);
	return reply;
}

struct blueprint returned_reply(const struct blueprint *reply, const struct blueprint *request)
{
	struct blueprint packet = returned_from_service(reply, UPLINK);

	packet.src_port = request->dst_port;
	packet.dst = request->src;
	packet.dst_port = request->src_port;
	return packet;
}

/* Its port is known when it has left. */
void send_masqueraded(struct scene *scene, const struct blueprint *request)
{
	struct blueprint leaves;

	if (!node_port(scene, request))
		scene_take(scene, UPLINK, request);
	if (!node_port(scene, request))
		fail_msg("line %d: a request is not masqueraded", scene->line);
	leaves = masqueraded_request(scene, request);
	expect_packet(scene, UPLINK, request, VERDICT_REDIRECT, &leaves);
}

void send_returned(struct scene *scene, const struct blueprint *request, uint8_t tcp_flags)
{
	struct blueprint reply = masqueraded_reply(scene, request), leaves;

	reply.tcp_flags = tcp_flags;
	leaves = returned_reply(&reply, request);
	expect_packet(scene, POD, &reply, VERDICT_REDIRECT, &leaves);
}

void connect_masqueraded(struct scene *scene, const struct kind *kind)
{
	struct blueprint request = request_of(kind);

	send_masqueraded(scene, &request);
	send_returned(scene, &request, SYN | ACK);
	request.tcp_flags = ACK;
	send_masqueraded(scene, &request);
}

static int masquerades_map(const struct scene *scene)
{
	return bpf_map__fd(scene->datapath->skeleton->maps.masquerades);
}

uint32_t count_masquerades(const struct scene *scene)
{
	struct flow key;
	uint32_t count = 0;

	for (const void *before = NULL; !bpf_map_get_next_key(masquerades_map(scene), before, &key);
	     before = &key)
		count++;
	return count;
}

static void make_older(const struct scene *scene, unsigned int seconds)
{
	struct flow keys[2 * MAX_SCENE_MASQUERADES];
	struct masquerade_record element;
	uint32_t count = 0;

	while (!bpf_map_get_next_key(masquerades_map(scene), count ? &keys[count - 1] : NULL,
				     &keys[count]))
		count++;
	for (uint32_t i = 0; i < count; i++) {
		assert_int_equal(bpf_map_lookup_elem(masquerades_map(scene), &keys[i], &element),
				 0);
		element.made -= seconds * scene->datapath->jiffies_per_second;
		assert_int_equal(
			bpf_map_update_elem(masquerades_map(scene), &keys[i], &element, BPF_EXIST),
			0);
	}
}

void sweep_masquerades(struct scene *scene, unsigned int seconds)
{
	struct masquerade_cursor cursor = {};

	make_older(scene, seconds);
	while (datapath_sweep_masquerades(scene->datapath, &cursor, 3) > 0)
		;
}
