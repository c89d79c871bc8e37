/*
 * Services and neighbours of a scene: model, placement and plan, in the way lbd goes.
 */
#include <arpa/inet.h>
#include <string.h>
#include "lb/slots.h"
#include "lb/traffic.h"
#include "test/bpf/scene_internal.h"

const struct offer ONLY_A = {.backends = {[BACKEND_A] = BACKEND_ACTIVE}};
const struct offer ONLY_B = {.backends = {[BACKEND_B] = BACKEND_ACTIVE}};
const struct offer BOTH = {
	.backends = {[BACKEND_A] = BACKEND_ACTIVE, [BACKEND_B] = BACKEND_ACTIVE},
};
const struct offer A_DRAINS_TO_B = {
	.algorithm = ALGORITHM_RANDOM,
	.backends = {[BACKEND_A] = BACKEND_DRAINING, [BACKEND_B] = BACKEND_ACTIVE},
};

static void resolve(struct scene *scene, enum role role, enum family family)
{
	struct nexthop hop = {.port = (__u16)scene->location[role]};

	if (!scene->nexthops[role][family])
		return;
	if (hop.port)
		memcpy(hop.mac, role_mac(role), sizeof(hop.mac));
	datapath_set_nexthop(scene->datapath, scene->nexthops[role][family], &hop);
}

static void put_destination(struct scene *scene, const struct address *address, uint32_t slot)
{
	const enum role role = role_of_address(address);
	const struct address ipv4 = role_address(role, IPV4);
	const enum family family = address_equal(address, &ipv4) ? IPV4 : IPV6;

	scene->nexthops[role][family] = slot;
	resolve(scene, role, family);
}

static int destination_added(void *context, const struct address *address, uint32_t slot)
{
	put_destination(context, address, slot);
	return 0;
}

static void destination_removed(void *context, const struct address *address, uint32_t slot)
{
	(void)slot;
	put_destination(context, address, 0);
}

void scene_move(struct scene *scene, enum role role, enum interface interface)
{
	scene->location[role] = interface;
	resolve(scene, role, IPV4);
	resolve(scene, role, IPV6);
}

int scene_open_room(struct scene *scene)
{
	const struct room_size size = {
		.services = datapath_capacity_services(scene->datapath),
		.backends = datapath_capacity_backends(scene->datapath),
		.rings = datapath_capacity_rings(scene->datapath),
	};
	const struct destination_hooks hooks = {
		.context = scene,
		.added = destination_added,
		.removed = destination_removed,
	};

	return room_init(&scene->room, &size, &hooks);
}

void scene_close_room(struct scene *scene)
{
	for (int i = 0; i < MAX_OFFERS; i++) {
		placement_release(&scene->room, scene->offered[i].placement,
				  scene->offered[i].service, NULL);
		service_free(scene->offered[i].service);
	}
	room_finish(&scene->room);
}

static struct service_key key_of(const struct kind *kind, uint16_t port)
{
	return (struct service_key){
		.address = role_address(SERVICE, kind->family),
		.port = htons(port ? port : usual_service_port(kind->protocol)),
		.protocol = kind->protocol,
	};
}

/* The service at `key`, or a free place for it. */
static struct offered *find_offered(const struct scene *scene, const struct service_key *key)
{
	const struct offered *found = NULL;

	for (int i = 0; i < MAX_OFFERS; i++) {
		const struct offered *offered = &scene->offered[i];

		if (!offered->service)
			found = found ? found : offered;
		else if (!memcmp(&offered->service->key, key, sizeof(*key)))
			return (struct offered *)offered;
	}
	assert_non_null(found);
	return (struct offered *)found;
}

static void add_source_range(struct service *service, const char *text)
{
	struct refusal refusal;
	struct prefix range;

	assert_int_equal(prefix_parse(text, &range, &refusal), 0);
	if (address_is_ipv4(&range.address) == address_is_ipv4(&service->key.address))
		assert_int_equal(service_add_source_range(service, &range, &refusal), 0);
}

static struct service *model_of(const struct kind *kind, const struct offer *offer)
{
	struct service_key key = key_of(kind, offer->port);
	struct service *service;
	struct refusal refusal;

	key.scope = (__u8)offer->scope;
	service = service_new(&key);
	assert_non_null(service);
	service->has_inside = offer->has_inside;
	service->masquerade = offer->masquerade;
	service->drops_unserved = offer->drops_unserved;
	service->algorithm = offer->algorithm;
	service->affinity_seconds = offer->affinity_seconds;
	for (int role = 0; role < _ROLE_COUNT; role++) {
		const struct backend backend = {
			.address = role_address((enum role)role, kind->family),
			.port = htons(BACKEND_PORT),
			.weight = offer->has_weights ? offer->weights[role] : 1,
			.state = offer->backends[role],
			.is_remote = offer->is_remote[role],
		};

		if (backend.state == BACKEND_NONE)
			continue;
		assert_int_equal(service_add_backend(service, &backend, &refusal), 0);
	}
	for (int i = 0; i < MAX_OFFERED_RANGES && offer->source_ranges[i]; i++)
		add_source_range(service, offer->source_ranges[i]);
	return service;
}

/*
 * No packet is on its way while a test runs this: what rests is free at once, and reused soonest.
 */
static void settle(struct room *room)
{
	slots_settle(room->services);
	slots_settle(room->backends);
	slots_settle(room->rings);
	destinations_settle(room->destinations);
}

/* Puts `after` in the place of what is offered there; NULL withdraws that. */
static void replace(struct scene *scene, struct offered *offered, struct service *after)
{
	struct refusal refusal;
	struct plan plan;

	plan_init(&plan, &scene->room);
	assert_int_equal(plan_add(&plan, offered->service, offered->placement, after, &refusal), 0);
	assert_int_equal(plan_apply(&plan, scene->datapath), 0);
	service_free(offered->service);
	offered->service = after;
	offered->placement = plan.steps[0].after_placement;
	plan_finish(&plan);
	settle(&scene->room);
}

uint32_t scene_offer(struct scene *scene, const struct kind *kind, const struct offer *offer)
{
	struct service_key key = key_of(kind, offer->port);
	struct offered *offered;

	key.scope = (__u8)offer->scope;
	offered = find_offered(scene, &key);
	replace(scene, offered, model_of(kind, offer));
	return offered->placement->service;
}

void scene_offer_all(struct scene *scene, const struct offer *offer)
{
	for (int i = 0; i < KIND_COUNT; i++)
		scene_offer(scene, &KINDS[i], offer);
}

void scene_withdraw_port(struct scene *scene, const struct kind *kind, uint16_t port)
{
	const struct service_key key = key_of(kind, port);

	replace(scene, find_offered(scene, &key), NULL);
}

void scene_set_network(struct scene *scene, const char *prefix, enum network network)
{
	struct refusal refusal;
	struct prefix parsed;

	assert_int_equal(prefix_parse(prefix, &parsed, &refusal), 0);
	assert_int_equal(datapath_set_network(scene->datapath, &parsed, network), 0);
}

void scene_own_service(struct scene *scene)
{
	const struct address own[] = {role_address(SERVICE, IPV4), role_address(SERVICE, IPV6)};

	assert_int_equal(datapath_set_own_addresses(scene->datapath, own, _FAMILY_COUNT), 0);
}

void scene_withdraw(struct scene *scene, const struct kind *kind)
{
	scene_withdraw_port(scene, kind, usual_service_port(kind->protocol));
}

struct ring scene_ring(const struct scene *scene, const struct kind *kind)
{
	const struct service_key key = key_of(kind, 0);

	return find_offered(scene, &key)->placement->ring;
}

uint32_t scene_backend(const struct scene *scene, const struct kind *kind, enum role backend)
{
	const struct service_key key = key_of(kind, 0);
	const struct offered *offered = find_offered(scene, &key);
	const struct address address = role_address(backend, kind->family);
	const struct backend *found =
		service_find_backend(offered->service, &address, htons(BACKEND_PORT));

	assert_non_null(found);
	return offered->placement->places[found - offered->service->backends].backend;
}

struct traffic_counter scene_traffic(const struct scene *scene, const struct kind *kind)
{
	const struct service_key key = key_of(kind, 0);
	const struct offered *offered = find_offered(scene, &key);
	struct traffic_counter counter;

	assert_int_equal(traffic_of_service(scene->datapath, offered->placement, &counter), 0);
	return counter;
}
