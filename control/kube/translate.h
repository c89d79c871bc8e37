/*
 * One Service of Kubernetes to services of ours: of each family and port one for each cluster
 * address, external address, address of its load balancer, and for each of the node's addresses
 * where it has a node port. Nothing is known here of what is in force.
 *
 * With externalTrafficPolicy Local the addresses outside of the cluster become two services each:
 * one for clients from outside, with endpoints of this node alone, and one for clients inside
 * (SCOPE_INSIDE), whom no policy holds back.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include "control/kube/endpoints.h"
#include "control/kube/objects.h"
#include "lb/service.h"

/* What the rules ask for besides the Service and its slices. */
struct kube_rules {
	const char *zone;                     /* this node's; NULL: not known */
	const struct address *node_addresses; /* where node ports are served */
	size_t node_address_count;
	const struct prefix *external_ranges; /* external addresses must be of one of these */
	size_t external_range_count;
	bool knows_cluster; /* which addresses are the cluster's, so that strangers can be told */
};

/* In arrays of two by address family, IPv4 first. */
struct kube_translation {
	struct service **services; /* of SOURCE_KUBERNETES */
	size_t count, capacity;
	size_t local_endpoints;               /* for its health check */
	size_t no_local_internal[2];          /* ports with endpoints, but none on this node */
	size_t no_local_external[2];          /* under externalTrafficPolicy Local */
	const struct address *denied;         /* an external address that is in no range; NULL */
	const struct kube_port *unequal_port; /* of SCTP: endpoints listen on another; NULL */
	bool has_too_many;                    /* more endpoints than a service may have */
	char unusable[REFUSAL_MAX];           /* an address that cannot be served; "" */
};

/*
 * `slices` are those of this Service. Of endpoints that take no new connections UDP has those that
 * serve as draining ones: whether there are connections to them is not known here. 0 or -ENOMEM;
 * kube_translation_finish in either case.
 */
int kube_translate(const struct kube_service *service, const struct kube_slice *const *slices,
		   size_t slice_count, const struct kube_rules *rules,
		   struct kube_translation *translation);
void kube_translation_finish(struct kube_translation *translation);
