/*
 * The ways back to clients: where a client's frames came from is where replies to it go. Each way
 * is remembered once, and connections name it by its index (docs/decisions.md, "Replies go back the
 * way the requests came").
 */
#pragma once

#include "bpf/connection_table.h"
#include "bpf/knobs.h"
#include "bpf/maps.h"
#include "bpf/packet.h"
#include "bpf/part.h"
#include "bpf/tag.h"
#include "include/hash.h"

#define HOP_PROBES 8

/*
 * Remembers where a client's frames come from, in one entry for all that come the same way: its
 * index in client_hops, or 0 where those that its hash leads to are taken. An entry is set once,
 * from zero. lbd marks what no connection names as closing, which is not given out any more, and
 * frees it when none names it two whole sweeps later (lb/datapath_connections.c).
 *
 * The tags come after the word that takes the entry. Who looks at it between the two finds none,
 * and takes another entry if it has some itself; a connection names it only when both are there.
 */
__noinline int remember_hop(const struct way_back *way)
{
	struct way_back *entry;
	__u64 there, hash;
	__u32 index;

	if (!way)
		return 0; /* VERIFIER: a global function's pointers may be NULL */
	/* Mixed before, or the inner VLAN, in the highest bits, would not reach the lowest. */
	hash = hash_mix(hash_seed ^ hash_mix(0, way->tags.word), way->hop.word);
	for (__u32 probe = 0; probe < HOP_PROBES; probe++) {
		index = ((__u32)hash + probe) % CLIENT_HOPS;
		entry = index ? bpf_map_lookup_elem(&client_hops, &index) : NULL;
		if (!entry)
			continue;
		there = load_word(&entry->hop.word);
		if (!there)
			there = __sync_val_compare_and_swap(&entry->hop.word, 0, way->hop.word);
		if (!there) {
			*(volatile __u64 *)&entry->tags.word = way->tags.word;
			return index;
		}
		if (there == way->hop.word &&
		    load_word(after(&entry->tags.word, there)) == way->tags.word)
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
	struct way_back way = {.hop.port = in, .tags = packet->tags};

	if (packet->tags.word)
		way.hop.port |= CLIENT_HOP_TAGGED;
	copy_mac(way.hop.mac, packet->ethernet->h_source);
	return in ? remember_hop(&way) : 0;
}

/* Did this request come by another way than the last one did, or to another MAC address? */
static __always_inline bool has_moved(const struct packet *packet, __u16 hop, bool is_rare)
{
	const __u32 key = hop;
	const struct way_back *way = bpf_map_lookup_elem(&client_hops, &key);
	const struct nexthop client = load_nexthop(way ? &way->hop : NULL);
	/* Of a tagged way no port, unless this program looks at tags: then it is another way. */
	__u32 index = client.port & ~CLIENT_HOP_LEAVING;
	const struct port *port;

	if (is_rare) {
		if (!way || !is_same_vlan(&way->tags, &packet->tags))
			return true;
		index &= ~CLIENT_HOP_TAGGED;
	}
	port = bpf_map_lookup_elem(&ports, &index);
	return !port || port->ifindex != packet_ingress(packet) ||
	       !is_same_mac(client.mac, packet->ethernet->h_source) ||
	       !is_same_mac(port->mac, packet->ethernet->h_dest);
}

/*
 * The way back to the client as the packet's next hop. Where it takes tags, the packet parts for a
 * program that writes some.
 */
static __always_inline enum verdict go_back(struct packet *packet, __u16 hop, bool is_rare)
{
	const __u32 key = hop;
	const struct way_back *way = bpf_map_lookup_elem(&client_hops, &key);

	packet->hop = load_nexthop(way ? &way->hop : NULL);
	if (packet->hop.port & CLIENT_HOP_TAGGED) {
		if (!is_rare)
			return part(packet, PROGRAM_RARE);
		packet->out.word = way ? load_word(&way->tags.word) : 0;
	}
	packet->hop.port &= ~(CLIENT_HOP_LEAVING | CLIENT_HOP_TAGGED);
	return VERDICT_CONTINUE;
}
