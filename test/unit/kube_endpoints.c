/*
 * Which endpoints take connections. An endpoint is written as letters: Ready, Serving, Terminating,
 * on this node (Local), with a hint of another node (N) or of this One (O), and zone hints behind
 * an
 * @; the first is 10.0.0.1, the next 10.0.0.2.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <arpa/inet.h>
#include <netinet/in.h>
#include <cmocka.h>
#include "control/kube/endpoints.h"

#define COUNT(array) (sizeof(array) / sizeof((array)[0]))
#define MAX_ENDPOINTS 8
#define ZONE "a"

/* One slice as it is decoded. */
struct sketch {
	char text[256];
	char *zones[MAX_ENDPOINTS];
	struct kube_endpoint endpoints[MAX_ENDPOINTS];
	struct kube_port port;
	struct kube_slice slice;
};

static __u8 flag_of(char letter)
{
	static const char LETTERS[] = "RSTLNO";
	const char *found = strchr(LETTERS, letter);

	assert_true(letter && found);
	return letter == 'O' ? KUBE_NODE_HINTS | KUBE_NODE_OURS : (__u8)(1 << (found - LETTERS));
}

static void add_endpoint(struct sketch *sketch, char *word)
{
	struct kube_slice *slice = &sketch->slice;
	struct kube_endpoint *endpoint = &sketch->endpoints[slice->endpoint_count++];
	char *zones = strchr(word, '@');

	*endpoint = (struct kube_endpoint){
		.address = {.word = {0, 0, htonl(0xffff),
				     htonl(0x0a000000 + slice->endpoint_count)}},
	};
	if (zones) {
		*zones++ = '\0';
		for (char *comma = zones; (comma = strchr(comma, ','));)
			*comma = '\n';
		sketch->zones[slice->zone_count++] = zones;
		endpoint->zones = slice->zone_count;
	}
	for (; *word; word++)
		endpoint->flags |= word[0] == '-' ? 0 : flag_of(word[0]);
}

static void draw(struct sketch *sketch, const char *text)
{
	char *rest = NULL;

	*sketch = (struct sketch){.port = {.port = 8080, .protocol = IPPROTO_TCP}};
	sketch->slice.ports = &sketch->port;
	sketch->slice.port_count = 1;
	sketch->slice.endpoints = sketch->endpoints;
	sketch->slice.zones = sketch->zones;
	snprintf(sketch->text, sizeof(sketch->text), "%s", text);
	for (char *word = strtok_r(sketch->text, " ", &rest); word;
	     word = strtok_r(NULL, " ", &rest))
		add_endpoint(sketch, word);
}

static void describe(const struct kube_targets *targets, bool local, char *text, size_t size)
{
	size_t used = 0;

	text[0] = '\0';
	for (size_t i = 0; i < targets->count; i++) {
		const struct kube_target *target = &targets->items[i];

		if (local ? target->in_local : target->in_cluster)
			used += (size_t)snprintf(text + used, size - used, "%s%u", used ? "," : "",
						 ntohl(target->address.word[3]) & 0xff);
	}
}

struct row {
	const char *endpoints, *cluster, *local;
};

static void check(const struct row *rows, size_t count, const char *zone)
{
	const struct kube_port port = {.port = 80, .protocol = IPPROTO_TCP};

	for (size_t i = 0; i < count; i++) {
		char cluster[64], local[64];
		struct kube_targets targets;
		struct sketch sketch;
		const struct kube_slice *slices[] = {&sketch.slice};

		draw(&sketch, rows[i].endpoints);
		assert_int_equal(kube_targets_collect(slices, 1, &port, false, &targets), 0);
		kube_targets_choose(&targets, zone);
		describe(&targets, false, cluster, sizeof(cluster));
		describe(&targets, true, local, sizeof(local));
		kube_targets_finish(&targets);
		if (strcmp(cluster, rows[i].cluster) || strcmp(local, rows[i].local))
			fail_msg("\"%s\": cluster %s, local %s", rows[i].endpoints, cluster, local);
	}
}

static void ready_endpoints_take_connections(void **state)
{
	static const struct row ROWS[] = {
		{"", "", ""},
		{"RS RS", "1,2", ""},
		{"RS RSL", "1,2", "2"},
		{"RS S -", "1", ""}, /* alive, but not ready */
		{"RSL SL -L", "1", "1"},
		{"RT", "1", ""}, /* whoever publishes what is not ready says that it is */
		{"RTL RS", "1,2", "1"},
	};

	(void)state;
	check(ROWS, COUNT(ROWS), ZONE);
}

static void where_none_is_ready_those_that_serve_to_their_end_do(void **state)
{
	static const struct row ROWS[] = {
		{"ST", "1", ""},       {"STL ST", "1,2", "1"},
		{"RS STL", "1", "2"}, /* Local: this node's, though others are ready */
		{"RSL STL", "1", "1"}, {"T TL", "", ""}, /* does not serve any more */
		{"T STL", "2", "2"},   {"S SL", "", ""}, /* neither ready nor about to end */
	};

	(void)state;
	check(ROWS, COUNT(ROWS), ZONE);
}

static void zone_hints_keep_connections_near(void **state)
{
	static const struct row ROWS[] = {
		{"RS@a RS@b", "1", ""},    {"RS@a RS@b RS@a", "1,3", ""}, {"RS@b,a RS@b", "1", ""},
		{"RS@ab RS@b", "1,2", ""}, /* none is for us */
		{"RS@a RS", "1,2", ""},    /* not all have hints */
		{"RS@a RSL@b", "1", "2"},  /* Local does without */
		{"RS@a RS@b S", "1", ""},  /* those that are not ready are not asked */
		{"RS@a RS@b ST", "1", ""}, {"ST@a ST@b", "1,2", ""}, /* nor are they where none is
									ready */
	};
	static const struct row UNKNOWN[] = {{"RS@a RS@b", "1,2", ""}};

	(void)state;
	check(ROWS, COUNT(ROWS), ZONE);
	check(UNKNOWN, COUNT(UNKNOWN), NULL);
}

static void node_hints_come_before_those_of_zones(void **state)
{
	static const struct row ROWS[] = {
		{"RSO RSN", "1", ""},      {"RSN RSN", "1,2", ""},   {"RSO RS", "1,2", ""},
		{"RSO@b RSN@a", "1", ""},  {"RSN@a RSN@b", "1", ""}, {"RSO@a RS@a RS@b", "1,2", ""},
		{"RSO RSN STL", "1", "3"},
	};
	static const struct row UNKNOWN[] = {{"RSO@b RSN@a", "1", ""}};

	(void)state;
	check(ROWS, COUNT(ROWS), ZONE);
	check(UNKNOWN, COUNT(UNKNOWN), NULL);
}

/* Two slices with the same endpoint, in either order. */
static void check_merged(const char *first, const char *second, __u8 flags)
{
	const struct kube_port port = {.port = 80, .protocol = IPPROTO_TCP};
	struct kube_targets targets;
	struct sketch a, b;

	draw(&a, first);
	draw(&b, second);
	for (int i = 0; i < 2; i++) {
		const struct kube_slice *slices[] = {i ? &b.slice : &a.slice,
						     i ? &a.slice : &b.slice};

		assert_int_equal(kube_targets_collect(slices, 2, &port, false, &targets), 0);
		assert_int_equal(targets.count, 1);
		assert_int_equal(targets.items[0].flags, flags);
		kube_targets_finish(&targets);
	}
}

static void an_endpoint_that_is_told_twice_counts_once(void **state)
{
	(void)state;
	check_merged("RS", "RS", KUBE_READY | KUBE_SERVING);
	check_merged("RS", "STL", KUBE_SERVING | KUBE_TERMINATING | KUBE_LOCAL);
	check_merged("RS", "ST", KUBE_READY | KUBE_SERVING);
	check_merged("T", "ST", KUBE_SERVING | KUBE_TERMINATING);
	check_merged("S", "ST", KUBE_SERVING);
}

static void ports_are_joined_by_name_protocol_and_family(void **state)
{
	static const struct {
		const char *name, *sought;
		__u8 protocol;
		bool is_ipv6;
		size_t count;
	} ROWS[] = {
		{NULL, NULL, IPPROTO_TCP, false, 1},      {"http", "http", IPPROTO_TCP, false, 1},
		{"http", "https", IPPROTO_TCP, false, 0}, {"http", NULL, IPPROTO_TCP, false, 0},
		{NULL, "http", IPPROTO_TCP, false, 0},    {"http", "http", IPPROTO_UDP, false, 0},
		{"http", "http", IPPROTO_TCP, true, 0},
	};

	(void)state;
	for (size_t i = 0; i < COUNT(ROWS); i++) {
		char name[] = "http", sought[8];
		struct kube_port port = {.port = 80, .protocol = ROWS[i].protocol};
		struct kube_targets targets;
		struct sketch sketch;
		const struct kube_slice *slices[] = {&sketch.slice};

		draw(&sketch, "RS");
		snprintf(sought, sizeof(sought), "%s", ROWS[i].sought ? ROWS[i].sought : "");
		sketch.port.name = ROWS[i].name ? name : NULL;
		port.name = ROWS[i].sought ? sought : NULL;
		assert_int_equal(kube_targets_collect(slices, 1, &port, ROWS[i].is_ipv6, &targets),
				 0);
		assert_int_equal(targets.count, ROWS[i].count);
		if (targets.count)
			assert_int_equal(targets.items[0].port, 8080);
		kube_targets_finish(&targets);
	}
}

static void slices_may_have_a_port_at_different_numbers(void **state)
{
	const struct kube_port port = {.port = 80, .protocol = IPPROTO_TCP};
	struct kube_targets targets;
	struct sketch a, b;
	const struct kube_slice *slices[] = {&a.slice, &b.slice};

	(void)state;
	draw(&a, "RS RS");
	draw(&b, "RS");
	b.port.port = 9090;
	assert_int_equal(kube_targets_collect(slices, 2, &port, false, &targets), 0);
	assert_int_equal(targets.count, 3);
	assert_int_equal(targets.items[0].port, 8080);
	assert_int_equal(targets.items[1].port, 9090);
	kube_targets_finish(&targets);
}

static void health_checks_count_local_endpoints_that_are_ready(void **state)
{
	static const struct {
		const char *endpoints;
		size_t count;
	} ROWS[] = {{"", 0},     {"RSL", 1}, {"RS", 0},        {"STL", 0},
		    {"RSTL", 0}, {"SL", 0},  {"RSL RSL RS", 2}};

	(void)state;
	for (size_t i = 0; i < COUNT(ROWS); i++) {
		struct sketch sketch;
		const struct kube_slice *slices[] = {&sketch.slice, &sketch.slice};

		draw(&sketch, ROWS[i].endpoints);
		assert_int_equal(kube_count_local(slices, 2, false), ROWS[i].count);
		assert_int_equal(kube_count_local(slices, 2, true), 0);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(ready_endpoints_take_connections),
		cmocka_unit_test(where_none_is_ready_those_that_serve_to_their_end_do),
		cmocka_unit_test(zone_hints_keep_connections_near),
		cmocka_unit_test(node_hints_come_before_those_of_zones),
		cmocka_unit_test(an_endpoint_that_is_told_twice_counts_once),
		cmocka_unit_test(ports_are_joined_by_name_protocol_and_family),
		cmocka_unit_test(slices_may_have_a_port_at_different_numbers),
		cmocka_unit_test(health_checks_count_local_endpoints_that_are_ready),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
