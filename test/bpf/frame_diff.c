/*
 * Names fields and prints differences: see frame_diff.h.
 */
#include "test/bpf/frame_diff.h"

#include <linux/in.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <cmocka.h>

#define ROW_BYTES 16
#define ROWS_SHOWN 8 /* around and after the first difference: payloads are long */

struct field {
	size_t end; /* offset behind the field, from the start of its header */
	const char *name;
};

static const struct field ETHERNET[] = {
	{6, "destination MAC"},
	{12, "source MAC"},
	{14, "ethertype"},
	{0, NULL},
};
static const struct field IPV4[] = {
	{1, "IPv4 version and header length"},
	{2, "IPv4 type of service"},
	{4, "IPv4 total length"},
	{6, "IPv4 identification"},
	{8, "IPv4 fragment word"},
	{9, "IPv4 time to live"},
	{10, "IPv4 protocol"},
	{12, "IPv4 header checksum"},
	{16, "IPv4 source"},
	{20, "IPv4 destination"},
	{60, "IPv4 options"},
	{0, NULL},
};
static const struct field IPV6[] = {
	{4, "IPv6 version, class and label"},
	{6, "IPv6 payload length"},
	{7, "IPv6 next header"},
	{8, "IPv6 hop limit"},
	{24, "IPv6 source"},
	{40, "IPv6 destination"},
	{0, NULL},
};
static const struct field TCP[] = {
	{2, "TCP source port"},
	{4, "TCP destination port"},
	{8, "TCP sequence number"},
	{12, "TCP acknowledgment number"},
	{14, "TCP flags"},
	{16, "TCP window"},
	{18, "TCP checksum"},
	{20, "TCP urgent pointer"},
	{0, NULL},
};
static const struct field UDP[] = {
	{2, "UDP source port"},
	{4, "UDP destination port"},
	{6, "UDP length"},
	{8, "UDP checksum"},
	{0, NULL},
};

static const char *name_in(const struct field *fields, size_t offset)
{
	for (; fields->name; fields++)
		if (offset < fields->end)
			return fields->name;
	return "payload";
}

bool frame_equal(const struct frame *a, const struct frame *b)
{
	return a->length == b->length && !memcmp(a->bytes, b->bytes, a->length);
}

const char *frame_field(const struct frame *frame, size_t offset)
{
	const uint8_t *ip = &frame->bytes[ETH_HLEN];
	const bool is_ipv6 = frame->bytes[12] == 0x86;
	const size_t header = is_ipv6 ? 40 : (size_t)(ip[0] & 0xf) * 4;
	const uint8_t protocol = is_ipv6 ? ip[6] : ip[9];

	if (offset < ETH_HLEN)
		return name_in(ETHERNET, offset);
	offset -= ETH_HLEN;
	if (offset < header)
		return name_in(is_ipv6 ? IPV6 : IPV4, offset);
	offset -= header;
	if (protocol == IPPROTO_TCP)
		return name_in(TCP, offset);
	return protocol == IPPROTO_UDP ? name_in(UDP, offset) : "payload";
}

static bool differ_at(const struct frame *a, const struct frame *b, size_t offset)
{
	if (offset >= a->length || offset >= b->length)
		return a->length != b->length;
	return a->bytes[offset] != b->bytes[offset];
}

static void print_row(const char *label, const struct frame *frame, const struct frame *other,
		      size_t row)
{
	char text[ROW_BYTES * 4 + 1] = "";

	for (size_t i = row; i < row + ROW_BYTES && i < frame->length; i++)
		snprintf(text + strlen(text), sizeof(text) - strlen(text), "%02x%c",
			 frame->bytes[i], differ_at(frame, other, i) ? '*' : ' ');
	print_error("  %-7s%04zx  %s\n", label, row, text);
}

void frame_print_difference(const struct frame *got, const struct frame *wanted)
{
	size_t length = got->length > wanted->length ? got->length : wanted->length;
	size_t first = 0;

	while (first < length && !differ_at(got, wanted, first))
		first++;
	print_error("the frames differ first at byte %zu: %s (%zu bytes, wanted %zu)\n", first,
		    frame_field(wanted, first), got->length, wanted->length);
	first = first / ROW_BYTES * ROW_BYTES;
	if (length > first + ROWS_SHOWN * ROW_BYTES)
		length = first + ROWS_SHOWN * ROW_BYTES;
	for (size_t row = first; row < length; row += ROW_BYTES) {
		print_row("got", got, wanted, row);
		print_row("wanted", wanted, got, row);
	}
}
