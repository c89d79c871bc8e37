/*
 * Whether this node should get traffic, as kube-proxy tells it: /healthz and /livez for the node,
 * and for each service with a health check node port whether it has endpoints here.
 *
 * lbd is healthy unless a change that it has heard of is not in the tables for longer than
 * HEALTH_TIMEOUT_MS. It is while it starts, and when the API server is away: then there is no
 * change. /healthz tells besides that the node is about to be deleted; /livez does not.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include "control/http.h"
#include "lb/address.h"

/* kube-proxy's: twice its --iptables-sync-period. */
#define HEALTH_TIMEOUT_MS 60000

struct health;

enum health_path {
	HEALTH_HEALTHZ,
	HEALTH_LIVEZ,
	_HEALTH_PATH_COUNT,
};

/* `http` must outlive it. NULL when out of memory. */
struct health *health_new(struct http *http);
/* Accepts NULL. */
void health_free(struct health *health);

/* Answers at this endpoint. 0 or a refusal. */
int health_listen(struct health *health, const struct http_endpoint *endpoint,
		  struct refusal *refusal);

/*
 * A change was heard of; all that were heard of are in force. Milliseconds of CLOCK_MONOTONIC
 * (loop_now_ms), so that nothing changes with a clock that is set.
 */
void health_queued(struct health *health, uint64_t now_ms);
void health_synced(struct health *health, uint64_t now_ms);
/* The Node is not being deleted, and has no taint ToBeDeletedByClusterAutoscaler. */
void health_set_node_eligible(struct health *health, bool eligible);

bool health_is_good(const struct health *health, uint64_t now_ms);

/* How often the path was answered with 200, and with 503. */
struct health_answers {
	uint64_t ok;
	uint64_t unavailable;
};
struct health_answers health_answers(const struct health *health, enum health_path path);

/* A service with externalTrafficPolicy Local and a healthCheckNodePort. */
struct health_service {
	const char *namespace;
	const char *name;
	uint16_t port; /* host byte order */
	uint32_t local_endpoints;
};

/*
 * From here on just these are answered for: ports are opened and closed as they come and go. The
 * addresses that they are opened at are set first; NULL: at all. What others have, or what is no
 * address of the node yet, is tried again. 0 or -ENOMEM.
 */
int health_set_addresses(struct health *health, const struct address *addresses, size_t count);
int health_set_services(struct health *health, const struct health_service *services, size_t count);
