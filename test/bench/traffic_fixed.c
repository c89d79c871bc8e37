/*
 * Frames that are the same each time, because they are of no flow or are about one: see traffic.h.
 */
#include <arpa/inet.h>
#include <linux/bpf.h>
#include <linux/in.h>
#include <linux/in6.h>
#include <string.h>
#include "test/bench/traffic_internal.h"
#include "test/bench/wrapper.h"
#include "test/bpf/answer_builder.h"
#include "test/bpf/icmp_builder.h"
#include "test/bpf/tags.h"

#define ETHERTYPE_ARP 0x0806
#define MORE_FRAGMENTS 0x2000 /* RFC 791, 3.1 */
#define QUOTED_PAYLOAD 64
#define VLAN_NUMBER 100
#define TAG_BYTES 4
#define EXTENSION_BYTES 8 /* the shortest header of options (RFC 8200, 4.2) */

/* RFC 792, RFC 4443 */
#define ECHO_REQUEST 8
#define ECHO_REQUEST_IPV6 128
#define UNREACHABLE 3
#define UNREACHABLE_IPV6 1
#define PORT_UNREACHABLE 3
#define PORT_UNREACHABLE_IPV6 4

static bool is_ipv6(const struct row *row)
{
	return row_kind(row)->family == IPV6;
}

/* What a client sends, of flow 0. */
static struct blueprint request_of_flow(const struct row *row)
{
	struct blueprint request = traffic_request(row, ACK);

	request.src.word[3] =
		htonl(row->traffic == TRAFFIC_ALIASED ? ALIASED_CLIENT : FIRST_CLIENT);
	request.src_port = htons(FIRST_CLIENT_PORT);
	request.payload_length += FIXED_BYTES - FRAME_BYTES;
	if (row->traffic == TRAFFIC_FRAGMENT || row->traffic == TRAFFIC_FRAGMENT_OF_OTHERS)
		request.fragment = MORE_FRAGMENTS;
	if (row->traffic == TRAFFIC_EXTENSION)
		request.payload_length -= EXTENSION_BYTES;
	if (row->traffic == TRAFFIC_TAGGED) {
		request.payload_length -= TAG_BYTES;
		request.tags = VLAN(VLAN_NUMBER);
	}
	return request;
}

static size_t quote_length(const struct row *row)
{
	return FIXED_BYTES - ETH_HLEN - (is_ipv6(row) ? 40 : 20) - 8;
}

/* An echo request's data is anything: here as if a packet were quoted. */
static struct icmp_error echo(const struct row *row)
{
	return (struct icmp_error){
		.envelope = request_of_flow(row),
		.type = is_ipv6(row) ? ECHO_REQUEST_IPV6 : ECHO_REQUEST,
		.rest = 0x00010001, /* identifier and sequence number */
		.quoted = request_of_flow(row),
		.quote_length = quote_length(row),
	};
}

/* The backend's port is closed; it quotes the request as that has reached it. */
static struct icmp_error error_sent(const struct row *row)
{
	struct icmp_error error = {
		.envelope = traffic_reply(row, 0, 0),
		.type = is_ipv6(row) ? UNREACHABLE_IPV6 : UNREACHABLE,
		.code = is_ipv6(row) ? PORT_UNREACHABLE_IPV6 : PORT_UNREACHABLE,
		.quoted = request_of_flow(row),
		.quote_length = quote_length(row),
	};

	error.envelope.dst = error.quoted.src;
	error.quoted.dst = world_backend(row_kind(row), 0);
	error.quoted.dst_port = world_backend_port(row_kind(row), traffic_shape(row));
	error.quoted.payload_length = QUOTED_PAYLOAD;
	error.quoted.hop_limit--;
	return error;
}

/* The client is told of the packet that it has sent, by the service. */
static struct icmp_error error_wanted(const struct row *row)
{
	const struct service_key service = traffic_service(row);
	struct icmp_error error = error_sent(row);

	error.envelope.src = service.address;
	traffic_route(row, &error.envelope);
	error.quoted.dst = service.address;
	error.quoted.dst_port = service.port;
	return error;
}

/* Options hop by hop: four bytes of padding, which is how long they are at least. */
static void insert_extension(struct frame *frame)
{
	static const uint8_t OPTIONS[EXTENSION_BYTES] = {IPPROTO_UDP, 0, 1, 4};
	uint8_t *at = &frame->bytes[ETH_HLEN + 40];

	memmove(at + EXTENSION_BYTES, at, frame->length - ETH_HLEN - 40);
	memcpy(at, OPTIONS, EXTENSION_BYTES);
	frame->bytes[ETH_HLEN + 6] = IPPROTO_HOPOPTS;
	frame->length += EXTENSION_BYTES;
	frame_fit_length(frame);
}

static void build_plain(const struct row *row, struct frame *frame)
{
	const struct blueprint packet = request_of_flow(row);

	frame_build(&packet, frame);
	if (row->traffic == TRAFFIC_EXTENSION)
		insert_extension(frame);
	if (row->traffic == TRAFFIC_NOT_IP) {
		frame->bytes[12] = ETHERTYPE_ARP >> 8;
		frame->bytes[13] = ETHERTYPE_ARP & 0xff;
	}
}

void traffic_fixed(const struct row *row, struct frame *frame)
{
	const bool is_error = row->traffic == TRAFFIC_ICMP_ERROR;
	const struct icmp_error message = is_error ? error_sent(row) : echo(row);

	if (is_error || row->traffic == TRAFFIC_ECHO)
		frame_build_error(&message, frame);
	else
		build_plain(row, frame);
}

void traffic_fixed_first(const struct row *row, struct frame *frame)
{
	struct blueprint packet = request_of_flow(row);

	packet.fragment = 0;
	if (row->traffic == TRAFFIC_FRAGMENT)
		frame_build(&packet, frame);
	else
		traffic_fixed(row, frame);
}

bool traffic_fixed_rival(const struct row *row, struct frame *frame)
{
	struct blueprint packet = request_of_flow(row);

	packet.dst_port = world_service(row_kind(row), SERVICE_SINGLE, 0).port;
	if (row->traffic == TRAFFIC_ALIASED)
		frame_build(&packet, frame);
	return row->traffic == TRAFFIC_ALIASED;
}

static void build_translated(const struct row *row, struct frame *frame)
{
	struct blueprint packet = request_of_flow(row);

	packet.tags = NO_TAGS;
	if (row->traffic == TRAFFIC_ALIASED)
		packet.src_port = world_alias_port(packet.src_port);
	packet.dst = world_backend(row_kind(row), 0);
	packet.dst_port = world_backend_port(row_kind(row), traffic_shape(row));
	traffic_route(row, &packet);
	frame_build(&packet, frame);
	if (row->traffic == TRAFFIC_EXTENSION)
		insert_extension(frame);
}

static void build_echo_reply(const struct row *row, struct frame *frame)
{
	static struct frame asked;
	const struct refused_frame refused = {
		.frame = &asked,
		.network = ETH_HLEN,
		.transport = ETH_HLEN + (is_ipv6(row) ? 40 : 20),
	};

	traffic_fixed(row, &asked);
	frame_build_echo_reply(&refused, frame);
}

/* All others are passed as they came. */
void traffic_fixed_result(const struct row *row, struct frame *frame)
{
	const struct icmp_error error = error_wanted(row);

	if (row->traffic == TRAFFIC_ICMP_ERROR)
		frame_build_error(&error, frame);
	else if (traffic_outcome(row).action == XDP_REDIRECT)
		build_translated(row, frame);
	else if (row->traffic == TRAFFIC_ECHO)
		build_echo_reply(row, frame);
	else
		traffic_fixed(row, frame);
}
