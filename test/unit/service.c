/*
 * The model: a service changes as asked within its limits, and stays as it was where a change is
 * refused.
 */
#include <arpa/inet.h>
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <cmocka.h>
#include "lb/service.h"

#define COUNT(array) (sizeof(array) / sizeof((array)[0]))

#define SERVICE "10.96.0.10:80"
#define SERVICE_IPV6 "[fd00::10]:80"
#define BACKEND_A "10.1.0.5:8080"
#define BACKEND_B "10.1.0.6:8080"
#define BACKEND_C "10.1.0.7:8080"
#define STRANGER "10.9.9.9:9"

static struct service *make_service(const char *text)
{
	struct service_key key;
	struct refusal refusal;
	struct service *service;

	assert_int_equal(service_key_parse(text, &key, &refusal), 0);
	service = service_new(&key);
	assert_non_null(service);
	return service;
}

static struct backend make_backend(const char *text)
{
	struct backend backend = {.weight = 1, .state = BACKEND_ACTIVE};
	struct refusal refusal;

	assert_int_equal(endpoint_parse(text, &backend.address, &backend.port, &refusal), 0);
	return backend;
}

static int add_backend(struct service *service, const char *text, struct refusal *refusal)
{
	struct backend backend = make_backend(text);

	return service_add_backend(service, &backend, refusal);
}

static struct backend *find_backend(const struct service *service, const char *text)
{
	struct backend sought = make_backend(text);

	return service_find_backend(service, &sought.address, sought.port);
}

static int add_source_range(struct service *service, const char *text, struct refusal *refusal)
{
	struct prefix prefix;

	assert_int_equal(prefix_parse(text, &prefix, refusal), 0);
	return service_add_source_range(service, &prefix, refusal);
}

/* Everything set, so that a copy that forgets a field is found. */
static struct service *make_full_service(void)
{
	struct service *service = make_service(SERVICE);
	struct refusal refusal;

	assert_int_equal(service_set_name(service, "default/web", &refusal), 0);
	assert_int_equal(add_backend(service, BACKEND_A, &refusal), 0);
	assert_int_equal(add_backend(service, BACKEND_B, &refusal), 0);
	assert_int_equal(add_source_range(service, "10.0.0.0/8", &refusal), 0);
	assert_int_equal(add_source_range(service, "192.0.2.0/24", &refusal), 0);
	service->algorithm = ALGORITHM_SOURCE_HASH;
	service->affinity_seconds = 60;
	return service;
}

static void a_new_service_is_empty_and_of_the_operator(void **state)
{
	struct service *service = make_service(SERVICE);

	(void)state;
	assert_null(service->name);
	assert_int_equal(service->algorithm, ALGORITHM_MAGLEV);
	assert_int_equal(service->source, SOURCE_OPERATOR);
	assert_int_equal(service->affinity_seconds, 0);
	assert_int_equal(service->source_range_count, 0);
	assert_int_equal(service->backend_count, 0);
	service_free(service);
}

static void a_clone_is_equal_and_shares_nothing(void **state)
{
	struct service *service = make_full_service();
	struct service *clone = service_clone(service);
	struct refusal refusal;

	(void)state;
	assert_non_null(clone);
	assert_true(service_equal(service, clone));

	find_backend(clone, BACKEND_A)->weight = 9;
	assert_int_equal(add_backend(clone, BACKEND_C, &refusal), 0);
	assert_int_equal(service_set_name(clone, "default/other", &refusal), 0);
	service_free(clone);

	assert_int_equal(service->backend_count, 2);
	assert_int_equal(find_backend(service, BACKEND_A)->weight, 1);
	assert_string_equal(service->name, "default/web");
	service_free(service);
}

static void a_service_without_anything_is_cloned_too(void **state)
{
	struct service *service = make_service(SERVICE);
	struct service *clone = service_clone(service);

	(void)state;
	assert_non_null(clone);
	assert_true(service_equal(service, clone));
	assert_null(clone->backends);
	service_free(clone);
	service_free(service);
	service_free(NULL);
}

/* Changes one thing, a different one for each number; false for a number past the last. */
static bool change_one_thing(struct service *service, int number)
{
	struct backend *backend = &service->backends[1];
	struct refusal refusal;

	switch (number) {
	case 0:
		service->key.port = htons(81);
		return true;
	case 1:
		service->algorithm = ALGORITHM_RANDOM;
		return true;
	case 2:
		service->affinity_seconds++;
		return true;
	case 3:
		service->source_ranges[1].length--;
		return true;
	case 4:
		service->source_ranges[1].address.word[3]++;
		return true;
	case 5:
		service->source_range_count--;
		return true;
	case 6:
		backend->address.word[3]++;
		return true;
	case 7:
		backend->port = htons(1);
		return true;
	case 8:
		backend->weight++;
		return true;
	case 9:
		backend->state = BACKEND_DOWN;
		return true;
	case 10:
		service_remove_backend(service, backend);
		return true;
	case 11:
		return !service_set_name(service, "default/other", &refusal);
	case 12:
		return !service_set_name(service, NULL, &refusal);
	case 13:
		backend->deadline_ms++;
		return true;
	default:
		return false;
	}
}

static void services_that_differ_in_one_thing_are_not_equal(void **state)
{
	bool changed = true;

	(void)state;
	for (int i = 0; changed; i++) {
		struct service *service = make_full_service();
		struct service *other = make_full_service();

		assert_true(service_equal(service, other));
		changed = change_one_thing(other, i);

		assert_int_equal(service_equal(service, other), !changed);
		assert_int_equal(service_equal(other, service), !changed);
		service_free(service);
		service_free(other);
	}
}

static void services_of_different_sources_are_equal(void **state)
{
	struct service *service = make_full_service();
	struct service *other = make_full_service();

	(void)state;
	other->source = SOURCE_KUBERNETES;

	assert_true(service_equal(service, other));
	service_free(service);
	service_free(other);
}

static void a_name_is_a_namespace_and_a_name(void **state)
{
	static const char *const NAMES[] = {"default/web", "a/b", "kube-system/kube_dns.v1", "A/9"};
	struct service *service = make_service(SERVICE);
	struct refusal refusal;

	(void)state;
	for (size_t i = 0; i < COUNT(NAMES); i++) {
		assert_int_equal(service_set_name(service, NAMES[i], &refusal), 0);
		assert_string_equal(service->name, NAMES[i]);
	}
	assert_int_equal(service_set_name(service, NULL, &refusal), 0);
	assert_null(service->name);
	service_free(service);
}

static void a_wrong_name_is_refused_and_the_old_one_stays(void **state)
{
	static const char *const NAMES[] = {
		"",
		"web",
		"/",
		"/web",
		"default/",
		"default/web/http",
		"default/w b",
		" default/web",
		"default/web\n",
		"default/web:http",
		"default/wéb",
	};
	char long_name[MAX_NAME + 2] = "n/";
	struct service *service = make_full_service();
	struct refusal refusal;

	(void)state;
	for (size_t i = 0; i < COUNT(NAMES); i++)
		assert_int_equal(service_set_name(service, NAMES[i], &refusal), -EINVAL);
	service_set_name(service, "web", &refusal);
	assert_string_equal(refusal.text, "\"web\" is not a name; write NAMESPACE/NAME, each of "
					  "letters, digits, '.', '_' and '-'");
	memset(long_name + 2, 'x', MAX_NAME - 1);
	assert_int_equal(service_set_name(service, long_name, &refusal), -EINVAL);
	assert_string_equal(service->name, "default/web");

	long_name[MAX_NAME] = '\0';
	assert_int_equal(service_set_name(service, long_name, &refusal), 0);
	service_free(service);
}

static void backends_keep_the_order_they_were_given_in(void **state)
{
	struct service *service = make_service(SERVICE);
	struct refusal refusal;

	(void)state;
	assert_int_equal(add_backend(service, BACKEND_B, &refusal), 0);
	assert_int_equal(add_backend(service, BACKEND_A, &refusal), 0);
	assert_int_equal(add_backend(service, BACKEND_C, &refusal), 0);

	service_remove_backend(service, find_backend(service, BACKEND_A));

	assert_int_equal(service->backend_count, 2);
	assert_ptr_equal(find_backend(service, BACKEND_B), &service->backends[0]);
	assert_ptr_equal(find_backend(service, BACKEND_C), &service->backends[1]);
	assert_null(find_backend(service, BACKEND_A));
	assert_null(find_backend(service, STRANGER));
	service_free(service);
}

static void one_address_may_serve_on_two_ports(void **state)
{
	struct service *service = make_service(SERVICE);
	struct refusal refusal;

	(void)state;
	assert_int_equal(add_backend(service, "10.1.0.5:8080", &refusal), 0);
	assert_int_equal(add_backend(service, "10.1.0.5:8081", &refusal), 0);

	assert_int_equal(service->backend_count, 2);
	service_free(service);
}

static void a_wrong_backend_is_refused_and_the_service_stays(void **state)
{
	static const struct {
		const char *service, *backend, *refusal;
		int error;
	} ROWS[] = {
		{SERVICE, BACKEND_A, "10.1.0.5:8080 is already a backend of this service", -EEXIST},
		{SERVICE, "[fd00::5]:8080",
		 "[fd00::5]:8080 is IPv6, but the service's address "
		 "10.96.0.10 is IPv4",
		 -EINVAL},
		{SERVICE_IPV6, BACKEND_A,
		 "10.1.0.5:8080 is IPv4, but the service's address "
		 "fd00::10 is IPv6",
		 -EINVAL},
		{SERVICE, "0.0.0.0:80",
		 "0.0.0.0:80 is an unspecified address; a backend needs a unicast one", -EINVAL},
		{SERVICE, "224.0.0.1:80",
		 "224.0.0.1:80 is a multicast address; a backend needs a unicast one", -EINVAL},
		{SERVICE, "255.255.255.255:80",
		 "255.255.255.255:80 is a broadcast address; a backend needs a unicast one",
		 -EINVAL},
		{"10.96.0.10:8080/sctp", "10.1.0.6:80",
		 "port 80 of 10.1.0.6:80 is not 8080: SCTP's checksum covers ports, so backends "
		 "have the service's",
		 -EINVAL},
		{SERVICE_IPV6, "[::]:80",
		 "[::]:80 is an unspecified address; a backend needs a unicast one", -EINVAL},
		{SERVICE_IPV6, "[ff02::1]:80",
		 "[ff02::1]:80 is a multicast address; a backend needs a unicast one", -EINVAL},
	};

	(void)state;
	for (size_t i = 0; i < COUNT(ROWS); i++) {
		bool is_ipv6 = ROWS[i].service[0] == '[';
		struct service *service = make_service(ROWS[i].service);
		struct refusal refusal;

		assert_int_equal(
			add_backend(service, is_ipv6 ? "[fd00::6]:1" : BACKEND_A, &refusal), 0);

		assert_int_equal(add_backend(service, ROWS[i].backend, &refusal), ROWS[i].error);
		assert_string_equal(refusal.text, ROWS[i].refusal);
		assert_int_equal(service->backend_count, 1);
		service_free(service);
	}
}

static void a_backend_with_port_0_is_refused(void **state)
{
	struct service *service = make_service(SERVICE);
	struct backend backend = make_backend(BACKEND_A);
	struct refusal refusal;

	(void)state;
	backend.port = 0;

	assert_int_equal(service_add_backend(service, &backend, &refusal), -EINVAL);
	assert_string_equal(refusal.text, "port 0 of 10.1.0.5:0 is not 1–65535");
	service_free(service);
}

static void the_backend_beyond_the_limit_is_refused(void **state)
{
	struct service *service = make_service(SERVICE);
	struct backend backend = make_backend(BACKEND_A);
	struct refusal refusal;

	(void)state;
	for (int i = 1; i <= MAX_BACKENDS_PER_SERVICE; i++) {
		backend.port = htons(i);
		assert_int_equal(service_add_backend(service, &backend, &refusal), 0);
	}
	backend.port = htons(MAX_BACKENDS_PER_SERVICE + 1);

	assert_int_equal(service_add_backend(service, &backend, &refusal), -ENOSPC);
	assert_string_equal(refusal.text, "10.1.0.5:4097 is one more than the 4096 backends a "
					  "service may have");
	assert_int_equal(service->backend_count, MAX_BACKENDS_PER_SERVICE);
	service_free(service);
}

static void a_wrong_source_range_is_refused_and_the_service_stays(void **state)
{
	static const struct {
		const char *range, *refusal;
		int error;
	} ROWS[] = {
		{"10.0.0.0/8", "10.0.0.0/8 is already a source range of this service", -EEXIST},
		{"fd00::/8", "fd00::/8 is IPv6, but the service's address 10.96.0.10 is IPv4",
		 -EINVAL},
		{"::/0", "::/0 is IPv6, but the service's address 10.96.0.10 is IPv4", -EINVAL},
	};

	(void)state;
	for (size_t i = 0; i < COUNT(ROWS); i++) {
		struct service *service = make_full_service();
		struct refusal refusal;

		assert_int_equal(add_source_range(service, ROWS[i].range, &refusal), ROWS[i].error);
		assert_string_equal(refusal.text, ROWS[i].refusal);
		assert_int_equal(service->source_range_count, 2);
		service_free(service);
	}
}

static void the_source_range_beyond_the_limit_is_refused(void **state)
{
	struct service *service = make_service(SERVICE);
	struct refusal refusal;
	char text[ENDPOINT_TEXT_MAX];

	(void)state;
	for (int i = 0; i < MAX_SOURCE_RANGES; i++) {
		snprintf(text, sizeof(text), "10.%d.0.0/16", i);
		assert_int_equal(add_source_range(service, text, &refusal), 0);
	}

	assert_int_equal(add_source_range(service, "192.0.2.0/24", &refusal), -ENOSPC);
	assert_string_equal(refusal.text, "192.0.2.0/24 is one more than the 256 source ranges a "
					  "service may have");
	assert_int_equal(service->source_range_count, MAX_SOURCE_RANGES);
	service_free(service);
}

static void a_service_address_must_be_unicast(void **state)
{
	static const struct {
		const char *service, *refusal;
	} ROWS[] = {
		{"0.0.0.0:80", "0.0.0.0 is an unspecified address; a service needs a unicast one"},
		{"127.0.0.1:80", "127.0.0.1 is a loopback address; a service needs a unicast one"},
		{"239.1.2.3:80", "239.1.2.3 is a multicast address; a service needs a unicast one"},
		{"255.255.255.255:80",
		 "255.255.255.255 is a broadcast address; a service needs a unicast one"},
		{"[::]:80", ":: is an unspecified address; a service needs a unicast one"},
		{"[::1]:80", "::1 is a loopback address; a service needs a unicast one"},
		{"[ff02::1]:80", "ff02::1 is a multicast address; a service needs a unicast one"},
	};
	struct service_key key;
	struct refusal refusal;

	(void)state;
	for (size_t i = 0; i < COUNT(ROWS); i++) {
		assert_int_equal(service_key_parse(ROWS[i].service, &key, &refusal), 0);

		assert_int_equal(service_key_check(&key, &refusal), -EINVAL);
		assert_string_equal(refusal.text, ROWS[i].refusal);
	}
	assert_int_equal(service_key_parse(SERVICE, &key, &refusal), 0);
	assert_int_equal(service_key_check(&key, &refusal), 0);
	key.port = 0;
	assert_int_equal(service_key_check(&key, &refusal), -EINVAL);
}

static void only_an_active_backend_with_weight_takes_connections(void **state)
{
	static const struct {
		enum backend_state state;
		__u16 weight;
		bool takes;
	} ROWS[] = {
		{BACKEND_ACTIVE, 1, true}, {BACKEND_ACTIVE, 0, false}, {BACKEND_DRAINING, 1, false},
		{BACKEND_DOWN, 1, false},  {BACKEND_NONE, 1, false},
	};

	(void)state;
	for (size_t i = 0; i < COUNT(ROWS); i++) {
		struct backend backend = {.state = ROWS[i].state, .weight = ROWS[i].weight};

		assert_int_equal(backend_takes_connections(&backend), ROWS[i].takes);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_new_service_is_empty_and_of_the_operator),
		cmocka_unit_test(a_clone_is_equal_and_shares_nothing),
		cmocka_unit_test(a_service_without_anything_is_cloned_too),
		cmocka_unit_test(services_that_differ_in_one_thing_are_not_equal),
		cmocka_unit_test(services_of_different_sources_are_equal),
		cmocka_unit_test(a_name_is_a_namespace_and_a_name),
		cmocka_unit_test(a_wrong_name_is_refused_and_the_old_one_stays),
		cmocka_unit_test(backends_keep_the_order_they_were_given_in),
		cmocka_unit_test(one_address_may_serve_on_two_ports),
		cmocka_unit_test(a_wrong_backend_is_refused_and_the_service_stays),
		cmocka_unit_test(a_backend_with_port_0_is_refused),
		cmocka_unit_test(the_backend_beyond_the_limit_is_refused),
		cmocka_unit_test(a_wrong_source_range_is_refused_and_the_service_stays),
		cmocka_unit_test(the_source_range_beyond_the_limit_is_refused),
		cmocka_unit_test(a_service_address_must_be_unicast),
		cmocka_unit_test(only_an_active_backend_with_weight_takes_connections),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
