/*
 * Who calls in the hammer: clients' ports, and what is known of each. Many are twins: the same port
 * and the same bits of hash (bucket, tag), so that only their addresses tell them apart. Each comes
 * by two ways, of MAC address and VLAN tags, or one MAC address in two VLANs; those of neighbours
 * in the array meet in one place of client_hops.
 *
 * A caller's packets are sent by one thread, its owner, which therefore knows what must come of
 * each; those of a shared caller are sent by all threads at once.
 */
#pragma once

#include <stdatomic.h>
#include "test/bpf/scene.h"

#define SERVICES 5 /* of each kind, at SERVICE_PORT and the ports after it */
#define FIRST_SERVICE 0
#define LAST_SERVICE (SERVICES - 1)
#define ALL_SERVICES ((1u << SERVICES) - 1)
#define KEEPER_SERVICE LAST_SERVICE /* lbd never takes its backends away */
#define MACS 2
#define PORTS (1 + ALIASES) /* its own, and what its connections may get in its place */
#define MAX_CALLERS 256

enum calling {
	CALLS_ALONE,
	CALLS_HAIRPIN, /* it is BACKEND_A */
	CALLS_NEVER,   /* but is sent replies all the same */
	CALLS_KEEPER,  /* one established connection that must live through it all */
	CALLS_SHARED,
};

struct caller {
	enum calling calling;
	const struct kind *kind;
	struct address address;
	__be16 port;
	uint64_t hash;
	uint32_t owner;     /* thread */
	struct caller *kin; /* of the same address, one's port is an alias port of the other's */
	uint8_t mac[MACS][ETH_ALEN];
	union tags tags[MACS]; /* that come with the MAC address of the same index */
	enum role keeper_backend;
	/*
	 * Of one that is alone, by backend and by the port that it got: the service (+ 1; 0: none)
	 * of the last request, and the MAC addresses (bits) that one may have come from.
	 */
	uint8_t service_at[_ROLE_COUNT][PORTS];
	uint8_t macs_at[_ROLE_COUNT][PORTS];
	/* Bits of a shared one, set before the packet is sent. */
	atomic_uint called;
	atomic_uint macs_used;
};

struct callers {
	struct caller all[MAX_CALLERS];
	size_t count;
	uint64_t seed; /* of the table */
	uint32_t buckets;
	uint32_t threads;
};

/* Those whom the services may ever name as backend: bits of roles. */
extern const uint32_t BACKENDS_OF[SERVICES];

void callers_make(struct callers *callers, const struct scene *scene, uint32_t threads);
/* Whose entry it is; NULL: nobody's. */
const struct caller *callers_find(const struct callers *callers, const struct connection *entry);

/* Whose MAC address it is; NULL: nobody's. */
const struct caller *callers_find_mac(const struct callers *callers, const uint8_t *mac);

struct blueprint caller_request(const struct caller *caller, uint32_t service, uint32_t mac);
/* An answer to what the backend got from this port. */
struct blueprint caller_reply(const struct caller *caller, enum role backend, __be16 port);
/* One of its ports: 0 is its own; 0 where this is none. */
__be16 caller_port(const struct callers *callers, const struct caller *caller, uint32_t number);
/* Which one it is; PORTS: none. */
uint32_t caller_port_number(const struct callers *callers, const struct caller *caller,
			    __be16 port);
enum interface caller_interface(const struct caller *caller);
