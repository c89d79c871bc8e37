/*
 * Tunnels between nodes: a client's packet goes to a backend on another node as it came, in an
 * outer IP header (RFC 2003, RFC 2473), and the backend's answer straight from there to the client.
 * Here what the programs on both ends share, and the way into the one that encapsulates.
 */
#pragma once

#include <linux/in.h>
#include <linux/ip.h>
#include <linux/ipv6.h>
#include "bpf/maps.h"
#include "bpf/packet.h"
#include "bpf/part.h"
#include "include/verdict.h"

#define ECN_MASK 3 /* RFC 3168, 5: of the type of service, or the traffic class */

static __always_inline __u32 outer_length(bool is_ipv6)
{
	return is_ipv6 ? sizeof(struct ipv6hdr) : sizeof(struct iphdr);
}

/* Both headers are of one family. */
static __always_inline __u8 tunnel_protocol(bool is_ipv6)
{
	return is_ipv6 ? IPPROTO_IPV6 : IPPROTO_IPIP;
}

/* What follows the IP header, extension headers of IPv6 not passed over. */
static __always_inline __u8 first_protocol(const struct packet *packet)
{
	const struct ipv6hdr *ipv6 = packet->network;
	const struct iphdr *ipv4 = packet->network;

	if (!packet->is_ipv6)
		return (void *)(ipv4 + 1) > packet->end ? 0 : ipv4->protocol;
	return (void *)(ipv6 + 1) > packet->end ? 0 : ipv6->nexthdr;
}

/*
 * Ends the walk in the program that encapsulates the packet for this backend. It is as it was sent.
 */
static __always_inline enum verdict lead_into_tunnel(const struct packet *packet,
						     const struct backend_record *backend)
{
	const __u32 first = 0;
	struct refused *handed = bpf_map_lookup_elem(&refused, &first);

	if (!handed || !backend)
		return VERDICT_DROP_MASQUERADE; /* VERIFIER: does not know that there is one */
	*handed = (struct refused){
		.service = packet->service,
		.backend = backend->handle,
		.direction = DIRECTION_REQUEST,
		.is_new = packet->is_new,
	};
	return part(packet, PROGRAM_ENCAPSULATE);
}
