/*
 * A second opinion on the datapath: what becomes of a packet, in plain C, one packet at a time and
 * without any haste. It is written from the RFCs, from the issue and from docs/decisions.md, not
 * from bpf/, and it shares with the datapath only what is a contract: the hash that picks a slot
 * (include/hash.h), the names of verdicts, what the tables say. Tables and a frame go in; a
 * verdict, the frame that leaves, connections and counters come out.
 *
 * How the connection table finds room is not its business: it is for tables that are large enough.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include "include/abi.h"
#include "include/masquerade.h"
#include "include/network.h"
#include "include/verdict.h"
#include "test/bpf/packet_builder.h"

#define MODEL_SERVICES 24
#define MODEL_BACKENDS 80 /* those that are gone as well */
#define MODEL_CONNECTIONS 512
#define MODEL_NEIGHBOURS 64
#define MODEL_PREFIXES 16
#define MODEL_NETWORKS 16
#define MODEL_CLAIMS 128
#define MODEL_RING 1024 /* slots */
#define MODEL_PORTS 6
#define MODEL_OF_CLIENT CONNECTION_WAYS /* connections of one client's port at most */

#define MODEL_NOTES 256
#define MODEL_FRAGMENTS 32

#define MODEL_NONE UINT32_MAX /* no index */

/*
 * What the datapath has of what SPEC and issue want, and the model already knows. One that is false
 * is not there yet: packets meet what they met before. Switched in model.c, nowhere else.
 */
enum model_feature {
	FEATURE_EXTENSION_HEADERS, /* of IPv6: passed over */
	FEATURE_ECHO,              /* answered by us for addresses of services */
	FEATURE_REFUSAL,           /* of what is for a service's address and no port of it */
	FEATURE_RESET,             /* to TCP that nobody serves */
	FEATURE_UNREACHABLE,       /* to UDP that nobody serves */
	FEATURE_FRAGMENTS,         /* later ones find the ports of the first */
	FEATURE_TAGS,              /* of VLANs: two at most */
	FEATURE_ALIASES,           /* of clients' ports that would be ambiguous */
	FEATURE_PREVIOUS_RING,     /* leads the middle of a connection that nobody remembers */
	FEATURE_AFFINITY,          /* clients come back to their backends */
	FEATURE_TOO_BIG,           /* for the MTU of its way out: told to the sender */
	_FEATURE_COUNT,
};
extern const bool features[_FEATURE_COUNT];

/*
 * What the datapath does wrong as yet, as this model sees it. While one is false the model does as
 * the datapath does, but where it is strict: the corpus has a sequence for each that shows it
 * (known_*.txt).
 */
enum model_flaw {
	FLAW_FLOODED_IS_COUNTED,      /* by the service: what is for another host */
	FLAW_AFFINITY_IGNORES_WEIGHT, /* 0: such a backend gets no new connection */
	_FLAW_COUNT,
};
extern const bool mended[_FLAW_COUNT];
extern bool model_is_strict;
bool has_flaw(enum model_flaw flaw);

/* A range of addresses: of the 128-bit form, so IPv4 has lengths of 96 and more. */
struct model_prefix {
	struct address address;
	uint8_t length;
	bool is_ipv4;
};

/* Whose the addresses of a prefix are. */
struct model_network {
	struct model_prefix prefix;
	enum network network;
};

#define MODEL_TAGS 2
#define TAG_LENGTH 4 /* bytes: IEEE 802.1Q, 9.3 */

/* To whom a frame goes, with which VLAN tags, and by which port; port 0: nobody knows. */
struct model_hop {
	uint8_t mac[6];
	uint16_t port;
	uint8_t tag_count;
	uint8_t tags[MODEL_TAGS * TAG_LENGTH];
};

struct model_neighbour {
	struct address address;
	struct model_hop hop;
};

struct model_backend {
	struct address address;
	__be16 port;
	uint16_t weight;
	bool is_remote;             /* on another node, from where replies go their own way */
	enum backend_state state;   /* BACKEND_NONE: it was removed */
	struct service_key service; /* the one it is of, or was */
	struct traffic_counter traffic;
};

struct model_service {
	bool is_used;
	bool is_own;         /* the node has its address itself */
	bool has_inside;     /* clients inside get the service of SCOPE_INSIDE, if there is one */
	bool drops_unserved; /* where it has nobody, nobody hears of it */
	bool masquerades[_NETWORK_COUNT]; /* clients of these, towards backends elsewhere */
	struct service_key key;
	enum algorithm algorithm;
	struct model_prefix ranges[MODEL_PREFIXES];
	uint32_t range_count;
	uint8_t ring[MODEL_RING]; /* indexes of backends; as it was told */
	uint32_t ring_length;
	uint8_t previous[MODEL_RING]; /* the ring before that one */
	uint32_t previous_length;     /* 0: none is kept */
	uint64_t turns;               /* of round robin, already taken */
	uint32_t affinity_seconds;    /* 0: none */
	struct counter refused;
	struct traffic_counter retired; /* what backends have carried that are gone */
};

/* One entry for both directions, found by the client's end. */
struct model_connection {
	bool is_used;
	struct address client;
	__be16 client_port;
	__be16 alias;     /* the port that its backend knows the client by; 0: its own */
	uint32_t backend; /* index */
	uint8_t seen;     /* enum tcp_seen */
	uint32_t idle;    /* seconds since its last packet */
	bool is_masqueraded;
	struct model_hop back;
};

/* What a masqueraded connection is known by to its backend. */
struct model_claim {
	struct flow request; /* as it comes from the client */
	struct flow reply;   /* as it comes from the backend, to us */
	uint32_t backend;    /* index; MODEL_NONE: one that is gone */
	bool is_alone;       /* its connection is gone; nobody else gets the port yet */
	uint32_t age;        /* seconds since that began, or since it is alone */
};

/* Where a client's last connection to a service went. */
struct model_note {
	struct address client;
	uint32_t service; /* index */
	uint32_t backend; /* index */
	uint32_t age;     /* seconds since that connection began */
};

/* What the first fragment of a packet has told. */
struct model_fragment {
	struct address src;
	struct address dst;
	uint32_t id;      /* as in the packet */
	uint8_t protocol; /* in IPv4's header; IPv6: 0 */
	struct flow flow;
	uint8_t tcp_flags;
	bool was_ours;    /* when it came, as far as addresses tell */
	bool was_dropped; /* then the others are */
};

struct model {
	bool is_silent;           /* nobody hears that nobody serves it */
	struct timeouts timeouts; /* in seconds here */
	struct hairpin hairpin;
	struct port ports[MODEL_PORTS]; /* by index; ifindex 0: it is gone */
	struct model_neighbour neighbours[MODEL_NEIGHBOURS];
	uint32_t neighbour_count;
	struct model_prefix denied[MODEL_PREFIXES];
	struct counter denied_counters[MODEL_PREFIXES];
	uint32_t denied_count;
	struct model_network networks[MODEL_NETWORKS];
	uint32_t network_count;
	struct model_service services[MODEL_SERVICES];
	struct model_backend backends[MODEL_BACKENDS];
	uint32_t backend_count;
	struct model_connection connections[MODEL_CONNECTIONS];
	uint32_t connection_count;                     /* all used ones are below */
	struct masquerade_source sources[MODEL_PORTS]; /* by port; of 0 those of any */
	struct masquerade_ports masquerade_ports;      /* that may be given */
	uint32_t masquerade_room; /* elements: a connection has two, what is alone one */
	struct model_claim claims[MODEL_CLAIMS];
	uint32_t claim_count;
	struct model_note notes[MODEL_NOTES];
	uint32_t note_count;
	struct model_fragment fragments[MODEL_FRAGMENTS];
	uint32_t fragment_count;
	struct counter verdicts[_VERDICT_COUNT];
	bool is_uncertain; /* more to remember than it can, or a choice that left no trace */
};

/* Forgets everything but timeouts, hairpin addresses and ports. */
void model_reset(struct model *model);
/* Time without packets; true: no connection's idle time is near a timeout after it. */
bool model_may_pass(const struct model *model, uint32_t seconds);
void model_pass(struct model *model, uint32_t seconds);

/* What the datapath made of a frame. */
struct observed {
	const struct frame *frame;
	uint32_t action; /* enum xdp_action */
};

/*
 * What becomes of a frame that came in by a port (0: by an interface that nobody knows). The frame
 * is changed into what leaves. Where a choice is free (ALGORITHM_RANDOM, alias ports) it is taken
 * from what was observed, if it is one of those allowed.
 */
enum verdict model_judge(struct model *model, uint32_t in, const struct observed *observed,
			 struct frame *frame);
/* What the driver is told: enum xdp_action. */
uint32_t model_action(const struct model *model, uint32_t in, enum verdict verdict);

/* NULL, or the service at this address, port and protocol. */
struct model_service *model_find_service(struct model *model, const struct service_key *key);
/* What a connection is known by to its backend, if it is masqueraded; NULL: by its own end. */
const struct model_claim *model_claim_of(const struct model *model,
					 const struct model_connection *connection);
/* What lbd does now and then: claims of connections that are gone go, too, in two steps. */
void model_sweep_claims(struct model *model);
/* A connection that counts: neither expired nor one whose backend serves no more. */
bool model_is_live(const struct model *model, const struct model_connection *connection);
