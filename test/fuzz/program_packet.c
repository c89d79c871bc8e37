/*
 * Packets: built as the cast sends them (test/bpf), since bytes alone rarely are a packet of
 * theirs, then changed byte by byte and cut; or nothing but bytes of the input.
 */
#include <arpa/inet.h>
#include <linux/in.h>
#include <linux/in6.h>
#include <string.h>
#include "test/bpf/cast.h"
#include "test/bpf/fragment_builder.h"
#include "test/bpf/icmp_builder.h"
#include "test/fuzz/fuzz.h"
#include "test/fuzz/program.h"

enum shape {
	SHAPE_PLAIN,
	SHAPE_FRAGMENT,
	SHAPE_ERROR,
	SHAPE_ECHO,
	SHAPE_BYTES,
	_SHAPE_COUNT,
};

#define MAX_PATCHES 7

/* Of either side of a conversation: from a client to a service, or from a backend back to it. */
static void choose_ends(struct input *input, struct blueprint *blueprint, enum family family)
{
	static const enum role SOURCES[] = {CLIENT, BACKEND_A, BACKEND_B, STRANGER};
	const uint8_t choice = take(input);
	const enum role from = SOURCES[choice & 3];
	const bool is_reply = choice & 4;
	const uint16_t client_port = CLIENT_PORT + (choice >> 3 & 3);

	blueprint->src = role_address(from, family);
	blueprint->dst = role_address(is_reply ? CLIENT : SERVICE, family);
	if (choice & 0x40)
		blueprint->dst = hairpin_address(family);
	blueprint->src_port = htons(is_reply ? BACKEND_PORT : client_port);
	blueprint->dst_port = htons(is_reply ? client_port : SERVICE_PORT + (choice >> 5 & 1));
	if (!is_reply && blueprint->protocol == IPPROTO_SCTP)
		blueprint->dst_port = htons(BACKEND_PORT);
	memcpy(blueprint->from_mac, role_mac(from), ETH_ALEN);
	memcpy(blueprint->to_mac, interface_mac(choice & 0x80 ? POD : UPLINK), ETH_ALEN);
}

static struct blueprint take_blueprint(struct input *input)
{
	static const uint8_t PROTOCOLS[] = {IPPROTO_TCP, IPPROTO_UDP, IPPROTO_SCTP, IPPROTO_GRE};
	static const size_t PAYLOADS[] = {0, 1, 33, 100, 600, 1400, 2100, 9000};
	const uint8_t choice = take(input), more = take(input), size = take(input);
	struct blueprint blueprint = {
		.protocol = PROTOCOLS[choice >> 1 & 3],
		.hop_limit = choice & 8 ? 1 : HOP_LIMIT,
		.udp_checksum = choice & 16 ? CHECKSUM_NONE : CHECKSUM_RIGHT,
		.options_length = choice >> 5 & 3 ? (choice >> 5 & 3u) * 12 : 0,
		.tcp_flags = more & (FIN | SYN | RST | PSH | ACK),
		.payload_length = PAYLOADS[size & 7],
		.padding_length = size >> 3 & 1 ? 6 : 0,
	};

	for (int i = 0; i < (more >> 6); i++)
		blueprint.tags.tag[i & 1] = (struct tag){
			htons(size & 0x80 ? ETH_P_8021AD : ETH_P_8021Q), htons(size >> 4 & 7)};
	if (size & 0x40)
		blueprint.first_payload_word = 0xfeed;
	if (!blueprint.payload_length)
		blueprint.first_payload_word = 0;
	choose_ends(input, &blueprint, choice & 1 ? IPV6 : IPV4);
	return blueprint;
}

static void build_fragment(struct input *input, struct frame *frame)
{
	const struct blueprint blueprint = take_blueprint(input);
	const uint8_t choice = take(input);
	static struct frame whole;
	const struct cut cut = {
		.offset = (choice & 3u) * 16,
		.length = choice & 4 ? CUT_REST : 64,
		.identification = FIRST_IDENTIFICATION + (choice >> 3 & 1),
		.place = (enum cut_place)((choice >> 4 & 3) % 3),
	};

	frame_build(&blueprint, &whole);
	*frame = whole;
	if (!blueprint.tags.word && blueprint.payload_length >= 100 && !blueprint.options_length)
		frame_cut(&whole, &cut, frame);
}

/* As a backend has got it, or a client from a service; or as it is. */
static void translate(struct blueprint *blueprint, uint8_t choice)
{
	const enum family family = blueprint_is_ipv6(blueprint) ? IPV6 : IPV4;

	if (choice & 1) {
		blueprint->dst = role_address(BACKEND_A, family);
		blueprint->dst_port = htons(BACKEND_PORT);
	} else if (choice & 2) {
		blueprint->src = role_address(SERVICE, family);
		blueprint->src_port = htons(SERVICE_PORT);
	}
}

/* From either end or from between. */
static void build_error(struct input *input, struct frame *frame)
{
	struct icmp_error error = {
		.envelope = take_blueprint(input),
		.quoted = take_blueprint(input),
	};
	const uint8_t choice = take(input);
	const bool is_ipv6 = blueprint_is_ipv6(&error.envelope);

	translate(&error.quoted, take(input));
	error.envelope.protocol = is_ipv6 ? IPPROTO_ICMPV6 : IPPROTO_ICMP;
	error.envelope.options_length = 0;
	error.quoted.payload_length %= 1400;
	if (choice & 0x80) /* as it would be asked for */
		error.envelope.dst = error.quoted.src;
	error.type = choice & 7;
	error.rest = 1280;
	error.quote_length = choice & 0x40 ? QUOTE_WHOLE : 20 + (choice & 0x38u);
	frame_build_error(&error, frame);
}

static void build_echo(struct input *input, struct frame *frame)
{
	struct icmp_echo echo = {.envelope = take_blueprint(input)};
	const uint8_t choice = take(input);
	const bool is_ipv6 = blueprint_is_ipv6(&echo.envelope);

	echo.envelope.protocol = is_ipv6 ? IPPROTO_ICMPV6 : IPPROTO_ICMP;
	echo.type = (is_ipv6 ? 128 : 8) + (choice & 1);
	echo.data_length = echo.envelope.payload_length;
	frame_build_echo(&echo, frame);
}

static void take_bytes(struct input *input, struct frame *frame)
{
	const size_t left = (size_t)(input->end - input->at), wanted = take(input) * 8u;

	frame->length = 0;
	while (frame->length < wanted && frame->length < left)
		frame->bytes[frame->length++] = take(input);
}

static void build(struct input *input, struct frame *frame)
{
	struct blueprint blueprint;

	switch ((enum shape)(take(input) % _SHAPE_COUNT)) {
	case SHAPE_PLAIN:
		blueprint = take_blueprint(input);
		frame_build(&blueprint, frame);
		break;
	case SHAPE_FRAGMENT:
		build_fragment(input, frame);
		break;
	case SHAPE_ERROR:
		build_error(input, frame);
		break;
	case SHAPE_ECHO:
		build_echo(input, frame);
		break;
	case SHAPE_BYTES:
	case _SHAPE_COUNT:
		take_bytes(input, frame);
		break;
	}
}

/* What was built is spoilt: some bytes near its start, and its end. */
static void spoil(struct input *input, struct frame *frame)
{
	const uint8_t choice = take(input);
	uint8_t place;

	for (int i = 0; i < (choice & MAX_PATCHES); i++) {
		place = take(input);
		if (place < frame->length)
			frame->bytes[place] = take(input);
	}
	if (choice & 0x40) {
		place = take(input);
		frame->length = place < frame->length ? place : frame->length;
	}
}

/* A driver has never less than an Ethernet header. */
static void lay_out(struct input *input, const struct frame *frame, struct native_packet *packet)
{
	static const uint32_t ROOMS[] = {NATIVE_HEADROOM, 40, 4, 0};
	const uint8_t choice = take(input);

	memset(packet->bytes, 0, ETH_HLEN);
	memcpy(packet->bytes, frame->bytes, frame->length);
	packet->length = (uint32_t)(frame->length < ETH_HLEN ? ETH_HLEN : frame->length);
	packet->later = 0;
	packet->headroom = ROOMS[choice & 3];
	packet->ifindex = choice & 4 ? POD_IFINDEX : UPLINK_IFINDEX;
	if ((choice & 0x18) == 0x18)
		packet->ifindex = UNKNOWN_IFINDEX;
	if ((choice & 0x60) == 0x60 && packet->length > ETH_HLEN)
		packet->later = take(input) * 4u % (packet->length - ETH_HLEN);
	native_kernel.cpu = choice >> 7;
}

void packet_make(struct input *input, struct native_packet *packet)
{
	static struct frame frame;
	uint8_t choice;

	build(input, &frame);
	spoil(input, &frame);
	lay_out(input, &frame, packet);
	choice = take(input);
	native_kernel.chance = choice;
	native_kernel.has_metadata = !(choice & 1);
	native_kernel.is_ringbuf_full = choice & 2;
}
