/*
 * What crosses the boundary between the datapath (bpf/) and its control (lb/): the keys and values
 * of the BPF maps. Compiled by clang -target bpf and by the host's compiler alike, so only fixed
 * widths, no pointers, no implicit padding. It holds no logic.
 *
 * Byte order is in the type: __beNN is network order, __uNN is the host's.
 */
#pragma once

#include <linux/types.h>
#include "include/counter.h"

/*
 * What another lbd, older or newer, must know to take over what is pinned: what the values of maps
 * mean. It counts changes of their meaning, which nobody but a new --cleanup can follow. Short of
 * that values may grow at their ends, where zero means what was before (but those of client_hops
 * and alias_marks), and entries of connections may be arranged otherwise.
 */
#define ABI_NUMBER 1

/*
 * An IPv6 address, or an IPv4 one in its IPv4-mapped form ::ffff:a.b.c.d (RFC 4291, 2.5.5.2), so
 * that nothing between parsing a packet and rewriting it cares for the family. The halves are for
 * comparing and hashing.
 */
struct address {
	union {
		__be32 word[4];
		__u64 half[2];
	};
};

/* The five values that identify the packets of one direction. Padding is zero: it is a map key. */
struct flow {
	struct address src;
	struct address dst;
	__be16 src_port;
	__be16 dst_port;
	__u8 protocol; /* IPPROTO_TCP, IPPROTO_UDP, IPPROTO_SCTP */
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

/* Whose connections a service takes. */
enum scope {
	SCOPE_ANY,    /* anybody's, or of SERVICE_HAS_INSIDE those from outside of the cluster */
	SCOPE_INSIDE, /* those of this node and of the cluster (the map networks) */
	_SCOPE_COUNT,
};

struct service_key {
	struct address address;
	__be16 port;
	__u8 protocol;
	__u8 scope; /* enum scope; packets look SCOPE_ANY up first */
	__u8 zero[4];
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

enum service_flag {
	SERVICE_HAS_SOURCE_RANGES = 1 << 0, /* only sources in the map source_ranges may begin */
	SERVICE_HAS_INSIDE = 1 << 1,        /* clients inside: those of the key of SCOPE_INSIDE */
	/* Of clients that are not of the cluster, or not of this node: their address becomes ours
	 * where the backend is elsewhere (BACKEND_IS_REMOTE), so that replies come back here. */
	SERVICE_MASQUERADES_STRANGERS = 1 << 2,
	SERVICE_MASQUERADES_OTHERS = 1 << 3,
	SERVICE_DROPS_UNSERVED = 1 << 4, /* without a backend its packets are dropped, unanswered */
	SERVICE_IS_INSIDE = 1 << 5,      /* its key is of SCOPE_INSIDE */
	/* The service's address and port alone do not tell where a packet goes, and as what. */
	SERVICE_NEEDS_ENTRIES =
		SERVICE_IS_INSIDE | SERVICE_MASQUERADES_STRANGERS | SERVICE_MASQUERADES_OTHERS,
};

struct service_record {
	struct ring ring;
	struct ring previous;   /* the one before, for what began then; length 0: none is kept */
	__u32 service;          /* id: index in service_counters; 0 is never a service */
	__u32 affinity_seconds; /* 0: none */
	__u8 algorithm;         /* enum algorithm */
	__u8 flags;             /* enum service_flag */
	__u8 zero[6];
};

/* A client of a service that keeps clients at their backends. */
struct affinity_key {
	struct address client;
	__u32 service; /* id */
	__u32 zero;    /* it is a map key */
};

/* Where its last connection went: one word, so that the two never part. */
union affinity {
	struct {
		__u32 backend; /* handle */
		__u32 last;    /* jiffies when that connection began */
	};
	__u64 word;
};

/*
 * A range of sources that may use a service. The kernel compares as many bits as `length` says of
 * what follows it; the service's id is always compared whole.
 */
struct source_range_key {
	__u32 length; /* bits: SOURCE_RANGE_SERVICE_BITS and those of the prefix */
	__u32 service;
	__be32 address[4]; /* as in struct address, which may not lie at an offset of 8 */
};

#define SOURCE_RANGE_SERVICE_BITS 32
#define MAX_ALL_SOURCE_RANGES 65536 /* of all services together */

/* Sources whose packets are dropped: bits in `length`, then the prefix as in struct address. */
struct deny_key {
	__u32 length;
	__be32 address[4];
};

struct denied {
	__u32 counter; /* what a CPU counts it by in deny_counters; 0: never */
	__u8 is_ipv6;
	__u8 zero[3];
};

#define MAX_DENIED 65536

/* Of the filter of virtual addresses, which is in the program's own memory. */
#define VIRTUAL_FILTER_BITS 19

enum backend_state {
	BACKEND_NONE, /* the index is free; what still names it finds nothing */
	BACKEND_ACTIVE,
	BACKEND_DRAINING, /* keeps its connections, gets no new one; or has no weight */
	BACKEND_DOWN,     /* gets nothing; its connections end (TCP) or go to another backend */
	_BACKEND_STATE_COUNT,
};

/*
 * What names a backend: its index in the map backends, and above it how often the index was given
 * to another one, so that what remembers a handle does not reach a stranger; 128 owners later it is
 * the same again, but connections are swept long before. 0 is none.
 */
#define BACKEND_INDEX_BITS 24
#define BACKEND_INDEX_MASK ((1u << BACKEND_INDEX_BITS) - 1)
#define BACKEND_HANDLE_MASK 0x7fffffffu

/*
 * What a translation adds to the checksums (RFC 1624): one's complement sums of what changes, in
 * network order as it lies in memory.
 */
struct checksum_change {
	__u16 addresses; /* of the IPv4 header */
	__u16 all;       /* of the transport: the port, too */
};

/*
 * A backend of one service, with all that tells whether a packet is of a connection to it and what
 * becomes of the packet: one cache line. The words that change while packets look at them hold
 * constants beside (nexthop) or come last (state).
 */
struct backend_record {
	struct address address;
	struct address service_address;
	__u32 handle;
	__u32 service; /* id of the service it belongs to */
	__u32 nexthop; /* index in the map nexthops */
	__be16 port;
	__be16 service_port;
	struct checksum_change request;
	struct checksum_change reply;
	__u8 state;    /* enum backend_state */
	__u8 protocol; /* IPPROTO_TCP, IPPROTO_UDP, IPPROTO_SCTP */
	__u8 flags;    /* enum backend_flag */
	__u8 zero[5];
} __attribute__((aligned(64)));

enum backend_flag {
	BACKEND_IS_REMOTE = 1 << 0, /* on another node, from where replies go their own way */
};

/*
 * Where frames go: the neighbour's MAC address and our port towards it. Eight bytes, so one aligned
 * store replaces it and no packet ever sees half of two. port 0: not resolved.
 */
struct nexthop {
	union {
		struct {
			__u8 mac[6];
			__u16 port; /* index in the map ports */
		};
		__u64 word;
	};
};

/*
 * The VLAN tags of a frame (IEEE 802.1Q, 9.6), as they lie in it between MAC addresses and
 * ethertype: the outer one first, those that are not there all zero.
 */
struct tag {
	__be16 type;    /* 0x8100 or, of a service provider (802.1ad), 0x88a8; 0: no tag */
	__be16 control; /* priority (3 bits), drop eligible (1), VLAN (12) */
};

#define MAX_TAGS 2

union tags {
	struct tag tag[MAX_TAGS];
	__u64 word;
};

/*
 * The way back to a client: where its frames came from, and with which tags. The word in `hop` says
 * whose an entry is; 0: nobody's, and its tags are zero, too.
 */
struct way_back {
	struct nexthop hop;
	union tags tags;
};

/* Entries of the map client_hops: what the 16 bits that name one can tell apart. */
#define CLIENT_HOPS 65536

/* In the port of an entry: replies leave with its tags. An index of ports is always less. */
#define CLIENT_HOP_TAGGED 0x2000

/*
 * In the port of an entry that lbd will free unless a connection still names it: first that nobody
 * gets it any more, then that who may have read it before has had time to go on.
 */
#define CLIENT_HOP_CLOSING 0x8000
#define CLIENT_HOP_CLOSED 0x4000
#define CLIENT_HOP_LEAVING (CLIENT_HOP_CLOSING | CLIENT_HOP_CLOSED)

enum port_flag {
	PORT_TX_BY_REDIRECT =
		1 << 0,         /* XDP_TX would vanish here (veth without a program on the peer) */
	PORT_BY_STACK = 1 << 1, /* cannot take redirected frames: leave the packet to the kernel */
	PORT_GENERIC = 1 << 2,  /* what arrives may be several segments in one (GRO) */
	PORT_TAGGED = 1 << 3,   /* a VLAN: frames leave by its parent, with tags */
};

/* An interface that packets leave by. Index 0 is never used. Found by shifting: a power of two. */
struct port {
	__u8 mac[6];     /* its own address, the source of what we send */
	__u16 flags;     /* enum port_flag */
	union tags tags; /* of a VLAN */
	__u32 ifindex;   /* 0: the port is gone; of a VLAN: its parent's */
	__u32 mtu;       /* bytes of the network layer's packet */
} __attribute__((aligned(32)));

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
 * A connection whose replies could not be told from another's by the client's port has an alias:
 * its backend knows the client by another port, which the alias (1 to ALIASES) tells of the
 * client's own (connection_other_port). It is found by that port, and by a tag that is no port's
 * own. 0: no alias.
 */
#define ALIASES 7

/* Whose a connection is and where it leads: one word, so that the two never part. */
union connection_head {
	struct {
		__u32 backend;      /* handle; 0: the entry is free */
		__be16 client_port; /* as the backend knows it */
		__u16 tag;          /* of the client's hash; its lowest bits turned by the alias */
	};
	__u64 word;
};

/* What packets change of a connection: all of it or nothing. */
union connection_state {
	struct {
		__u32 last_seen;  /* jiffies; brought up to date once a second at most */
		__u16 client_hop; /* index in client_hops: back to the client; 0: not known */
		__u16 seen : 5;   /* enum tcp_seen; of UDP the first two */
		/* Perhaps: the map masquerades tells. In what older lbds have made it is anything.
		 */
		__u16 may_be_masqueraded : 1;
		__u16 owner : 10; /* counts who has had the entry: no state comes again soon */
	};
	__u64 word;
};

/*
 * A connection: a client's port and the backend that its packets to one service go to. Both
 * directions find it by the client's end of the flow; what else must be true of a packet is in the
 * backend's record. bpf/connection_table.h says how packets on many CPUs share it.
 */
struct connection {
	union connection_head head;
	union connection_state state;
	struct address client;
};

/* The entries that a client's hash leads to: what the map connections holds. */
#define CONNECTION_WAYS 8

struct connection_bucket {
	struct connection way[CONNECTION_WAYS];
} __attribute__((aligned(64)));

/* Where in a table of connections what lies, in bytes. */
struct table_layout {
	__u32 abi;    /* ABI_NUMBER */
	__u32 ways;   /* entries of a bucket */
	__u32 size;   /* of an entry; a multiple of eight, as those below */
	__u32 head;   /* from where an entry begins: union connection_head */
	__u32 state;  /* union connection_state */
	__u32 client; /* struct address */
};

#define MAX_LAYOUTS 8

/* Where packets go on while they move from the programs of one lbd to those of the next. */
enum bridge {
	BRIDGE_NEXT, /* the earlier program, then what brings connections */
	BRIDGE_LB,   /* ours */
	_BRIDGE_COUNT,
};

/*
 * In a head, above the handle, which has 31 bits: somebody makes or forgets this entry. It is no
 * packet's. And the head of one that is about to be filled.
 */
#define HEAD_UNSETTLED (1ull << 31)
#define CONNECTION_CLAIMED 0xffffffffull

/* What backends are known by: the end of the flows of their replies, or of tunnels to them. */
struct end_key {
	struct address address;
	__be16 port; /* of a tunnel 0, and */
	__u8 protocol;
	__u8 zero;
	__u32 service; /* of replies 0 */
};

/*
 * Of which backends an end is: their indexes, by exclusive or, so that of one it is the index, also
 * after others have gone.
 */
struct backend_end {
	__u32 backends;
	__u32 count;
};

/* Which way the last packet of a client came that was balanced without an entry. One word. */
union stateless_hop {
	struct {
		__u32 client;    /* of its hash */
		__u16 last_seen; /* jiffies */
		__u16 hop;       /* index in client_hops */
	};
	__u64 word;
};

#define STATELESS_HOPS 65536

/* By hashes of clients' ends: when one was last seen of a connection with an alias (jiffies). */
#define ALIAS_MARKS 65536

/* The port of an interface that frames come in by; key: ifindex. */
struct ingress {
	__u32 port; /* index in the map ports */
};

/* What the fragments of one datagram have in common (RFC 791, 3.2; RFC 8200, 4.5). */
struct fragment_key {
	struct address src;
	struct address dst;
	__be32 identification; /* of IPv4 the 16 bits, first in memory */
	__u8 protocol; /* as IPv4's header says it; of IPv6, where fragments may differ: 0 */
	__u8 zero[3];
};

/* What the others must know of the first of them, which alone has the ports. */
struct fragment {
	union {
		struct {
			__be16 src_port;
			__be16 dst_port;
			__u8 protocol; /* that has these ports; 0: it was dropped */
			__u8 tcp_flags;
			__u16 second; /* when it came; of the coarse clock, modulo 65,536 */
		};
		__u64 word;
	};
};

/*
 * Programs for what is rare, so that others pay for it neither by registers nor by stack: indexes
 * in the map programs.
 */
enum program {
	PROGRAM_ICMP,
	PROGRAM_RARE,
	PROGRAM_STATELESS,
	PROGRAM_ANSWER,
	PROGRAM_GONE,
	PROGRAM_MASQUERADE,
	PROGRAM_ENCAPSULATE,
	PROGRAM_DECAPSULATE,
	_PROGRAM_COUNT,
};

/*
 * Bits of the program's word unknown_to_stack: what passes to the stack of a service's packets that
 * are of no known connection, while netfilter may know it.
 */
enum unknown {
	UNKNOWN_TCP = 1 << 0, /* but for SYNs */
	UNKNOWN_OTHERS = 1 << 1,
	UNKNOWN_SYNS = 1 << 2,
	UNKNOWN_WAYS = 1 << 3, /* replies of connections of which no request has come by us yet */
};

/* What packets hand to lbd through the ring buffer events: each begins with its kind. */
enum event_kind {
	EVENT_EARLY_FRAGMENT = 1,
};

#define EVENT_FRAME_MAX 2048 /* bytes: more than an MTU of 1,500 with tags */

/* A fragment that came before the first of its datagram, as it came. */
struct early_fragment {
	__u32 kind;
	__u32 ifindex; /* that it came in by */
	__u64 time_ns; /* when, by the coarse monotonic clock */
	struct fragment_key key;
	__u32 length; /* of the frame */
	__u8 frame[EVENT_FRAME_MAX];
	__u8 zero[4];
};

/* How long a connection lives without a packet, in jiffies: at most 49 days of 1,000 a second. */
struct timeouts {
	__u32 tcp_opening; /* no answer from the backend yet, or none to that answer */
	__u32 tcp_established;
	__u32 tcp_closing; /* one side has sent FIN */
	__u32 tcp_closed;  /* both have, or RST was seen */
	__u32 udp;
};

/* The source of requests that go back to the pod they came from, of each family. */
struct hairpin {
	struct address ipv4;
	struct address ipv6;
};

/*
 * What the program that answers must know of a packet that was refused, or the one that
 * encapsulates of a packet for it. A CPU's own, from one program to the next.
 */
struct refused {
	__u32 verdict;  /* enum verdict: why */
	__u32 service;  /* id of the service, or ... */
	__u32 backend;  /* ... handle of the backend that counts it; 0: none does */
	__u32 mtu;      /* of the way that it is too big for; 0: that is not why */
	__u8 direction; /* enum direction */
	__u8 is_new;    /* it has started a connection */
	__u8 zero[2];
};

/* The ICMP errors that a CPU has sent in the second that began at `since`, in jiffies. */
struct error_budget {
	__u32 since;
	__u32 sent;
};
