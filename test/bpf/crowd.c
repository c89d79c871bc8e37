/*
 * Far more connections than the table holds.
 */
#include <arpa/inet.h>
#include <stdlib.h>
#include "test/bpf/scene.h"

#define CONNECTIONS 10000

/*
 * A table of 512 entries: each new connection displaces an old one, which is counted, and none may
 * be refused for that.
 */
static void a_full_table_refuses_no_connection(void **state)
{
	struct scene *scene = *state;
	uint64_t evictions;
	uint32_t left;

	scene_offer_all(scene, &ONLY_A);
	for (int i = 0; i < KIND_COUNT; i++) {
		struct blueprint request = request_of(&KINDS[i]);

		for (uint16_t port = 1; port <= CONNECTIONS; port++) {
			request.src_port = htons(port);
			scene_play(scene, &request, "Ss");
		}
	}
	left = scene_count_connections(scene);
	assert_in_range(left, 1, 4 * MAX_SCENE_CONNECTIONS);
	assert_int_equal(datapath_read_evictions(scene->datapath, &evictions), 0);
	assert_int_equal(evictions, KIND_COUNT * CONNECTIONS - left);
}

static void a_flood_of_connections_never_loses_a_service(void **state)
{
	struct service_key *keys;
	struct service_record *records;
	struct scene *scene = *state;
	uint32_t count;

	scene_offer_all(scene, &BOTH);
	for (int i = 0; i < KIND_COUNT; i++) {
		struct blueprint request = request_of(&KINDS[i]);

		for (uint16_t port = 1; port <= CONNECTIONS; port++) {
			request.src_port = htons(port);
			request_goes_to(scene, &request);
		}
	}
	assert_int_equal(datapath_list_services(scene->datapath, &keys, &records, &count), 0);
	free(keys);
	free(records);
	assert_int_equal(count, KIND_COUNT);
}

/* Established and in use, an entry is the last that gives way. */
static void a_busy_connection_outlives_a_flood(void **state)
{
	struct scene *scene = *state;

	for (int i = 0; i < KIND_COUNT; i++) {
		struct blueprint busy = request_of(&KINDS[i]), flood = busy;

		scene_offer(scene, &KINDS[i], &ONLY_A);
		scene_play(scene, &busy, "SsA");
		scene_offer(scene, &KINDS[i], &A_DRAINS_TO_B);
		for (uint16_t port = 1; port <= CONNECTIONS / 10; port++) {
			flood.src_port = htons(port);
			assert_int_equal(request_goes_to(scene, &flood), BACKEND_B);
			scene_play(scene, &busy, "Aa");
		}
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		scene_test(a_full_table_refuses_no_connection),
		scene_test(a_flood_of_connections_never_loses_a_service),
		scene_test(a_busy_connection_outlives_a_flood),
	};

	return cmocka_run_group_tests(tests, network_make, NULL);
}
