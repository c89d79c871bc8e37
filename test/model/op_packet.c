/*
 * Frames from descriptions: see op.h. Bytes are written one by one, checksums summed over
 * everything.
 */
#include <linux/if_ether.h>
#include <linux/in.h>
#include <linux/in6.h>
#include <string.h>
#include "test/model/op.h"

#define SEGMENT_MAX 9000
#define SEQUENCE_NUMBER 0x10203040
#define ACKNOWLEDGMENT 0x50607080
#define VERIFICATION_TAG 0x5afec0de /* SCTP's */

/* Where the next byte goes. */
struct pen {
	uint8_t *start;
	size_t length;
};

struct op_segment op_segment_of(enum family family, uint8_t protocol, enum station src,
				enum station dst)
{
	return (struct op_segment){
		.family = family,
		.protocol = protocol,
		.src = src,
		.dst = dst,
		.tcp_flags = ACK,
		.hop_limit = HOP_LIMIT,
		.id = OP_ID,
	};
}

struct op_packet op_packet_of(enum interface in, const struct op_segment *segment)
{
	return (struct op_packet){
		.in = in,
		.to = _STATION_COUNT,
		.from = segment->src,
		.segment = *segment,
		.quote = OP_QUOTE_ALL,
	};
}

static void put8(struct pen *pen, uint8_t value)
{
	pen->start[pen->length++] = value;
}

static void put16(struct pen *pen, uint16_t value)
{
	put8(pen, (uint8_t)(value >> 8));
	put8(pen, (uint8_t)value);
}

static void put32(struct pen *pen, uint32_t value)
{
	put16(pen, (uint16_t)(value >> 16));
	put16(pen, (uint16_t)value);
}

static void put_bytes(struct pen *pen, const void *bytes, size_t length)
{
	memcpy(pen->start + pen->length, bytes, length);
	pen->length += length;
}

static void write16(uint8_t *at, uint16_t value)
{
	at[0] = (uint8_t)(value >> 8);
	at[1] = (uint8_t)value;
}

static void put_address(struct pen *pen, const struct op_segment *segment, enum station station)
{
	const struct address address = station_address(station, segment->family);
	const size_t skip = segment->family == IPV6 ? 0 : 12;

	put_bytes(pen, (const uint8_t *)&address + skip, 16 - skip);
}

/* What of the transport goes into this packet. */
struct part {
	uint16_t offset;
	size_t length;
	bool has_more;
};

static bool is_part(const struct op_segment *segment)
{
	return segment->from || segment->length;
}

static struct part part_of(const struct op_segment *segment, size_t whole)
{
	struct part part = {.offset = segment->from, .length = whole};

	if (!is_part(segment))
		return part;
	part.length = whole > part.offset ? whole - part.offset : 0;
	if (segment->length && segment->length < part.length) {
		part.length = segment->length;
		part.has_more = true;
	}
	return part;
}

static void put_ipv4(struct pen *pen, const struct op_segment *segment, const struct part *part)
{
	const size_t header = 20 + segment->options;
	uint8_t *start = pen->start + pen->length;

	put8(pen, (uint8_t)(4 << 4 | header / 4));
	put8(pen, 0x28);
	put16(pen, (uint16_t)(header + part->length));
	put16(pen, (uint16_t)segment->id);
	put16(pen, segment->fragment | part->offset / 8 | (part->has_more ? 0x2000 : 0));
	put8(pen, segment->hop_limit);
	put8(pen, segment->protocol);
	put16(pen, 0);
	put_address(pen, segment, segment->src);
	put_address(pen, segment, segment->dst);
	for (uint16_t i = 0; i < segment->options; i++)
		put8(pen, 1); /* no operation: RFC 791, 3.1 */
	write16(start + 10, checksum_of(start, header, 0));
}

/* Of what follows the header of IPv6 or an extension. */
static uint8_t type_of_extension(const struct op_segment *segment, uint8_t i)
{
	if (i < segment->extension_count)
		return segment->extensions[i].type;
	return is_part(segment) ? IPPROTO_FRAGMENT : segment->protocol;
}

static void put_extensions(struct pen *pen, const struct op_segment *segment)
{
	for (uint8_t i = 0; i < segment->extension_count; i++) {
		const struct op_extension *extension = &segment->extensions[i];

		put8(pen, type_of_extension(segment, i + 1));
		put8(pen, extension->units - 1);
		put16(pen, extension->word);
		for (int byte = 4; byte < extension->units * 8; byte++)
			put8(pen, 0);
	}
}

static void put_ipv6(struct pen *pen, const struct op_segment *segment, const struct part *part)
{
	size_t payload = part->length + (is_part(segment) ? 8 : 0);

	for (uint8_t i = 0; i < segment->extension_count; i++)
		payload += segment->extensions[i].units * 8u;
	put32(pen, 0x62812345);
	put16(pen, (uint16_t)payload);
	put8(pen, type_of_extension(segment, 0));
	put8(pen, segment->hop_limit);
	put_address(pen, segment, segment->src);
	put_address(pen, segment, segment->dst);
	put_extensions(pen, segment);
	if (!is_part(segment))
		return;
	put16(pen, (uint16_t)(segment->protocol << 8));
	put16(pen, part->offset | part->has_more);
	put32(pen, segment->id);
}

static void put_transport(struct pen *pen, const struct op_segment *segment, size_t payload)
{
	if (segment->protocol != IPPROTO_TCP && segment->protocol != IPPROTO_UDP &&
	    segment->protocol != IPPROTO_SCTP)
		return;
	put16(pen, segment->src_port);
	put16(pen, segment->dst_port);
	if (segment->protocol == IPPROTO_UDP) {
		put16(pen, (uint16_t)(8 + payload));
		put16(pen, 0);
		return;
	}
	if (segment->protocol == IPPROTO_SCTP) {
		put32(pen, VERIFICATION_TAG);
		put32(pen, 0); /* a CRC32c that nobody asks for */
		return;
	}
	put32(pen, SEQUENCE_NUMBER);
	put32(pen, segment->tcp_flags & ACK ? ACKNOWLEDGMENT : 0);
	put8(pen, 5 << 4);
	put8(pen, segment->tcp_flags);
	put16(pen, 0xfaf0);
	put32(pen, 0);
}

/* Where the checksum is in the transport; 0: this protocol has none that we know. */
static size_t checksum_at(const struct op_segment *segment)
{
	if (segment->protocol == IPPROTO_TCP)
		return 16;
	if (segment->protocol == IPPROTO_UDP)
		return 6;
	return segment->protocol == (segment->family == IPV6 ? IPPROTO_ICMPV6 : IPPROTO_ICMP) ? 2
											      : 0;
}

/* RFC 9293, 3.1; RFC 8200, 8.1: of ICMP over IPv4 there is none. */
static uint32_t pseudo_header(const struct op_segment *segment, size_t length)
{
	const struct address ends[2] = {station_address(segment->src, segment->family),
					station_address(segment->dst, segment->family)};

	if (segment->protocol == IPPROTO_ICMP)
		return 0;
	/* The mapped prefix of IPv4 adds 0xffff twice, which is zero. */
	return (uint16_t)~checksum_of((const uint8_t *)ends, sizeof(ends), 0) + segment->protocol +
	       (uint32_t)length;
}

static void write_checksum(const struct op_segment *segment, uint8_t *start, size_t length)
{
	const size_t at = checksum_at(segment);
	uint16_t checksum;

	if (!at || length < at + 2 || (segment->protocol == IPPROTO_UDP && segment->no_checksum))
		return;
	write16(start + at, 0);
	checksum = checksum_of(start, length, pseudo_header(segment, length));
	if (segment->protocol == IPPROTO_UDP && !checksum)
		checksum = 0xffff;
	write16(start + at, checksum);
}

static void put_segment(struct pen *pen, const struct op_segment *segment, const uint8_t *payload,
			size_t payload_length)
{
	static uint8_t bytes[SEGMENT_MAX * 2];
	struct pen transport = {.start = bytes};
	struct part part;

	put_transport(&transport, segment, payload_length);
	put_bytes(&transport, payload, payload_length);
	write_checksum(segment, bytes, transport.length);
	part = part_of(segment, transport.length);
	if (segment->family == IPV6)
		put_ipv6(pen, segment, &part);
	else
		put_ipv4(pen, segment, &part);
	put_bytes(pen, bytes + part.offset, part.length);
}

static size_t fill(uint8_t *payload, const struct op_segment *segment)
{
	for (size_t i = 0; i < segment->data; i++)
		payload[i] = (uint8_t)(i * 7 + 1);
	if (segment->word && segment->data >= 2)
		write16(payload, segment->word);
	return segment->data;
}

static bool is_icmp(const struct op_segment *segment)
{
	return checksum_at(segment) == 2;
}

/* ICMP has its header in what goes for the payload here. */
static size_t fill_payload(const struct op_packet *packet, uint8_t *payload)
{
	static uint8_t data[SEGMENT_MAX];
	struct pen pen = {.start = payload}, quote = {.start = payload + 8};

	if (!is_icmp(&packet->segment))
		return fill(payload, &packet->segment);
	put8(&pen, packet->icmp_type);
	put8(&pen, packet->icmp_code);
	put16(&pen, 0);
	put32(&pen, packet->icmp_rest);
	if (!packet->is_error)
		return 8 + fill(payload + 8, &packet->segment);
	put_segment(&quote, &packet->quoted, data, fill(data, &packet->quoted));
	return 8 + (quote.length < packet->quote ? quote.length : packet->quote);
}

void op_build(const struct op_packet *packet, struct frame *frame)
{
	static uint8_t payload[SEGMENT_MAX * 2];
	const enum station to = packet->to;
	struct pen pen = {.start = frame->bytes};

	put_bytes(&pen, to == _STATION_COUNT ? interface_mac(packet->in) : station_mac(to),
		  ETH_ALEN);
	put_bytes(&pen, station_mac(packet->from), ETH_ALEN);
	for (uint8_t i = 0; i < packet->tag_count; i++)
		put32(&pen, packet->tags[i]);
	put16(&pen, packet->segment.family == IPV6 ? ETH_P_IPV6 : ETH_P_IP);
	put_segment(&pen, &packet->segment, payload, fill_payload(packet, payload));
	for (uint16_t i = 0; i < packet->padding; i++)
		put8(&pen, 0xaa);
	for (uint32_t i = 0; i < packet->edit_count; i++)
		if (packet->edits[i].at < pen.length)
			pen.start[packet->edits[i].at] = packet->edits[i].value;
	frame->length = pen.length;
	if (packet->cut && packet->cut < frame->length)
		frame->length = packet->cut < ETH_HLEN ? ETH_HLEN : packet->cut;
}
