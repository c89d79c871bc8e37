/*
 * Kubernetes' objects, a List of them as it comes from whoever calls itself an API server: each is
 * a Service, an EndpointSlice or a Node, or is refused in a line. What comes of them are services
 * as they may be, and the same whatever came before.
 */
#include <arpa/inet.h>
#include <stdlib.h>
#include <string.h>
#include "control/kube/objects.h"
#include "control/kube/translate.h"
#include "test/fuzz/fuzz.h"

#define NODE "node-1"
#define MOST 64 /* objects of a kind */

struct objects {
	struct kube_service *services[MOST];
	struct kube_slice *slices[MOST];
	struct kube_node *node;
	size_t service_count, slice_count;
};

static void must_be_equal_again(const json_t *object, const struct kube_service *service)
{
	struct kube_service *again = NULL;
	struct refusal refusal;

	must(!kube_service_decode(object, &again, &refusal), "what was decoded is once more");
	must(kube_service_equal(service, again), "and is the same");
	kube_service_free(again);
}

static void take_service(const json_t *object, struct objects *objects)
{
	struct kube_service *service = NULL;
	struct refusal refusal = {{0}};

	if (objects->service_count == MOST)
		return;
	if (kube_service_decode(object, &service, &refusal)) {
		must(!service, "what is refused is nothing");
		must_be_readable(&refusal);
		return;
	}
	must_be_equal_again(object, service);
	objects->services[objects->service_count++] = service;
}

static void take_slice(const json_t *object, struct objects *objects)
{
	struct kube_slice *slice = NULL;
	struct refusal refusal = {{0}};

	if (objects->slice_count == MOST)
		return;
	if (kube_slice_decode(object, NODE, &slice, &refusal)) {
		must(!slice, "what is refused is nothing");
		must_be_readable(&refusal);
		return;
	}
	must(kube_slice_equal(slice, slice), "a slice is the same as itself");
	objects->slices[objects->slice_count++] = slice;
}

static void take_node(const json_t *object, struct objects *objects)
{
	struct kube_node *node = NULL;
	struct refusal refusal = {{0}};

	if (kube_node_decode(object, &node, &refusal)) {
		must(!node, "what is refused is nothing");
		must_be_readable(&refusal);
		return;
	}
	must(kube_node_equal(node, node), "a Node is the same as itself");
	kube_node_free(objects->node);
	objects->node = node;
}

/* Whatever it calls itself, it is looked at as each. */
static void take(const json_t *object, struct objects *objects)
{
	take_service(object, objects);
	take_slice(object, objects);
	take_node(object, objects);
}

static void must_be_a_service(const struct service *service)
{
	struct refusal refusal;

	must(!service_key_check(&service->key, &refusal), "a service has a unicast address");
	must(service->source == SOURCE_KUBERNETES && service->name, "a source and a name");
	must(service->key.scope != SCOPE_INSIDE || !service->has_inside, "one inside is the last");
	for (size_t i = 0; i < service->backend_count; i++) {
		const struct backend *backend = &service->backends[i];

		must(backend->port && backend->weight, "a backend has a port");
		must(backend->state == BACKEND_ACTIVE || backend->state == BACKEND_DRAINING,
		     "a backend takes packets");
		must(address_is_ipv4(&backend->address) == address_is_ipv4(&service->key.address),
		     "of one family");
	}
}

static void translate(const struct objects *objects, const struct kube_service *service,
		      bool is_reversed)
{
	static const struct address NODE_ADDRESS = {.half = {0, 1}};
	const struct prefix everywhere[2] = {
		{.length = 0}, {.address = {.word = {0, 0, htonl(0xffff), 0}}, .length = 96}};
	const struct kube_slice *slices[MOST];
	const struct kube_rules rules = {
		.zone = objects->node ? objects->node->zone : NULL,
		.node_addresses = &NODE_ADDRESS,
		.node_address_count = 1,
		.external_ranges = everywhere,
		.external_range_count = 2,
		.knows_cluster = is_reversed,
	};
	struct kube_translation translation;

	for (size_t i = 0; i < objects->slice_count; i++)
		slices[is_reversed ? objects->slice_count - 1 - i : i] = objects->slices[i];
	must(!kube_translate(service, slices, objects->slice_count, &rules, &translation),
	     "every Service can be translated");
	for (size_t i = 0; i < translation.count; i++)
		must_be_a_service(translation.services[i]);
	kube_translation_finish(&translation);
}

static void forget(struct objects *objects)
{
	for (size_t i = 0; i < objects->service_count; i++)
		kube_service_free(objects->services[i]);
	for (size_t i = 0; i < objects->slice_count; i++)
		kube_slice_free(objects->slices[i]);
	kube_node_free(objects->node);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	json_t *list = json_loadb((const char *)data, size, JSON_ALLOW_NUL, NULL);
	json_t *items = json_object_get(list, "items");
	struct objects objects = {};

	for (size_t i = 0; i < json_array_size(items); i++)
		take(json_array_get(items, i), &objects);
	for (size_t i = 0; i < objects.service_count; i++) {
		translate(&objects, objects.services[i], false);
		translate(&objects, objects.services[i], true);
	}
	forget(&objects);
	json_decref(list);
	return 0;
}
