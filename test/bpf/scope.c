/*
 * Two services of one address: for clients inside of the cluster and for others. And what becomes
 * of packets for which a service has nobody.
 */
#include <arpa/inet.h>
#include <string.h>
#include "test/bpf/scene.h"

/* CLIENT's addresses, as prefixes. */
static const char *const CLIENT_PREFIXES[] = {"192.0.2.0/24", "2001:db8::/48"};
static const char *const EVERYBODY[] = {"0.0.0.0/0", "::/0"};

static void place_client(struct scene *scene, enum network network)
{
	for (int family = 0; family < _FAMILY_COUNT; family++)
		scene_set_network(scene, CLIENT_PREFIXES[family], network);
}

/* A for those inside, B for the others. */
static void offer_both_scopes(struct scene *scene)
{
	struct offer inside = ONLY_A, outside = ONLY_B;

	inside.scope = SCOPE_INSIDE;
	outside.has_inside = true;
	scene_offer_all(scene, &inside);
	scene_offer_all(scene, &outside);
}

static void whose_source_it_is_tells_which_service_a_client_gets(void **state)
{
	static const enum role GETS[_NETWORK_COUNT] = {
		[NETWORK_NONE] = BACKEND_B,
		[NETWORK_CLUSTER] = BACKEND_A,
		[NETWORK_NODE] = BACKEND_A,
	};
	struct scene *scene = *state;

	offer_both_scopes(scene);
	for (int network = 0; network < _NETWORK_COUNT; network++) {
		place_client(scene, (enum network)network);
		for (int i = 0; i < KIND_COUNT; i++) {
			struct blueprint request = request_of(&KINDS[i]);

			request.src_port = htons((uint16_t)(CLIENT_PORT + network));
			assert_int_equal(request_goes_to(scene, &request), GETS[network]);
		}
	}
}

static void a_connection_stays_where_it_began_whosoever_its_client_becomes(void **state)
{
	struct scene *scene = *state;

	offer_both_scopes(scene);
	for (int i = 0; i < KIND_COUNT; i++) {
		struct blueprint request = request_of(&KINDS[i]);

		place_client(scene, NETWORK_NONE);
		assert_int_equal(request_goes_to(scene, &request), BACKEND_B);
		place_client(scene, NETWORK_CLUSTER);
		request.tcp_flags = ACK;
		assert_int_equal(request_goes_to(scene, &request), BACKEND_B);
	}
}

static void the_longest_prefix_tells(void **state)
{
	struct scene *scene = *state;

	offer_both_scopes(scene);
	for (int family = 0; family < _FAMILY_COUNT; family++)
		scene_set_network(scene, EVERYBODY[family], NETWORK_CLUSTER);
	for (int i = 0; i < KIND_COUNT; i++) {
		struct blueprint request = request_of(&KINDS[i]);

		place_client(scene, NETWORK_CLUSTER);
		assert_int_equal(request_goes_to(scene, &request), BACKEND_A);
		place_client(scene, NETWORK_NONE); /* the prefix is gone, that of all is left */
		request.src_port = htons(CLIENT_PORT + 1);
		assert_int_equal(request_goes_to(scene, &request), BACKEND_A);
	}
}

/* ::/0 holds the form in which IPv4 addresses are kept. */
static void all_of_ipv6_is_nothing_of_ipv4(void **state)
{
	struct scene *scene = *state;

	offer_both_scopes(scene);
	scene_set_network(scene, "::/0", NETWORK_CLUSTER);
	for (int i = 0; i < KIND_COUNT; i++) {
		const struct blueprint request = request_of(&KINDS[i]);

		assert_int_equal(request_goes_to(scene, &request),
				 KINDS[i].family == IPV4 ? BACKEND_B : BACKEND_A);
	}
}

static void without_a_service_for_them_clients_inside_get_everybodys(void **state)
{
	struct scene *scene = *state;
	struct offer outside = ONLY_B;

	outside.has_inside = true;
	scene_offer_all(scene, &outside);
	place_client(scene, NETWORK_NODE);
	for (int i = 0; i < KIND_COUNT; i++) {
		const struct blueprint request = request_of(&KINDS[i]);

		assert_int_equal(request_goes_to(scene, &request), BACKEND_B);
	}
}

static void what_is_to_be_dropped_unserved_is_not_answered(void **state)
{
	struct scene *scene = *state;
	struct offer nobody = {.drops_unserved = true};

	scene_offer_all(scene, &nobody);
	for (int i = 0; i < KIND_COUNT; i++) {
		const struct blueprint request = request_of(&KINDS[i]);

		expect(scene, UPLINK, &request, VERDICT_DROP_UNSERVED, NULL);
	}
}

/* What a local policy is to those outside, while those inside are served. */
static void unserved_outside_is_dropped_while_inside_is_served(void **state)
{
	struct scene *scene = *state;
	struct offer inside = ONLY_A, outside = {.has_inside = true, .drops_unserved = true};

	inside.scope = SCOPE_INSIDE;
	scene_offer_all(scene, &inside);
	scene_offer_all(scene, &outside);
	for (int i = 0; i < KIND_COUNT; i++) {
		struct blueprint request = request_of(&KINDS[i]);

		place_client(scene, NETWORK_NONE);
		expect(scene, UPLINK, &request, VERDICT_DROP_UNSERVED, NULL);
		place_client(scene, NETWORK_CLUSTER);
		assert_int_equal(request_goes_to(scene, &request), BACKEND_A);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		scene_test(whose_source_it_is_tells_which_service_a_client_gets),
		scene_test(a_connection_stays_where_it_began_whosoever_its_client_becomes),
		scene_test(the_longest_prefix_tells),
		scene_test(all_of_ipv6_is_nothing_of_ipv4),
		scene_test(without_a_service_for_them_clients_inside_get_everybodys),
		scene_test(what_is_to_be_dropped_unserved_is_not_answered),
		scene_test(unserved_outside_is_dropped_while_inside_is_served),
	};

	return cmocka_run_group_tests(tests, network_make, NULL);
}
