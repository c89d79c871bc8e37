/*
 * How many packets have been compared, of which kinds, and how many not, for which reasons.
 */
#pragma once

#include "test/model/compare.h"

/* What a run must have compared; a packet may be of several kinds. */
#define KINDS(_)                                                                                   \
	_("TCP over IPv4", segment->protocol == IPPROTO_TCP && segment->family == IPV4)            \
	_("TCP over IPv6", segment->protocol == IPPROTO_TCP && segment->family == IPV6)            \
	_("UDP over IPv4", segment->protocol == IPPROTO_UDP && segment->family == IPV4)            \
	_("UDP over IPv6", segment->protocol == IPPROTO_UDP && segment->family == IPV6)            \
	_("ICMP errors", packet->is_error && segment->family == IPV4)                              \
	_("ICMPv6 errors", packet->is_error && segment->family == IPV6)                            \
	_("requests", !packet->is_error && is_request(segment))                                    \
	_("replies", !packet->is_error && !is_request(segment))                                    \
	_("replies of a pod to itself", !packet->is_error && segment->dst == STATION_H)            \
	_("with IPv4 options", segment->family == IPV4 && segment->options)                        \
	_("with IPv6 extension headers", segment->family == IPV6 && segment->extension_count)      \
	_("UDP without checksum", segment->protocol == IPPROTO_UDP && segment->no_checksum)        \
	_("with a checksum that comes to zero", is_zero(segment, left))                            \
	_("in fragments", segment->from || segment->length)                                        \
	_("with padding", packet->padding)                                                         \
	_("larger than 1,500 bytes", segment->data > 1500)

#define COUNT_KIND(text, is_of_it) +1
#define KIND_COUNT_OF_TALLY (0 KINDS(COUNT_KIND))

struct tally {
	uint64_t likenesses[_LIKENESS_COUNT];
	uint64_t omitted[_OMISSION_COUNT];
	uint64_t kinds[KIND_COUNT_OF_TALLY]; /* of those that are the same */
};

void tally_add(struct tally *tally, const struct sent *sent, enum likeness likeness);
void tally_print(const struct tally *tally);
/* Of each kind some. */
bool tally_is_complete(const struct tally *tally);
