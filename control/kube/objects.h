/*
 * What lbd keeps of Kubernetes' objects: of Services, EndpointSlices and its own Node what the
 * rules ask for (endpoints.h, translate.h), in few bytes, since a cluster has many. Ports are in
 * host order.
 */
#pragma once

#include <jansson.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include "lb/address.h"
#include "lb/refusal.h"

struct kube_port {
	char *name;         /* NULL: it has none, as a Service's only port may */
	uint16_t port;      /* of the Service; of a slice, of its endpoints */
	uint16_t node_port; /* 0: none */
	__u8 protocol;
};

/* Zero is: nothing. Addresses and ranges of both families. */
struct kube_service {
	char *name; /* NS/NAME */
	struct kube_port *ports;
	struct address
		*addresses; /* cluster IPs, then external IPs, then those of its LoadBalancer */
	struct prefix *source_ranges;
	int64_t created_ms;
	uint32_t affinity_seconds; /* 0: none */
	uint16_t health_port;      /* healthCheckNodePort; 0: none */
	uint16_t port_count;
	uint16_t cluster_count, external_count, ingress_count;
	uint16_t range_count;
	bool is_skipped;     /* not for a proxy, or not for this one */
	bool is_local;       /* internalTrafficPolicy: Local */
	bool external_local; /* externalTrafficPolicy: Local */
};

enum kube_endpoint_flag {
	KUBE_READY = 1 << 0,
	KUBE_SERVING = 1 << 1,
	KUBE_TERMINATING = 1 << 2,
	KUBE_LOCAL = 1 << 3,      /* on this node */
	KUBE_NODE_HINTS = 1 << 4, /* it has hints of nodes */
	KUBE_NODE_OURS = 1 << 5,  /* and this node is among them */
};

struct kube_endpoint {
	struct address address;
	uint16_t zones; /* its zone hints: one of the slice's lists, counted from 1; 0: none */
	__u8 flags;     /* enum kube_endpoint_flag */
};

struct kube_slice {
	char *name;    /* NS/NAME */
	char *service; /* NS/NAME of the Service it belongs to; NULL: none */
	struct kube_port *ports;
	struct kube_endpoint *endpoints;
	char **zones;         /* the lists of zone hints, each a text with a line for a zone */
	int64_t triggered_ms; /* when what led to its last change happened; 0: not known */
	uint16_t port_count, endpoint_count, zone_count;
	bool is_ipv6;
};

/* A node's own. */
struct kube_node {
	char *zone; /* NULL: not known */
	struct prefix *pod_ranges;
	uint16_t range_count;
	bool is_leaving; /* it is being deleted, or the autoscaler is about to */
};

/*
 * An object decoded. *decoded is the caller's on success. 0; -EINVAL with a refusal: a part that is
 * asked for is of the wrong type, so that what the object means is not known; or -ENOMEM.
 */
int kube_service_decode(const json_t *object, struct kube_service **decoded,
			struct refusal *refusal);
/* `node` is the name of this one. */
int kube_slice_decode(const json_t *object, const char *node, struct kube_slice **decoded,
		      struct refusal *refusal);
int kube_node_decode(const json_t *object, struct kube_node **decoded, struct refusal *refusal);

/* NULL is none. */
void kube_service_free(struct kube_service *service);
void kube_slice_free(struct kube_slice *slice);
void kube_node_free(struct kube_node *node);

/* Whether the rules find the same in both. When a slice was triggered is not looked at. */
bool kube_service_equal(const struct kube_service *a, const struct kube_service *b);
bool kube_slice_equal(const struct kube_slice *a, const struct kube_slice *b);
bool kube_node_equal(const struct kube_node *a, const struct kube_node *b);

/* NS/NAME of an object that may be wrong otherwise, for the caller to free; NULL: none, no memory.
 */
char *kube_object_name(const json_t *object);

/* For the files beside. The protocol of a port, 0 where it is none that lbd knows. */
__u8 kube_protocol(const char *word);
void kube_ports_free(struct kube_port *ports, size_t count);
bool kube_ports_equal(const struct kube_port *a, const struct kube_port *b, size_t count);
bool kube_texts_equal(const char *a, const char *b); /* either may be NULL */
