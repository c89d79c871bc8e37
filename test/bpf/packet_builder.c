/*
 * Builds frames: see packet_builder.h. Bytes are written one by one, so the code reads as the RFCs'
 * drawings do and no structure of the kernel's can mislead it.
 */
#include "test/bpf/packet_builder.h"

#include <linux/in.h>
#include <string.h>

#define IPV4_HEADER 20
#define IPV6_HEADER 40
#define TCP_HEADER 20
#define UDP_HEADER 8
#define SCTP_HEADER 12
#define OPTION_TIMESTAMP 68 /* RFC 791, 3.1 */
#define OPTION_NOTHING 1

/* Where the next byte goes. */
struct pen {
	struct frame *frame;
};

static void put8(struct pen *pen, uint8_t value)
{
	pen->frame->bytes[pen->frame->length++] = value;
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
	memcpy(&pen->frame->bytes[pen->frame->length], bytes, length);
	pen->frame->length += length;
}

static void write16(uint8_t *at, uint16_t value)
{
	at[0] = (uint8_t)(value >> 8);
	at[1] = (uint8_t)value;
}

static uint32_t sum_words(const uint8_t *bytes, size_t length, uint32_t sum)
{
	for (size_t i = 0; i + 1 < length; i += 2)
		sum += (uint32_t)bytes[i] << 8 | bytes[i + 1];
	if (length % 2)
		sum += (uint32_t)bytes[length - 1] << 8;
	return sum;
}

uint16_t checksum_of(const uint8_t *bytes, size_t length, uint32_t start)
{
	uint32_t sum = sum_words(bytes, length, start);

	while (sum >> 16)
		sum = (sum & 0xffff) + (sum >> 16);
	return (uint16_t)~sum;
}

bool blueprint_is_ipv6(const struct blueprint *blueprint)
{
	static const uint8_t MAPPED[12] = {[10] = 0xff, [11] = 0xff};

	return memcmp(&blueprint->dst, MAPPED, sizeof(MAPPED)) != 0;
}

struct flow blueprint_flow(const struct blueprint *blueprint)
{
	return (struct flow){
		.src = blueprint->src,
		.dst = blueprint->dst,
		.src_port = blueprint->src_port,
		.dst_port = blueprint->dst_port,
		.protocol = blueprint->protocol,
	};
}

static size_t transport_header(const struct blueprint *blueprint)
{
	if (blueprint->protocol == IPPROTO_TCP)
		return TCP_HEADER;
	if (blueprint->protocol == IPPROTO_SCTP)
		return SCTP_HEADER;
	return blueprint->protocol == IPPROTO_UDP ? UDP_HEADER : 0;
}

static void put_ipv4_options(struct pen *pen, size_t length)
{
	size_t timestamp = length < 8 ? 0 : 8;

	if (timestamp) {
		put8(pen, OPTION_TIMESTAMP);
		put8(pen, (uint8_t)timestamp);
		put16(pen, 5 << 8); /* the pointer to the first free entry */
		put32(pen, 0x01020304);
	}
	for (size_t i = timestamp; i < length; i++)
		put8(pen, OPTION_NOTHING);
}

static void put_ipv4(struct pen *pen, const struct blueprint *blueprint, size_t segment)
{
	const size_t header = IPV4_HEADER + blueprint->options_length;
	uint8_t *start = &pen->frame->bytes[pen->frame->length];

	put8(pen, (uint8_t)(4 << 4 | header / 4));
	put8(pen, 0x28); /* a DSCP, AF11: must survive */
	put16(pen, (uint16_t)(header + segment));
	put16(pen, 0xbeef); /* identification */
	put16(pen, blueprint->fragment);
	put8(pen, blueprint->hop_limit);
	put8(pen, blueprint->protocol);
	put16(pen, 0);
	put_bytes(pen, &blueprint->src.word[3], 4);
	put_bytes(pen, &blueprint->dst.word[3], 4);
	put_ipv4_options(pen, blueprint->options_length);
	write16(start + 10, checksum_of(start, header, 0));
}

static void put_ipv6(struct pen *pen, const struct blueprint *blueprint, size_t segment)
{
	put32(pen, 0x62812345); /* version, traffic class, flow label */
	put16(pen, (uint16_t)segment);
	put8(pen, blueprint->protocol);
	put8(pen, blueprint->hop_limit);
	put_bytes(pen, &blueprint->src, 16);
	put_bytes(pen, &blueprint->dst, 16);
}

/* RFC 9293, 3.1 and RFC 8200, 8.1; an IPv4-mapped prefix would add 0xffff, which is zero, twice. */
static uint32_t sum_pseudo_header(const struct blueprint *blueprint, size_t segment)
{
	const size_t skip = blueprint_is_ipv6(blueprint) ? 0 : 12;
	uint32_t sum = blueprint->protocol + (uint32_t)segment;

	sum = sum_words((const uint8_t *)&blueprint->src + skip, 16 - skip, sum);
	return sum_words((const uint8_t *)&blueprint->dst + skip, 16 - skip, sum);
}

static void put_tcp(struct pen *pen, const struct blueprint *blueprint)
{
	put_bytes(pen, &blueprint->src_port, 2);
	put_bytes(pen, &blueprint->dst_port, 2);
	put32(pen, 0x10203040); /* sequence number */
	put32(pen, blueprint->tcp_flags & ACK ? 0x50607080 : 0);
	put8(pen, TCP_HEADER / 4 << 4);
	put8(pen, blueprint->tcp_flags);
	put16(pen, 0xfaf0); /* window */
	put16(pen, 0);
	put16(pen, 0);
}

static void put_udp(struct pen *pen, const struct blueprint *blueprint, size_t segment)
{
	put_bytes(pen, &blueprint->src_port, 2);
	put_bytes(pen, &blueprint->dst_port, 2);
	put16(pen, (uint16_t)segment);
	put16(pen, 0);
}

static void put_sctp(struct pen *pen, const struct blueprint *blueprint)
{
	put_bytes(pen, &blueprint->src_port, 2);
	put_bytes(pen, &blueprint->dst_port, 2);
	put32(pen, 0x5afec0de); /* verification tag */
	put32(pen, 0);
}

static void put_payload(struct pen *pen, const struct blueprint *blueprint)
{
	uint8_t *start = &pen->frame->bytes[pen->frame->length];

	for (size_t i = 0; i < blueprint->payload_length; i++)
		put8(pen, (uint8_t)(i * 7 + 1));
	if (blueprint->first_payload_word)
		write16(start, blueprint->first_payload_word);
}

/* CRC32c, reflected (RFC 9260, appendix A): least significant byte first. */
static void write_crc32c(uint8_t *start, size_t segment)
{
	uint32_t crc = UINT32_MAX;

	for (size_t i = 0; i < segment; i++) {
		crc ^= start[i];
		for (int bit = 0; bit < 8; bit++)
			crc = crc >> 1 ^ (crc & 1 ? 0x82f63b78 : 0);
	}
	for (int i = 0; i < 4; i++)
		start[8 + i] = (uint8_t)(~crc >> 8 * i);
}

static void write_checksum(const struct blueprint *blueprint, uint8_t *start, size_t segment)
{
	const size_t at = blueprint->protocol == IPPROTO_TCP ? 16 : 6;
	uint16_t checksum = checksum_of(start, segment, sum_pseudo_header(blueprint, segment));

	if (blueprint->protocol == IPPROTO_SCTP)
		write_crc32c(start, segment);
	if (blueprint->protocol != IPPROTO_TCP && blueprint->protocol != IPPROTO_UDP)
		return;
	if (blueprint->protocol == IPPROTO_UDP) {
		if (blueprint->udp_checksum == CHECKSUM_NONE)
			return;
		if (!checksum)
			checksum = 0xffff; /* zero would say that there is none */
	}
	write16(start + at, checksum);
}

static void put_tags(struct pen *pen, const union tags *tags)
{
	for (int i = 0; i < MAX_TAGS; i++)
		if (tags->tag[i].type)
			put_bytes(pen, &tags->tag[i], sizeof(tags->tag[i]));
}

size_t blueprint_network(const struct blueprint *blueprint)
{
	size_t at = ETH_HLEN;

	for (int i = 0; i < MAX_TAGS; i++)
		at += blueprint->tags.tag[i].type ? sizeof(blueprint->tags.tag[i]) : 0;
	return at;
}

void frame_build(const struct blueprint *blueprint, struct frame *frame)
{
	const size_t segment = transport_header(blueprint) + blueprint->payload_length;
	const bool is_ipv6 = blueprint_is_ipv6(blueprint);
	struct pen pen = {.frame = frame};
	uint8_t *start;

	frame->length = 0;
	put_bytes(&pen, blueprint->to_mac, ETH_ALEN);
	put_bytes(&pen, blueprint->from_mac, ETH_ALEN);
	put_tags(&pen, &blueprint->tags);
	put16(&pen, is_ipv6 ? ETH_P_IPV6 : ETH_P_IP);
	if (is_ipv6)
		put_ipv6(&pen, blueprint, segment);
	else
		put_ipv4(&pen, blueprint, segment);
	start = &frame->bytes[frame->length];
	if (blueprint->protocol == IPPROTO_TCP)
		put_tcp(&pen, blueprint);
	else if (blueprint->protocol == IPPROTO_UDP)
		put_udp(&pen, blueprint, segment);
	else if (blueprint->protocol == IPPROTO_SCTP)
		put_sctp(&pen, blueprint);
	put_payload(&pen, blueprint);
	write_checksum(blueprint, start, segment);
	for (size_t i = 0; i < blueprint->padding_length; i++)
		put8(&pen, 0xaa);
}

void frame_fit_ipv4_checksum(struct frame *frame)
{
	uint8_t *ip = &frame->bytes[ETH_HLEN];

	write16(ip + 10, 0);
	write16(ip + 10, checksum_of(ip, (size_t)(ip[0] & 0xf) * 4, 0));
}

void frame_fit_length(struct frame *frame)
{
	uint8_t *ip = &frame->bytes[ETH_HLEN];

	if (ip[0] >> 4 == 6) {
		write16(ip + 4, (uint16_t)(frame->length - ETH_HLEN - IPV6_HEADER));
		return;
	}
	write16(ip + 2, (uint16_t)(frame->length - ETH_HLEN));
	frame_fit_ipv4_checksum(frame);
}
