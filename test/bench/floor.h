/*
 * What both floors do to begin with: Ethernet, IP, the ports. And the swap of the MAC addresses.
 */
#pragma once

#include <linux/bpf.h>
#include <linux/if_ether.h>
#include <linux/in.h>
#include <linux/ip.h>
#include <linux/ipv6.h>
#include <linux/tcp.h>
#include <linux/udp.h>
#include <stdbool.h>
#include <bpf/bpf_endian.h>
#include <bpf/bpf_helpers.h>

struct headers {
	struct ethhdr *ethernet;
	struct iphdr *ipv4; /* NULL: IPv6 */
	struct udphdr *ports;
	__sum16 *checksum;
	__u8 protocol;
};

/* Whether it is TCP or UDP over IPv4 or IPv6, whole. */
static __always_inline bool find_headers(struct xdp_md *ctx, struct headers *headers)
{
	struct ethhdr *ethernet = (void *)(long)ctx->data;
	struct ipv6hdr *ipv6 = (void *)(ethernet + 1);
	struct iphdr *ipv4 = (void *)(ethernet + 1);
	void *end = (void *)(long)ctx->data_end;
	void *transport;

	if ((void *)(ipv4 + 1) > end)
		return false;
	headers->ethernet = ethernet;
	if (ethernet->h_proto == bpf_htons(ETH_P_IP)) {
		headers->ipv4 = ipv4;
		headers->protocol = ipv4->protocol;
		transport = (void *)ipv4 + ipv4->ihl * 4;
	} else if (ethernet->h_proto == bpf_htons(ETH_P_IPV6) && (void *)(ipv6 + 1) <= end) {
		headers->protocol = ipv6->nexthdr;
		transport = ipv6 + 1;
	} else {
		return false;
	}
	headers->ports = transport;
	if (transport + sizeof(struct udphdr) > end)
		return false;
	headers->checksum = &headers->ports->check;
	if (headers->protocol == IPPROTO_UDP)
		return true;
	if (headers->protocol != IPPROTO_TCP || transport + sizeof(struct tcphdr) > end)
		return false;
	headers->checksum = &((struct tcphdr *)transport)->check;
	return true;
}

static __always_inline void swap_macs(struct ethhdr *ethernet)
{
	__u8 mac[ETH_ALEN];

	__builtin_memcpy(mac, ethernet->h_dest, ETH_ALEN);
	__builtin_memcpy(ethernet->h_dest, ethernet->h_source, ETH_ALEN);
	__builtin_memcpy(ethernet->h_source, mac, ETH_ALEN);
}
