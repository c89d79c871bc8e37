/*
 * Which endpoints take connections: see endpoints.h.
 */
#include "control/kube/endpoints.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

/* Of a slice; NULL: it has no such port. */
static const struct kube_port *find_port(const struct kube_slice *slice,
					 const struct kube_port *sought)
{
	for (size_t i = 0; i < slice->port_count; i++) {
		const struct kube_port *port = &slice->ports[i];

		if (port->protocol == sought->protocol &&
		    kube_texts_equal(port->name, sought->name))
			return port;
	}
	return NULL;
}

static const struct kube_port *find_port_of(const struct kube_slice *slice, bool is_ipv6,
					    const struct kube_port *sought)
{
	return slice->is_ipv6 == is_ipv6 ? find_port(slice, sought) : NULL;
}

/* What counts first where the same endpoint is told twice. */
static unsigned int rank(const struct kube_target *target)
{
	return (target->flags & KUBE_LOCAL ? 8 : 0) | (target->flags & KUBE_READY ? 4 : 0) |
	       (target->flags & KUBE_SERVING ? 2 : 0) | !(target->flags & KUBE_TERMINATING);
}

static int compare_places(const struct kube_target *a, const struct kube_target *b)
{
	const int order = memcmp(&a->address, &b->address, sizeof(a->address));

	return order ? order : a->port - b->port;
}

static int compare(const void *a, const void *b)
{
	const struct kube_target *left = a, *right = b;
	const int order = compare_places(left, right);

	if (order || rank(left) != rank(right))
		return order ? order : (int)rank(right) - (int)rank(left);
	if (left->flags != right->flags)
		return right->flags - left->flags;
	return strcmp(left->zones ? left->zones : "", right->zones ? right->zones : "");
}

static void remove_repeated(struct kube_targets *targets)
{
	size_t kept = 0;

	for (size_t i = 0; i < targets->count; i++)
		if (!kept || compare_places(&targets->items[kept - 1], &targets->items[i]))
			targets->items[kept++] = targets->items[i];
	targets->count = kept;
}

static void add_slice(const struct kube_slice *slice, uint16_t port, struct kube_targets *targets)
{
	for (size_t i = 0; i < slice->endpoint_count; i++) {
		const struct kube_endpoint *endpoint = &slice->endpoints[i];

		targets->items[targets->count++] = (struct kube_target){
			.address = endpoint->address,
			.zones = endpoint->zones ? slice->zones[endpoint->zones - 1] : NULL,
			.port = port,
			.flags = endpoint->flags,
		};
	}
}

int kube_targets_collect(const struct kube_slice *const *slices, size_t count,
			 const struct kube_port *port, bool is_ipv6, struct kube_targets *targets)
{
	const struct kube_port *found;
	size_t room = 0;

	*targets = (struct kube_targets){};
	for (size_t i = 0; i < count; i++)
		if (find_port_of(slices[i], is_ipv6, port))
			room += slices[i]->endpoint_count;
	if (!room)
		return 0;
	targets->items = calloc(room, sizeof(*targets->items));
	if (!targets->items)
		return -ENOMEM;
	for (size_t i = 0; i < count; i++) {
		found = find_port_of(slices[i], is_ipv6, port);
		if (found)
			add_slice(slices[i], found->port, targets);
	}
	qsort(targets->items, targets->count, sizeof(*targets->items), compare);
	remove_repeated(targets);
	return 0;
}

void kube_targets_finish(struct kube_targets *targets)
{
	free(targets->items);
	*targets = (struct kube_targets){};
}

/* Whether the zone has a line of its own. */
static bool has_zone(const char *zones, const char *zone)
{
	const size_t length = strlen(zone);

	for (const char *line = zones; line; line = strchr(line, '\n')) {
		line += *line == '\n';
		if (!strncmp(line, zone, length) && (!line[length] || line[length] == '\n'))
			return true;
	}
	return false;
}

enum topology {
	TOPOLOGY_NONE,
	TOPOLOGY_NODE, /* PreferSameNode */
	TOPOLOGY_ZONE, /* PreferSameZone */
};

static bool is_near(const struct kube_target *target, enum topology topology, const char *zone)
{
	if (topology == TOPOLOGY_NODE)
		return target->flags & KUBE_NODE_OURS;
	return topology == TOPOLOGY_NONE || (target->zones && has_zone(target->zones, zone));
}

/* Hints count where every ready endpoint has them and one of them means us. */
static enum topology find_topology(const struct kube_targets *targets, const char *zone)
{
	bool all_node = true, all_zone = true, any_node = false, any_zone = false;

	for (size_t i = 0; i < targets->count; i++) {
		const struct kube_target *target = &targets->items[i];

		if (!(target->flags & KUBE_READY))
			continue;
		all_node = all_node && target->flags & KUBE_NODE_HINTS;
		any_node = any_node || target->flags & KUBE_NODE_OURS;
		all_zone = all_zone && target->zones;
		any_zone = any_zone || (zone && is_near(target, TOPOLOGY_ZONE, zone));
	}
	if (all_node && any_node)
		return TOPOLOGY_NODE;
	return all_zone && any_zone ? TOPOLOGY_ZONE : TOPOLOGY_NONE;
}

static bool serves_to_its_end(const struct kube_target *target)
{
	return target->flags & KUBE_SERVING && target->flags & KUBE_TERMINATING;
}

/* Where none is ready: those that serve to their end. */
static void choose_ending(struct kube_targets *targets, bool local)
{
	for (size_t i = 0; i < targets->count; i++) {
		struct kube_target *target = &targets->items[i];

		if (!serves_to_its_end(target) || (local && !(target->flags & KUBE_LOCAL)))
			continue;
		if (local)
			target->in_local = true;
		else
			target->in_cluster = true;
		*(local ? &targets->local_count : &targets->cluster_count) += 1;
	}
}

static void choose_ready(struct kube_targets *targets, const char *zone)
{
	const enum topology topology = find_topology(targets, zone);

	for (size_t i = 0; i < targets->count; i++) {
		struct kube_target *target = &targets->items[i];
		const bool is_ready = target->flags & KUBE_READY;

		target->in_cluster = is_ready && is_near(target, topology, zone);
		target->in_local = is_ready && target->flags & KUBE_LOCAL;
		targets->cluster_count += target->in_cluster;
		targets->local_count += target->in_local;
	}
}

void kube_targets_choose(struct kube_targets *targets, const char *zone)
{
	targets->cluster_count = targets->local_count = 0;
	choose_ready(targets, zone);
	if (!targets->cluster_count)
		choose_ending(targets, false);
	if (!targets->local_count)
		choose_ending(targets, true);
}

static int compare_addresses(const void *a, const void *b)
{
	return memcmp(a, b, sizeof(struct address));
}

size_t kube_count_local(const struct kube_slice *const *slices, size_t count, bool is_ipv6)
{
	const __u8 asked = KUBE_READY | KUBE_LOCAL | KUBE_TERMINATING;
	struct address *found = NULL, *grown;
	size_t room = 0, local = 0;

	for (size_t i = 0; i < count; i++) {
		const struct kube_slice *slice = slices[i];

		if (slice->is_ipv6 != is_ipv6 || !slice->port_count || !slice->endpoint_count)
			continue;
		grown = reallocarray(found, room + slice->endpoint_count, sizeof(*found));
		if (!grown)
			break;
		found = grown;
		for (size_t j = 0; j < slice->endpoint_count; j++)
			if ((slice->endpoints[j].flags & asked) == (KUBE_READY | KUBE_LOCAL))
				found[room++] = slice->endpoints[j].address;
	}
	if (room)
		qsort(found, room, sizeof(*found), compare_addresses);
	for (size_t i = 0; i < room; i++)
		local += !i || !address_equal(&found[i - 1], &found[i]);
	free(found);
	return local;
}
