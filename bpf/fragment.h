/*
 * Step fragment: of a datagram in pieces only the first has the ports. They are remembered once it
 * was decided what becomes of it, and the others go the same walk with them. Those that come before
 * it are handed to lbd, which sends them through here again (control/fragments.c).
 *
 * Ends with PASS_FRAGMENT (concerns neither a service nor a backend, or another host, as far as
 * addresses tell), DROP_FRAGMENT (a first one without its whole transport header, which would hide
 * what it is; one that lies over that header, RFC 3128; one whose first was dropped),
 * DROP_FRAGMENT_HELD, DROP_FRAGMENT_EARLY.
 */
#pragma once

#include <linux/in.h>
#include <linux/tcp.h>
#include "bpf/client_hop.h"
#include "bpf/knobs.h"
#include "bpf/maps.h"
#include "bpf/packet.h"
#include "include/fragment.h"
#include "include/hash.h"
#include "include/metadata.h"
#include "include/verdict.h"

static __always_inline struct fragment_key fragment_key_of(const struct packet *packet)
{
	return (struct fragment_key){
		.src = packet->flow.src,
		.dst = packet->flow.dst,
		.identification = packet->identification,
		.protocol = packet->is_ipv6 ? 0 : packet->flow.protocol,
	};
}

/*
 * Whether it is for the address of a service or from that of a backend; ports are not asked. A
 * global function, as are those below: verified once, with a stack of its own, and one case for the
 * walk, whatever the answer comes from.
 */
__noinline int concerns_us(const struct fragment_key *key)
{
	if (!key)
		return false; /* VERIFIER: a global function's pointers may be NULL */
	return filter_has(&address_filter, address_filter_mask,
			  hash_role(hash_seed, &key->dst, ADDRESS_OF_SERVICE)) ||
	       filter_has(&address_filter, address_filter_mask,
			  hash_role(hash_seed, &key->src, ADDRESS_OF_BACKEND));
}

/* What the first has said, in *first. 0, or -1 where it has not come. */
__noinline int recall_first(const struct fragment_key *key, struct fragment *first)
{
	const struct fragment *there;
	struct fragment_key own;

	if (!key || !first)
		return -1; /* VERIFIER: as above */
	own = *key;        /* VERIFIER: that of a map may not be the caller's (6.1) */
	there = bpf_map_lookup_elem(&fragments, &own);
	if (!there)
		return -1;
	first->word = load_word(&there->word);
	return fragment_is_over(first, fragment_second(bpf_ktime_get_coarse_ns())) ? -1 : 0;
}

/* Hands a frame to lbd; what lies in later buffers, too. 0, or -1 where there is no room for it. */
__noinline int hand_over(struct hook_context *ctx, const struct fragment_key *key)
{
	__u64 length = frame_length(ctx);
	struct early_fragment *early;

	if (!key || length < sizeof(struct ethhdr))
		return -1;
	/* VERIFIER: to ask of one register, and for a least that is not "not zero" (6.1). */
	asm volatile("" : "+r"(length));
	if (length > EVENT_FRAME_MAX)
		return -1;
	early = bpf_ringbuf_reserve(&events, sizeof(*early), 0);
	if (!early)
		return -1;
	if (frame_read(ctx, 0, early->frame, length)) {
		bpf_ringbuf_discard(early, 0);
		return -1;
	}
	early->kind = EVENT_EARLY_FRAGMENT;
	early->ifindex = ctx->ingress_ifindex;
	early->time_ns = bpf_ktime_get_coarse_ns();
	early->key = *key;
	early->length = length;
	bpf_ringbuf_submit(early, 0);
	return 0;
}

/* The first has not come yet, or never will. Whoever is not addressed need not wait for it. */
static __always_inline enum verdict hold_fragment(const struct packet *packet,
						  const struct fragment_key *key)
{
	__u16 in;

	if (!is_for_us(packet, &in))
		return VERDICT_PASS_FRAGMENT;
	return hand_over(packet->ctx, key) ? VERDICT_DROP_FRAGMENT_EARLY
					   : VERDICT_DROP_FRAGMENT_HELD;
}

static __always_inline enum verdict recall_ports(struct packet *packet,
						 const struct fragment_key *key)
{
	struct fragment first = {};

	if (recall_first(key, &first))
		return hold_fragment(packet, key);
	if (!first.protocol)
		return VERDICT_DROP_FRAGMENT;
	packet->flow.protocol = first.protocol;
	packet->tcp_flags = first.tcp_flags;
	packet->flow.src_port = first.src_port;
	packet->flow.dst_port = first.dst_port;
	return VERDICT_CONTINUE;
}

static __always_inline bool is_dropped(enum verdict verdict)
{
	return verdict != VERDICT_CONTINUE && metadata_class_of(verdict) == METADATA_NONE;
}

/*
 * `word`: a struct fragment. Written in place where the identification comes again: an update of a
 * full LRU hash evicts, even where the key is there.
 */
__noinline int remember_first(const struct fragment_key *key, __u64 word, __u32 verdict)
{
	struct fragment first = {.word = word};
	struct fragment_key own;
	struct fragment *there;

	if (!key)
		return -1; /* VERIFIER: as above */
	own = *key;        /* VERIFIER: as in recall_first */
	if (is_dropped(verdict))
		first.protocol = 0;
	first.second = fragment_second(bpf_ktime_get_coarse_ns());
	there = bpf_map_lookup_elem(&fragments, &own);
	if (there)
		*(volatile __u64 *)&there->word = first.word;
	else
		bpf_map_update_elem(&fragments, &own, &first, BPF_ANY);
	return 0;
}

/* `verdict`: what becomes of a first fragment, before anything in it is written. */
static __always_inline void remember_fragment(const struct packet *packet, enum verdict verdict)
{
	const struct fragment first = {
		.src_port = packet->flow.src_port,
		.dst_port = packet->flow.dst_port,
		.protocol = packet->flow.protocol,
		.tcp_flags = packet->tcp_flags,
	};
	struct fragment_key key;

	if (!packet->fragment || is_later_fragment(packet))
		return;
	key = fragment_key_of(packet);
	remember_first(&key, first.word, verdict);
}

/* Where TCP's flags would be written over, or what lies behind them. */
static __always_inline bool lies_over_header(const struct packet *packet)
{
	const __u16 offset = packet->fragment & FRAGMENT_OFFSET;

	return packet->flow.protocol == IPPROTO_TCP && offset && offset < sizeof(struct tcphdr);
}

/* `parsed`: what parse made of the packet. */
static __always_inline enum verdict find_fragment(struct packet *packet, enum verdict parsed)
{
	struct fragment_key key;

	if (!packet->fragment || (parsed != VERDICT_CONTINUE && parsed != VERDICT_PASS_MALFORMED))
		return parsed;
	key = fragment_key_of(packet);
	if (!concerns_us(&key))
		return VERDICT_PASS_FRAGMENT;
	if (parsed != VERDICT_CONTINUE || lies_over_header(packet)) {
		remember_fragment(packet, VERDICT_DROP_FRAGMENT);
		return VERDICT_DROP_FRAGMENT;
	}
	return is_later_fragment(packet) ? recall_ports(packet, &key) : VERDICT_CONTINUE;
}

/* Fragments of nothing that is ours are one kind, whether the filter of addresses knew or not. */
static __always_inline enum verdict settle_fragment(const struct packet *packet,
						    enum verdict verdict)
{
	remember_fragment(packet, verdict);
	return packet->fragment && verdict == VERDICT_PASS_NO_SERVICE ? VERDICT_PASS_FRAGMENT
								      : verdict;
}
