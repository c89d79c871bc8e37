/*
 * Knobs: constants that lbd sets before loading, so that what they decide costs nothing per packet.
 * The values here are those of a program that nobody has configured.
 */
#pragma once

#include <bpf/bpf_endian.h>
#include <bpf/bpf_helpers.h>
#include <stdbool.h>
#include "include/abi.h"
#include "include/masquerade.h"
#include "include/tunnel.h"

/* Of 250 jiffies a second. */
const volatile struct timeouts timeouts = {
	.tcp_opening = 30 * 250,
	.tcp_established = 21600 * 250,
	.tcp_closing = 120 * 250,
	.tcp_closed = 10 * 250,
	.udp = 120 * 250,
};

/* Of one service, a second and CPU, before it is balanced without entries; 0: no limit. */
const volatile __u32 max_new_connections;

const volatile __u32 jiffies_per_second = 250;

/* Jiffies; lines that CPUs share are written so seldom. No timeout is shorter. */
const volatile __u32 refresh_interval = 250;

/* How long the tables are, and what hashes into them start from. */
const volatile __u64 hash_seed = 0;
const volatile __u32 connection_buckets = 2;
const volatile __u32 service_filter_mask = 127;
const volatile __u32 backend_filter_mask = 127;
const volatile __u32 address_filter_mask = 127;
const volatile __u32 backend_count = 2; /* a CPU's share of backend_counters */

/* Whether what goes to the stack carries why it does: include/metadata.h. */
const volatile bool has_metadata = false;

/* Whether the sender hears of it when there is nobody to send its packet to. */
const volatile bool answer_refused = true;

/* ICMP errors that a CPU sends in a second; 0: as many as there are. */
const volatile __u32 icmp_errors = 1000;

/* Ports of this node that masqueraded connections may have. */
const volatile struct masquerade_ports masquerade_ports = {.first = 1024, .count = 31744};

/* Whether new connections are tunnelled to other nodes, where they would be masqueraded. */
const volatile bool tunnels = false;

/* From where they may come so. */
const volatile struct tunnel_sources tunnel_sources;

/* A routable IPv6 address: a pod would look for a link-local one on its link, and find nobody. */
const volatile struct hairpin hairpin = {
	.ipv4.word = {0, 0, bpf_htonl(0xffff), bpf_htonl(0xa9fe2a01)},     /* 169.254.42.1 */
	.ipv6.word = {bpf_htonl(0xfd6c6264), 0, 0, bpf_htonl(0x00000001)}, /* fd6c:6264::1 */
};

static __always_inline const struct address *hairpin_of(bool is_ipv6)
{
	return (const struct address *)(is_ipv6 ? &hairpin.ipv6 : &hairpin.ipv4);
}

/* No constant: bits of enum unknown, while lbd takes connections over from netfilter. */
volatile __u32 unknown_to_stack;
