/*
 * This node's part of a cluster: joins what the API server tells (sync.h) to the rest of lbd. Where
 * node ports are served, whose the node's pods are, who answers health checks, which backends have
 * connections.
 */
#pragma once

#include <jansson.h>
#include <stddef.h>
#include <stdint.h>
#include "control/kube/sync.h"
#include "lb/address.h"

struct daemon;
struct kube_local;

/* Once the datapath is open. `node` is the name of this one. NULL with errno set. */
struct kube_local *kube_local_new(struct daemon *daemon, const char *node);
void kube_local_free(struct kube_local *local);

/* All of those below take NULL, and do nothing: there is no cluster. */

/* The node's own addresses are these from now on. */
void kube_local_set_addresses(struct kube_local *local, const struct address *addresses,
			      size_t count);

/* A pass over the connections begins, names a backend by its handle, is at its end. */
void kube_local_begin_pass(struct kube_local *local);
void kube_local_note_used(struct kube_local *local, uint32_t backend);
void kube_local_end_pass(struct kube_local *local);
/* Backends wait for their last connection. */
bool kube_local_any_leaving(const struct kube_local *local);

/* For the watches, metrics and `lbctl status`; not of NULL. */
struct kube_sync *kube_local_sync(struct kube_local *local);
json_t *kube_local_report(const struct kube_local *local);
