/*
 * A store for tests: see kube_store_fixture.h.
 */
#include "test/unit/kube_store_fixture.h"

#include "control/log.h"
#include "test/unit/kube_json.h"

void __wrap_log_event(enum log_level level, const char *event, const char *fields, ...)
	__attribute__((format(printf, 3, 4)));
void __wrap_log_event(enum log_level level, const char *event, const char *fields, ...)
{
	(void)level;
	(void)event;
	(void)fields;
}

/* ---- memory, of which some is refused while the store is told of an object */

static bool is_counting, has_lacked;
static unsigned int until_lack; /* 0: never */

static bool is_refused(void)
{
	if (!is_counting || !until_lack || --until_lack)
		return false;
	has_lacked = true;
	return true;
}

void shop_lack_memory(unsigned int after)
{
	until_lack = after + 1;
	has_lacked = false;
}

bool shop_has_lacked_memory(void)
{
	until_lack = 0;
	return has_lacked;
}

void *__real_malloc(size_t size);
void *__wrap_malloc(size_t size);
void *__wrap_malloc(size_t size)
{
	return is_refused() ? NULL : __real_malloc(size);
}

void *__real_calloc(size_t count, size_t size);
void *__wrap_calloc(size_t count, size_t size);
void *__wrap_calloc(size_t count, size_t size)
{
	return is_refused() ? NULL : __real_calloc(count, size);
}

void *__real_reallocarray(void *memory, size_t count, size_t size);
void *__wrap_reallocarray(void *memory, size_t count, size_t size);
void *__wrap_reallocarray(void *memory, size_t count, size_t size)
{
	return is_refused() ? NULL : __real_reallocarray(memory, count, size);
}

char *__real_strdup(const char *text);
char *__wrap_strdup(const char *text);
char *__wrap_strdup(const char *text)
{
	return is_refused() ? NULL : __real_strdup(text);
}

static void note_queued(void *context)
{
	struct shop *shop = context;

	shop->queued++;
}

static void note_programmed(void *context, int64_t triggered_ms, bool is_ipv6)
{
	struct shop *shop = context;

	assert_true(triggered_ms && !is_ipv6);
	shop->programmed++;
}

static void note_node(void *context, const struct kube_node *node)
{
	(void)context;
	assert_non_null(node);
}

static void note_health(void *context)
{
	struct shop *shop = context;

	shop->health_changed++;
}

static void open_store(struct shop *shop)
{
	static const struct destination_hooks HOOKS;
	const struct kube_store_hooks hooks = {shop, note_queued, note_programmed, note_node,
					       note_health};
	const struct kube_rules rules = {
		.node_addresses = &shop->node_address,
		.node_address_count = 1,
		.external_ranges = &shop->external_range,
		.external_range_count = 1,
		.knows_cluster = true,
	};

	shop->reconcile = reconcile_new(&shop->datapath, &HOOKS);
	assert_non_null(shop->reconcile);
	shop->store = kube_store_new(shop->reconcile, NODE, &hooks);
	assert_non_null(shop->store);
	kube_store_set_rules(shop->store, &rules);
}

struct shop *shop_open(void)
{
	struct shop *shop = calloc(1, sizeof(*shop));
	struct refusal refusal;

	assert_non_null(shop);
	fake_clear(&shop->datapath);
	assert_int_equal(address_parse("192.0.2.7", &shop->node_address), 0);
	assert_int_equal(prefix_parse("198.51.100.0/24", &shop->external_range, &refusal), 0);
	open_store(shop);
	return shop;
}

static void close_store(struct shop *shop)
{
	kube_store_free(shop->store);
	reconcile_free(shop->reconcile);
}

void shop_close(struct shop *shop)
{
	close_store(shop);
	free(shop);
}

void shop_restart(struct shop *shop)
{
	close_store(shop);
	open_store(shop);
	assert_int_equal(reconcile_adopt(shop->reconcile), 0);
}

int shop_put(struct shop *shop, enum kube_kind kind, const char *text)
{
	json_t *object = parse(text);
	int error;

	is_counting = true;
	error = kube_store_put(shop->store, kind, object);
	is_counting = false;
	json_decref(object);
	return error;
}

int shop_remove(struct shop *shop, enum kube_kind kind, const char *text)
{
	json_t *object = parse(text);
	int error;

	is_counting = true;
	error = kube_store_remove(shop->store, kind, object);
	is_counting = false;
	json_decref(object);
	return error;
}

void shop_sync(struct shop *shop)
{
	while (kube_store_sync(shop->store, 2) > 0)
		;
	fake_must_be_whole(&shop->datapath);
}

static void pass(struct shop *shop, int fill)
{
	uint64_t bits[FAKE_BACKENDS / 64 + 1];

	memset(bits, fill, sizeof(bits));
	kube_store_begin_pass(shop->store);
	kube_store_end_pass(shop->store, (struct used_backends){bits});
	reconcile_settle(shop->reconcile);
}

void shop_forget_connections(struct shop *shop)
{
	pass(shop, 0);
}

void shop_keep_connections(struct shop *shop)
{
	pass(shop, 0xff);
}

const char *shop_describe(struct shop *shop, char text[STATE_TEXT_MAX])
{
	const struct entry *entry = NULL;
	size_t used = 0;

	text[0] = '\0';
	reconcile_sort(shop->reconcile);
	while ((entry = reconcile_next(shop->reconcile, entry))) {
		const struct service *service = entry->service;
		char word[ENDPOINT_TEXT_MAX];

		used += (size_t)snprintf(text + used, STATE_TEXT_MAX - used,
					 "%s %s%s =", service_key_format(&service->key, word),
					 service->name ? service->name : "-",
					 service->drops_unserved ? " drops" : "");
		for (size_t i = 0; i < service->backend_count; i++)
			used += (size_t)snprintf(
				text + used, STATE_TEXT_MAX - used, " %s%s",
				endpoint_format(&service->backends[i].address,
						service->backends[i].port, word),
				service->backends[i].state == BACKEND_DRAINING ? "~" : "");
		used += (size_t)snprintf(text + used, STATE_TEXT_MAX - used, "\n");
	}
	return text;
}
