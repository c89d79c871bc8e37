/*
 * The model: services and their backends as the operator thinks of them. It knows nothing of BPF
 * maps, JSON or sockets. A service is a value: changing one means cloning it, changing the clone
 * and putting that in its place, so that a refused change leaves nothing behind.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include "include/abi.h"
#include "lb/address.h"
#include "lb/refusal.h"

#define MAX_BACKENDS_PER_SERVICE 4096
#define MAX_SOURCE_RANGES 256
#define MAX_AFFINITY_SECONDS 86400 /* a day, as Kubernetes has it */
#define MAX_NAME 319 /* bytes: a Kubernetes namespace (63), '/', a name (253) and spare */

/* Who brought a service; each replaces only its own. */
enum source {
	SOURCE_OPERATOR,
	SOURCE_FILE,
	SOURCE_KUBERNETES,
	_SOURCE_COUNT,
};

/*
 * Whose address becomes this node's on the way to a backend on another node, whose replies would
 * else not come back here.
 */
enum masquerade {
	MASQUERADE_NONE,
	MASQUERADE_STRANGERS, /* of clients that are not of the cluster */
	MASQUERADE_OTHERS,    /* of clients that are not of this node */
	_MASQUERADE_COUNT,
};

struct backend {
	struct address address;
	__be16 port;
	__u16 weight; /* 0: gets no new connection */
	enum backend_state state;
	bool is_remote;    /* on another node */
	__s64 deadline_ms; /* of one that drains: when it goes down, of the wall clock; 0: never */
};

struct service {
	struct service_key key;
	char *name; /* NS/NAME, or NULL */
	enum algorithm algorithm;
	enum source source;
	enum masquerade masquerade;
	bool has_inside;        /* clients inside have a service of their own, of SCOPE_INSIDE */
	bool drops_unserved;    /* without a backend packets are dropped rather than refused */
	__u32 affinity_seconds; /* 0: none */
	struct prefix *source_ranges;
	size_t source_range_count;
	struct backend *backends; /* in the order they were given */
	size_t backend_count;
	bool is_adopted; /* read back from the tables, which do not tell weights */
};

/* A service without name, backends or ranges, maglev, of the operator. NULL when out of memory. */
struct service *service_new(const struct service_key *key);
struct service *service_clone(const struct service *service);
void service_free(struct service *service);

/* Copies `name`; NULL clears. 0, -ENOMEM, or -EINVAL with a refusal: it must be NS/NAME. */
int service_set_name(struct service *service, const char *name, struct refusal *refusal);

/*
 * Copies *backend. 0, -ENOMEM, or a refusal: family mix (-EINVAL), duplicate (-EEXIST),
 * more than MAX_BACKENDS_PER_SERVICE (-ENOSPC), unspecified or multicast address, port 0 (-EINVAL).
 */
int service_add_backend(struct service *service, const struct backend *backend,
			struct refusal *refusal);

/* NULL where there is none. Owned by the service, valid until its next change. */
struct backend *service_find_backend(const struct service *service, const struct address *address,
				     __be16 port);

/* `backend` must be one of the service's own. */
void service_remove_backend(struct service *service, struct backend *backend);

/*
 * 0, -ENOMEM, or a refusal: family mix, duplicate (-EEXIST), more than MAX_SOURCE_RANGES (-ENOSPC).
 */
int service_add_source_range(struct service *service, const struct prefix *prefix,
			     struct refusal *refusal);

/* 0, or a refusal: an unspecified, multicast or loopback service address, or port 0. */
int service_key_check(const struct service_key *key, struct refusal *refusal);

/* Everything but the source is the same. */
bool service_equal(const struct service *a, const struct service *b);

/* Backends that drain until a deadline, and the first of these; 0: none. */
size_t service_count_deadlines(const struct service *service);
__s64 service_deadline(const struct service *service);

/* Takes new connections: active and of a weight above 0. */
bool backend_takes_connections(const struct backend *backend);

/* The words of the command line and of JSON; *_parse: 0 or -EINVAL, *_name never NULL. */
int algorithm_parse(const char *text, enum algorithm *algorithm);
const char *algorithm_name(enum algorithm algorithm);
int backend_state_parse(const char *text, enum backend_state *state);
const char *backend_state_name(enum backend_state state);
const char *source_name(enum source source);
int masquerade_parse(const char *text, enum masquerade *masquerade);
const char *masquerade_name(enum masquerade masquerade);
