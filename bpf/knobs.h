/*
 * Knobs: constants that lbd sets before loading, so that what they decide costs nothing per packet.
 * The values here are those of a program that nobody has configured.
 */
#pragma once

#include <bpf/bpf_endian.h>
#include <bpf/bpf_helpers.h>
#include <stdbool.h>
#include "include/abi.h"

const volatile struct timeouts timeouts = {
	.tcp_opening = 30ull * 1000000000,
	.tcp_established = 21600ull * 1000000000,
	.tcp_closing = 120ull * 1000000000,
	.tcp_closed = 10ull * 1000000000,
	.udp = 120ull * 1000000000,
};

/* A routable IPv6 address: a pod would look for a link-local one on its link, and find nobody. */
const volatile struct hairpin hairpin = {
	.ipv4 = {{0, 0, bpf_htonl(0xffff), bpf_htonl(0xa9fe2a01)}},     /* 169.254.42.1 */
	.ipv6 = {{bpf_htonl(0xfd6c6264), 0, 0, bpf_htonl(0x00000001)}}, /* fd6c:6264::1 */
};

static __always_inline const struct address *hairpin_of(bool is_ipv6)
{
	return (const struct address *)(is_ipv6 ? &hairpin.ipv6 : &hairpin.ipv4);
}
