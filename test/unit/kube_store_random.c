/*
 * Whatever happens to objects, and in whatever order it is told, with lists and restarts in
 * between: once connections are over, what is in force is what a fresh list of the same objects
 * brings. The seed of a sequence that shows a difference is told; LBT_SEED and LBT_SEQUENCES bring
 * others.
 */
#include "test/unit/kube_store_fixture.h"

#define SERVICES 4
#define SLICES 6
#define STEPS 40
#define SEQUENCES 1500
#define OBJECT_MAX 1024

/* What the API server has; "": nothing. */
struct world {
	char services[SERVICES][OBJECT_MAX];
	char slices[SLICES][OBJECT_MAX];
	unsigned int random;
};

static unsigned int below(struct world *world, unsigned int most)
{
	world->random = world->random * 1103515245u + 12345u;
	return (world->random >> 16) % most;
}

static const char *pick(struct world *world, const char *const *words, unsigned int count)
{
	return words[below(world, count)];
}

static void draw_service(struct world *world, unsigned int index)
{
	static const char *const PROTOCOLS[] = {"TCP", "TCP", "UDP", "SCTP"};
	static const char *const TYPES[] = {"ClusterIP", "ExternalName", "NodePort", "NodePort"};
	static const char *const POLICIES[] = {"Cluster", "Local"};
	static const char *const EXTERNALS[] = {"", "'198.51.100.9'", "'203.0.113.1'"};
	const char *protocol = pick(world, PROTOCOLS, 4), *type = pick(world, TYPES, 4);

	snprintf(world->services[index], OBJECT_MAX,
		 "{'metadata':{'namespace':'shop','name':'s%u','creationTimestamp':"
		 "'2026-01-0%uT00:00:00Z'},'spec':{'type':'%s','clusterIP':'10.96.0.%u',"
		 "'externalIPs':[%s],'internalTrafficPolicy':'%s','externalTrafficPolicy':'%s',"
		 "'ports':[{'name':'p','port':80,'protocol':'%s','nodePort':%u}]}}",
		 index, 1 + below(world, 2), type, 1 + below(world, 5), pick(world, EXTERNALS, 3),
		 pick(world, POLICIES, 2), pick(world, POLICIES, 2), protocol,
		 strcmp(type, "NodePort") ? 0 : 30080 + below(world, 2));
}

static void draw_slice(struct world *world, unsigned int index)
{
	static const char *const PROTOCOLS[] = {"TCP", "TCP", "UDP", "SCTP"};
	static const char *const NODES[] = {NODE, "node-2"};
	static const char *const ANSWERS[] = {"true", "true", "false", "null"};
	const unsigned int count = below(world, 4);
	char *text = world->slices[index];
	size_t used = (size_t)snprintf(
		text, OBJECT_MAX,
		"{'metadata':{'namespace':'shop','name':'x%u','labels':{'kubernetes.io/"
		"service-name':'s%u'}},'addressType':'IPv4','ports':[{'name':'p','port':80,"
		"'protocol':'%s'}],'endpoints':[",
		index, below(world, SERVICES), pick(world, PROTOCOLS, 4));

	for (unsigned int i = 0; i < count; i++)
		used += (size_t)snprintf(
			text + used, OBJECT_MAX - used,
			"%s{'addresses':['10.1.0.%u'],'nodeName':'%s','conditions':{'ready':%s,"
			"'serving':%s,'terminating':%s}}",
			i ? "," : "", 1 + below(world, 4), pick(world, NODES, 2),
			pick(world, ANSWERS, 4), pick(world, ANSWERS, 4), pick(world, ANSWERS, 4));
	snprintf(text + used, OBJECT_MAX - used, "]}");
}

static void list(struct world *world, struct shop *shop, enum kube_kind kind)
{
	const unsigned int count = kind == KUBE_SERVICES ? SERVICES : SLICES;

	kube_store_begin(shop->store, kind);
	for (unsigned int i = 0; i < count; i++) {
		const char *text = kind == KUBE_SERVICES ? world->services[i] : world->slices[i];

		if (text[0])
			shop_put(shop, kind, text);
	}
	kube_store_end(shop->store, kind);
}

/* Sometimes unheard, so that only the next list tells. */
static void change(struct world *world, struct shop *shop, bool is_heard)
{
	const bool is_service = below(world, 3) == 0;
	const enum kube_kind kind = is_service ? KUBE_SERVICES : KUBE_SLICES;
	const unsigned int index = below(world, is_service ? SERVICES : SLICES);
	char *text = is_service ? world->services[index] : world->slices[index];

	if (text[0] && below(world, 3) == 0) {
		if (is_heard)
			shop_remove(shop, kind, text);
		text[0] = '\0';
		return;
	}
	if (is_service)
		draw_service(world, index);
	else
		draw_slice(world, index);
	if (is_heard)
		shop_put(shop, kind, text);
}

static void list_all(struct world *world, struct shop *shop)
{
	list(world, shop, KUBE_SERVICES);
	list(world, shop, KUBE_SLICES);
}

static void restart(struct world *world, struct shop *shop)
{
	shop_sync(shop);
	shop_restart(shop);
	list_all(world, shop);
	shop_sync(shop);
	kube_store_take_orphans(shop->store);
}

static void step(struct world *world, struct shop *shop)
{
	switch (below(world, 16)) {
	case 0:
		restart(world, shop);
		return;
	case 1:
		for (unsigned int i = below(world, 4); i; i--)
			change(world, shop, false);
		list_all(world, shop);
		return;
	case 2:
		shop_keep_connections(shop);
		return;
	case 3:
		shop_forget_connections(shop);
		return;
	case 4:
	case 5:
	case 6:
		shop_sync(shop);
		return;
	default:
		change(world, shop, true);
	}
}

/* Until nothing is left of what was. */
static void settle(struct shop *shop)
{
	struct kube_counts counts;

	for (int i = 0; i < 4; i++) {
		shop_sync(shop);
		shop_forget_connections(shop);
		kube_store_retry(shop->store);
	}
	shop_sync(shop);
	kube_store_count(shop->store, &counts);
	assert_int_equal(counts.blocked, 0);
	assert_false(kube_store_any_leaving(shop->store));
}

static void must_be_equal(struct shop *left, struct shop *right)
{
	char left_text[STATE_TEXT_MAX], right_text[STATE_TEXT_MAX];
	const struct entry *entry = NULL, *same;

	assert_string_equal(shop_describe(left, left_text), shop_describe(right, right_text));
	while ((entry = reconcile_next(left->reconcile, entry))) {
		same = reconcile_find(right->reconcile, &entry->service->key);
		assert_true(same && service_equal(entry->service, same->service));
	}
}

static void play(unsigned int seed)
{
	struct world *world = calloc(1, sizeof(*world));
	struct shop *shop = shop_open(), *fresh = shop_open();
	struct kube_counts counts, fresh_counts;

	world->random = seed;
	for (int i = 0; i < STEPS; i++)
		step(world, shop);
	settle(shop);
	list_all(world, fresh);
	settle(fresh);
	must_be_equal(shop, fresh);
	kube_store_count(shop->store, &counts);
	kube_store_count(fresh->store, &fresh_counts);
	assert_int_equal(counts.services, fresh_counts.services);
	assert_int_equal(counts.slices, fresh_counts.slices);
	assert_memory_equal(counts.no_local_internal, fresh_counts.no_local_internal,
			    sizeof(counts.no_local_internal));
	assert_memory_equal(counts.no_local_external, fresh_counts.no_local_external,
			    sizeof(counts.no_local_external));
	shop_close(shop);
	shop_close(fresh);
	free(world);
}

static unsigned int playing; /* its seed; 0: none */

static int tell_seed(void **state)
{
	(void)state;
	if (playing)
		fprintf(stderr, "# LBT_SEED=%u LBT_SEQUENCES=1 plays it again\n", playing);
	return 0;
}

static unsigned int number_of(const char *variable, unsigned int otherwise)
{
	const char *text = getenv(variable);

	return text ? (unsigned int)strtoul(text, NULL, 10) : otherwise;
}

static void what_is_in_force_is_what_a_fresh_list_brings(void **state)
{
	const unsigned int first = number_of("LBT_SEED", 1);
	const unsigned int count = number_of("LBT_SEQUENCES", SEQUENCES);

	(void)state;
	for (playing = first; playing - first < count; playing++)
		play(playing);
	playing = 0;
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_teardown(what_is_in_force_is_what_a_fresh_list_brings, tell_seed),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
