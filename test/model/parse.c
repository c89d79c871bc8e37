/*
 * Bytes to facts. What is not whole, or contradicts itself, is the stack's to judge.
 */
#include <linux/if_ether.h>
#include <linux/in.h>
#include <linux/in6.h>
#include <string.h>
#include "test/model/walk.h"

#define MAX_EXTENSIONS 6

/* As far as the source: a denied one is denied whatever else is wrong with the packet. */
enum verdict parse_ethernet(struct walk *walk)
{
	struct headers *packet = &walk->packet;
	const size_t tags = count_tags(walk->frame) * (size_t)TAG_LENGTH;
	const uint16_t ethertype = get16(walk->frame, 12 + tags);
	size_t header;

	packet->ip = ETHERNET_HEADER + tags;
	if (is_tag(ethertype) && tags < (size_t)MODEL_TAGS * TAG_LENGTH)
		return VERDICT_PASS_MALFORMED; /* it is cut short */
	if (ethertype != ETH_P_IP && ethertype != ETH_P_IPV6)
		return VERDICT_PASS_PROTOCOL;
	packet->is_ipv6 = ethertype == ETH_P_IPV6;
	header = packet->is_ipv6 ? IPV6_HEADER : IPV4_HEADER;
	if (walk->frame->length < packet->ip + header)
		return VERDICT_PASS_MALFORMED;
	packet->flow.src = get_address(walk->frame, packet, SOURCE);
	packet->flow.dst = get_address(walk->frame, packet, DESTINATION);
	return VERDICT_CONTINUE;
}

static bool is_handled(const struct headers *packet)
{
	return packet->protocol == IPPROTO_TCP || packet->protocol == IPPROTO_UDP ||
	       packet->protocol == IPPROTO_SCTP ||
	       packet->protocol == (packet->is_ipv6 ? IPPROTO_ICMPV6 : IPPROTO_ICMP);
}

static enum part part_of(size_t offset, bool has_more)
{
	if (offset)
		return PART_LATER;
	return has_more ? PART_FIRST : PART_WHOLE;
}

/* A part of an error says nothing about what it quotes. */
static enum verdict sort_part(const struct headers *packet)
{
	if (packet->part == PART_WHOLE)
		return VERDICT_CONTINUE;
	if (!features[FEATURE_FRAGMENTS] || packet->protocol == IPPROTO_ICMP ||
	    packet->protocol == IPPROTO_ICMPV6)
		return VERDICT_PASS_FRAGMENT;
	return VERDICT_CONTINUE;
}

/* RFC 791, 3.1. */
static enum verdict parse_ipv4(struct walk *walk)
{
	const uint8_t *ip = &walk->frame->bytes[walk->packet.ip];
	struct headers *packet = &walk->packet;
	const size_t header = (size_t)(ip[0] & 0xf) * 4;
	const size_t total = get16(walk->frame, packet->ip + 2);

	if (ip[0] >> 4 != 4 || header < IPV4_HEADER || total < header ||
	    packet->ip + total > walk->frame->length)
		return VERDICT_PASS_MALFORMED;
	packet->transport = packet->ip + header;
	packet->end = packet->ip + total;
	packet->protocol = ip[9];
	walk->hop_limit = ip[8];
	if (!is_handled(packet))
		return VERDICT_PASS_PROTOCOL;
	packet->id = get16(walk->frame, packet->ip + 4);
	/* More fragments, or an offset: DF alone says nothing. */
	packet->offset = (get16(walk->frame, packet->ip + 6) & 0x1fffu) * 8;
	packet->part = part_of(packet->offset, get16(walk->frame, packet->ip + 6) & 0x2000);
	return sort_part(packet);
}

static bool is_extension(uint8_t protocol)
{
	return protocol == IPPROTO_HOPOPTS || protocol == IPPROTO_ROUTING ||
	       protocol == IPPROTO_DSTOPTS || protocol == IPPROTO_FRAGMENT;
}

/*
 * RFC 8200, 4: the next one's type, its own length in units of 8 bytes without the first; of
 * routing how many segments are left to go.
 */
static enum verdict skip_extension(struct headers *packet, const uint8_t *extension)
{
	const size_t length = (extension[1] + 1u) * 8;

	if (packet->protocol == IPPROTO_ROUTING && extension[3])
		return VERDICT_PASS_PROTOCOL;
	if (packet->end - packet->transport < length)
		return VERDICT_PASS_MALFORMED;
	packet->protocol = extension[0];
	packet->transport += length;
	return VERDICT_CONTINUE;
}

/*
 * RFC 8200, 4.5: next header, reserved, offset (13 bits), reserved (2), more; identification. What
 * is alone in its fragment is a whole packet (RFC 6946); fragments are not cut again.
 */
static enum verdict take_fragment_header(struct walk *walk)
{
	struct headers *packet = &walk->packet;
	const size_t at = packet->transport;

	if (packet->part != PART_WHOLE)
		return VERDICT_PASS_MALFORMED;
	packet->protocol = walk->frame->bytes[at];
	packet->offset = get16(walk->frame, at + 2) & 0xfff8;
	packet->part = part_of(packet->offset, get16(walk->frame, at + 2) & 1);
	packet->id = (uint32_t)get16(walk->frame, at + 4) << 16 | get16(walk->frame, at + 6);
	packet->transport += 8;
	return VERDICT_CONTINUE;
}

/* What follows the header of a later fragment is no header. */
static enum verdict skip_extensions(struct walk *walk)
{
	struct headers *packet = &walk->packet;
	enum verdict verdict = VERDICT_CONTINUE;

	for (int i = 0; i < MAX_EXTENSIONS && !verdict && is_extension(packet->protocol) &&
			packet->part != PART_LATER;
	     i++) {
		if (packet->end - packet->transport < 8)
			return VERDICT_PASS_MALFORMED;
		verdict = packet->protocol == IPPROTO_FRAGMENT
				  ? take_fragment_header(walk)
				  : skip_extension(packet, &walk->frame->bytes[packet->transport]);
	}
	return verdict;
}

/* RFC 8200, 3. An IPv4-mapped address is none that is ever on the wire (RFC 4942, 2.2). */
static enum verdict parse_ipv6(struct walk *walk)
{
	const uint8_t *ip = &walk->frame->bytes[walk->packet.ip];
	struct headers *packet = &walk->packet;
	enum verdict verdict = VERDICT_CONTINUE;

	packet->transport = packet->ip + IPV6_HEADER;
	packet->end = packet->transport + get16(walk->frame, packet->ip + 4);
	if (ip[0] >> 4 != 6 || packet->end > walk->frame->length ||
	    is_ipv4_mapped(&packet->flow.src) || is_ipv4_mapped(&packet->flow.dst))
		return VERDICT_PASS_MALFORMED;
	packet->protocol = ip[6];
	walk->hop_limit = ip[7];
	if (features[FEATURE_EXTENSION_HEADERS])
		verdict = skip_extensions(walk);
	if (verdict)
		return verdict;
	if (!is_handled(packet) && !(packet->part == PART_LATER && is_extension(packet->protocol)))
		return VERDICT_PASS_PROTOCOL;
	return sort_part(packet);
}

enum verdict parse_network(struct walk *walk)
{
	return walk->packet.is_ipv6 ? parse_ipv6(walk) : parse_ipv4(walk);
}

/* RFC 9293, 3.1; RFC 768; RFC 9260, 3.1. */
static enum verdict parse_ports(struct walk *walk)
{
	const uint8_t *transport = &walk->frame->bytes[walk->packet.transport];
	struct headers *packet = &walk->packet;
	const size_t length = packet->end - packet->transport;

	if (packet->protocol == IPPROTO_TCP) {
		if (length < TCP_HEADER || transport[12] >> 4 < TCP_HEADER / 4)
			return VERDICT_PASS_MALFORMED;
		walk->tcp_flags = transport[13];
	} else if (length < (packet->protocol == IPPROTO_SCTP ? SCTP_HEADER : UDP_HEADER)) {
		return VERDICT_PASS_MALFORMED;
	}
	memcpy(&packet->flow.src_port, transport, 2);
	memcpy(&packet->flow.dst_port, transport + 2, 2);
	packet->flow.protocol = packet->protocol;
	return VERDICT_CONTINUE;
}

enum verdict parse_transport(struct walk *walk)
{
	return walk->packet.part == PART_LATER ? VERDICT_CONTINUE : parse_ports(walk);
}
