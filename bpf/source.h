/*
 * Which sources may start a connection to a service. Connections that exist are not asked again: a
 * change of ranges never breaks one.
 */
#pragma once

#include "bpf/knobs.h"
#include "bpf/maps.h"
#include "bpf/packet.h"
#include "include/verdict.h"

/*
 * Addresses that are no host's own (RFC 6890; RFC 4291, 2.7): this network, loopback, multicast,
 * reserved with broadcast; and what stands for a pod that is sent to itself. An answer to them
 * would not come back here, or to everybody, or to another connection.
 */
static __always_inline bool is_martian(const struct address *source, bool is_ipv6)
{
	__u8 first;

	if (!is_ipv6) {
		first = bpf_ntohl(source->word[3]) >> 24;
		return !first || first == 127 || first >= 224 ||
		       source->word[3] == hairpin.ipv4.word[3];
	}
	if (*(const __u8 *)source == 0xff || is_same_address(source, hairpin_of(true)))
		return true;
	/* :: and ::1 */
	return !source->half[0] && !source->word[2] && bpf_ntohl(source->word[3]) <= 1;
}

/* Whether the packet's source is in one of the ranges of this service. */
static __always_inline bool is_in_range(const struct packet *packet, __u32 service)
{
	struct source_range_key key = {
		.length = SOURCE_RANGE_SERVICE_BITS + 8 * sizeof(struct address),
		.service = service,
	};

	__builtin_memcpy(key.address, &packet->flow.src, sizeof(key.address));
	return bpf_map_lookup_elem(&source_ranges, &key);
}

static __always_inline enum verdict admit_source(const struct packet *packet,
						 const struct service_record *service)
{
	if (is_martian(&packet->flow.src, packet->is_ipv6))
		return VERDICT_DROP_MARTIAN;
	if ((service->flags & SERVICE_HAS_SOURCE_RANGES) && !is_in_range(packet, service->service))
		return VERDICT_DROP_SOURCE_RANGE;
	return VERDICT_CONTINUE;
}
