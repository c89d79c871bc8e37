/*
 * Kubernetes' EndpointSlices: who stands behind a Service's ports. For control/tables*.c alone.
 */
#pragma once

#include <stddef.h>
#include "control/cursor.h"
#include "lb/service.h"

/* Of Kubernetes' objects: a text or `otherwise`; a port's protocol, or 0 where it is not ours. */
const char *kubernetes_text(const json_t *object, const char *key, const char *otherwise);
__u8 kubernetes_protocol(const json_t *port);

struct slice {
	const char *namespace;
	const char *service; /* the Service it belongs to, by its label */
	size_t index;        /* in the items */
};

/* The slices among the items, sorted by Service. The texts are the document's. */
struct slices {
	const struct cursor *items;
	struct slice *sorted;
	size_t count;
};

/* 0 or -errno with a refusal; slices_finish in either case. */
int slices_collect(const struct cursor *items, struct slices *slices);
void slices_finish(struct slices *slices);

struct slice_query {
	const char *namespace;
	const char *service;
	const char *port; /* its name; "" for the only one without */
};

/*
 * Adds the endpoints that listen on that port with the service's protocol and family: the ready
 * ones active; those that terminate but still serve draining, or active where none is ready. 0 or
 * -errno with a refusal.
 */
int slices_add_backends(const struct slices *slices, const struct slice_query *query,
			struct service *service);
