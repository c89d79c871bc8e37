/*
 * What the steps of a socket share: what it asks for, as all else in the datapath has it, and the
 * notes of where sockets were led. The kernel holds the socket's lock while a program looks at it,
 * so a socket's own notes have one writer.
 */
#pragma once

#include <linux/bpf.h>
#include <linux/in.h>
#include <bpf/bpf_endian.h>
#include <bpf/bpf_helpers.h>
#include <stdbool.h>
#include "bpf/knobs.h"
#include "bpf/maps.h"
#include "include/socket.h"

/* The network namespace whose sockets are led, by its cookie; 0: those of all. */
const volatile __u64 only_namespace = 0;

/*
 * Of each connected socket, where it was led. Part of the socket: nobody else's notes can push it
 * out, and it ends with the socket. Programs alone.
 */
struct {
	__uint(type, BPF_MAP_TYPE_SK_STORAGE);
	__uint(map_flags, BPF_F_NO_PREALLOC);
	__type(key, int);
	__type(value, struct socket_lead);
} socket_peer SEC(".maps");

/* The same of UDP sockets that are not connected. */
struct {
	__uint(type, BPF_MAP_TYPE_SK_STORAGE);
	__uint(map_flags, BPF_F_NO_PREALLOC);
	__type(key, int);
	__type(value, struct socket_leads);
} socket_peers SEC(".maps");

/*
 * Connected UDP sockets that were led to a backend. Programs write, also when a socket closes; lbd
 * reads, and removes those that it has ended. Full: the LRU forgets the oldest, which then are not
 * told when their backend goes.
 */
struct {
	__uint(type, BPF_MAP_TYPE_LRU_HASH);
	__type(key, __u64);
	__type(value, struct udp_socket);
	__uint(max_entries, MAX_UDP_SOCKETS);
} udp_sockets SEC(".maps");

/* The other end, as a program finds it: of a service, of a backend, or of neither. */
struct end {
	struct address address;
	__be16 port;
	__u8 protocol;
	bool is_ipv6; /* the form it has there, not the family of the address */
};

static __always_inline bool is_ours(struct bpf_sock_addr *ctx)
{
	return !only_namespace || bpf_get_netns_cookie(ctx) == only_namespace;
}

static __always_inline struct end read_end(const struct bpf_sock_addr *ctx, bool is_ipv6)
{
	struct end end = {
		.port = (__be16)ctx->user_port,
		.protocol = (__u8)ctx->protocol,
		.is_ipv6 = is_ipv6,
	};

	if (!is_ipv6) {
		end.address.word[2] = bpf_htonl(0xffff);
		end.address.word[3] = ctx->user_ip4;
		return end;
	}
	end.address.word[0] = ctx->user_ip6[0];
	end.address.word[1] = ctx->user_ip6[1];
	end.address.word[2] = ctx->user_ip6[2];
	end.address.word[3] = ctx->user_ip6[3];
	return end;
}

static __always_inline void write_end(struct bpf_sock_addr *ctx, const struct address *address,
				      __be16 port, bool is_ipv6)
{
	ctx->user_port = port;
	if (!is_ipv6) {
		ctx->user_ip4 = address->word[3];
		return;
	}
	ctx->user_ip6[0] = address->word[0];
	ctx->user_ip6[1] = address->word[1];
	ctx->user_ip6[2] = address->word[2];
	ctx->user_ip6[3] = address->word[3];
}

static __always_inline bool is_end(const struct end *end, const struct address *address,
				   __be16 port)
{
	return end->port == port && end->address.half[0] == address->half[0] &&
	       end->address.half[1] == address->half[1];
}
