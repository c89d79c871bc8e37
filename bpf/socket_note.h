/*
 * Step note of a socket: remembers where it was led, and finds it again. The services that an
 * application asked for is what it is told of its peers.
 */
#pragma once

#include "bpf/connection_table.h"
#include "bpf/socket.h"

static __always_inline struct socket_lead *find_peer(struct bpf_sock_addr *ctx)
{
	struct bpf_sock *socket = ctx->sk;

	return socket ? bpf_sk_storage_get(&socket_peer, socket, NULL, 0) : NULL;
}

static __always_inline struct socket_leads *find_peers(struct bpf_sock_addr *ctx, __u64 flags)
{
	struct bpf_sock *socket = ctx->sk;

	return socket ? bpf_sk_storage_get(&socket_peers, socket, NULL, flags) : NULL;
}

/*
 * A socket that connects anew, to nothing of ours, is not where it was led before: nor is it ended
 * when the backend goes that it had then.
 */
static __always_inline void forget_peer(struct bpf_sock_addr *ctx)
{
	struct socket_lead *peer = find_peer(ctx);
	__u64 cookie;

	if (!peer || !peer->backend)
		return;
	peer->backend = 0;
	if (ctx->protocol != IPPROTO_UDP)
		return;
	cookie = bpf_get_socket_cookie(ctx);
	bpf_map_delete_elem(&udp_sockets, &cookie);
}

static __always_inline void note_udp(struct bpf_sock_addr *ctx, __u32 backend)
{
	const __u64 cookie = bpf_get_socket_cookie(ctx);
	const struct udp_socket fresh = {.namespace = bpf_get_netns_cookie(ctx),
					 .backend = backend};
	struct udp_socket *known = bpf_map_lookup_elem(&udp_sockets, &cookie);

	if (known)
		known->backend = backend; /* a full LRU map would evict others for it */
	else
		bpf_map_update_elem(&udp_sockets, &cookie, &fresh, BPF_ANY);
}

/* false: there is no memory for it. */
static __always_inline bool note_peer(struct bpf_sock_addr *ctx, const struct socket_lead *lead)
{
	struct bpf_sock *socket = ctx->sk;
	struct socket_lead *peer;

	if (!socket)
		return false;
	peer = bpf_sk_storage_get(&socket_peer, socket, NULL, BPF_SK_STORAGE_GET_F_CREATE);
	if (!peer)
		return false;
	*peer = *lead;
	if (ctx->protocol == IPPROTO_UDP)
		note_udp(ctx, lead->backend);
	return true;
}

static __always_inline bool still_leads(const struct socket_lead *lead, __u32 now)
{
	const struct backend_record *backend = backend_of(lead->backend);

	return backend && connection_is_served(backend, lead->backend) &&
	       connection_idle(now, lead->last) <= timeouts.udp;
}

/* The one that was added before `age` others. */
static __always_inline struct socket_lead *lead_of_age(struct socket_leads *known, __u32 age)
{
	return &known->to[(known->count - 1 - age) % SOCKET_LEADS];
}

/*
 * Where what a socket sends to this service goes, for as long as a datagram's connection would
 * last; NULL: it is to be led.
 */
static __always_inline struct socket_lead *recall_lead(struct socket_leads *known,
						       const struct end *service, __u32 now)
{
	for (__u32 age = 0; age < SOCKET_LEADS; age++) {
		struct socket_lead *lead = lead_of_age(known, age);

		if (lead->backend && is_end(service, &lead->service_address, lead->service_port) &&
		    still_leads(lead, now))
			return lead;
	}
	return NULL;
}

static __always_inline void add_lead(struct socket_leads *known, const struct socket_lead *fresh)
{
	known->count++;
	*lead_of_age(known, 0) = *fresh;
}

/* By which service a backend is known to a socket; of several the one that it was led by last. */
static __always_inline const struct socket_lead *lead_to(struct socket_leads *known,
							 const struct end *backend)
{
	for (__u32 age = 0; age < SOCKET_LEADS; age++) {
		const struct socket_lead *lead = lead_of_age(known, age);

		if (lead->backend && is_end(backend, &lead->backend_address, lead->backend_port))
			return lead;
	}
	return NULL;
}
