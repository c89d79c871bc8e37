/*
 * What we say ourselves: echo replies, resets, and the ICMP errors "port unreachable" and "too
 * big". They leave by the way the packet came, from the address that it was for.
 */
#include <linux/if_ether.h>
#include <linux/in.h>
#include <linux/in6.h>
#include <string.h>
#include "test/model/walk.h"

#define OUR_HOP_LIMIT 64
#define IPV4_ERROR_MAX 576  /* bytes in all: RFC 1812, 4.3.2.3 */
#define IPV6_ERROR_MAX 1280 /* RFC 4443, 3.2 */
#define DONT_FRAGMENT 0x4000

#define ICMP_ECHO_REPLY 0
#define ICMP_UNREACHABLE 3
#define ICMP_ECHO 8
#define ICMPV6_UNREACHABLE 1
#define ICMPV6_TOO_BIG 2
#define ICMPV6_ECHO 128
#define ICMPV6_ECHO_REPLY 129

const struct model_service *service_of_address(const struct model *model,
					       const struct address *address)
{
	for (uint32_t i = 0; i < MODEL_SERVICES; i++)
		if (model->services[i].is_used &&
		    same_address(&model->services[i].key.address, address))
			return &model->services[i];
	return NULL;
}

bool is_virtual(const struct model *model, const struct address *address)
{
	const struct model_service *service = service_of_address(model, address);

	return service && !service->is_own;
}

static bool is_group(const uint8_t *mac)
{
	return mac[0] & 1;
}

/* RFC 1122, 3.2.2: not to what more than one may have got, nor to who is no single host. */
static bool may_be_answered(const struct walk *walk)
{
	return !is_group(walk->frame->bytes) && !is_group(walk->frame->bytes + ETH_ALEN) &&
	       !is_from_nobody(walk) && !walk->is_error;
}

enum verdict turn_away(const struct walk *walk, enum verdict otherwise)
{
	if (walk->model->is_silent)
		return otherwise;
	if (walk->packet.part == PART_LATER)
		return VERDICT_DROP_FRAGMENT;
	if (!may_be_answered(walk))
		return otherwise;
	/* RFC 9293, 3.10.7.1: a reset is never answered by one. */
	if (walk->packet.protocol == IPPROTO_TCP)
		return features[FEATURE_RESET] && !(walk->tcp_flags & RST) ? late(LATE_ANSWER_RESET)
									   : otherwise;
	return features[FEATURE_UNREACHABLE] ? late(LATE_ANSWER_UNREACHABLE) : otherwise;
}

static bool may_be_fragmented(const struct walk *walk)
{
	return !walk->packet.is_ipv6 && !(get16(walk->frame, walk->packet.ip + 6) & DONT_FRAGMENT);
}

enum verdict turn_away_size(const struct walk *walk)
{
	if (!features[FEATURE_TOO_BIG])
		return VERDICT_PASS_TOO_BIG;
	if (may_be_fragmented(walk))
		return VERDICT_PASS_BY_STACK;
	if (!is_to_us(walk))
		return VERDICT_PASS_OTHER_HOST;
	if (walk->packet.part == PART_LATER)
		return VERDICT_DROP_FRAGMENT;
	return may_be_answered(walk) && !walk->becomes_reset ? late(LATE_ANSWER_TOO_BIG)
							     : VERDICT_PASS_TOO_BIG;
}

enum verdict check_echo(const struct walk *walk)
{
	const struct headers *packet = &walk->packet;
	const uint8_t type = walk->frame->bytes[packet->transport];

	if (!features[FEATURE_ECHO] || type != (packet->is_ipv6 ? ICMPV6_ECHO : ICMP_ECHO) ||
	    !is_virtual(walk->model, &packet->flow.dst) || !is_to_us(walk) ||
	    !may_be_answered(walk))
		return VERDICT_PASS_PROTOCOL;
	return late(LATE_ANSWER_ECHO);
}

/* The frame that leaves, as it grows. */
struct reply {
	struct frame *frame;
	const struct frame *asked;
	const struct headers *headers; /* of what was asked */
	size_t transport;
};

static void put_bytes(struct reply *reply, const void *bytes, size_t length)
{
	memcpy(&reply->frame->bytes[reply->frame->length], bytes, length);
	reply->frame->length += length;
}

static void put8(struct reply *reply, uint8_t value)
{
	put_bytes(reply, &value, 1);
}

static void put16(struct reply *reply, uint16_t value)
{
	put8(reply, (uint8_t)(value >> 8));
	put8(reply, (uint8_t)value);
}

static void put32(struct reply *reply, uint32_t value)
{
	put16(reply, (uint16_t)(value >> 16));
	put16(reply, (uint16_t)value);
}

static void write16(struct reply *reply, size_t at, uint16_t value)
{
	reply->frame->bytes[at] = (uint8_t)(value >> 8);
	reply->frame->bytes[at + 1] = (uint8_t)value;
}

/* Turned round: from the address that was asked to the one that asked. Tags stay. */
static void put_network(struct reply *reply, uint8_t protocol, size_t payload)
{
	const struct headers *headers = reply->headers;
	const uint8_t *asked = reply->asked->bytes;
	const size_t size = address_size(headers);
	const size_t ip = headers->ip;

	put_bytes(reply, asked + ETH_ALEN, ETH_ALEN);
	put_bytes(reply, asked, ETH_ALEN);
	put_bytes(reply, asked + 2 * ETH_ALEN, ip - 2 * ETH_ALEN);
	if (headers->is_ipv6) {
		put32(reply, 0x60000000);
		put16(reply, (uint16_t)payload);
		put8(reply, protocol);
		put8(reply, OUR_HOP_LIMIT);
	} else {
		put16(reply, 0x4500);
		put16(reply, (uint16_t)(IPV4_HEADER + payload));
		put16(reply, 0); /* RFC 6864, 4.1: what is not fragmented needs none */
		put16(reply, DONT_FRAGMENT);
		put8(reply, OUR_HOP_LIMIT);
		put8(reply, protocol);
		put16(reply, 0);
	}
	put_bytes(reply, asked + address_at(headers, DESTINATION), size);
	put_bytes(reply, asked + address_at(headers, SOURCE), size);
	if (!headers->is_ipv6)
		write16(reply, ip + 10, checksum_of(&reply->frame->bytes[ip], IPV4_HEADER, 0));
	reply->transport = reply->frame->length;
}

/* RFC 9293, 3.1; RFC 8200, 8.1. ICMP over IPv4 sums no pseudo-header. */
static void write_checksum(struct reply *reply, size_t at, uint8_t protocol)
{
	const struct frame *frame = reply->frame;
	const size_t length = frame->length - reply->transport;
	const size_t size = 2 * address_size(reply->headers);
	uint32_t pseudo = 0;

	if (protocol != IPPROTO_ICMP)
		pseudo = (uint16_t)~checksum_of(&frame->bytes[reply->transport - size], size, 0) +
			 protocol + (uint32_t)length;
	write16(reply, reply->transport + at,
		checksum_of(&frame->bytes[reply->transport], length, pseudo));
}

static uint32_t get32(const struct frame *frame, size_t at)
{
	return (uint32_t)get16(frame, at) << 16 | get16(frame, at + 2);
}

/* What the sender's next sequence number is: data, SYN and FIN count (RFC 9293, 3.3.1). */
static uint32_t next_sequence(const struct reply *reply, uint8_t flags)
{
	const struct headers *headers = reply->headers;
	const size_t header = (size_t)(reply->asked->bytes[headers->transport + 12] >> 4) * 4;
	const size_t length = headers->end - headers->transport;
	const uint32_t data = (uint32_t)(length > header ? length - header : 0);

	return get32(reply->asked, headers->transport + 4) + data + !!(flags & SYN) +
	       !!(flags & FIN);
}

/* RFC 9293, 3.10.7.1. */
static void put_reset(struct reply *reply, uint8_t flags)
{
	const struct headers *headers = reply->headers;

	put_network(reply, IPPROTO_TCP, TCP_HEADER);
	put_bytes(reply, &headers->flow.dst_port, 2);
	put_bytes(reply, &headers->flow.src_port, 2);
	if (flags & ACK) {
		put32(reply, get32(reply->asked, headers->transport + 8));
		put32(reply, 0);
	} else {
		put32(reply, 0);
		put32(reply, next_sequence(reply, flags));
	}
	put8(reply, TCP_HEADER / 4 << 4);
	put8(reply, flags & ACK ? RST : RST | ACK);
	put32(reply, 0); /* window and checksum */
	put16(reply, 0);
	write_checksum(reply, TCP_CHECKSUM_AT, IPPROTO_TCP);
}

static uint8_t icmp_of(const struct reply *reply)
{
	return reply->headers->is_ipv6 ? IPPROTO_ICMPV6 : IPPROTO_ICMP;
}

/* As much of the packet as may be: RFC 1812, 4.3.2.3; RFC 4443, 2.4 (c). */
static void put_error(struct reply *reply, uint16_t type_and_code, uint32_t rest)
{
	const struct headers *headers = reply->headers;
	const size_t most = headers->is_ipv6 ? IPV6_ERROR_MAX - IPV6_HEADER - ICMP_HEADER
					     : IPV4_ERROR_MAX - IPV4_HEADER - ICMP_HEADER;
	const size_t length = headers->end - headers->ip;
	const size_t quote = length < most ? length : most;

	put_network(reply, icmp_of(reply), ICMP_HEADER + quote);
	put16(reply, type_and_code);
	put16(reply, 0);
	put32(reply, rest);
	put_bytes(reply, &reply->asked->bytes[headers->ip], quote);
	write_checksum(reply, ICMP_CHECKSUM_AT, icmp_of(reply));
}

static uint16_t checksum_of_echo_reply(const struct reply *reply)
{
	const uint16_t before = get16(reply->asked, reply->headers->transport);
	const uint16_t after = get16(reply->frame, reply->transport);
	uint32_t sum = (uint16_t)~get16(reply->asked, reply->headers->transport + ICMP_CHECKSUM_AT);

	sum += (uint16_t)~before + after;
	sum = (sum & 0xffff) + (sum >> 16);
	return (uint16_t) ~((sum & 0xffff) + (sum >> 16));
}

/*
 * RFC 792 and RFC 4443, 4.2: the data come back as they were, and a checksum that was wrong is
 * wrong by as much (RFC 1624, equation 3).
 */
static void put_echo_reply(struct reply *reply)
{
	const struct headers *headers = reply->headers;
	const size_t length = headers->end - headers->transport;

	put_network(reply, icmp_of(reply), length);
	put8(reply, headers->is_ipv6 ? ICMPV6_ECHO_REPLY : ICMP_ECHO_REPLY);
	put_bytes(reply, &reply->asked->bytes[headers->transport + 1], length - 1);
	write16(reply, reply->transport + ICMP_CHECKSUM_AT, checksum_of_echo_reply(reply));
}

static void put_unreachable(struct reply *reply)
{
	put_error(reply,
		  reply->headers->is_ipv6 ? ICMPV6_UNREACHABLE << 8 | 4 : ICMP_UNREACHABLE << 8 | 3,
		  0);
}

/* RFC 1191, 4: the MTU in the low half; RFC 4443, 3.2: in all of it. */
static void put_too_big(struct reply *reply, uint32_t mtu)
{
	put_error(reply, reply->headers->is_ipv6 ? ICMPV6_TOO_BIG << 8 : ICMP_UNREACHABLE << 8 | 4,
		  mtu);
}

bool is_answer(enum verdict verdict)
{
	return is_late(verdict, LATE_ANSWER_ECHO) || is_late(verdict, LATE_ANSWER_RESET) ||
	       is_late(verdict, LATE_ANSWER_UNREACHABLE) || is_late(verdict, LATE_ANSWER_TOO_BIG);
}

void answer(struct walk *walk, enum verdict verdict)
{
	static struct frame asked;
	struct reply reply = {.frame = walk->frame, .asked = &asked, .headers = &walk->packet};

	asked.length = walk->frame->length;
	memcpy(asked.bytes, walk->frame->bytes, asked.length);
	walk->frame->length = 0;
	if (is_late(verdict, LATE_ANSWER_ECHO))
		put_echo_reply(&reply);
	else if (is_late(verdict, LATE_ANSWER_RESET))
		put_reset(&reply, walk->tcp_flags);
	else if (is_late(verdict, LATE_ANSWER_UNREACHABLE))
		put_unreachable(&reply);
	else
		put_too_big(&reply, walk->mtu);
}
