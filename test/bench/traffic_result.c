/*
 * What must become of a row's packets: see traffic.h.
 */
#include <arpa/inet.h>
#include <linux/bpf.h>
#include <stdio.h>
#include <string.h>
#include "test/bench/traffic_internal.h"
#include "test/bench/world.h"
#include "test/bpf/answer_builder.h"

static void swap_macs(struct blueprint *packet)
{
	uint8_t mac[ETH_ALEN];

	memcpy(mac, packet->to_mac, ETH_ALEN);
	memcpy(packet->to_mac, packet->from_mac, ETH_ALEN);
	memcpy(packet->from_mac, mac, ETH_ALEN);
}

void traffic_route(const struct row *row, struct blueprint *packet)
{
	const bool is_request = traffic_is_request(row);

	packet->hop_limit--;
	memcpy(packet->to_mac, role_mac(is_request ? BACKEND_A : CLIENT), ETH_ALEN);
	memcpy(packet->from_mac, interface_mac(is_request ? POD : UPLINK), ETH_ALEN);
}

/* The number of the service that a packet was for, which the packet's address tells. */
static uint32_t number_of(const struct row *row, const struct address *address)
{
	const struct service_key first = traffic_service(row);

	return ntohl(address->word[3]) - ntohl(first.address.word[3]);
}

/* Any backend of its service will do; which one it was is read off the frame. */
static void translate_request(const struct row *row, const struct frame *frame,
			      struct blueprint *packet)
{
	const size_t at = row_kind(row)->family == IPV6 ? 38 : 30; /* byte of the frame */
	const size_t length = row_kind(row)->family == IPV6 ? 16 : 4;
	const uint32_t first = number_of(row, &packet->dst) * BACKENDS_PER_SERVICE;

	for (uint32_t i = 0; i < traffic_backends(row); i++) {
		const struct address backend = world_backend(row_kind(row), first + i);

		if (memcmp(&frame->bytes[at], &backend.word[4 - length / 4], length))
			continue;
		packet->dst = backend;
		packet->dst_port = world_backend_port(row_kind(row), traffic_shape(row));
		return;
	}
}

static void become(const struct row *row, const struct frame *frame, struct blueprint *packet)
{
	const bool forwarded = traffic_outcome(row).action == XDP_REDIRECT;

	if (row->subject == SUBJECT_FLOOR_A || row->subject == SUBJECT_FLOOR_B)
		swap_macs(packet);
	if (row->subject == SUBJECT_FLOOR_B || (forwarded && traffic_is_request(row)))
		translate_request(row, frame, packet);
	if (!forwarded)
		return;
	if (!traffic_is_request(row)) {
		packet->src = traffic_service(row).address;
		packet->src_port = traffic_service(row).port;
	}
	traffic_route(row, packet);
}

/* What we send back ourselves: a reset, or that the port is unreachable. */
static void build_answer(const struct row *row, const struct blueprint *sent, struct frame *answer)
{
	const bool is_ipv6 = blueprint_is_ipv6(sent);
	const struct icmp_words ipv4 = {3, 3, 0}, ipv6 = {1, 4, 0};
	static struct frame frame; /* too long for comfort on the stack */
	struct refused_frame refused = {
		.frame = &frame,
		.network = ETH_HLEN,
		.transport = ETH_HLEN + (is_ipv6 ? 40 : 20),
	};

	frame_build(sent, &frame);
	refused.linear = frame.length;
	if (traffic_outcome(row).verdict == VERDICT_ANSWER_RESET)
		frame_build_reset(&refused, answer);
	else
		frame_build_complaint(&refused, is_ipv6 ? &ipv6 : &ipv4, answer);
}

bool traffic_is_right(const struct row *row, const struct blueprint *sent,
		      const struct frame *frame)
{
	const struct outcome outcome = traffic_outcome(row);
	static struct frame wanted; /* too long for comfort on the stack */
	size_t i = 0;

	if (traffic_is_fixed(row)) {
		traffic_fixed_result(row, &wanted);
	} else if (row->subject == SUBJECT_OURS && outcome.action == XDP_TX) {
		build_answer(row, sent, &wanted);
	} else {
		struct blueprint packet = *sent;

		become(row, frame, &packet);
		frame_build(&packet, &wanted);
	}
	if (frame->length == wanted.length && !memcmp(frame->bytes, wanted.bytes, wanted.length))
		return true;
	while (i < wanted.length && frame->bytes[i] == wanted.bytes[i])
		i++;
	fprintf(stderr, "%s: a frame of %zu bytes, wanted %zu, differs at byte %zu\n", row->name,
		frame->length, wanted.length, i);
	return false;
}
