/*
 * Which endpoints stand behind a port of a Service, and which of them take new connections: by the
 * rules of kube-proxy, with nothing but their words to go by.
 *
 * Where a policy is Cluster: all that are ready, of these those that topology hints keep near;
 * where none is ready anywhere, those that serve while they terminate. Where it is Local: the same
 * of this node's alone, without hints.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include "control/kube/objects.h"

/* An endpoint at the number that a port of the Service has there. */
struct kube_target {
	struct address address;
	const char *zones; /* hints, as in a slice; NULL: none */
	uint16_t port;
	__u8 flags;      /* enum kube_endpoint_flag */
	bool in_cluster; /* takes new connections under Cluster */
	bool in_local;   /* and under Local */
};

/* Sorted by address and port, each once. */
struct kube_targets {
	struct kube_target *items;
	size_t count;
	size_t cluster_count, local_count; /* that take new connections */
};

/*
 * Of slices that belong to the Service, those of the family that have a port of that name and
 * protocol. Where an endpoint is in two of them, one on this node counts before another, one that
 * is ready before one that is not. 0, or -ENOMEM with none.
 */
int kube_targets_collect(const struct kube_slice *const *slices, size_t count,
			 const struct kube_port *port, bool is_ipv6, struct kube_targets *targets);
void kube_targets_finish(struct kube_targets *targets);

/* Says of each what it takes. `zone` is this node's; NULL: not known. */
void kube_targets_choose(struct kube_targets *targets, const char *zone);

/*
 * What a health check of a load balancer asks for: how many endpoints (addresses) of the family on
 * this node are ready and do not terminate.
 */
size_t kube_count_local(const struct kube_slice *const *slices, size_t count, bool is_ipv6);
