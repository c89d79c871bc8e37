/*
 * What crosses the boundary between the datapath (bpf/) and its control (lb/): the keys and values
 * of the BPF maps. Compiled by clang -target bpf and by the host's compiler alike, so only fixed
 * widths, no pointers, no implicit padding. It holds no logic.
 *
 * Byte order is in the type: __beNN is network order, __uNN is the host's.
 */
#pragma once

#include <linux/types.h>

/*
 * An IPv6 address, or an IPv4 one in its IPv4-mapped form ::ffff:a.b.c.d (RFC 4291, 2.5.5.2), so
 * that nothing between parsing a packet and rewriting it cares for the family.
 */
struct address {
	__be32 word[4];
};

/* The five values that identify the packets of one direction. Padding is zero: it is a map key. */
struct flow {
	struct address src;
	struct address dst;
	__be16 src_port;
	__be16 dst_port;
	__u8 protocol; /* IPPROTO_TCP, IPPROTO_UDP */
	__u8 zero[3];
};

/* How a service picks a slot of its ring for a new connection. Weights are in the ring itself. */
enum algorithm {
	ALGORITHM_MAGLEV, /* by the hash of the flow: the same on every node */
	ALGORITHM_RANDOM,
	ALGORITHM_ROUND_ROBIN, /* a turn a connection, counted on each CPU for itself */
	ALGORITHM_SOURCE_HASH, /* by the hash of the client's address alone */
	_ALGORITHM_COUNT,
};

struct service_key {
	struct address address;
	__be16 port;
	__u8 protocol;
	__u8 zero;
};

/* The range of the rings table that a service owns; read and written as one aligned word. */
struct ring {
	__u32 offset; /* index of the first slot in the map rings */
	__u32 length; /* number of slots; 0: the service has no backend that takes connections */
} __attribute__((aligned(8)));

/* The map rings holds rows of slots: an array's elements are multiples of eight bytes. */
#define RING_ROW_SLOTS 16

struct ring_row {
	__u32 backend[RING_ROW_SLOTS]; /* indexes in the map backends */
};

struct service_record {
	struct ring ring;
	__u32 service;  /* id: index in service_counters; 0 is never a service */
	__u8 algorithm; /* enum algorithm */
	__u8 zero[3];
};

enum backend_state {
	BACKEND_NONE, /* the index is free; what still names it finds nothing */
	BACKEND_ACTIVE,
	BACKEND_DRAINING, /* keeps its connections, gets no new one */
	BACKEND_DOWN,     /* gets nothing; its connections go to another backend */
	_BACKEND_STATE_COUNT,
};

/*
 * A backend of one service. An index is given to another backend only after its generation was
 * raised, so that what remembers {index, generation} never reaches a stranger. The fields that
 * change while packets look at them (nexthop, state) share one aligned word with constants.
 */
struct backend_record {
	struct address address;
	__u32 service;    /* id of the service it belongs to */
	__u32 generation; /* how often the index was given back */
	__u32 nexthop;    /* index in the map nexthops */
	__be16 port;
	__u8 state; /* enum backend_state */
	__u8 zero;
} __attribute__((aligned(8)));

/*
 * Where frames go: the neighbour's MAC address and our port towards it. Eight bytes, so one aligned
 * store replaces it and no packet ever sees half of two. port 0: not resolved.
 */
struct nexthop {
	__u8 mac[6];
	__u16 port; /* index in the map ports */
} __attribute__((aligned(8)));

enum port_flag {
	PORT_TX_BY_REDIRECT =
		1 << 0,         /* XDP_TX would vanish here (veth without a program on the peer) */
	PORT_BY_STACK = 1 << 1, /* cannot take redirected frames: leave the packet to the kernel */
	PORT_GENERIC = 1 << 2,  /* what arrives may be several segments in one (GRO) */
};

/* An interface that packets leave by. Index 0 is never used. */
struct port {
	__u8 mac[6];   /* its own address, the source of what we send */
	__u16 flags;   /* enum port_flag */
	__u32 ifindex; /* 0: the port is gone */
	__u32 mtu;     /* bytes of the network layer's packet */
} __attribute__((aligned(8)));

enum direction {
	DIRECTION_REQUEST, /* client to service */
	DIRECTION_REPLY,   /* backend to client */
};

/* What was seen of a TCP connection; the timeout that applies follows from it. */
enum tcp_seen {
	TCP_SEEN_REPLY = 1 << 0,       /* the backend has answered */
	TCP_SEEN_ESTABLISHED = 1 << 1, /* the client has answered that */
	TCP_SEEN_REQUEST_FIN = 1 << 2,
	TCP_SEEN_REPLY_FIN = 1 << 3,
	TCP_SEEN_RST = 1 << 4,
};

/*
 * One direction of a connection, found by the flow of its packets. Both directions of a connection
 * hold the same but for direction and translation.
 */
struct connection {
	__u64 last_seen_ns;         /* CLOCK_MONOTONIC, coarse; written once a second at most */
	struct nexthop client;      /* back to the client: where its last request came from */
	__u32 backend;              /* index in the map backends */
	__u32 generation;           /* of that backend when the connection was made */
	struct address translation; /* REQUEST: new destination, REPLY: new source */
	__be16 translation_port;
	__u8 direction; /* enum direction */
	__u8 seen;      /* enum tcp_seen; of UDP the first two, which no timeout heeds */
	__u32 service;  /* id */
};

/* The port of an interface that frames come in by; key: ifindex. */
struct ingress {
	__u32 port; /* index in the map ports */
};

/* How long an entry of the connection table lives without a packet, in nanoseconds. */
struct timeouts {
	__u64 tcp_opening; /* no answer from the backend yet, or none to that answer */
	__u64 tcp_established;
	__u64 tcp_closing; /* one side has sent FIN */
	__u64 tcp_closed;  /* both have, or RST was seen */
	__u64 udp;
};

/* The source of requests that go back to the pod they came from, of each family. */
struct hairpin {
	struct address ipv4;
	struct address ipv6;
};

struct counter {
	__u64 packets;
	__u64 bytes; /* of whole frames */
};

/* Of a service, or of one backend. */
struct traffic_counter {
	struct counter request;
	struct counter reply;
	__u64 connections; /* made, not those alive */
};
