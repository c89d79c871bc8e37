/*
 * Cuts frames: see fragment_builder.h.
 */
#include "test/bpf/fragment_builder.h"

#include <linux/in.h>
#include <linux/in6.h>
#include <string.h>

#define IPV6_HEADER 40
#define OPTIONS_HEADER 8
#define MORE_FRAGMENTS 1 /* of IPv6's word of offset and flags, whose offset is in bytes */

/* What is cut: for IPv6 perhaps with a header that the packet has not had. */
struct carried {
	uint8_t protocol; /* what it begins with */
	size_t length;
	uint8_t bytes[FRAME_MAX];
};

static void write16(uint8_t *at, uint16_t value)
{
	at[0] = (uint8_t)(value >> 8);
	at[1] = (uint8_t)value;
}

static void append(struct frame *frame, const uint8_t *bytes, size_t length)
{
	memcpy(&frame->bytes[frame->length], bytes, length);
	frame->length += length;
}

static void carry(struct carried *carried, const uint8_t *bytes, size_t length)
{
	memcpy(&carried->bytes[carried->length], bytes, length);
	carried->length += length;
}

/* Padded with PadN (RFC 8200, 4.2). */
static void write_options(uint8_t header[OPTIONS_HEADER], uint8_t next)
{
	const uint8_t options[OPTIONS_HEADER] = {next, 0, 1, 4};

	memcpy(header, options, sizeof(options));
}

static uint16_t word_of(const struct cut *cut, size_t length, size_t total)
{
	return (uint16_t)(cut->offset | (cut->offset + length < total ? MORE_FRAGMENTS : 0));
}

static size_t length_of(const struct cut *cut, size_t total)
{
	return cut->length > total - cut->offset ? total - cut->offset : cut->length;
}

static void cut_ipv4(const struct frame *whole, const struct cut *cut, struct frame *piece)
{
	const size_t header = ETH_HLEN + (size_t)(whole->bytes[ETH_HLEN] & 0xf) * 4;
	const size_t total = whole->length - header, length = length_of(cut, total);
	const uint16_t word = word_of(cut, length, total);

	piece->length = 0;
	append(piece, whole->bytes, header);
	append(piece, &whole->bytes[header + cut->offset], length);
	write16(&piece->bytes[ETH_HLEN + 4], (uint16_t)cut->identification);
	write16(&piece->bytes[ETH_HLEN + 6],
		(uint16_t)(word >> 3 | (word & MORE_FRAGMENTS ? 0x2000 : 0)));
	frame_fit_length(piece);
}

static void append_fragment_header(struct frame *piece, uint8_t next, uint16_t word, uint32_t id)
{
	uint8_t header[8] = {next};

	write16(header + 2, word);
	write16(header + 4, (uint16_t)(id >> 16));
	write16(header + 6, (uint16_t)id);
	append(piece, header, sizeof(header));
}

static void cut_ipv6(const struct frame *whole, const struct cut *cut, struct frame *piece)
{
	static struct carried carried;
	const size_t header = ETH_HLEN + IPV6_HEADER;
	const uint8_t protocol = whole->bytes[ETH_HLEN + 6];
	uint8_t options[OPTIONS_HEADER];
	size_t length;

	carried = (struct carried){.protocol = protocol};
	if (cut->place == CUT_BEFORE_OPTIONS) {
		write_options(options, protocol);
		carry(&carried, options, sizeof(options));
		carried.protocol = IPPROTO_DSTOPTS;
	}
	carry(&carried, &whole->bytes[header], whole->length - header);
	length = length_of(cut, carried.length);

	piece->length = 0;
	append(piece, whole->bytes, header);
	piece->bytes[ETH_HLEN + 6] = IPPROTO_FRAGMENT;
	if (cut->place == CUT_BEHIND_OPTIONS) {
		write_options(options, IPPROTO_FRAGMENT);
		append(piece, options, sizeof(options));
		piece->bytes[ETH_HLEN + 6] = IPPROTO_HOPOPTS;
	}
	append_fragment_header(piece, carried.protocol, word_of(cut, length, carried.length),
			       cut->identification);
	append(piece, &carried.bytes[cut->offset], length);
	frame_fit_length(piece);
}

void frame_cut(const struct frame *whole, const struct cut *cut, struct frame *piece)
{
	if (whole->bytes[ETH_HLEN] >> 4 == 6)
		cut_ipv6(whole, cut, piece);
	else
		cut_ipv4(whole, cut, piece);
}
