/*
 * bench_path in parts: a lane is one contender's network with the generator and the sinks in it; a
 * pattern is a kind of traffic; a run is packets sent through a lane, timed and counted.
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>
#include "test/bench/path/probe.h"

#define SETTLE_US 3000 /* for what ksoftirqd still has in hand */
#define MAX_CPUS 2     /* generators of one lane at once */

enum lane_kind {
	LANE_WIRE,     /* bare redirect, which bench_path attaches itself */
	LANE_FORWARD,  /* the kernel's forwarding: nobody translates */
	LANE_BALANCER, /* whoever was set up in the node: addresses must be translated */
};

/*
 * Namespaces are PREFIX-client, -node and -backend with the interfaces of probe.h. A lane owns its
 * programs; what is attached ends with the namespaces or with lane_close.
 */
struct lane {
	const char *name;
	const char *prefix;
	uint32_t services;
	enum lane_kind kind;
	bool skb_sink;  /* tc ingress instead of XDP at both ends */
	uint32_t batch; /* frames sent before the softirq runs; a veth's ring holds 256 */
	bool two_cores; /* measure it with a generator on each of two CPUs, too */
	int client_ns;
	int *sockets; /* of lanes with skb_sink, at the backend */
	uint32_t socket_count;
	struct generator_bpf *generator[MAX_CPUS];
	struct sink_bpf *client;
	struct sink_bpf *backend;
	struct wire_bpf *wire[2];
};

/*
 * NAME,PREFIX,SERVICES,wire|forward|balancer,xdp|skb,1|2 (cores). Text is kept, not copied. 0 or
 * -EINVAL.
 */
int lane_parse(char *text, struct lane *lane);
/* Loads and attaches. 0 or -errno, with a word on stderr. */
int lane_open(struct lane *lane);
void lane_close(struct lane *lane);

/* Programs into namespaces, attach.c. */
int enter_namespace(const char *prefix, const char *name); /* an fd of it, or -errno */
int attach_sink(struct sink_bpf *sink, const char *interface, bool as_skb);
int attach_wire(struct wire_bpf *wire, const char *interface, const char *other_side);
int read_mac(const char *interface, uint8_t mac[6]);

/* Into the namespace that the calling thread is in. 0 or -errno; what is open is closed below. */
int lane_open_sockets(struct lane *lane);
void lane_close_sockets(struct lane *lane);

/* What one run of packets cost. CPU time is the generator's thread and ksoftirqd's. */
struct cost {
	uint64_t packets;
	double cpu_ns;
	double kernel_ns; /* by the kernel's own clock, from the first batch to the last */
};

/*
 * What a packet cost: by CPU time, which other programs on the CPU do not spoil; by the kernel's
 * clock where softirqs are booked elsewhere (CONFIG_IRQ_TIME_ACCOUNTING).
 */
double cost_per_packet(const struct cost *cost);

/* Sends about `packets` (whole batches) from this thread, pinned to `cpu`. 0 or -errno. */
int run_packets(struct lane *lane, uint32_t generator, uint64_t packets, struct cost *cost);
/* The same from one thread a CPU at once. */
int run_on_cpus(struct lane *lane, uint64_t packets, struct cost cost[MAX_CPUS]);
int pin_to_cpu(uint32_t cpu);

enum pattern {
	PATTERN_ESTABLISHED, /* one way, of connections that were answered */
	PATTERN_ROUND_TRIP,  /* request and reply of such */
	PATTERN_SOCKET,      /* established, and on through the stack to sockets */
	PATTERN_512,         /* established, of so many bytes a frame */
	PATTERN_1514,
	PATTERN_NEW,  /* every packet starts a connection, of a table that is full */
	PATTERN_FULL, /* established ones, after that */
	_PATTERN_COUNT,
};

const char *pattern_name(enum pattern pattern);
int pattern_parse(const char *name, enum pattern *pattern);

struct bench {
	struct lane *lanes;
	uint32_t lane_count;
	uint32_t rounds;
	uint32_t slice_ms;
	uint64_t flows;   /* a power of two */
	uint64_t prefill; /* new flows that fill a connection table; 0: leave it as it is */
	uint32_t cpu;
	uint32_t batch;
	bool patterns[_PATTERN_COUNT];
};

/* Shows that a lane does what it should: right addresses, checksums, all backends. 0 or -errno. */
int pattern_verify(struct lane *lane);
/* Whether a pattern says anything of a lane, and anything new. */
bool pattern_wants(enum pattern pattern, const struct lane *lane);
/* Fills the connection table of a lane that has one of a fixed size. 0 or -errno. */
int pattern_fill(const struct bench *bench, struct lane *lane);
/* Makes the connections and warms the caches; *cost is of packets of this kind. 0 or -errno. */
int pattern_warm_up(const struct bench *bench, enum pattern pattern, struct lane *lane,
		    struct cost *cost);
/* Interleaved rounds over all lanes; prints rows of JSON. 0 or -errno. */
int measure_pattern(const struct bench *bench, enum pattern pattern);

/* What both sinks have counted since the last call. */
void read_tally(struct sink_bpf *sink, struct tally *sum);
