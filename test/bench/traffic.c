/*
 * Packets of a row: see traffic.h.
 */
#include "test/bench/traffic.h"

#include <arpa/inet.h>
#include <linux/bpf.h>
#include <linux/in.h>
#include <string.h>
#include "lb/address.h"
#include "test/bench/world.h"
#include "test/bench/wrapper.h"

#define OPTIONS_LENGTH 4

struct plan {
	struct outcome outcome; /* of ours */
	uint8_t flags;
	enum service_shape shape; /* 0: the row's */
	bool is_reply, is_answered, begins, is_fixed;
	bool is_unserved; /* its port is not */
	bool is_lost;     /* its backend is, once it was answered */
};

#define TO_BACKEND                                                                                 \
	{                                                                                          \
		XDP_REDIRECT, VERDICT_REDIRECT                                                     \
	}

static const struct plan PLANS[_TRAFFIC_COUNT] = {
	[TRAFFIC_ESTABLISHED] = {.outcome = TO_BACKEND, .flags = ACK, .is_answered = true},
	[TRAFFIC_REPLY] = {.outcome = TO_BACKEND,
			   .flags = ACK,
			   .shape = SERVICE_SINGLE,
			   .is_reply = true,
			   .is_answered = true},
	[TRAFFIC_NEW] = {.outcome = TO_BACKEND, .flags = SYN, .begins = true},
	[TRAFFIC_MID_FLOW] = {.outcome = TO_BACKEND, .flags = ACK, .begins = true},
	[TRAFFIC_STATELESS] = {.outcome = TO_BACKEND, .flags = SYN},
	[TRAFFIC_RESET] = {.outcome = TO_BACKEND, .flags = RST},
	[TRAFFIC_NO_SERVICE] = {.outcome = {XDP_PASS, VERDICT_PASS_NO_SERVICE}, .flags = ACK},
	[TRAFFIC_NO_BACKEND] = {.outcome = {XDP_DROP, VERDICT_DROP_NO_BACKEND},
				.flags = ACK,
				.shape = SERVICE_EMPTY},
	[TRAFFIC_ANSWER_RESET] = {.outcome = {XDP_TX, VERDICT_ANSWER_RESET},
				  .flags = SYN,
				  .shape = SERVICE_EMPTY},
	[TRAFFIC_ANSWER_UNREACHABLE] = {.outcome = {XDP_TX, VERDICT_ANSWER_UNREACHABLE},
					.flags = SYN,
					.shape = SERVICE_EMPTY},
	[TRAFFIC_GONE] = {.outcome = {XDP_TX, VERDICT_ANSWER_RESET},
			  .flags = ACK,
			  .shape = SERVICE_LOST,
			  .is_answered = true,
			  .is_lost = true},
	[TRAFFIC_NOT_SERVED] = {.outcome = {XDP_DROP, VERDICT_DROP_NOT_SERVED},
				.flags = SYN,
				.is_unserved = true},
	[TRAFFIC_NOT_SERVED_RESET] = {.outcome = {XDP_TX, VERDICT_ANSWER_RESET},
				      .flags = SYN,
				      .is_unserved = true},
	[TRAFFIC_NOT_SERVED_UNREACHABLE] = {.outcome = {XDP_TX, VERDICT_ANSWER_UNREACHABLE},
					    .flags = SYN,
					    .is_unserved = true},
	[TRAFFIC_OUT_OF_RANGE] = {.outcome = {XDP_DROP, VERDICT_DROP_SOURCE_RANGE},
				  .flags = SYN,
				  .shape = SERVICE_CLOSED},
	[TRAFFIC_DENIED] = {.outcome = {XDP_DROP, VERDICT_DROP_DENIED}, .flags = SYN},
	[TRAFFIC_NOT_IP] = {.outcome = {XDP_PASS, VERDICT_PASS_PROTOCOL}, .is_fixed = true},
	[TRAFFIC_ONE_FLOW] = {.outcome = TO_BACKEND, .shape = SERVICE_SINGLE, .is_fixed = true},
	[TRAFFIC_ALIASED] = {.outcome = TO_BACKEND, .shape = SERVICE_TWIN, .is_fixed = true},
	[TRAFFIC_TAGGED] = {.outcome = TO_BACKEND, .shape = SERVICE_SINGLE, .is_fixed = true},
	[TRAFFIC_EXTENSION] = {.outcome = TO_BACKEND, .shape = SERVICE_SINGLE, .is_fixed = true},
	[TRAFFIC_FRAGMENT] = {.outcome = TO_BACKEND, .shape = SERVICE_SINGLE, .is_fixed = true},
	[TRAFFIC_FRAGMENT_OF_OTHERS] = {.outcome = {XDP_PASS, VERDICT_PASS_FRAGMENT},
					.is_fixed = true},
	[TRAFFIC_ECHO] = {.outcome = {XDP_TX, VERDICT_ANSWER_ECHO}, .is_fixed = true},
	[TRAFFIC_ICMP_ERROR] = {.outcome = TO_BACKEND,
				.flags = ACK,
				.shape = SERVICE_SINGLE,
				.is_reply = true,
				.is_answered = true,
				.is_fixed = true},
};

uint8_t traffic_flags(const struct row *row)
{
	return PLANS[row->traffic].flags;
}

enum service_shape traffic_shape(const struct row *row)
{
	const enum service_shape shape = PLANS[row->traffic].shape;

	return shape ? shape : row->shape;
}

struct service_key traffic_service(const struct row *row)
{
	return world_service(row_kind(row), traffic_shape(row), 0);
}

uint32_t traffic_backends(const struct row *row)
{
	return world_backend_count(traffic_shape(row));
}

bool traffic_is_request(const struct row *row)
{
	return !PLANS[row->traffic].is_reply;
}

bool traffic_is_answered(const struct row *row)
{
	return row->subject == SUBJECT_OURS && PLANS[row->traffic].is_answered;
}

bool traffic_is_lost(const struct row *row)
{
	return PLANS[row->traffic].is_lost;
}

bool traffic_begins(const struct row *row)
{
	return PLANS[row->traffic].begins;
}

bool traffic_is_fixed(const struct row *row)
{
	return PLANS[row->traffic].is_fixed;
}

struct outcome traffic_outcome(const struct row *row)
{
	if (row->subject == SUBJECT_OURS)
		return PLANS[row->traffic].outcome;
	return (struct outcome){.action = row->subject == SUBJECT_NOP ? XDP_PASS : XDP_TX};
}

static struct address client(enum family family)
{
	struct address address = {};

	address_parse(family == IPV6 ? "2001:db8::" : "0.0.0.0", &address);
	return address;
}

static size_t transport_header(uint8_t protocol)
{
	if (protocol == IPPROTO_TCP)
		return 20;
	return protocol == IPPROTO_SCTP ? 12 : 8;
}

/* As many bytes as every frame has. */
static void fill(struct blueprint *blueprint, enum family family)
{
	const size_t network = family == IPV6 ? 40 : 20;

	blueprint->hop_limit = HOP_LIMIT;
	blueprint->payload_length = FRAME_BYTES - ETH_HLEN - network - blueprint->options_length -
				    transport_header(blueprint->protocol);
}

struct blueprint traffic_request(const struct row *row, uint8_t tcp_flags)
{
	const struct service_key service = traffic_service(row);
	struct blueprint request = {
		.src = client(row_kind(row)->family),
		.dst = service.address,
		.dst_port = PLANS[row->traffic].is_unserved ? htons(UNSERVED_PORT) : service.port,
		.protocol = service.protocol,
		.tcp_flags = tcp_flags,
		.options_length = row->options ? OPTIONS_LENGTH : 0,
	};

	if (row->traffic == TRAFFIC_NO_SERVICE || row->traffic == TRAFFIC_FRAGMENT_OF_OTHERS)
		address_parse(row_kind(row)->family == IPV6 ? "fd00:112::" : "10.112.0.0",
			      &request.dst);
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
		.src_port = world_backend_port(row_kind(row), traffic_shape(row)),
		.protocol = row_kind(row)->protocol,
		.tcp_flags = tcp_flags,
	};

	memcpy(reply.from_mac, role_mac(BACKEND_A), ETH_ALEN);
	memcpy(reply.to_mac, interface_mac(POD), ETH_ALEN);
	fill(&reply, row_kind(row)->family);
	return reply;
}
