/*
 * Makes the packets of the benchmark. BPF_PROG_TEST_RUN with live frames runs this program on each
 * frame of a batch and really redirects it; the kernel does not restore frames between turns, so
 * the whole frame is written each time. Flow and service follow from the packet's number.
 */
#include <linux/bpf.h>
#include <bpf/bpf_helpers.h>
#include "test/bench/path/view.h"

#define GOLDEN_RATIO 2654435761u
#define PADDING_BYTES 6 /* of the shortest payload, after the probe; more stays zero */

struct generator_settings settings;

static __always_inline __u64 sum32(__u32 word)
{
	return (word & 0xffff) + (word >> 16);
}

static __always_inline __u16 fold(__u64 sum)
{
	sum = (sum & 0xffff) + (sum >> 16);
	sum = (sum & 0xffff) + (sum >> 16);
	return ~sum;
}

/* Spreads flows evenly over any number of services, neighbours far apart, without a division. */
static __always_inline __u32 service_of(__u64 flow)
{
	__u32 mixed = (__u32)flow * GOLDEN_RATIO;

	return ((__u64)mixed * settings.services) >> 32;
}

static __always_inline void write_ip(const struct view *view, __u64 flow, __u32 service)
{
	struct iphdr *ip = view->ip;

	ip->version = 4;
	ip->ihl = 5;
	ip->tos = 0;
	ip->tot_len = bpf_htons(settings.frame_bytes - sizeof(struct ethhdr));
	ip->id = 0;
	ip->frag_off = bpf_htons(0x4000);
	ip->ttl = 64;
	ip->protocol = IPPROTO_UDP;
	/* 1,024 clients, and more once their ports are used up. */
	ip->saddr = bpf_htonl(CLIENT_BASE + (flow & 1023) + ((flow >> 25 & 1023) << 10));
	ip->daddr = bpf_htonl(SERVICE_BASE + service);
	ip->check = fold(sum32(ip->saddr) + sum32(ip->daddr) + bpf_htons(0x4500) + ip->tot_len +
			 ip->frag_off + bpf_htons(64 << 8 | IPPROTO_UDP));
}

static __always_inline void write_udp(const struct view *view, __u64 flow, __u32 service)
{
	struct udphdr *udp = view->udp;
	struct probe *probe = view->probe;

	udp->source = bpf_htons(1024 + (flow >> 10 & 0x7fff));
	udp->dest = bpf_htons(SERVICE_PORT);
	udp->len = bpf_htons(settings.frame_bytes - sizeof(struct ethhdr) - sizeof(struct iphdr));
	probe->magic = PROBE_MAGIC;
	probe->service = service;
	probe->flow = flow;
	__builtin_memset(probe + 1, 0, PADDING_BYTES);
	udp->check = fold(sum32(view->ip->saddr) + sum32(view->ip->daddr) + bpf_htons(IPPROTO_UDP) +
			  2 * udp->len + udp->source + udp->dest + sum32(PROBE_MAGIC) +
			  sum32(service) + sum32(flow) + sum32(flow >> 32));
}

SEC("xdp")
int generate(struct xdp_md *ctx)
{
	struct view view;
	__u64 flow;
	__u32 service;

	if (!view_init(&view, (void *)(long)ctx->data, (void *)(long)ctx->data_end))
		return XDP_ABORTED;
	flow = settings.next++ & settings.flow_mask;
	service = service_of(flow);
	__builtin_memcpy(view.ethernet->h_dest, settings.dst_mac, ETH_ALEN);
	__builtin_memcpy(view.ethernet->h_source, settings.src_mac, ETH_ALEN);
	view.ethernet->h_proto = bpf_htons(ETH_P_IP);
	write_ip(&view, flow, service);
	write_udp(&view, flow, service);
	return bpf_redirect(settings.ifindex, 0);
}

char _license[] SEC("license") = "GPL";
