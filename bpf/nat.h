/*
 * Step nat: writes what was decided. Of a request the destination becomes the backend, of a reply
 * the source becomes the service, and in a hairpin the other end changes too
 * (include/connection.h); checksums follow by difference (RFC 1624). A packet we send ourselves
 * also loses a hop and gets new MAC addresses; one left to the stack does not, the stack will do
 * that.
 *
 * Never ends a walk.
 */
#pragma once

#include <linux/in.h>
#include <linux/ip.h>
#include <linux/ipv6.h>
#include <linux/udp.h>
#include "bpf/checksum.h"
#include "bpf/knobs.h"
#include "bpf/packet.h"

/*
 * Both write the addresses and count the hop, and return the difference that the change of
 * addresses makes to a checksum: the transport's covers them too (its pseudo header).
 */
static __always_inline __u64 rewrite_ipv4(struct packet *packet, __u8 hops)
{
	const bool request = packet->direction == DIRECTION_REQUEST;
	const __be32 to = packet->translation.word[3];
	struct iphdr *ip = packet->network;
	const __be32 from = request ? ip->daddr : ip->saddr;
	__u64 difference = checksum_replace(0, from, to);

	if (packet->is_hairpin && request) {
		difference = checksum_replace(difference, ip->saddr, hairpin.ipv4.word[3]);
		ip->saddr = hairpin.ipv4.word[3];
	} else if (packet->is_hairpin) {
		difference = checksum_replace(difference, ip->daddr, from);
		ip->daddr = from;
	}
	if (request)
		ip->daddr = to;
	else
		ip->saddr = to;
	/* The time to live is the high byte of its 16-bit word. */
	ip->check =
		checksum_update(ip->check, checksum_replace(difference, bpf_htons(hops << 8), 0));
	ip->ttl -= hops;
	return difference;
}

static __always_inline __u64 rewrite_ipv6(struct packet *packet, __u8 hops)
{
	const bool request = packet->direction == DIRECTION_REQUEST;
	const struct address *from = request ? &packet->flow.dst : &packet->flow.src;
	const struct address *source = hairpin_of(true);
	struct ipv6hdr *ip = packet->network;
	__u64 difference;

	/* VERIFIER: does not know that is_ipv6 implies that parse has checked this (6.18). */
	if ((void *)(ip + 1) > packet->end)
		return 0;
	ip->hop_limit -= hops;
	difference = checksum_replace_address(0, from, &packet->translation);
	if (packet->is_hairpin && request) {
		difference = checksum_replace_address(difference, &packet->flow.src, source);
		__builtin_memcpy(&ip->saddr, source, sizeof(ip->saddr));
	} else if (packet->is_hairpin) {
		difference = checksum_replace_address(difference, source, from);
		__builtin_memcpy(&ip->daddr, from, sizeof(ip->daddr));
	}
	__builtin_memcpy(request ? &ip->daddr : &ip->saddr, &packet->translation,
			 sizeof(ip->saddr));
	return difference;
}

/* Ports and checksum; TCP's ports lie where UDP's do. */
static __always_inline void rewrite_transport(struct packet *packet, __u64 difference)
{
	const bool udp = packet->flow.protocol == IPPROTO_UDP;
	struct udphdr *ports = packet->transport;

	if (packet->direction == DIRECTION_REQUEST) {
		difference = checksum_replace(difference, ports->dest, packet->translation_port);
		ports->dest = packet->translation_port;
	} else {
		difference = checksum_replace(difference, ports->source, packet->translation_port);
		ports->source = packet->translation_port;
	}
	/* UDP without a checksum (zero) stays without; a sum of zero is sent as ones (RFC 768). */
	if (udp && !*packet->checksum)
		return;
	*packet->checksum = checksum_update(*packet->checksum, difference);
	if (udp && !*packet->checksum)
		*packet->checksum = 0xffff;
}

static __always_inline void translate(struct packet *packet)
{
	const __u8 hops = packet->egress ? 1 : 0;

	rewrite_transport(packet, packet->is_ipv6 ? rewrite_ipv6(packet, hops)
						  : rewrite_ipv4(packet, hops));
	if (!packet->egress)
		return;
	copy_mac(packet->ethernet->h_dest, packet->hop.mac);
	copy_mac(packet->ethernet->h_source, packet->egress->mac);
}
