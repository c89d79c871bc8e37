/*
 * Clients on the node: what an application asks of the kernel is led to a backend before a packet
 * is made, so packets cost nothing and what they go through knows of no service. Attached to the
 * root of the cgroups, by the maps of lb.bpf.c. Connected sockets are led once, in connect();
 * others with each datagram. What applications are told of their peers is turned back.
 *
 * connect6 and those like it also see IPv4 by mapped addresses (RFC 4291, 2.5.5.2), as the maps
 * have it.
 */
#include <linux/bpf.h>
#include <linux/errno.h>
#include <bpf/bpf_helpers.h>

#include "bpf/hook_xdp.h" /* headers shared with packets name a hook */
#include "bpf/socket.h"
#include "bpf/socket_service.h"
#include "bpf/socket_note.h"

enum answer {
	REFUSE,
	ALLOW,
};

/*
 * Nobody serves: known at once, unless it is for packets to be silent about it: then theirs are
 * made, and end where they meet a program for packets.
 */
static __always_inline int refuse_socket(const struct service_record *service)
{
	count_refused(service->service);
	if (!answer_refused || (service->flags & SERVICE_DROPS_UNSERVED))
		return ALLOW;
	bpf_set_retval(-ECONNREFUSED);
	return REFUSE;
}

static __always_inline int refuse_memory(void)
{
	bpf_set_retval(-ENOMEM);
	return REFUSE;
}

static __always_inline int lead_connect(struct bpf_sock_addr *ctx, bool is_ipv6)
{
	const struct end end = read_end(ctx, is_ipv6);
	const struct service_record *service;
	struct socket_lead to = {.service_address = end.address, .service_port = end.port};

	if (!is_ours(ctx) || (end.protocol != IPPROTO_TCP && end.protocol != IPPROTO_UDP))
		return ALLOW;
	service = find_asked(&end);
	if (!service) {
		forget_peer(ctx);
		return ALLOW;
	}
	if (!lead(ctx, service, &to)) {
		forget_peer(ctx);
		return refuse_socket(service);
	}
	if (!note_peer(ctx, &to))
		return refuse_memory();
	write_end(ctx, &to.backend_address, to.backend_port, is_ipv6);
	return ALLOW;
}

/* To a service that the socket has not talked to of late. */
static __always_inline int lead_first(struct bpf_sock_addr *ctx, const struct end *end)
{
	struct socket_lead to = {.service_address = end->address, .service_port = end->port};
	const struct service_record *service = find_asked(end);
	struct socket_leads *known;

	if (!service)
		return ALLOW;
	if (!lead(ctx, service, &to))
		return refuse_socket(service);
	known = find_peers(ctx, BPF_SK_STORAGE_GET_F_CREATE);
	if (!known)
		return refuse_memory();
	add_lead(known, &to);
	write_end(ctx, &to.backend_address, to.backend_port, end->is_ipv6);
	return ALLOW;
}

static __always_inline int lead_datagram(struct bpf_sock_addr *ctx, bool is_ipv6)
{
	const struct end end = read_end(ctx, is_ipv6);
	const __u32 now = (__u32)bpf_jiffies64();
	struct socket_leads *known;
	struct socket_lead *to;

	if (!is_ours(ctx) || end.protocol != IPPROTO_UDP)
		return ALLOW;
	known = find_peers(ctx, 0);
	to = known ? recall_lead(known, &end, now) : NULL;
	if (!to)
		return lead_first(ctx, &end);
	to->last = now;
	write_end(ctx, &to->backend_address, to->backend_port, is_ipv6);
	return ALLOW;
}

/* Of a connected socket; whether its peer is where it was led. */
static __always_inline bool tell_peer(struct bpf_sock_addr *ctx, const struct end *end)
{
	const struct socket_lead *peer = find_peer(ctx);

	if (!peer || !peer->backend || !is_end(end, &peer->backend_address, peer->backend_port))
		return false;
	write_end(ctx, &peer->service_address, peer->service_port, end->is_ipv6);
	return true;
}

static __always_inline int tell_name(struct bpf_sock_addr *ctx, bool is_ipv6)
{
	const struct end end = read_end(ctx, is_ipv6);

	if (is_ours(ctx))
		tell_peer(ctx, &end);
	return ALLOW;
}

static __always_inline int tell_sender(struct bpf_sock_addr *ctx, bool is_ipv6)
{
	const struct end end = read_end(ctx, is_ipv6);
	const struct socket_lead *from;
	struct socket_leads *known;

	if (!is_ours(ctx) || tell_peer(ctx, &end))
		return ALLOW;
	known = find_peers(ctx, 0);
	from = known ? lead_to(known, &end) : NULL;
	if (from)
		write_end(ctx, &from->service_address, from->service_port, is_ipv6);
	return ALLOW;
}

SEC("cgroup/connect4")
int connect4(struct bpf_sock_addr *ctx)
{
	return lead_connect(ctx, false);
}

SEC("cgroup/connect6")
int connect6(struct bpf_sock_addr *ctx)
{
	return lead_connect(ctx, true);
}

SEC("cgroup/sendmsg4")
int sendmsg4(struct bpf_sock_addr *ctx)
{
	return lead_datagram(ctx, false);
}

SEC("cgroup/sendmsg6")
int sendmsg6(struct bpf_sock_addr *ctx)
{
	return lead_datagram(ctx, true);
}

SEC("cgroup/recvmsg4")
int recvmsg4(struct bpf_sock_addr *ctx)
{
	return tell_sender(ctx, false);
}

SEC("cgroup/recvmsg6")
int recvmsg6(struct bpf_sock_addr *ctx)
{
	return tell_sender(ctx, true);
}

SEC("cgroup/getpeername4")
int getpeername4(struct bpf_sock_addr *ctx)
{
	return tell_name(ctx, false);
}

SEC("cgroup/getpeername6")
int getpeername6(struct bpf_sock_addr *ctx)
{
	return tell_name(ctx, true);
}

/* All else that is known of a socket ends with it by itself. */
SEC("cgroup/sock_release")
int sock_release(struct bpf_sock *ctx)
{
	__u64 cookie;

	if (ctx->protocol != IPPROTO_UDP)
		return ALLOW;
	cookie = bpf_get_socket_cookie(ctx);
	bpf_map_delete_elem(&udp_sockets, &cookie);
	return ALLOW;
}

char _license[] SEC("license") = "GPL";
