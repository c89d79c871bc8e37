/*
 * Masqueraded connections: those whose backend knows the client by an address of this node, and by
 * a port of it that is theirs alone. As include/abi.h, of which it is a part.
 */
#pragma once

#include "include/abi.h"

/*
 * Of one direction, by the flow of its packets as they arrive (client to service; backend to us).
 * Each of the two names the other.
 */
struct masquerade_record {
	__u32 check;       /* of its own key (hash_flow): an element may be used again while read */
	__u32 backend;     /* handle */
	struct flow other; /* the key of the other direction */
	__u32 made;        /* jiffies: when a connection last began with it */
	__u8 direction;    /* enum direction */
	__u8 zero[3];
};

/* What leaves by a port has these sources; zeros: there is none. Of index 0 those of any port. */
struct masquerade_source {
	struct address ipv4;
	struct address ipv6;
};

/* Ports that may be given: two ranges, one behind the other. Counts may be 0. */
struct masquerade_ports {
	__u32 first;
	__u32 count;
	__u32 second_first;
	__u32 second_count;
};

/* What of an entry that was found can leave a global function. */
struct whereabouts {
	__u64 head;
	__u64 state;
	__u32 turn;
	__u16 has_siblings;
	__u16 is_own_end; /* asked for: of entries that may be masqueraded none */
};

/* What a CPU knows of the connection of a packet: too much for its stack. */
struct masquerade_work {
	struct flow other; /* of packets that come the other way; protocol 0: it is ordinary */
	__u32 backend;     /* handle of the one it has had; 0: none */
	__u32 is_lost;     /* the backend is gone: its client is to hear of it */
	struct masquerade_record entry; /* one that is being made, ... */
	struct flow flow;               /* ... its key, ... */
	struct flow request;            /* ... and that of requests */
	struct whereabouts where;       /* of the entry that was found */
	struct connection wanted;       /* the entry that is to be made */
};
