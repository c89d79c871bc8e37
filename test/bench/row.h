/*
 * What is measured: a table of rows. A new scenario is a line in rows.c, as long as its traffic,
 * its world and its program exist.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include "test/bench/world.h"
#include "test/bpf/cast.h"

enum subject {
	SUBJECT_NOP, /* the harness' own cost */
	SUBJECT_FLOOR_A,
	SUBJECT_FLOOR_B,
	SUBJECT_OURS,
};

enum traffic {
	TRAFFIC_ESTABLISHED, /* requests of connections that were answered */
	TRAFFIC_REPLY,       /* replies of such, from the one backend of a service */
	TRAFFIC_NEW,         /* each packet starts a connection */
	TRAFFIC_MID_FLOW,    /* the same by what should have come later: no SYN was seen */
	TRAFFIC_STATELESS,   /* new flows beyond what may begin a connection */
	TRAFFIC_RESET,       /* a RST of no known connection: translated, and nothing begins */
	TRAFFIC_NO_SERVICE,
	TRAFFIC_NO_BACKEND,
	TRAFFIC_ANSWER_RESET,       /* no backend, and the sender is told */
	TRAFFIC_ANSWER_UNREACHABLE, /* the same, of UDP */
	TRAFFIC_GONE,       /* of a connection whose backend is: it ends, the sender is told */
	TRAFFIC_NOT_SERVED, /* to another port of a service's address */
	TRAFFIC_NOT_SERVED_RESET,
	TRAFFIC_NOT_SERVED_UNREACHABLE,
	TRAFFIC_OUT_OF_RANGE, /* from outside of the service's source ranges */
	TRAFFIC_DENIED,
	/* Always the same frame: */
	TRAFFIC_NOT_IP,
	TRAFFIC_ONE_FLOW, /* of one connection, of a protocol for whose flows there is no wrapper */
	TRAFFIC_ALIASED,  /* from a port that has reached the backend by another service before */
	TRAFFIC_TAGGED,   /* in a VLAN, which it leaves */
	TRAFFIC_EXTENSION, /* behind an extension header of IPv6 */
	TRAFFIC_FRAGMENT,  /* the first of some */
	TRAFFIC_FRAGMENT_OF_OTHERS,
	TRAFFIC_ECHO,       /* a ping of a service's address */
	TRAFFIC_ICMP_ERROR, /* a backend's, about a request */
	_TRAFFIC_COUNT,
};

/* Of world.h; one is opened when the first row wants it. */
enum place {
	NO_WORLD,
	WORLD_ROOMY,     /* one service, the connection table mostly free */
	WORLD_FULL,      /* one service, the connection table full of other connections */
	WORLD_MANY,      /* 50,000 services, the connection table full */
	WORLD_MILLION,   /* a connection table for a million flows of three kinds */
	WORLD_DENY,      /* 10,000 denied prefixes of each family */
	WORLD_METADATA,  /* what passes carries metadata */
	WORLD_STATELESS, /* one new connection a second may begin */
	WORLD_ANSWER,    /* who is refused is told */
	_WORLD_COUNT,
};

/* Whose addresses the clients have: see wrapper.h. */
enum clients {
	CLIENTS_FEW, /* some thousand flows each */
	CLIENTS_DENIED,
	CLIENTS_BESIDE_DENIED,
};

enum kind_index { TCP4, UDP4, TCP6, UDP6, SCTP4, SCTP6 }; /* in WORLD_KINDS, world.h */

struct row {
	const char *name;
	enum subject subject;
	enum traffic traffic;
	enum kind_index kind;
	enum place place;
	enum service_shape shape; /* but for traffic that has its own */
	enum clients clients;
	bool options;      /* four bytes of them, of IPv4 */
	uint32_t flows;    /* as many as follow each other; of new ones 0 */
	uint32_t services; /* addressed in turn; 0 and 1: one */
	unsigned int cpus; /* 2: on both at once; 0 and 1: on one */
	bool slow;         /* left out by --quick */
	double target;     /* at most so many times floor A; 0: none */
	double scaling;    /* of two CPUs at least so many times one; 0: none */
};

extern const struct row ROWS[];
extern const size_t ROW_COUNT;

static inline const struct kind *row_kind(const struct row *row)
{
	return &WORLD_KINDS[row->kind];
}
