/*
 * Conntrack by libnetfilter_conntrack: see conntrack.h.
 */
#include "control/conntrack.h"

#include <arpa/inet.h>
#include <errno.h>
#include <libnetfilter_conntrack/libnetfilter_conntrack.h>
#include <libnetfilter_conntrack/libnetfilter_conntrack_tcp.h>
#include <stdlib.h>
#include <string.h>
#include "lb/address.h"

/* How long netfilter keeps what is handed over and silent; then as its own rules say. Seconds. */
#define KEPT_TCP_SECONDS 86400
#define KEPT_OTHER_SECONDS 120

struct conntrack {
	struct nfct_handle *handle;
	tracked_visitor visit; /* of the walk that is under way */
	void *context;
};

struct conntrack *conntrack_open(void)
{
	struct conntrack *conntrack = calloc(1, sizeof(*conntrack));

	if (!conntrack)
		return NULL;
	conntrack->handle = nfct_open(CONNTRACK, 0);
	if (conntrack->handle)
		return conntrack;
	free(conntrack);
	return NULL;
}

void conntrack_close(struct conntrack *conntrack)
{
	if (!conntrack)
		return;
	nfct_close(conntrack->handle);
	free(conntrack);
}

/* ---- reading */

static struct address map_ipv4(__be32 word)
{
	return (struct address){.word = {0, 0, htonl(0xffff), word}};
}

/* One end of either direction; `ipv4` and `ipv6` name the attribute for it. */
static struct address read_address(const struct nf_conntrack *entry, enum nf_conntrack_attr ipv4,
				   enum nf_conntrack_attr ipv6)
{
	struct address address = {};
	const void *value;

	if (nfct_attr_is_set(entry, ipv4))
		return map_ipv4(nfct_get_attr_u32(entry, ipv4));
	value = nfct_attr_is_set(entry, ipv6) ? nfct_get_attr(entry, ipv6) : NULL;
	if (value)
		memcpy(&address, value, sizeof(address));
	return address;
}

static struct flow read_flow(const struct nf_conntrack *entry)
{
	return (struct flow){
		.src = read_address(entry, ATTR_ORIG_IPV4_SRC, ATTR_ORIG_IPV6_SRC),
		.dst = read_address(entry, ATTR_ORIG_IPV4_DST, ATTR_ORIG_IPV6_DST),
		.src_port = nfct_get_attr_u16(entry, ATTR_ORIG_PORT_SRC),
		.dst_port = nfct_get_attr_u16(entry, ATTR_ORIG_PORT_DST),
		.protocol = nfct_get_attr_u8(entry, ATTR_L4PROTO),
	};
}

static __u8 read_tcp(__u8 state, bool *is_over)
{
	const __u8 both = TCP_SEEN_REPLY | TCP_SEEN_ESTABLISHED;

	switch (state) {
	case TCP_CONNTRACK_ESTABLISHED:
		return both;
	case TCP_CONNTRACK_FIN_WAIT:
	case TCP_CONNTRACK_CLOSE_WAIT:
	case TCP_CONNTRACK_LAST_ACK:
		return both | TCP_SEEN_REQUEST_FIN; /* or the other side's: the same timeout */
	case TCP_CONNTRACK_SYN_RECV:
		return TCP_SEEN_REPLY;
	case TCP_CONNTRACK_TIME_WAIT:
	case TCP_CONNTRACK_CLOSE:
		*is_over = true;
		return TCP_SEEN_RST;
	default:
		return 0;
	}
}

static void read_state(const struct nf_conntrack *entry, struct tracked *tracked)
{
	if (tracked->flow.protocol == IPPROTO_TCP)
		tracked->seen =
			read_tcp(nfct_get_attr_u8(entry, ATTR_TCP_STATE), &tracked->is_over);
	else if (nfct_get_attr_u32(entry, ATTR_STATUS) & IPS_SEEN_REPLY)
		tracked->seen = TCP_SEEN_REPLY | TCP_SEEN_ESTABLISHED;
}

static int read_entry(enum nf_conntrack_msg_type type, struct nf_conntrack *entry, void *context)
{
	const struct conntrack *conntrack = context;
	struct tracked tracked = {};
	struct address client;
	__be16 port;

	(void)type;
	if (!(nfct_get_attr_u32(entry, ATTR_STATUS) & IPS_DST_NAT))
		return NFCT_CB_CONTINUE;
	tracked.flow = read_flow(entry);
	tracked.backend_address = read_address(entry, ATTR_REPL_IPV4_SRC, ATTR_REPL_IPV6_SRC);
	tracked.backend_port = nfct_get_attr_u16(entry, ATTR_REPL_PORT_SRC);
	client = read_address(entry, ATTR_REPL_IPV4_DST, ATTR_REPL_IPV6_DST);
	port = nfct_get_attr_u16(entry, ATTR_REPL_PORT_DST);
	if (!address_equal(&client, &tracked.flow.src) || port != tracked.flow.src_port) {
		tracked.known_address = client;
		tracked.known_port = port;
	}
	read_state(entry, &tracked);
	conntrack->visit(conntrack->context, &tracked);
	return NFCT_CB_CONTINUE;
}

int conntrack_visit(struct conntrack *conntrack, tracked_visitor visit, void *context)
{
	const uint32_t any = AF_UNSPEC;
	int error;

	conntrack->visit = visit;
	conntrack->context = context;
	if (nfct_callback_register(conntrack->handle, NFCT_T_ALL, read_entry, conntrack))
		return -errno;
	error = nfct_query(conntrack->handle, NFCT_Q_DUMP, &any) ? -errno : 0;
	nfct_callback_unregister(conntrack->handle);
	return error;
}

/* ---- writing */

static void set_address(struct nf_conntrack *entry, const struct address *address,
			enum nf_conntrack_attr ipv4, enum nf_conntrack_attr ipv6)
{
	if (address_is_ipv4(address))
		nfct_set_attr_u32(entry, ipv4, address->word[3]);
	else
		nfct_set_attr(entry, ipv6, address);
}

/* What names an entry: the flow of its requests. NULL when out of memory. */
static struct nf_conntrack *new_entry(const struct tracked *tracked)
{
	const bool ipv4 = address_is_ipv4(&tracked->flow.dst);
	struct nf_conntrack *entry = nfct_new();

	if (!entry)
		return NULL;
	nfct_set_attr_u8(entry, ATTR_L3PROTO, ipv4 ? AF_INET : AF_INET6);
	nfct_set_attr_u8(entry, ATTR_L4PROTO, tracked->flow.protocol);
	set_address(entry, &tracked->flow.src, ATTR_ORIG_IPV4_SRC, ATTR_ORIG_IPV6_SRC);
	set_address(entry, &tracked->flow.dst, ATTR_ORIG_IPV4_DST, ATTR_ORIG_IPV6_DST);
	nfct_set_attr_u16(entry, ATTR_ORIG_PORT_SRC, tracked->flow.src_port);
	nfct_set_attr_u16(entry, ATTR_ORIG_PORT_DST, tracked->flow.dst_port);
	return entry;
}

static int ask(struct conntrack *conntrack, enum nf_conntrack_query query,
	       struct nf_conntrack *entry)
{
	const int error = nfct_query(conntrack->handle, query, entry) ? -errno : 0;

	nfct_destroy(entry);
	return error;
}

int conntrack_forget(struct conntrack *conntrack, const struct tracked *tracked)
{
	struct nf_conntrack *entry = new_entry(tracked);

	return entry ? ask(conntrack, NFCT_Q_DESTROY, entry) : -ENOMEM;
}

/* Nobody knows which bytes are in flight: the first packets each way tell netfilter. */
static void set_tcp(struct nf_conntrack *entry, __u8 seen)
{
	const __u8 liberal = IP_CT_TCP_FLAG_BE_LIBERAL;
	const bool ends = seen & (TCP_SEEN_REQUEST_FIN | TCP_SEEN_REPLY_FIN);

	nfct_set_attr_u8(entry, ATTR_TCP_STATE,
			 ends ? TCP_CONNTRACK_FIN_WAIT : TCP_CONNTRACK_ESTABLISHED);
	nfct_set_attr_u8(entry, ATTR_TCP_FLAGS_ORIG, liberal);
	nfct_set_attr_u8(entry, ATTR_TCP_MASK_ORIG, liberal);
	nfct_set_attr_u8(entry, ATTR_TCP_FLAGS_REPL, liberal);
	nfct_set_attr_u8(entry, ATTR_TCP_MASK_REPL, liberal);
}

/* Replies go from the backend to the client; what differs from the requests, netfilter changes. */
int conntrack_add(struct conntrack *conntrack, const struct tracked *tracked)
{
	struct nf_conntrack *entry = new_entry(tracked);
	const bool tcp = tracked->flow.protocol == IPPROTO_TCP;

	if (!entry)
		return -ENOMEM;
	nfct_setobjopt(entry, NFCT_SOPT_SETUP_REPLY);
	set_address(entry, &tracked->backend_address, ATTR_DNAT_IPV4, ATTR_DNAT_IPV6);
	nfct_set_attr_u16(entry, ATTR_DNAT_PORT, tracked->backend_port);
	if (tracked->known_port) {
		set_address(entry, &tracked->known_address, ATTR_SNAT_IPV4, ATTR_SNAT_IPV6);
		nfct_set_attr_u16(entry, ATTR_SNAT_PORT, tracked->known_port);
	}
	nfct_set_attr_u32(entry, ATTR_TIMEOUT, tcp ? KEPT_TCP_SECONDS : KEPT_OTHER_SECONDS);
	nfct_set_attr_u32(entry, ATTR_STATUS, IPS_CONFIRMED | IPS_SEEN_REPLY | IPS_ASSURED);
	if (tcp)
		set_tcp(entry, tracked->seen);
	return ask(conntrack, NFCT_Q_CREATE, entry);
}
