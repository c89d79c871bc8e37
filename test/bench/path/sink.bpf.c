/*
 * Ends the packets of the benchmark and counts them: as XDP where frames arrive by redirect, as tc
 * ingress where the kernel forwards (turning its skbs back into frames would cost it dearly), as
 * the filter of a socket where the stack's way to an application is to be in the figure. Says
 * of each packet whether it has the address it should have, and on demand whether its checksums
 * hold; or sends it back as a backend would answer.
 */
#include <linux/bpf.h>
#include <linux/pkt_cls.h>
#include <bpf/bpf_helpers.h>
#include "test/bench/path/view.h"

struct sink_settings settings;

/* Packets write, each CPU its own; the loader reads and clears. */
struct {
	__uint(type, BPF_MAP_TYPE_PERCPU_ARRAY);
	__type(key, __u32);
	__type(value, struct tally);
	__uint(max_entries, 1);
} tallies SEC(".maps");

static __always_inline bool is_probe(struct view *arrival, void *data, const void *end)
{
	return view_init(arrival, data, end) && arrival->ethernet->h_proto == bpf_htons(ETH_P_IP) &&
	       arrival->ip->protocol == IPPROTO_UDP && arrival->probe->magic == PROBE_MAGIC;
}

/* One's complement sum of an even number of bytes, in steps of a constant count. */
static __always_inline __u32 add_words(const void *bytes, __u32 count)
{
	const __u16 *words = bytes;
	__u32 sum = 0;

#pragma unroll
	for (__u32 i = 0; i < count; i++)
		sum += words[i];
	return sum;
}

static __always_inline bool is_zero_sum(__u32 sum)
{
	sum = (sum & 0xffff) + (sum >> 16);
	sum = (sum & 0xffff) + (sum >> 16);
	return sum == 0xffff;
}

static __always_inline bool checksums_hold(const struct view *arrival)
{
	__u32 pseudo = add_words(&arrival->ip->saddr, 4) + bpf_htons(IPPROTO_UDP);

	pseudo += arrival->udp->len;
	if (!is_zero_sum(add_words(arrival->ip, sizeof(*arrival->ip) / 2)))
		return false;
	return is_zero_sum(pseudo + add_words(arrival->udp, 15));
}

/* The number of the backend that is its destination, as probe.h counts. */
static __always_inline __u32 backend_of(const struct view *arrival)
{
	__u32 pod = bpf_ntohl(arrival->ip->daddr) - POD_BASE;

	return (bpf_ntohs(arrival->udp->dest) - BACKEND_PORT) * PODS + pod;
}

static __always_inline bool is_right(const struct view *arrival, struct tally *tally)
{
	const __u32 service = arrival->probe->service;
	const __be32 address = bpf_htonl(SERVICE_BASE + service);
	__u32 backend;

	if (settings.expect == EXPECT_SERVICE)
		return arrival->ip->daddr == address || arrival->ip->saddr == address;
	if (settings.expect == EXPECT_REPLY)
		return arrival->ip->saddr == address &&
		       arrival->udp->source == bpf_htons(SERVICE_PORT);
	backend = backend_of(arrival) - service * BACKENDS;
	if (backend >= BACKENDS)
		return false;
	tally->backend[backend]++;
	return true;
}

static __always_inline void take(const struct view *arrival)
{
	__u32 zero = 0;
	struct tally *tally = bpf_map_lookup_elem(&tallies, &zero);

	if (!tally)
		return;
	if (is_right(arrival, tally))
		tally->delivered++;
	else
		tally->wrong++;
	if (settings.checksum && !checksums_hold(arrival))
		tally->bad_checksum++;
}

/* Sums stay what they are: swapping does not change them. */
static __always_inline void turn_around(const struct view *arrival)
{
	struct ethhdr ethernet = *arrival->ethernet;
	__be32 address = arrival->ip->saddr;
	__be16 port = arrival->udp->source;

	__builtin_memcpy(arrival->ethernet->h_dest, ethernet.h_source, ETH_ALEN);
	__builtin_memcpy(arrival->ethernet->h_source, ethernet.h_dest, ETH_ALEN);
	arrival->ip->saddr = arrival->ip->daddr;
	arrival->ip->daddr = address;
	arrival->udp->source = arrival->udp->dest;
	arrival->udp->dest = port;
}

SEC("xdp")
int sink_xdp(struct xdp_md *ctx)
{
	struct view arrival;

	if (!is_probe(&arrival, (void *)(long)ctx->data, (void *)(long)ctx->data_end))
		return XDP_PASS;
	take(&arrival);
	if (!settings.reflect)
		return XDP_DROP;
	turn_around(&arrival);
	return XDP_TX;
}

SEC("tc")
int sink_skb(struct __sk_buff *skb)
{
	struct view arrival;

	if (settings.to_socket ||
	    !is_probe(&arrival, (void *)(long)skb->data, (void *)(long)skb->data_end))
		return TC_ACT_OK;
	take(&arrival);
	if (!settings.reflect)
		return TC_ACT_SHOT;
	turn_around(&arrival);
	return bpf_redirect(skb->ifindex, 0);
}

/* Of UDP sockets. Nobody reads them: what is not kept has still come all the way. */
SEC("socket")
int sink_socket(struct __sk_buff *skb)
{
	__u8 bytes[FRAME_BYTES - sizeof(struct ethhdr)] __attribute__((aligned(8)));
	struct view arrival = {
		.ip = (void *)bytes,
		.udp = (void *)bytes + sizeof(struct iphdr),
		.probe = (void *)bytes + sizeof(struct iphdr) + sizeof(struct udphdr),
	};

	if (bpf_skb_load_bytes_relative(skb, 0, bytes, sizeof(bytes), BPF_HDR_START_NET))
		return 0;
	if (arrival.probe->magic == PROBE_MAGIC)
		take(&arrival);
	return 0;
}

char _license[] SEC("license") = "GPL";
