/*
 * What the files behind health.h share.
 */
#pragma once

/* Of uthash: out of memory leaves hh.tbl NULL instead of ending the program. */
#define HASH_NONFATAL_OOM 1
#include <uthash.h>
#include "control/health.h"

#define HEALTH_NAME_MAX 320 /* quoted, with its NUL; a Service's has 253, its namespace's 63 */

/* A service that is answered for, at each of the addresses. */
struct health_port {
	UT_hash_handle hh; /* by port */
	struct health *health;
	struct http_listener **listeners; /* as many as addresses, or one; NULL: could not be */
	size_t listener_count;
	uint32_t local_endpoints;
	uint16_t port;
	bool wanted;                     /* by the services that are being set */
	char namespace[HEALTH_NAME_MAX]; /* as JSON */
	char name[HEALTH_NAME_MAX];
};

struct health {
	struct http *http;
	struct http_listener *listener;
	uint64_t queued_ms; /* the oldest change that is not in force; 0: none */
	uint64_t synced_ms; /* 0: never */
	bool node_eligible;
	struct health_answers answers[_HEALTH_PATH_COUNT];
	struct health_port *ports;
	struct address *addresses;
	size_t address_count;
};

void health_close_ports(struct health *health);
