/*
 * Step decapsulate, of the program of that name: packets that another node has sent through a
 * tunnel to a backend of this one (bpf/encapsulate.h). The outer header goes, and what was in it is
 * sent to that backend as if its client had sent it here; the client's answers go the way that the
 * node has to the client, not back into the tunnel.
 *
 * It takes from the steps connection, service, fragment and deny, which come before it.
 *
 * What is not of such a tunnel in every respect is the stack's, as it came: PASS_PROTOCOL. Ends
 * otherwise with what the steps service and forward end with, and with DROP_DENIED.
 */
#pragma once

#include "bpf/client_hop.h"
#include "bpf/connection_table.h"
#include "bpf/knobs.h"
#include "bpf/source.h"
#include "bpf/stateless.h"
#include "bpf/tunnel.h"
#include "include/tunnel.h"

#define FIB_IPV4 2 /* AF_INET, AF_INET6 */
#define FIB_IPV6 10

/* A global function, as those below: verified once, with a stack of its own. */
__noinline int is_tunnel_source(const struct address *source, bool is_ipv6)
{
	if (!source)
		return false; /* VERIFIER: a global function's pointers may be NULL */
	for (__u32 i = 0; i < MAX_TUNNEL_SOURCES && i < tunnel_sources.count; i++) {
		const volatile struct tunnel_source *one = &tunnel_sources.of[i];

		if (one->is_ipv6 == is_ipv6 &&
		    !(((source->half[0] & one->mask.half[0]) ^ one->prefix.half[0]) |
		      ((source->half[1] & one->mask.half[1]) ^ one->prefix.half[1])))
			return true;
	}
	return false;
}

/* Without options, and not fragmented: nobody who encapsulates for us sends others. */
static __always_inline bool read_outer_ipv4(struct packet *packet, struct flow *outer)
{
	const struct iphdr *ip = packet->network;
	const __u32 before = frame_header(packet, true);
	__u32 total;

	if ((void *)(ip + 1) > packet->end)
		return false;
	total = bpf_ntohs(ip->tot_len);
	if (*(const __u8 *)ip != IPV4_PLAIN >> 8 || ip->protocol != IPPROTO_IPIP ||
	    (ip->frag_off & IPV4_FRAGMENT) || total < sizeof(*ip) || total > packet->bytes - before)
		return false;
	outer->src = map_ipv4(ip->saddr);
	outer->dst = map_ipv4(ip->daddr);
	packet->bytes = before + total - sizeof(*ip);
	return true;
}

static __always_inline bool read_outer_ipv6(struct packet *packet, struct flow *outer)
{
	const struct ipv6hdr *ip = packet->network;
	const __u32 before = frame_header(packet, true);
	__u32 length;

	if ((void *)(ip + 1) > packet->end)
		return false;
	length = bpf_ntohs(ip->payload_len);
	if (ip->version != 6 || ip->nexthdr != IPPROTO_IPV6 ||
	    length + sizeof(*ip) > packet->bytes - before)
		return false;
	__builtin_memcpy(&outer->src, &ip->saddr, sizeof(outer->src));
	__builtin_memcpy(&outer->dst, &ip->daddr, sizeof(outer->dst));
	if (is_mapped(&outer->src) || is_mapped(&outer->dst))
		return false;
	packet->bytes = before + length;
	return true;
}

/* Whether a router has marked the packet (RFC 3168) whose IP header is found. */
static __always_inline bool is_congested(const struct packet *packet)
{
	const struct iphdr *ipv4 = packet->network;
	const __be32 *word = packet->network;

	if ((void *)(ipv4 + 1) > packet->end)
		return false;
	return (packet->is_ipv6 ? bpf_ntohl(*word) >> 20 & ECN_MASK : ipv4->tos & ECN_MASK) ==
	       ECN_MASK;
}

/*
 * Passes over the outer header: the packet is then the inner one, which lies behind it, and as long
 * as if it were alone. False: it is not of a tunnel that ends here.
 */
static __always_inline bool enter_tunnel(struct packet *packet, struct flow *outer, bool *marked)
{
	__be16 type;

	if (find_network(packet) != VERDICT_CONTINUE)
		return false;
	type = ((const __be16 *)packet->network)[-1];
	packet->is_ipv6 = type == bpf_htons(ETH_P_IPV6);
	if (!packet->is_ipv6 && type != bpf_htons(ETH_P_IP))
		return false;
	if (packet->is_ipv6 ? !read_outer_ipv6(packet, outer) : !read_outer_ipv4(packet, outer))
		return false;
	*marked = is_congested(packet);
	packet->network += outer_length(packet->is_ipv6);
	return is_tunnel_source(&outer->src, packet->is_ipv6);
}

/* GRO has put several together, with an outer header each. */
static __always_inline bool is_put_together(const struct packet *packet, __u16 in)
{
	const __u32 index = in;
	const struct port *port = bpf_map_lookup_elem(&ports, &index);

	return port && (port->flags & PORT_GENERIC) &&
	       packet->bytes - frame_header(packet, true) + outer_length(packet->is_ipv6) >
		       port->mtu;
}

/*
 * The way that the node has to the client of these requests, which need not be the one that they
 * came: forwarding must be on, and the next hop's MAC address known. 0, or -1: it cannot be told.
 */
__noinline int find_way(struct hook_context *ctx, const struct flow *flow, bool is_ipv6,
			struct way_back *way)
{
	struct bpf_fib_lookup fib = {.ifindex = ctx->ingress_ifindex};

	if (!flow || !way)
		return -1; /* VERIFIER: a global function's pointers may be NULL */
	fib.family = is_ipv6 ? FIB_IPV6 : FIB_IPV4;
	fib.l4_protocol = flow->protocol;
	fib.sport = flow->dst_port;
	fib.dport = flow->src_port;
	if (is_ipv6) {
		__builtin_memcpy(fib.ipv6_src, &flow->dst, sizeof(fib.ipv6_src));
		__builtin_memcpy(fib.ipv6_dst, &flow->src, sizeof(fib.ipv6_dst));
	} else {
		fib.ipv4_src = flow->dst.word[3];
		fib.ipv4_dst = flow->src.word[3];
	}
	if (bpf_fib_lookup(ctx, &fib, sizeof(fib), 0) != BPF_FIB_LKUP_RET_SUCCESS)
		return -1;
	way->hop.port = (__u16)ingress_index(fib.ifindex);
	__builtin_memcpy(way->hop.mac, fib.dmac, sizeof(way->hop.mac));
	return way->hop.port ? 0 : -1;
}

/*
 * Where it cannot be told: as before, or (0) back to who has sent the frame, as of any other
 * connection.
 */
static __always_inline __u16 learn_way(const struct packet *packet, __u16 in, __u16 before)
{
	struct way_back way = {};

	if (find_way(packet->ctx, &packet->flow, packet->is_ipv6, &way))
		return before ? before : learn_sender(packet, in);
	return (__u16)remember_hop(&way);
}

/* As track in bpf/connection.h, but that the frame's sender says nothing of the client. */
static __always_inline void track_tunnelled(const struct packet *packet, const struct found *found,
					    __u32 idle, __u16 in)
{
	union connection_state fresh = found->state;

	fresh.seen = see(packet, DIRECTION_REQUEST, fresh.seen);
	if (idle >= refresh_interval)
		fresh.client_hop = learn_way(packet, in, fresh.client_hop);
	else if (fresh.seen == found->state.seen)
		return;
	fresh.last_seen = packet->now;
	refresh(found->connection, found->head, found->state.word, fresh.word,
		fresh.client_hop != found->state.client_hop);
}

/* A connection that goes elsewhere would go round in circles. */
static __always_inline bool goes_on_here(const struct packet *packet, const struct found *found,
					 __u32 idle)
{
	return !(found->backend->flags & BACKEND_IS_REMOTE) && !is_over(found, idle) &&
	       connection_is_served(found->backend, (__u32)found->head) &&
	       !starts_afresh(packet->tcp_flags, found->state.seen);
}

/* The index of the backend that a service (its id) has at the tunnel's end; 0: it has none. */
__noinline int backend_of_tunnel(const struct address *end, __u32 service)
{
	struct end_key key = {.service = service};
	const struct backend_end *known;

	if (!end)
		return 0; /* VERIFIER: as above */
	key.address = *end;
	known = bpf_map_lookup_elem(&backend_ends, &key);
	return known && known->count == 1 ? known->backends : 0;
}

/* The same, if it is of this node and serves; NULL: it is not. */
static __always_inline const struct backend_record *
backend_at_end(const struct address *address, const struct service_record *service)
{
	const __u32 index = (__u32)backend_of_tunnel(address, service->service);
	const struct backend_record *backend = bpf_map_lookup_elem(&backends, &index);

	if (!index || !backend || (backend->flags & BACKEND_IS_REMOTE) ||
	    backend->service != service->service || !connection_is_served(backend, backend->handle))
		return NULL;
	return backend;
}

/* To the backend that the other node has chosen, where that node may have had to tunnel it. */
static __always_inline enum verdict start_tunnelled_here(struct packet *packet, __u16 in,
							 struct masquerade_work *work)
{
	struct connection *wanted = &work->wanted;
	const struct service_record *service = find_record(packet);
	const struct backend_record *backend;
	enum verdict verdict;

	backend = service && is_to_be_masqueraded(packet, service)
			  ? backend_at_end(&work->other.dst, service)
			  : NULL;
	if (!backend)
		return VERDICT_PASS_PROTOCOL;
	verdict = admit_source(packet, service);
	if (verdict != VERDICT_CONTINUE) {
		packet->service = service->service;
		return verdict;
	}
	set_backend(packet, DIRECTION_REQUEST, backend);
	if (packet->tcp_flags & (TCP_FIN | TCP_RST))
		return VERDICT_CONTINUE; /* it makes no state: as in send_to */
	wanted->head.client_port = packet->flow.src_port;
	wanted->head.tag = hash_tag(packet->client_hash);
	wanted->head.backend = backend->handle;
	wanted->state.word = 0;
	wanted->state.last_seen = packet->now;
	wanted->client = packet->flow.src;
	return start_connection_by(packet, learn_way(packet, in, 0), wanted);
}

static __always_inline enum verdict find_tunnelled(struct packet *packet,
						   struct masquerade_work *work)
{
	const struct flow *flow = &packet->flow;
	struct client client = {&packet->flow.src, packet->flow.src_port, 0, 0};
	struct found found;
	__u32 idle;
	__u16 in;

	if (!is_for_us(packet, &in))
		return VERDICT_PASS_OTHER_HOST;
	if (is_put_together(packet, in))
		return VERDICT_PASS_PROTOCOL;
	packet->now = (__u32)bpf_jiffies64();
	client.hash = hash_endpoint(hash_seed, &flow->src, flow->src_port, flow->protocol);
	packet->client_hash = client.hash;
	if (!search_for(packet, &client, DIRECTION_REQUEST, true, &found))
		return start_tunnelled_here(packet, in, work);
	packet->known = found.connection;
	packet->known_head = found.head;
	idle = connection_idle(packet->now, found.state.last_seen);
	if (!goes_on_here(packet, &found, idle))
		return start_tunnelled_here(packet, in, work);
	track_tunnelled(packet, &found, idle, in);
	set_backend(packet, DIRECTION_REQUEST, found.backend);
	return VERDICT_CONTINUE;
}

/* Inside, too (RFC 6040, 4.2). False: it is no use to who does not listen for it. */
static __always_inline bool pass_congestion_on(struct packet *packet)
{
	struct iphdr *ipv4 = packet->network;
	const __be32 all = bpf_htonl(ECN_MASK << 20);
	__be32 *word = packet->network;
	__u16 before;

	if ((void *)(ipv4 + 1) > packet->end)
		return false;
	if (packet->is_ipv6) {
		if (!(*word & all))
			return false;
		*word |= all;
		return true;
	}
	if (!(ipv4->tos & ECN_MASK))
		return false;
	before = *(const __u16 *)ipv4;
	ipv4->tos |= ECN_MASK;
	ipv4->check = checksum_update(
		ipv4->check, checksum_fold(checksum_replace(0, before, *(const __u16 *)ipv4)));
	return true;
}

/*
 * Takes the outer header off: the frame begins as it did, right before the inner packet. False:
 * never, or the stack has what is left.
 */
static __always_inline bool leave_tunnel(struct packet *packet)
{
	const __u32 outer = outer_length(packet->is_ipv6);
	struct frame_head head = {.tags = packet->tags, .more = -(int)outer};

	copy_mac(head.destination, packet->ethernet->h_dest);
	copy_mac(head.source, packet->ethernet->h_source);
	if (packet->network + sizeof(struct iphdr) > packet->end)
		return false; /* VERIFIER: does not know that parse has asked */
	((__be16 *)packet->network)[-1] =
		packet->is_ipv6 ? bpf_htons(ETH_P_IPV6) : bpf_htons(ETH_P_IP);
	if (write_frame_head(packet->ctx, &head))
		return false;
	packet->ethernet = (void *)(long)packet->ctx->data;
	packet->end = (void *)(long)packet->ctx->data_end;
	packet->network = (void *)packet->ethernet + sizeof(struct ethhdr);
	packet->network += tags_length(packet->tags);
	packet->transport_at -= outer;
	if (packet->checksum_at)
		packet->checksum_at -= outer;
	return packet->network + sizeof(struct iphdr) <= packet->end;
}

/* An ICMP error, or whatever else of ICMP is for the address of services. */
static __always_inline bool is_icmp_for_service(struct packet *packet)
{
	const __u8 protocol = first_protocol(packet);
	const struct ipv6hdr *ipv6 = packet->network;
	const struct iphdr *ipv4 = packet->network;
	struct address to;

	if (protocol != (packet->is_ipv6 ? IPPROTO_ICMPV6 : IPPROTO_ICMP))
		return false;
	if (!packet->is_ipv6)
		to = map_ipv4(ipv4->daddr);
	else if ((void *)(ipv6 + 1) <= packet->end)
		__builtin_memcpy(&to, &ipv6->daddr, sizeof(to));
	else
		return false;
	return is_virtual(&to);
}

/* The counter of the prefix that denies this source of what was in a tunnel; 0: none does. */
__noinline int find_denied_inside(const struct address *source, bool is_ipv6)
{
	struct deny_key key = {.length = 8 * sizeof(key.address)};

	if (!source)
		return 0; /* VERIFIER: as above */
	__builtin_memcpy(key.address, source, sizeof(key.address));
	return (int)counter_of_denied(&key, is_ipv6);
}

/* A first fragment tells the others its ports here as anywhere; what is malformed is the stack's.
 */
static __always_inline enum verdict parse_inner(struct packet *packet)
{
	const __be16 type = packet->is_ipv6 ? bpf_htons(ETH_P_IPV6) : bpf_htons(ETH_P_IP);
	const enum verdict verdict = find_fragment(packet, parse_network(packet, type));

	return verdict == VERDICT_CONTINUE || is_dropped(verdict) ? verdict : VERDICT_PASS_PROTOCOL;
}
