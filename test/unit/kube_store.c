/*
 * Services of Kubernetes in the tables as they come and go: what drains, what clashes, what a list
 * takes back, what a restart finds.
 */
#include "test/unit/kube_store_fixture.h"

#include <errno.h>

#define WEB(spec) SERVICE("web", "10.96.0.10", spec)
#define SERVICE(name, address, spec) AGED(name, "2026-01-01T00:00:00Z", address, spec)
#define AGED(name, created, address, spec)                                                         \
	"{'metadata':{'namespace':'shop','name':'" name "','creationTimestamp':'" created          \
	"'},'spec':{'clusterIP':'" address "'," spec "}}"
#define TCP "'ports':[{'name':'p','port':80}]"
#define UDP "'ports':[{'name':'p','port':53,'protocol':'UDP'}]"
#define SLICE(protocol, endpoints)                                                                 \
	"{'metadata':{'namespace':'shop','name':'web-x','labels':{'kubernetes.io/service-name':"   \
	"'web'}},'addressType':'IPv4','ports':[{'name':'p','port':8080,'protocol':'" protocol      \
	"'}],'endpoints':[" endpoints "]}"
#define READY(address) "{'addresses':['" address "']}"
#define ENDING(address)                                                                            \
	"{'addresses':['" address "'],'conditions':{'ready':false,'serving':true,"                 \
	"'terminating':true}}"
#define ENDED(address)                                                                             \
	"{'addresses':['" address "'],'conditions':{'ready':false,'serving':false,"                \
	"'terminating':true}}"
#define BOTH READY("10.1.0.5") "," READY("10.1.0.6")

static struct shop *shop;

static int begin(void **state)
{
	(void)state;
	shop = shop_open();
	return 0;
}

static int end(void **state)
{
	(void)state;
	shop_close(shop);
	return 0;
}

static void expect(const char *services)
{
	char text[STATE_TEXT_MAX];

	shop_sync(shop);
	assert_string_equal(shop_describe(shop, text), services);
}

static void services_and_slices_may_come_in_any_order(void **state)
{
	(void)state;
	shop_put(shop, KUBE_SLICES, SLICE("TCP", READY("10.1.0.5")));
	expect("");
	shop_put(shop, KUBE_SERVICES, WEB(TCP));
	expect("10.96.0.10:80/tcp shop/web = 10.1.0.5:8080\n");
	shop_remove(shop, KUBE_SERVICES, WEB(TCP));
	shop_sync(shop);
	shop_forget_connections(shop);
	expect("");
	shop_put(shop, KUBE_SERVICES, WEB(TCP));
	expect("10.96.0.10:80/tcp shop/web = 10.1.0.5:8080\n");
}

static void of_tcp_a_backend_drains_until_no_connection_names_it(void **state)
{
	static const char *const GONE[] = {READY("10.1.0.5"),
					   READY("10.1.0.5") "," ENDED("10.1.0.6"),
					   READY("10.1.0.5") "," ENDING("10.1.0.6")};

	(void)state;
	shop_put(shop, KUBE_SERVICES, WEB(TCP));
	for (size_t i = 0; i < 3; i++) {
		char slice[1024];

		shop_put(shop, KUBE_SLICES, SLICE("TCP", BOTH));
		expect("10.96.0.10:80/tcp shop/web = 10.1.0.5:8080 10.1.0.6:8080\n");
		snprintf(slice, sizeof(slice), SLICE("TCP", "%s"), GONE[i]);
		shop_put(shop, KUBE_SLICES, slice);
		expect("10.96.0.10:80/tcp shop/web = 10.1.0.5:8080 10.1.0.6:8080~\n");
		shop_keep_connections(shop);
		expect("10.96.0.10:80/tcp shop/web = 10.1.0.5:8080 10.1.0.6:8080~\n");
		shop_forget_connections(shop);
		expect("10.96.0.10:80/tcp shop/web = 10.1.0.5:8080\n");
	}
}

static void of_udp_it_drains_only_while_it_serves(void **state)
{
	(void)state;
	shop_put(shop, KUBE_SERVICES, WEB(UDP));
	shop_put(shop, KUBE_SLICES, SLICE("UDP", BOTH));
	shop_sync(shop);
	shop_put(shop, KUBE_SLICES, SLICE("UDP", READY("10.1.0.5") "," ENDING("10.1.0.6")));
	expect("10.96.0.10:53/udp shop/web = 10.1.0.5:8080 10.1.0.6:8080~\n");
	shop_put(shop, KUBE_SLICES, SLICE("UDP", READY("10.1.0.5") "," ENDED("10.1.0.6")));
	expect("10.96.0.10:53/udp shop/web = 10.1.0.5:8080\n");
	/* It had no connections before it could have some. */
	shop_put(shop, KUBE_SLICES, SLICE("UDP", READY("10.1.0.5") "," ENDING("10.1.0.7")));
	expect("10.96.0.10:53/udp shop/web = 10.1.0.5:8080\n");
	shop_put(shop, KUBE_SLICES, SLICE("UDP", ""));
	expect("10.96.0.10:53/udp shop/web =\n");
	shop_remove(shop, KUBE_SERVICES, WEB(UDP));
	expect("");
}

static void a_backend_that_comes_back_takes_connections_again(void **state)
{
	(void)state;
	shop_put(shop, KUBE_SERVICES, WEB(TCP));
	shop_put(shop, KUBE_SLICES, SLICE("TCP", READY("10.1.0.5")));
	shop_sync(shop);
	shop_put(shop, KUBE_SLICES, SLICE("TCP", ""));
	expect("10.96.0.10:80/tcp shop/web = 10.1.0.5:8080~\n");
	shop_put(shop, KUBE_SLICES, SLICE("TCP", READY("10.1.0.5")));
	expect("10.96.0.10:80/tcp shop/web = 10.1.0.5:8080\n");
	shop_forget_connections(shop);
	expect("10.96.0.10:80/tcp shop/web = 10.1.0.5:8080\n");
}

static void a_service_that_is_deleted_drains(void **state)
{
	(void)state;
	shop_put(shop, KUBE_SERVICES, WEB(TCP));
	shop_put(shop, KUBE_SLICES, SLICE("TCP", READY("10.1.0.5")));
	shop_sync(shop);
	shop_remove(shop, KUBE_SERVICES, WEB(TCP));
	expect("10.96.0.10:80/tcp shop/web = 10.1.0.5:8080~\n");
	shop_keep_connections(shop);
	expect("10.96.0.10:80/tcp shop/web = 10.1.0.5:8080~\n");
	/* Another takes its place, and what was connected goes on. */
	shop_put(shop, KUBE_SERVICES, SERVICE("new", "10.96.0.10", TCP));
	expect("10.96.0.10:80/tcp shop/new = 10.1.0.5:8080~\n");
	shop_forget_connections(shop);
	expect("10.96.0.10:80/tcp shop/new =\n");
}

static void of_two_that_want_an_address_the_older_has_it(void **state)
{
	static const char OLD[] = AGED("old", "2025-01-01T00:00:00Z", "10.96.0.11",
				       "'externalIPs':['198.51.100.9']," TCP);
	static const char NEW[] = AGED("new", "2026-01-01T00:00:00Z", "10.96.0.12",
				       "'externalIPs':['198.51.100.9']," TCP);

	(void)state;
	shop_put(shop, KUBE_SERVICES, NEW);
	expect("10.96.0.12:80/tcp shop/new =\n198.51.100.9:80/tcp shop/new =\n");
	shop_put(shop, KUBE_SERVICES, OLD);
	expect("10.96.0.11:80/tcp shop/old =\n10.96.0.12:80/tcp shop/new =\n"
	       "198.51.100.9:80/tcp shop/old =\n");
	shop_remove(shop, KUBE_SERVICES, OLD);
	expect("10.96.0.12:80/tcp shop/new =\n198.51.100.9:80/tcp shop/new =\n");
}

static void bring_from_file(const char *text, bool remove)
{
	struct transaction *transaction;
	struct change change = {};
	struct refusal refusal;

	assert_int_equal(service_key_parse(text, &change.key, &refusal), 0);
	if (!remove) {
		change.service = service_new(&change.key);
		change.service->source = SOURCE_FILE;
	}
	assert_int_equal(
		reconcile_prepare(shop->reconcile, SOURCE_FILE, &change, 1, &transaction, &refusal),
		0);
	assert_int_equal(reconcile_apply(shop->reconcile, transaction), 0);
}

static void what_another_source_has_holds_up_no_other(void **state)
{
	struct kube_counts counts;

	(void)state;
	bring_from_file("10.96.0.10:80/tcp", false);
	shop_put(shop, KUBE_SERVICES, WEB(TCP));
	shop_put(shop, KUBE_SERVICES, SERVICE("api", "10.96.0.11", TCP));
	expect("10.96.0.10:80/tcp - =\n10.96.0.11:80/tcp shop/api =\n");
	kube_store_count(shop->store, &counts);
	assert_int_equal(counts.blocked, 1);
	assert_true(kube_store_retry(shop->store));
	expect("10.96.0.10:80/tcp - =\n10.96.0.11:80/tcp shop/api =\n");
	bring_from_file("10.96.0.10:80/tcp", true);
	assert_true(kube_store_retry(shop->store));
	expect("10.96.0.10:80/tcp shop/web =\n10.96.0.11:80/tcp shop/api =\n");
	assert_false(kube_store_retry(shop->store));
}

static void what_another_source_has_stays_when_its_service_goes(void **state)
{
	(void)state;
	bring_from_file("10.96.0.10:80/tcp", false);
	shop_put(shop, KUBE_SERVICES, WEB(TCP));
	shop_sync(shop);
	shop_remove(shop, KUBE_SERVICES, WEB(TCP));
	expect("10.96.0.10:80/tcp - =\n");
	assert_false(kube_store_retry(shop->store));
}

static void a_full_table_holds_up_no_other(void **state)
{
	struct kube_counts counts;
	char text[512];

	(void)state;
	for (int i = 0; i < FAKE_SERVICES + 6; i++) {
		snprintf(text, sizeof(text), SERVICE("s%d", "10.96.0.%d", TCP), i, i + 1);
		shop_put(shop, KUBE_SERVICES, text);
	}
	shop_sync(shop);
	kube_store_count(shop->store, &counts);
	assert_int_equal(reconcile_count_services(shop->reconcile) + counts.blocked,
			 FAKE_SERVICES + 6);
	assert_true(counts.blocked >= 6 && counts.blocked < 10);
	for (int i = 0; i < 12; i++) {
		snprintf(text, sizeof(text), SERVICE("s%d", "10.96.0.%d", TCP), i, i + 1);
		shop_remove(shop, KUBE_SERVICES, text);
	}
	shop_sync(shop);
	kube_store_retry(shop->store);
	shop_sync(shop);
	kube_store_count(shop->store, &counts);
	assert_int_equal(counts.blocked, 0);
	assert_int_equal(reconcile_count_services(shop->reconcile), FAKE_SERVICES - 6);
}

/* The slice of `web`: 10.1.0.5, and so many others. */
static void put_many(int others)
{
	char endpoints[8192] = READY("10.1.0.5"), slice[10240];
	size_t used = strlen(endpoints);

	for (int i = 1; i <= others; i++)
		used += (size_t)snprintf(endpoints + used, sizeof(endpoints) - used,
					 "," READY("10.2.0.%d"), i);
	snprintf(slice, sizeof(slice), SLICE("TCP", "%s"), endpoints);
	shop_put(shop, KUBE_SLICES, slice);
	shop_sync(shop);
}

static void what_waits_for_room_gets_what_a_draining_backend_leaves(void **state)
{
	struct kube_counts counts;

	(void)state;
	shop_put(shop, KUBE_SERVICES, WEB(TCP));
	shop_put(shop, KUBE_SLICES, SLICE("TCP", BOTH));
	shop_sync(shop);
	put_many(0);
	put_many(FAKE_BACKENDS - 2); /* and the one that drains: one too many */
	kube_store_count(shop->store, &counts);
	assert_int_equal(counts.blocked, 1);

	shop_forget_connections(shop);

	kube_store_count(shop->store, &counts);
	assert_int_equal(counts.blocked, 1);
	assert_true(kube_store_retry(shop->store));
	shop_sync(shop);
	kube_store_count(shop->store, &counts);
	assert_int_equal(counts.blocked, 0);
	assert_int_equal(reconcile_count_backends(shop->reconcile), FAKE_BACKENDS - 1);
}

static void a_list_takes_back_what_is_not_in_it(void **state)
{
	(void)state;
	for (int i = 0; i < 2; i++)
		kube_store_begin(shop->store, i ? KUBE_SLICES : KUBE_SERVICES);
	shop_put(shop, KUBE_SERVICES, WEB(TCP));
	shop_put(shop, KUBE_SERVICES, SERVICE("api", "10.96.0.11", TCP));
	shop_put(shop, KUBE_SLICES, SLICE("TCP", READY("10.1.0.5")));
	kube_store_end(shop->store, KUBE_SERVICES);
	kube_store_end(shop->store, KUBE_SLICES);
	expect("10.96.0.10:80/tcp shop/web = 10.1.0.5:8080\n10.96.0.11:80/tcp shop/api =\n");
	/* Broken off, and begun anew. */
	kube_store_begin(shop->store, KUBE_SERVICES);
	kube_store_begin(shop->store, KUBE_SERVICES);
	shop_put(shop, KUBE_SERVICES, WEB(TCP));
	expect("10.96.0.10:80/tcp shop/web = 10.1.0.5:8080\n10.96.0.11:80/tcp shop/api =\n");
	kube_store_end(shop->store, KUBE_SERVICES);
	expect("10.96.0.10:80/tcp shop/web = 10.1.0.5:8080\n");
	kube_store_begin(shop->store, KUBE_SLICES);
	kube_store_end(shop->store, KUBE_SLICES);
	shop_sync(shop);
	shop_forget_connections(shop);
	expect("10.96.0.10:80/tcp shop/web =\n");
}

static void what_cannot_be_read_stays_as_it_was(void **state)
{
	(void)state;
	kube_store_begin(shop->store, KUBE_SERVICES);
	shop_put(shop, KUBE_SERVICES, WEB(TCP));
	shop_put(shop, KUBE_SLICES, SLICE("TCP", READY("10.1.0.5")));
	shop_put(shop, KUBE_SERVICES, WEB("'ports':'none'"));
	shop_put(shop, KUBE_SLICES, SLICE("TCP", "5"));
	shop_put(shop, KUBE_SLICES, SLICE("TCP", "{'addresses':[5]}"));
	shop_put(shop, KUBE_SERVICES, "{'metadata':5}");
	expect("10.96.0.10:80/tcp shop/web = 10.1.0.5:8080\n");
	/* Also in a list: it is there, whatever it is. */
	kube_store_begin(shop->store, KUBE_SERVICES);
	kube_store_begin(shop->store, KUBE_SLICES);
	shop_put(shop, KUBE_SERVICES, WEB("'ports':'none'"));
	shop_put(shop, KUBE_SLICES, SLICE("TCP", "{'addresses':[5]}"));
	kube_store_end(shop->store, KUBE_SERVICES);
	kube_store_end(shop->store, KUBE_SLICES);
	expect("10.96.0.10:80/tcp shop/web = 10.1.0.5:8080\n");
	shop_put(shop, KUBE_SERVICES, WEB("'ports':[{'name':'p','port':81}]"));
	shop_sync(shop);
	shop_forget_connections(shop);
	expect("10.96.0.10:81/tcp shop/web = 10.1.0.5:8080\n");
}

static void a_service_may_change_its_type(void **state)
{
	(void)state;
	shop_put(shop, KUBE_SERVICES, WEB(TCP));
	shop_put(shop, KUBE_SERVICES, WEB("'type':'ExternalName'," TCP));
	expect("");
	shop_put(shop, KUBE_SERVICES,
		 WEB("'type':'NodePort','ports':[{'name':'p','port':80,'nodePort':30080}]"));
	expect("10.96.0.10:80/tcp shop/web =\n192.0.2.7:30080/tcp shop/web =\n");
	shop_put(shop, KUBE_SERVICES, WEB(TCP));
	expect("10.96.0.10:80/tcp shop/web =\n");
}

static void a_slice_may_go_over_to_another_service(void **state)
{
	(void)state;
	shop_put(shop, KUBE_SERVICES, WEB(UDP));
	shop_put(shop, KUBE_SERVICES, SERVICE("api", "10.96.0.11", UDP));
	shop_put(shop, KUBE_SLICES, SLICE("UDP", READY("10.1.0.5")));
	expect("10.96.0.10:53/udp shop/web = 10.1.0.5:8080\n10.96.0.11:53/udp shop/api =\n");
	shop_put(shop, KUBE_SLICES,
		 "{'metadata':{'namespace':'shop','name':'web-x','labels':"
		 "{'kubernetes.io/service-name':'api'}},'addressType':'IPv4','ports':[{'name':'p',"
		 "'port':8080,'protocol':'UDP'}],'endpoints':[" READY("10.1.0.5") "]}");
	expect("10.96.0.10:53/udp shop/web =\n10.96.0.11:53/udp shop/api = 10.1.0.5:8080\n");
}

static void a_restart_finds_its_connections(void **state)
{
	(void)state;
	shop_put(shop, KUBE_SERVICES, WEB(TCP));
	shop_put(shop, KUBE_SERVICES, SERVICE("api", "10.96.0.11", TCP));
	shop_put(shop, KUBE_SERVICES, SERVICE("dns", "10.96.0.12", UDP));
	shop_put(shop, KUBE_SLICES, SLICE("TCP", BOTH));
	shop_sync(shop);
	shop_restart(shop);
	expect("");
	assert_int_equal(shop->datapath.service_count, 3);
	shop_put(shop, KUBE_SERVICES, WEB(TCP));
	shop_put(shop, KUBE_SLICES, SLICE("TCP", READY("10.1.0.6")));
	expect("10.96.0.10:80/tcp shop/web = 10.1.0.6:8080 10.1.0.5:8080~\n");
	assert_int_equal(shop->datapath.service_count, 3);
	kube_store_take_orphans(shop->store);
	expect("10.96.0.10:80/tcp shop/web = 10.1.0.6:8080 10.1.0.5:8080~\n");
	assert_int_equal(shop->datapath.service_count, 1);
	/* Deleted while lbd was away. */
	shop_restart(shop);
	kube_store_take_orphans(shop->store);
	expect("10.96.0.10:80/tcp - = 10.1.0.5:8080~ 10.1.0.6:8080~\n");
	shop_forget_connections(shop);
	expect("");
}

static void others_are_told(void **state)
{
	static const char HEALTHY[] = WEB("'type':'LoadBalancer','externalTrafficPolicy':'Local',"
					  "'healthCheckNodePort':31000," TCP);
	struct kube_health_check *list;
	struct kube_counts counts;
	size_t count;

	(void)state;
	shop_put(shop, KUBE_SERVICES, HEALTHY);
	kube_store_begin(shop->store, KUBE_SLICES);
	kube_store_end(shop->store, KUBE_SLICES);
	shop_put(shop, KUBE_SLICES,
		 "{'metadata':{'namespace':'shop','name':'x','labels':{'kubernetes.io/"
		 "service-name':'web'},'annotations':{'endpoints.kubernetes.io/"
		 "last-change-trigger-time':'2026-01-01T00:00:00Z'}},'addressType':'IPv4','ports':"
		 "[{'name':'p','port':8080}],'endpoints':[{'addresses':['10.1.0.5'],'nodeName':"
		 "'" NODE "'}]}");
	kube_store_count(shop->store, &counts);
	assert_int_equal(counts.service_changes_pending, 1);
	assert_int_equal(counts.endpoint_changes_pending, 1);
	assert_true(shop->queued);
	shop_sync(shop);
	kube_store_count(shop->store, &counts);
	assert_int_equal(counts.service_changes, 1);
	assert_int_equal(counts.service_changes_pending, 0);
	assert_int_equal(shop->programmed, 1);
	assert_int_equal(shop->health_changed, 1);
	assert_int_equal(kube_store_list_health(shop->store, &list, &count), 0);
	assert_int_equal(count, 1);
	assert_string_equal(list[0].name, "shop/web");
	assert_int_equal(list[0].port, 31000);
	assert_int_equal(list[0].local_endpoints, 1);
	free(list);
	shop_remove(shop, KUBE_SERVICES, HEALTHY);
	shop_sync(shop);
	assert_int_equal(shop->health_changed, 2);
	assert_int_equal(kube_store_list_health(shop->store, &list, &count), 0);
	assert_int_equal(count, 0);
	free(list);
}

/* Each request for memory in turn: what is told of it, what is in force then, and once more. */
static void lack_memory_for(enum kube_kind kind, const char *text, const char *before,
			    const char *after)
{
	const unsigned int most = 100;
	unsigned int lacked = 0;

	for (unsigned int nth = 0; nth < most; nth++) {
		int error;

		shop = shop_open();
		shop_put(shop, KUBE_SERVICES, WEB(TCP));
		shop_put(shop, KUBE_SLICES, SLICE("TCP", READY("10.1.0.5")));
		expect("10.96.0.10:80/tcp shop/web = 10.1.0.5:8080\n");
		shop_lack_memory(nth);
		error = shop_put(shop, kind, text);
		if (!shop_has_lacked_memory())
			nth = most;
		lacked += error == -ENOMEM;
		assert_true(!error || error == -ENOMEM);
		expect(error ? before : after);
		assert_int_equal(shop_put(shop, kind, text), 0);
		expect(after);
		shop_close(shop);
	}
	assert_true(lacked > 0);
}

static void what_finds_no_memory_leaves_all_as_it_was(void **state)
{
	static const char OLD[] = "10.96.0.10:80/tcp shop/web = 10.1.0.5:8080\n";

	(void)state;
	lack_memory_for(KUBE_SLICES, SLICE("TCP", BOTH), OLD,
			"10.96.0.10:80/tcp shop/web = 10.1.0.5:8080 10.1.0.6:8080\n");
	lack_memory_for(KUBE_SERVICES, WEB("'ports':[{'name':'p','port':81}]"), OLD,
			"10.96.0.10:80/tcp shop/web = 10.1.0.5:8080~\n"
			"10.96.0.10:81/tcp shop/web = 10.1.0.5:8080\n");
	lack_memory_for(
		KUBE_SERVICES, SERVICE("api", "10.96.0.11", TCP), OLD,
		"10.96.0.10:80/tcp shop/web = 10.1.0.5:8080\n10.96.0.11:80/tcp shop/api =\n");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(services_and_slices_may_come_in_any_order, begin,
						end),
		cmocka_unit_test_setup_teardown(
			of_tcp_a_backend_drains_until_no_connection_names_it, begin, end),
		cmocka_unit_test_setup_teardown(of_udp_it_drains_only_while_it_serves, begin, end),
		cmocka_unit_test_setup_teardown(a_backend_that_comes_back_takes_connections_again,
						begin, end),
		cmocka_unit_test_setup_teardown(a_service_that_is_deleted_drains, begin, end),
		cmocka_unit_test_setup_teardown(of_two_that_want_an_address_the_older_has_it, begin,
						end),
		cmocka_unit_test_setup_teardown(what_another_source_has_holds_up_no_other, begin,
						end),
		cmocka_unit_test_setup_teardown(what_another_source_has_stays_when_its_service_goes,
						begin, end),
		cmocka_unit_test_setup_teardown(a_full_table_holds_up_no_other, begin, end),
		cmocka_unit_test_setup_teardown(
			what_waits_for_room_gets_what_a_draining_backend_leaves, begin, end),
		cmocka_unit_test_setup_teardown(a_list_takes_back_what_is_not_in_it, begin, end),
		cmocka_unit_test_setup_teardown(what_cannot_be_read_stays_as_it_was, begin, end),
		cmocka_unit_test(what_finds_no_memory_leaves_all_as_it_was),
		cmocka_unit_test_setup_teardown(a_service_may_change_its_type, begin, end),
		cmocka_unit_test_setup_teardown(a_slice_may_go_over_to_another_service, begin, end),
		cmocka_unit_test_setup_teardown(a_restart_finds_its_connections, begin, end),
		cmocka_unit_test_setup_teardown(others_are_told, begin, end),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
