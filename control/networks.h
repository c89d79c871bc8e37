/*
 * Whose sources are, for the datapath: prefixes of this node and of the cluster, each brought by
 * one of several, who replace only their own. Of a prefix that two have brought it is the node's if
 * either says so.
 */
#pragma once

#include <stddef.h>
#include "lb/address.h"
#include "lb/datapath.h"
#include "lb/repair.h"

struct networks;

enum network_source {
	NETWORKS_OF_OPTIONS,    /* the cluster's: --cluster-cidr */
	NETWORKS_OF_ADDRESSES,  /* the node's: its own addresses */
	NETWORKS_OF_KUBERNETES, /* the node's: of its pods */
	NETWORKS_ADOPTED,       /* of the lbd before, until Kubernetes has told them anew */
	_NETWORK_SOURCE_COUNT,
};

/* Takes over what the datapath, which must outlive it, has been told. NULL: errno tells why. */
struct networks *networks_new(struct datapath *datapath);
void networks_free(struct networks *networks);

/*
 * All that this source brings from now on; Kubernetes' take the place of adopted ones. 0, -ENOMEM
 * with nothing changed, or -errno of what the kernel refused, which networks_mend tries again.
 */
int networks_set(struct networks *networks, enum network_source source,
		 const struct prefix *prefixes, size_t count);
void networks_mend(struct networks *networks);

/* The next of so many parts of them; the first follows the last. */
void networks_audit(struct networks *networks, size_t parts, struct repairs *repairs);
