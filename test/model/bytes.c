/*
 * Bytes of frames, addresses and prefixes.
 */
#include <string.h>
#include "test/model/walk.h"

uint16_t get16(const struct frame *frame, size_t at)
{
	return (uint16_t)(frame->bytes[at] << 8 | frame->bytes[at + 1]);
}

void get_bytes(const struct frame *frame, size_t at, void *bytes, size_t length)
{
	memcpy(bytes, &frame->bytes[at], length);
}

size_t address_size(const struct headers *headers)
{
	return headers->is_ipv6 ? 16 : 4;
}

/* RFC 791, 3.1 and RFC 8200, 3. */
size_t address_at(const struct headers *headers, size_t which)
{
	return headers->ip + (headers->is_ipv6 ? 8 : 12) + which * address_size(headers);
}

struct address get_address(const struct frame *frame, const struct headers *headers, size_t which)
{
	const size_t size = address_size(headers);
	struct address address = {};
	uint8_t bytes[16] = {[10] = 0xff, [11] = 0xff}; /* RFC 4291, 2.5.5.2 */

	memcpy(bytes + 16 - size, &frame->bytes[address_at(headers, which)], size);
	memcpy(&address, bytes, sizeof(address));
	return address;
}

bool same_address(const struct address *a, const struct address *b)
{
	return a->half[0] == b->half[0] && a->half[1] == b->half[1];
}

bool is_ipv4_mapped(const struct address *address)
{
	static const uint8_t MAPPED[12] = {[10] = 0xff, [11] = 0xff};

	return !memcmp(address, MAPPED, sizeof(MAPPED));
}

/* A prefix of one family says nothing of the other's addresses: ::/0 holds no IPv4 address. */
bool prefix_holds(const struct model_prefix *prefix, const struct address *address)
{
	const uint8_t *a = (const uint8_t *)&prefix->address, *b = (const uint8_t *)address;
	const uint8_t whole = prefix->length / 8, rest = prefix->length % 8;

	if (prefix->is_ipv4 != is_ipv4_mapped(address) || memcmp(a, b, whole))
		return false;
	return !rest || (a[whole] ^ b[whole]) >> (8 - rest) == 0;
}
