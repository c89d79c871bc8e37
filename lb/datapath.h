/*
 * The datapath as control sees it: the loaded BPF object, its pinned maps and its attachments. The
 * only user of libbpf. It never logs; what it refuses comes with a reason.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include "include/abi.h"
#include "include/masquerade.h"
#include "include/network.h"
#include "include/tunnel.h"
#include "include/verdict.h"
#include "lb/address.h"
#include "lb/refusal.h"
#include "lb/socket_lb.h"

struct datapath;

/* What becomes of packets that there is nobody to send to. */
enum refuse {
	REFUSE_ANSWER, /* their sender hears of it */
	REFUSE_DROP,
};

/* `answer`, `drop`; 0 or -EINVAL. */
int datapath_refuse_parse(const char *text, enum refuse *refuse);

/* Fixed when the programs are loaded. Timeouts are in seconds without a packet. */
struct datapath_options {
	const char *pin_path; /* the directory holding program/, map/ and link/ */
	uint32_t max_services;
	uint32_t max_backends;
	uint32_t max_connections;
	uint32_t max_affinity;        /* clients that are kept at their backends */
	uint32_t max_masquerades;     /* connections whose clients have an address of ours */
	uint32_t max_fragments;       /* datagrams in pieces that are remembered at once */
	uint32_t tcp_opening_seconds; /* no answer from the backend, or none to that answer */
	uint32_t tcp_established_seconds;
	uint32_t tcp_closing_seconds; /* one side has sent FIN */
	uint32_t tcp_closed_seconds;  /* both have, or RST was seen */
	uint32_t udp_seconds;
	uint32_t max_new_connections; /* of a service, a second and CPU, that get entries; 0: all */
	struct hairpin hairpin;       /* the source a pod sees when it is sent to itself */
	enum refuse refuse;
	uint32_t icmp_errors; /* a second and CPU at most; 0: no limit */
	uint64_t seed;        /* of the connections' hash; 0: a random one */
	bool metadata;        /* what passes carries why: include/metadata.h */
	bool linear;          /* for generic mode alone: the programs want frames in one piece */
	bool replace;         /* take interfaces over from a foreign XDP program */
	bool tc;              /* load programs for tc's ingress, too, ... */
	bool egress;          /* ... and those for what leaves */
	bool tc_filters;      /* attach to tc by filters of clsact even where there is tcx */
	enum socket_lb socket_lb;
	bool tunnels; /* new connections are tunnelled to other nodes, not masqueraded */
	const struct prefix *tunnel_sources;      /* from where tunnels end here, ... */
	size_t tunnel_source_count;               /* ... at most MAX_TUNNEL_SOURCES */
	struct masquerade_ports masquerade_ports; /* none: those of programs nobody configured */
	const char *cgroup; /* below which sockets are led; NULL: all, by the root */
};

enum datapath_mode {
	MODE_AUTO, /* native, and where the driver cannot: generic */
	MODE_NATIVE,
	MODE_GENERIC,
	MODE_OFFLOAD,
	MODE_TC, /* not by XDP; of single interfaces */
};

/* `auto`, `native`, `generic`, `offload`; 0 or -EINVAL. */
int datapath_mode_parse(const char *text, enum datapath_mode *mode);
const char *datapath_mode_name(enum datapath_mode mode);

/*
 * Mounts a bpffs where the pin path has none, loads the programs, adopts pinned maps or creates and
 * pins them, and pins the program. Pinned links go on with the program they have until
 * datapath_attach. *adopted tells whether maps of an earlier lbd were found.
 */
int datapath_open(const struct datapath_options *options, struct datapath **datapath, bool *adopted,
		  struct refusal *refusal);
/*
 * Whether maps that were pinned are of another size or layout than ours. Then programs that are
 * attached go on with those until datapath_move.
 */
bool datapath_is_moving(const struct datapath *datapath);
/*
 * Gives all pinned links our program and makes our maps the pinned ones; *missed connections found
 * no room in them. 0 or -errno with a refusal.
 */
int datapath_move(struct datapath *datapath, uint32_t *missed, struct refusal *refusal);
/* When all interfaces are attached: removes what moves have left. */
void datapath_end_move(struct datapath *datapath);
/* Detaches from every interface and removes every pin: as if there never had been an lbd. */
void datapath_forget(struct datapath *datapath);
/* The same of whatever lbd has pinned in this directory; whether any has. */
bool datapath_clean(char *pin_path);
/* Closes fds and mappings; what is pinned stays and goes on. */
void datapath_close(struct datapath *datapath);

/*
 * Attaches to an interface by a pinned bpf_link, or moves an existing pinned link to the program
 * of this lbd. *used: the mode that took effect (never MODE_AUTO). -EBUSY with the name and id of
 * a foreign program; -EOPNOTSUPP where the mode cannot be had; -EAGAIN while our program is there
 * by a link that is not pinned any more: the kernel is about to detach it, or somebody holds it.
 */
int datapath_attach(struct datapath *datapath, const char *interface, uint32_t ifindex,
		    enum datapath_mode mode, enum datapath_mode *used, struct refusal *refusal);
/* Whether our program runs there, as far as the kernel tells: an answer that fails is a yes. */
bool datapath_may_run(const struct datapath *datapath, uint32_t ifindex);
/*
 * The same to tc, by a pinned link or a filter. 0 or -errno with a refusal; -EOPNOTSUPP where the
 * programs are not loaded.
 */
enum tc_side {
	TC_INGRESS, /* what datapath_attach does with MODE_TC */
	TC_EGRESS,
	_TC_SIDE_COUNT,
};
int datapath_attach_tc(struct datapath *datapath, const char *interface, uint32_t ifindex,
		       enum tc_side side, struct refusal *refusal);
int datapath_detach_tc(struct datapath *datapath, const char *interface, enum tc_side side);
bool datapath_has_tc(const struct datapath *datapath, enum tc_side side);
int datapath_visit_tc(struct datapath *datapath, enum tc_side side,
		      void (*visit)(void *context, const char *interface), void *context);
/* Detaches and unpins; also for an interface that has vanished. 0 or -errno (-ENOENT: no link). */
int datapath_detach(struct datapath *datapath, const char *interface);
/* Calls visit for the interface of each pinned link. 0 or -errno. */
int datapath_links(struct datapath *datapath, void (*visit)(void *context, const char *interface),
		   void *context);

/*
 * Attaches the programs for sockets to the cgroup by pinned links, or moves those of an earlier lbd
 * to ours; detaches those where the option is off. 0, or -errno with a refusal.
 */
int datapath_attach_sockets(struct datapath *datapath, struct refusal *refusal);
/* How many of them are attached, of how many; and whether to the root of all cgroups. */
struct socket_status {
	unsigned int wanted;
	unsigned int attached;
	bool is_root;
};
void datapath_get_sockets(const struct datapath *datapath, struct socket_status *status);

/* Where sockets are led: connected ones of UDP whose backend serves no more. 0 or -errno. */
struct lost_socket {
	uint64_t cookie;
	uint64_t namespace; /* of the network, by its cookie */
};
struct lost_sockets {
	struct lost_socket *list; /* the caller's to free, also after an error */
	size_t count;
};
int datapath_find_lost_sockets(struct datapath *datapath, struct lost_sockets *lost);
void datapath_forget_socket(struct datapath *datapath, uint64_t cookie);
/* The network namespace that lbd is in. */
uint64_t datapath_own_namespace(const struct datapath *datapath);

/*
 * Tables. The array tables are mapped memory: *_set is a few aligned stores (the last publishes)
 * and cannot fail but where it says so. The index must be below the table's capacity.
 */
uint32_t datapath_capacity_services(const struct datapath *datapath);
uint32_t datapath_capacity_backends(const struct datapath *datapath); /* and next hops */
uint32_t datapath_capacity_rings(const struct datapath *datapath);    /* in slots */
uint32_t datapath_capacity_ports(const struct datapath *datapath);
uint32_t datapath_capacity_connections(const struct datapath *datapath);

void datapath_set_backend(struct datapath *datapath, uint32_t index,
			  const struct backend_record *record);
void datapath_get_backend(const struct datapath *datapath, uint32_t index,
			  struct backend_record *record);
/* 0, or -errno where the range cannot be mapped: nothing is written then. */
int datapath_set_ring(struct datapath *datapath, uint32_t offset, const uint32_t *slots,
		      uint32_t length);
void datapath_set_nexthop(struct datapath *datapath, uint32_t index, const struct nexthop *hop);
void datapath_get_nexthop(const struct datapath *datapath, uint32_t index, struct nexthop *hop);

/* Services: an LRU hash, written in batches. 0 or -errno; on error a part may be written. */
int datapath_set_services(struct datapath *datapath, const struct service_key *keys,
			  const struct service_record *records, uint32_t count);
int datapath_remove_services(struct datapath *datapath, const struct service_key *keys,
			     uint32_t count);
int datapath_find_service(struct datapath *datapath, const struct service_key *key,
			  struct service_record *record); /* -ENOENT */
/* All of them: *keys and *records are the caller's to free. 0 or -errno. */
int datapath_list_services(struct datapath *datapath, struct service_key **keys,
			   struct service_record **records, uint32_t *count);

/*
 * Source ranges, by the id of a service. 0 or -errno (-ENOSPC past 2 * MAX_ALL_SOURCE_RANGES,
 * -ENOENT where there is none to remove). The list is the caller's to free.
 */
struct source_range {
	uint32_t service;
	struct prefix range;
};
int datapath_add_source_range(struct datapath *datapath, uint32_t service,
			      const struct prefix *range);
int datapath_remove_source_range(struct datapath *datapath, uint32_t service,
				 const struct prefix *range);
int datapath_list_source_ranges(struct datapath *datapath, struct source_range **ranges,
				uint32_t *count);

/*
 * Denied prefixes. Each is counted by an index of its own, 1 … MAX_DENIED, which starts from zero;
 * a prefix that is denied already is not denied again, and only what was denied is allowed. 0 or
 * -errno (-ENOENT: somebody else has deleted it).
 */
int datapath_deny(struct datapath *datapath, const struct prefix *prefix, uint32_t index);
int datapath_allow(struct datapath *datapath, const struct prefix *prefix);
/* What they have dropped, all CPUs together. */
int datapath_read_denied(struct datapath *datapath, uint32_t index, struct counter *counter);
/* Calls visit for each; it must not deny or allow. */
typedef void (*denied_visitor)(void *context, const struct prefix *prefix, uint32_t index);
int datapath_visit_denied(struct datapath *datapath, denied_visitor visit, void *context);

/*
 * Whose the addresses of a prefix are; NETWORK_NONE: nobody's that lbd knows. 0 or -errno (-ENOSPC
 * past MAX_NETWORKS). While they are visited none may be set.
 */
int datapath_set_network(struct datapath *datapath, const struct prefix *prefix,
			 enum network network);
typedef void (*network_visitor)(void *context, const struct prefix *prefix, enum network network);
int datapath_visit_networks(struct datapath *datapath, network_visitor visit, void *context);

/*
 * An interface we send by: its record, the way in (ingress) and the transmit port. A port whose
 * ifindex is 0 is gone and its ways are removed; one of a VLAN (PORT_TAGGED) has none of its own.
 * 0 or -errno.
 */
int datapath_set_port(struct datapath *datapath, uint32_t index, const struct port *port);
void datapath_get_port(const struct datapath *datapath, uint32_t index, struct port *port);

/* Waits until no packet looks at what was replaced before the call (an RCU grace period). */
void datapath_settle(struct datapath *datapath);

/* Writes again what the kernel refused to take where it was no error of the change. */
void datapath_mend(struct datapath *datapath);

/*
 * What tells packets of a service apart from others: to be said before the service is set, and
 * taken back after it was removed, once each.
 */
void datapath_announce_service(struct datapath *datapath, const struct service_key *key);
void datapath_withdraw_service(struct datapath *datapath, const struct service_key *key);

/*
 * The address of a service: to be said once its service is set, and taken back after that was
 * removed. What is for such an address and none of its services is answered or refused by the
 * datapath, unless the node has the address itself. 0 or -errno, where packets pass as those of
 * no service do.
 */
int datapath_serve_address(struct datapath *datapath, const struct address *address);
int datapath_leave_address(struct datapath *datapath, const struct address *address);
/* The node's own addresses: one more, or all of them, in the place of those before. 0 or -errno. */
int datapath_add_own_address(struct datapath *datapath, const struct address *address);
int datapath_set_own_addresses(struct datapath *datapath, const struct address *addresses,
			       size_t count);

/* A connection, as it was when it was looked at. */
struct connection_view {
	struct flow flow; /* of its requests; no destination where the backend is lost */
	struct address backend_address; /* likewise */
	__be16 backend_port;
	__u16 client_hop;
	struct address masquerade_address; /* as which the backend knows the client, if ... */
	__be16 masquerade_port;            /* ... this is not 0 */
	bool is_tunnelled; /* the backend, on another node, knows it and answers by itself */
	__be16 alias_port; /* that the backend knows the client by; 0: by its own */
	__u32 backend;     /* handle */
	__u32 idle_seconds;
	__u8 seen; /* enum tcp_seen */
	bool is_expired;
	bool is_lost; /* its backend is gone */
};

/* Calls visit for each connection; true from it removes the connection. 0 or -errno. */
typedef bool (*connection_visitor)(void *context, const struct connection_view *view);
int datapath_visit_connections(struct datapath *datapath, connection_visitor visit, void *context);

/*
 * The same a megabyte of the table at a time; at the end what connections name no more (ways back
 * to clients) is on its way to be free. 1 while there is more, 0 at the end (the next call begins
 * anew), or -errno. A cursor starts as all zero. Between a pass and the next a grace period
 * (datapath_settle) must lie: packets may be about to name what the first has found unnamed.
 */
struct connection_cursor {
	uint32_t bucket;
	uint64_t hops_used[CLIENT_HOPS / 64]; /* bits: named by a connection in this pass */
	uint32_t hops_left; /* ways back to clients, as of the end of the last pass */
};
int datapath_sweep_some(struct datapath *datapath, struct connection_cursor *cursor,
			connection_visitor visit, void *context);

/*
 * Connections that somebody else has translated until now (netfilter, by kube-proxy's rules). Each
 * has its answer afterwards: 0, one of these, or -ENOSPC where its bucket is full. 0 or -errno,
 * where none was taken.
 */
#define TAKEN_IS_THERE 1      /* it has an entry already */
#define TAKEN_IS_IN_THE_WAY 2 /* its client's port has a connection that it cannot stand beside */

struct taken {
	struct address client;
	__be16 client_port;
	__u8 seen;        /* enum tcp_seen */
	uint32_t backend; /* index */
	int answer;
};
int datapath_take_connections(struct datapath *datapath, struct taken *list, size_t count);

/*
 * What of services is of no connection that we know passes to the stack, by bits of enum unknown,
 * until this is said again.
 */
void datapath_leave_unknown(struct datapath *datapath, uint32_t protocols);

/*
 * What masqueraded connections leave by a port as; index 0: by those that have no address. 0 or
 * -errno.
 */
int datapath_set_masquerade_source(struct datapath *datapath, uint32_t port,
				   const struct masquerade_source *source);
/*
 * Removes what is left of masqueraded connections that are gone, at most so many at a time. 1 while
 * there are more, 0 at the end (the next call begins anew), or -errno. Starts as all zero.
 */
struct masquerade_cursor {
	struct flow at;
	uint32_t visited;
	bool is_under_way;
	bool is_over; /* the one at `at`: to be removed when the next is known */
	uint32_t kept;
	uint32_t left; /* elements, two for each connection, as of the end of the last pass */
};
int datapath_sweep_masquerades(struct datapath *datapath, struct masquerade_cursor *cursor,
			       uint32_t most);

/* How many entries of the connection table gave way to newcomers. 0 or -errno. */
int datapath_read_evictions(const struct datapath *datapath, uint64_t *evictions);

/* How many packets passed without metadata that should carry it, because there was no room. */
uint64_t datapath_metadata_missing(const struct datapath *datapath);

/*
 * Fragments that came before the first of their datagram. The fd of their arrival is readable while
 * there are some, and ends with the datapath; or -errno. Taking hands at most so many to `visit`.
 */
typedef void (*early_fragment_visitor)(void *context, const struct early_fragment *early);
int datapath_open_events(struct datapath *datapath);
int datapath_take_events(struct datapath *datapath, unsigned int most, early_fragment_visitor visit,
			 void *context);
/* Whether the first has come, so that the others will find it. */
bool datapath_has_first_fragment(struct datapath *datapath, const struct fragment_key *key);
/*
 * A frame comes in by the interface once more and meets what any frame meets there; it is counted
 * again. 0 or -errno (-ENODEV: the interface is gone).
 */
int datapath_send_again(struct datapath *datapath, uint32_t ifindex, const void *frame,
			uint32_t length);

/* Sums over CPUs. 0 or -errno. */
int datapath_read_verdicts(struct datapath *datapath, struct counter counters[_VERDICT_COUNT]);
/* Of a service what its backends do not count: packets that got none, backends that are gone. */
int datapath_read_service(struct datapath *datapath, uint32_t service,
			  struct traffic_counter *counter);
int datapath_read_backend(struct datapath *datapath, uint32_t backend,
			  struct traffic_counter *counter);
/* Moves what a backend has counted to its service: it goes, what it carried does not. 0/-errno. */
int datapath_retire_counter(struct datapath *datapath, uint32_t backend, uint32_t service);
/* A given back index starts from zero. 0 or -errno. */
int datapath_clear_service(struct datapath *datapath, uint32_t service);
int datapath_clear_backend(struct datapath *datapath, uint32_t backend);
