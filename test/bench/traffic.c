/*
 * Packets of a row: see traffic.h.
 */
#include "test/bench/traffic.h"

#include <arpa/inet.h>
#include <linux/bpf.h>
#include <linux/in.h>
#include <stdio.h>
#include <string.h>
#include "lb/address.h"
#include "test/bench/world.h"
#include "test/bench/wrapper.h"

#define PORT_OF_NO_SERVICE 9 /* discard */

static enum service_kind service_of(const struct row *row)
{
	if (row->traffic == TRAFFIC_REPLY)
		return SERVICE_SINGLE;
	return row->traffic == TRAFFIC_NO_BACKEND ? SERVICE_EMPTY : SERVICE_FIVE;
}

struct service_key traffic_service(const struct row *row)
{
	return world_service(row_kind(row), service_of(row), 0);
}

uint32_t traffic_backends(const struct row *row)
{
	return world_backend_count(service_of(row));
}

bool traffic_is_request(const struct row *row)
{
	return row->traffic != TRAFFIC_REPLY;
}

static struct address client(enum family family)
{
	struct address address = {};

	address_parse(family == IPV6 ? "2001:db8::" : "0.0.0.0", &address);
	return address;
}

/* As many bytes as every frame has. */
static void fill(struct blueprint *blueprint, enum family family)
{
	const size_t network = family == IPV6 ? 40 : 20;
	const size_t transport = blueprint->protocol == IPPROTO_TCP ? 20 : 8;

	blueprint->hop_limit = HOP_LIMIT;
	blueprint->payload_length = FRAME_BYTES - ETH_HLEN - network - transport;
}

struct blueprint traffic_request(const struct row *row, uint8_t tcp_flags)
{
	const struct service_key service = traffic_service(row);
	struct blueprint request = {
		.src = client(row_kind(row)->family),
		.dst = service.address,
		.dst_port = service.port,
		.protocol = service.protocol,
		.tcp_flags = tcp_flags,
	};

	if (row->traffic == TRAFFIC_NO_SERVICE)
		request.dst_port = htons(PORT_OF_NO_SERVICE);
	memcpy(request.from_mac, role_mac(CLIENT), ETH_ALEN);
	memcpy(request.to_mac, interface_mac(UPLINK), ETH_ALEN);
	fill(&request, row_kind(row)->family);
	return request;
}

struct blueprint traffic_reply(const struct row *row, uint32_t backend, uint8_t tcp_flags)
{
	struct blueprint reply = {
		.src = world_backend(row_kind(row), backend),
		.dst = client(row_kind(row)->family),
		.src_port = world_backend_port(service_of(row)),
		.protocol = row_kind(row)->protocol,
		.tcp_flags = tcp_flags,
	};

	memcpy(reply.from_mac, role_mac(BACKEND_A), ETH_ALEN);
	memcpy(reply.to_mac, interface_mac(POD), ETH_ALEN);
	fill(&reply, row_kind(row)->family);
	return reply;
}

struct outcome traffic_outcome(const struct row *row)
{
	static const struct outcome OUTCOMES[_TRAFFIC_COUNT] = {
		[TRAFFIC_ESTABLISHED] = {XDP_REDIRECT, VERDICT_REDIRECT},
		[TRAFFIC_REPLY] = {XDP_REDIRECT, VERDICT_REDIRECT},
		[TRAFFIC_NEW] = {XDP_REDIRECT, VERDICT_REDIRECT},
		[TRAFFIC_NO_SERVICE] = {XDP_PASS, VERDICT_PASS_NO_SERVICE},
		[TRAFFIC_NO_BACKEND] = {XDP_DROP, VERDICT_DROP_NO_BACKEND},
		[TRAFFIC_NOT_IP] = {XDP_PASS, VERDICT_PASS_PROTOCOL},
	};

	if (row->subject == SUBJECT_OURS)
		return OUTCOMES[row->traffic];
	return (struct outcome){.action = row->subject == SUBJECT_NOP ? XDP_PASS : XDP_TX};
}

static void swap_macs(struct blueprint *packet)
{
	uint8_t mac[ETH_ALEN];

	memcpy(mac, packet->to_mac, ETH_ALEN);
	memcpy(packet->to_mac, packet->from_mac, ETH_ALEN);
	memcpy(packet->from_mac, mac, ETH_ALEN);
}

static void route(struct blueprint *packet, enum role next, enum interface out)
{
	packet->hop_limit--;
	memcpy(packet->to_mac, role_mac(next), ETH_ALEN);
	memcpy(packet->from_mac, interface_mac(out), ETH_ALEN);
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
		packet->dst_port = world_backend_port(service_of(row));
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
	if (traffic_is_request(row)) {
		route(packet, BACKEND_A, POD);
		return;
	}
	packet->src = traffic_service(row).address;
	packet->src_port = traffic_service(row).port;
	route(packet, CLIENT, UPLINK);
}

bool traffic_is_right(const struct row *row, const struct blueprint *sent,
		      const struct frame *frame)
{
	static struct frame wanted; /* too long for comfort on the stack */
	struct blueprint packet = *sent;
	size_t i = 0;

	become(row, frame, &packet);
	frame_build(&packet, &wanted);
	if (row->traffic == TRAFFIC_NOT_IP) {
		wanted.bytes[12] = ETHERTYPE_NOT_IP >> 8;
		wanted.bytes[13] = ETHERTYPE_NOT_IP & 0xff;
	}
	if (frame->length == wanted.length && !memcmp(frame->bytes, wanted.bytes, wanted.length))
		return true;
	while (i < wanted.length && frame->bytes[i] == wanted.bytes[i])
		i++;
	fprintf(stderr, "%s: a frame of %zu bytes, wanted %zu, differs at byte %zu\n", row->name,
		frame->length, wanted.length, i);
	return false;
}
