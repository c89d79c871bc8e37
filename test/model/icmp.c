/*
 * ICMP and ICMPv6: errors about other packets (RFC 792, RFC 4443). Everything else is the stack's.
 */
#include <linux/in.h>
#include <linux/in6.h>
#include <string.h>
#include "test/model/walk.h"

#define PORTS_QUOTED 8 /* bytes of the transport: RFC 792 asks for no more */

/* Destination unreachable, time exceeded, parameter problem; ICMPv6: packet too big as well. */
static bool is_error_type(const struct walk *walk, uint8_t type)
{
	if (walk->packet.is_ipv6)
		return type >= 1 && type <= 4;
	return type == 3 || type == 11 || type == 12;
}

static enum verdict parse_quoted_ipv4(struct walk *walk)
{
	struct headers *quoted = &walk->quoted;
	const uint8_t *ip = &walk->frame->bytes[quoted->ip];
	const size_t header = (size_t)(ip[0] & 0xf) * 4;

	if (ip[0] >> 4 != 4 || header < IPV4_HEADER || quoted->ip + header > quoted->end)
		return VERDICT_PASS_MALFORMED;
	quoted->transport = quoted->ip + header;
	quoted->protocol = ip[9];
	/* Only the first fragment has ports. */
	if (get16(walk->frame, quoted->ip + 6) & 0x1fff)
		return VERDICT_PASS_FRAGMENT;
	return VERDICT_CONTINUE;
}

static enum verdict parse_quoted_ipv6(struct walk *walk)
{
	struct headers *quoted = &walk->quoted;
	const uint8_t *ip = &walk->frame->bytes[quoted->ip];

	if (ip[0] >> 4 != 6)
		return VERDICT_PASS_MALFORMED;
	quoted->transport = quoted->ip + IPV6_HEADER;
	quoted->protocol = ip[6];
	if (quoted->protocol == IPPROTO_FRAGMENT)
		return VERDICT_PASS_FRAGMENT;
	return VERDICT_CONTINUE;
}

static enum verdict parse_quoted(struct walk *walk)
{
	struct headers *quoted = &walk->quoted;
	const size_t least = quoted->is_ipv6 ? IPV6_HEADER : IPV4_HEADER;
	enum verdict verdict;

	if (quoted->ip + least > quoted->end)
		return VERDICT_PASS_MALFORMED;
	quoted->flow.src = get_address(walk->frame, quoted, SOURCE);
	quoted->flow.dst = get_address(walk->frame, quoted, DESTINATION);
	verdict = quoted->is_ipv6 ? parse_quoted_ipv6(walk) : parse_quoted_ipv4(walk);
	if (verdict)
		return verdict;
	if (quoted->protocol != IPPROTO_TCP && quoted->protocol != IPPROTO_UDP &&
	    quoted->protocol != IPPROTO_SCTP)
		return VERDICT_PASS_PROTOCOL;
	if (quoted->transport + PORTS_QUOTED > quoted->end)
		return VERDICT_PASS_MALFORMED;
	get_bytes(walk->frame, quoted->transport, &quoted->flow.src_port, 2);
	get_bytes(walk->frame, quoted->transport + 2, &quoted->flow.dst_port, 2);
	quoted->flow.protocol = quoted->protocol;
	return VERDICT_CONTINUE;
}

enum verdict parse_icmp(struct walk *walk)
{
	struct headers *packet = &walk->packet;
	enum verdict verdict;

	if (packet->transport + ICMP_HEADER > packet->end)
		return VERDICT_PASS_MALFORMED;
	if (!is_error_type(walk, walk->frame->bytes[packet->transport]))
		return check_echo(walk);
	if (!is_to_us(walk))
		return VERDICT_PASS_OTHER_HOST;
	walk->is_error = true;
	walk->quoted = (struct headers){
		.is_ipv6 = packet->is_ipv6,
		.ip = packet->transport + ICMP_HEADER,
		.end = packet->end,
	};
	verdict = parse_quoted(walk);
	if (verdict)
		return verdict;
	/* It must go to whoever sent what it quotes. */
	if (!same_address(&packet->flow.dst, &walk->quoted.flow.src))
		return VERDICT_PASS_MALFORMED;
	return VERDICT_CONTINUE;
}
