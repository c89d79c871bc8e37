/*
 * An example to build on: a classifier of tc that reads what lbd's XDP programs have written in
 * front of a packet (include/metadata.h), and acts on it in two ways. It marks the packet by its
 * class, which nftables, iptables and `ip rule` can tell apart, and it holds services to a rate.
 * What XDP forwards by itself never comes here. docs/metadata.md says how to attach it.
 */
#include <linux/bpf.h>
#include <linux/pkt_cls.h>
#include <stdbool.h>
#include <bpf/bpf_helpers.h>
#include "include/metadata.h"

#define NS_PER_SECOND 1000000000ull
#define MAX_RATES 65536
#define TRIES 4

/* The bits of skb->mark that are the class, enum metadata_class; the others are left alone. */
#define MARK_MASK 0xf

/*
 * By the id of a service, how many of its packets may pass a second; none stands for any number.
 * The operator writes (bpftool), packets read. Full: the operator is refused.
 */
struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(map_flags, BPF_F_NO_PREALLOC);
	__type(key, __u32);
	__type(value, __u32);
	__uint(max_entries, MAX_RATES);
} service_rates SEC(".maps");

/*
 * By the id of a service with a rate, the time that its packets have used up: each takes a second
 * by the rate. Packets alone write and read. Full, which as many rates cannot bring about unless
 * services came and went: the packet passes.
 */
struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(map_flags, BPF_F_NO_PREALLOC);
	__type(key, __u32);
	__type(value, __u64); /* ns of bpf_ktime_get_ns */
	__uint(max_entries, MAX_RATES);
} service_used SEC(".maps");

static __always_inline __u64 *used_by(__u32 service)
{
	const __u64 nothing = 0;
	__u64 *used = bpf_map_lookup_elem(&service_used, &service);

	if (used)
		return used;
	bpf_map_update_elem(&service_used, &service, &nothing, BPF_NOEXIST);
	return bpf_map_lookup_elem(&service_used, &service);
}

/*
 * A bucket of a second's worth of tokens, told by one word, so that it needs no lock: time that
 * nobody used for more than a second is lost. Where other CPUs keep being faster, the packet
 * passes.
 */
static __always_inline bool takes_token(__u64 *used, __u32 rate)
{
	const __u64 now = bpf_ktime_get_ns();
	__u64 old, from;

	for (int try = 0; try < TRIES; try++) {
		old = *(volatile __u64 *)used;
		from = old + NS_PER_SECOND > now ? old : now - NS_PER_SECOND;
		if (from + NS_PER_SECOND / rate > now)
			return false;
		if (__sync_val_compare_and_swap(used, old, from + NS_PER_SECOND / rate) == old)
			return true;
	}
	return true;
}

static __always_inline bool is_within_rate(__u32 service)
{
	const __u32 *rate = bpf_map_lookup_elem(&service_rates, &service);
	__u64 *used;

	if (!rate)
		return true;
	if (!*rate)
		return false;
	used = used_by(service);
	return !used || takes_token(used, *rate);
}

/*
 * TC_ACT_UNSPEC leaves the packet to the filters behind this one. The section's name is the one
 * that tc looks for when it is told none.
 */
SEC("classifier")
int mark(struct __sk_buff *skb)
{
	const struct metadata *metadata = (void *)(long)skb->data_meta;
	__u32 service;

	if ((void *)(metadata + 1) > (void *)(long)skb->data || metadata->magic != METADATA_MAGIC)
		return TC_ACT_UNSPEC; /* lbd runs without --metadata, or the driver has no room */
	service = metadata->service;
	skb->mark = (skb->mark & ~MARK_MASK) | (metadata->class & MARK_MASK);
	return is_within_rate(service) ? TC_ACT_UNSPEC : TC_ACT_SHOT;
}

char _license[] SEC("license") = "GPL";
