/*
 * The ways back to clients: where a client's frames came from is where replies to it go. Each way
 * is remembered once, and connections name it by its index (docs/decisions.md, "Replies go back the
 * way the requests came").
 */
#pragma once

#include "bpf/knobs.h"
#include "bpf/maps.h"
#include "bpf/packet.h"
#include "include/hash.h"

#define HOP_PROBES 8

/*
 * Remembers where a client's frames come from, in one entry for all that come the same way: its
 * index in client_hops, or 0 where those that its hash leads to are taken. An entry is set once,
 * from zero. lbd marks what no connection names as closing, which is not given out any more, and
 * frees it when none names it two whole sweeps later (lb/datapath_connections.c).
 */
__noinline int remember_hop(const struct nexthop *hop)
{
	__u64 *slot, there, word, hash;
	__u32 index;

	if (!hop)
		return 0; /* VERIFIER: a global function's pointers may be NULL */
	word = hop->word;
	hash = hash_mix(hash_seed, word);
	for (__u32 probe = 0; probe < HOP_PROBES; probe++) {
		index = ((__u32)hash + probe) % CLIENT_HOPS;
		slot = index ? bpf_map_lookup_elem(&client_hops, &index) : NULL;
		if (!slot)
			continue;
		there = load_word(slot);
		if (!there)
			there = __sync_val_compare_and_swap(slot, 0, word);
		if (!there || there == word)
			return index;
	}
	return 0;
}

/*
 * False: the frame was sent to another MAC address than that of the port it came in by, and is none
 * of ours, however it came here (a flooding bridge, promiscuous mode). *in: that port; 0 where we
 * do not know the interface.
 */
static __always_inline bool is_for_us(const struct packet *packet, __u16 *in)
{
	const __u32 index = ingress_index(packet_ingress(packet));
	const struct port *port = bpf_map_lookup_elem(&ports, &index);

	*in = port ? index : 0;
	return !*in || is_same_mac(port->mac, packet->ethernet->h_dest);
}

/* The frame's sender as the next hop for what goes back: its index in client_hops, or 0. */
static __always_inline __u16 learn_sender(const struct packet *packet, __u16 in)
{
	struct nexthop hop = {.port = in};

	copy_mac(hop.mac, packet->ethernet->h_source);
	return in ? remember_hop(&hop) : 0;
}

static __always_inline struct nexthop client_hop(__u16 index)
{
	const __u32 key = index;
	struct nexthop hop = load_nexthop(bpf_map_lookup_elem(&client_hops, &key));

	hop.port &= ~CLIENT_HOP_LEAVING;
	return hop;
}
