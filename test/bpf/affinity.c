/*
 * Affinity: a client comes back to the backend that its last connection went to, for so long, while
 * that backend takes new connections.
 */
#include <arpa/inet.h>
#include <bpf/bpf.h>
#include <bpf/libbpf.h>
#include <linux/in.h>
#include <string.h>
#include "lb/encode.h"
#include "test/bpf/scene.h"

#define SECONDS 600
#define MARGIN_SECONDS 5 /* a loaded machine may take so long between two lines */
#define FIRST_PORT 1024
#define PORTS 40
#define OTHER_PORT 81 /* of a second service */

static const struct offer KEEPS_AT_A = {
	.affinity_seconds = SECONDS,
	.backends = {[BACKEND_A] = BACKEND_ACTIVE},
};
static const struct offer KEEPS_AT_B = {
	.affinity_seconds = SECONDS,
	.backends = {[BACKEND_B] = BACKEND_ACTIVE},
};
static const struct offer KEEPS = {
	.affinity_seconds = SECONDS,
	.backends = {[BACKEND_A] = BACKEND_ACTIVE, [BACKEND_B] = BACKEND_ACTIVE},
};

static struct blueprint request_from_port(const struct kind *kind, uint16_t port)
{
	struct blueprint request = request_of(kind);

	request.src_port = htons(port);
	return request;
}

static int map_of(const struct scene *scene)
{
	return bpf_map__fd(scene->datapath->skeleton->maps.affinity);
}

static uint32_t count_entries(const struct scene *scene)
{
	struct affinity_key key, *last = NULL;
	uint32_t count = 0;

	for (; !bpf_map_get_next_key(map_of(scene), last, &key); last = &key)
		count++;
	return count;
}

static struct affinity_key key_of_client(const struct kind *kind, uint32_t service)
{
	return (struct affinity_key){.client = request_of(kind).src, .service = service};
}

static void set_entry(struct scene *scene, const struct kind *kind, uint32_t service,
		      union affinity entry)
{
	const struct affinity_key key = key_of_client(kind, service);

	assert_int_equal(bpf_map_update_elem(map_of(scene), &key, &entry, BPF_ANY), 0);
}

static union affinity get_entry(const struct scene *scene, const struct kind *kind,
				uint32_t service)
{
	const struct affinity_key key = key_of_client(kind, service);
	union affinity entry;

	assert_int_equal(bpf_map_lookup_elem(map_of(scene), &key, &entry), 0);
	return entry;
}

/* As if the client's last connection had begun so much longer ago. */
static void let_pass(struct scene *scene, const struct kind *kind, uint32_t service,
		     unsigned int seconds)
{
	union affinity entry = get_entry(scene, kind, service);

	entry.last -= seconds * scene->datapath->jiffies_per_second;
	set_entry(scene, kind, service, entry);
}

/* How many of PORTS new connections of CLIENT go to BACKEND_B. */
static uint32_t count_at_b(struct scene *scene, const struct kind *kind, uint16_t first_port)
{
	uint32_t at_b = 0;

	for (uint16_t i = 0; i < PORTS; i++) {
		const struct blueprint request = request_from_port(kind, first_port + i);

		at_b += request_goes_to(scene, &request) == BACKEND_B;
	}
	return at_b;
}

static void a_client_comes_back_to_its_backend_from_every_port(void **state)
{
	struct scene *scene = *state;

	for (int algorithm = 0; algorithm < _ALGORITHM_COUNT; algorithm++) {
		struct offer offer = KEEPS;

		offer.algorithm = (enum algorithm)algorithm;
		for (int i = 0; i < KIND_COUNT; i++) {
			uint32_t at_b;

			scene_offer(scene, &KINDS[i], &offer);
			at_b = count_at_b(scene, &KINDS[i], FIRST_PORT);
			assert_true(at_b == 0 || at_b == PORTS);
			scene_withdraw(scene, &KINDS[i]);
		}
	}
}

static void clients_are_spread_over_the_backends(void **state)
{
	struct scene *scene = *state;

	scene_offer_all(scene, &KEEPS);
	for (int i = 0; i < KIND_COUNT; i++) {
		struct blueprint request = request_of(&KINDS[i]);
		uint32_t at_b = 0;

		for (uint32_t client = 0; client < 200; client++) {
			request.src.word[3] = htonl(0xc0000200 + client);
			at_b += request_goes_to(scene, &request) == BACKEND_B;
		}
		assert_in_range(at_b, 60, 140);
	}
}

static void it_survives_changes_of_other_backends(void **state)
{
	static const struct offer THREE = {
		.affinity_seconds = SECONDS,
		.algorithm = ALGORITHM_ROUND_ROBIN,
		.backends = {[BACKEND_A] = BACKEND_ACTIVE,
			     [BACKEND_B] = BACKEND_ACTIVE,
			     [STRANGER] = BACKEND_ACTIVE},
	};
	const struct offer *const CHANGES[] = {&KEEPS, &THREE, &KEEPS_AT_A, &KEEPS};
	struct scene *scene = *state;

	for (int i = 0; i < KIND_COUNT; i++) {
		const struct blueprint request = request_from_port(&KINDS[i], FIRST_PORT - 1);

		scene_offer(scene, &KINDS[i], &KEEPS_AT_A);
		assert_int_equal(request_goes_to(scene, &request), BACKEND_A);

		for (size_t row = 0; row < sizeof(CHANGES) / sizeof(CHANGES[0]); row++) {
			scene_offer(scene, &KINDS[i], CHANGES[row]);
			assert_int_equal(
				count_at_b(scene, &KINDS[i], (uint16_t)(FIRST_PORT + row * PORTS)),
				0);
		}
	}
}

static void it_ends_after_its_seconds_without_a_new_connection(void **state)
{
	struct scene *scene = *state;

	for (int i = 0; i < KIND_COUNT; i++) {
		struct blueprint request = request_from_port(&KINDS[i], FIRST_PORT - 1);
		uint32_t service = scene_offer(scene, &KINDS[i], &KEEPS_AT_A);
		uint32_t at_b = 0;

		request_goes_to(scene, &request);
		scene_offer(scene, &KINDS[i], &KEEPS);
		let_pass(scene, &KINDS[i], service, SECONDS - MARGIN_SECONDS);
		assert_int_equal(count_at_b(scene, &KINDS[i], FIRST_PORT), 0);
		for (uint16_t turn = 0; turn < PORTS; turn++) {
			let_pass(scene, &KINDS[i], service, SECONDS + 1);
			request = request_from_port(&KINDS[i], FIRST_PORT + PORTS + turn);
			at_b += request_goes_to(scene, &request) == BACKEND_B;
		}
		assert_in_range(at_b, 8, 32);
	}
}

static void each_new_connection_prolongs_it_and_no_other_packet(void **state)
{
	struct scene *scene = *state;

	for (int i = 0; i < KIND_COUNT; i++) {
		struct blueprint request = request_from_port(&KINDS[i], FIRST_PORT);
		uint32_t service = scene_offer(scene, &KINDS[i], &KEEPS_AT_A);
		union affinity before, after;

		scene_play(scene, &request, "SsA");
		let_pass(scene, &KINDS[i], service, SECONDS / 2);
		before = get_entry(scene, &KINDS[i], service);
		scene_play(scene, &request, "AaAa");
		after = get_entry(scene, &KINDS[i], service);
		assert_true(before.word == after.word);

		request = request_from_port(&KINDS[i], FIRST_PORT + 1);
		request_goes_to(scene, &request);
		after = get_entry(scene, &KINDS[i], service);
		assert_true(after.last - before.last >=
			    SECONDS / 2 * scene->datapath->jiffies_per_second);
	}
}

static void a_backend_that_takes_no_new_connections_loses_its_clients(void **state)
{
	static const enum backend_state STATES[] = {BACKEND_NONE, BACKEND_DRAINING, BACKEND_DOWN};
	struct scene *scene = *state;

	for (int i = 0; i < KIND_COUNT * 3; i++) {
		const struct kind *kind = &KINDS[i / 3];
		struct blueprint request = request_from_port(kind, FIRST_PORT - 1);
		struct offer offer = KEEPS;

		scene_offer(scene, kind, &KEEPS_AT_A);
		assert_int_equal(request_goes_to(scene, &request), BACKEND_A);
		offer.backends[BACKEND_A] = STATES[i % 3];
		scene_offer(scene, kind, &offer);
		assert_int_equal(count_at_b(scene, kind, FIRST_PORT), PORTS);

		/* They stay where they are now. */
		scene_offer(scene, kind, &KEEPS);
		assert_int_equal(count_at_b(scene, kind, FIRST_PORT + PORTS), PORTS);
		scene_withdraw(scene, kind);
	}
}

/* An index that was given to another, of this service or of another one. */
static void what_leads_to_a_stranger_leads_nowhere(void **state)
{
	struct offer other = KEEPS_AT_B;
	struct scene *scene = *state;

	other.port = OTHER_PORT;
	for (int i = 0; i < KIND_COUNT; i++) {
		const uint32_t theirs = scene_offer(scene, &KINDS[i], &other);
		const uint32_t service = scene_offer(scene, &KINDS[i], &KEEPS);
		const uint32_t index = scene_backend(scene, &KINDS[i], BACKEND_A);
		struct blueprint request = request_from_port(&KINDS[i], FIRST_PORT);
		struct backend_record record;
		uint32_t at_b = 0;

		datapath_get_backend(scene->datapath, index, &record);
		request.dst_port = htons(OTHER_PORT);
		assert_int_equal(request_goes_to(scene, &request), BACKEND_B);
		for (uint16_t turn = 0; turn < 2 * PORTS; turn++) {
			union affinity entry = get_entry(scene, &KINDS[i], theirs);

			if (turn % 2)
				entry.backend = encode_next_handle(index, record.handle);
			set_entry(scene, &KINDS[i], service, entry);
			request = request_from_port(&KINDS[i], FIRST_PORT + 1 + turn);
			at_b += request_goes_to(scene, &request) == BACKEND_B;
		}
		assert_in_range(at_b, 20, 60);
	}
}

static void each_service_keeps_a_client_for_itself(void **state)
{
	struct offer other = KEEPS_AT_B;
	struct scene *scene = *state;

	other.port = OTHER_PORT;
	for (int i = 0; i < KIND_COUNT; i++) {
		struct blueprint request = request_from_port(&KINDS[i], FIRST_PORT - 1);

		scene_offer(scene, &KINDS[i], &KEEPS_AT_A);
		scene_offer(scene, &KINDS[i], &other);
		assert_int_equal(request_goes_to(scene, &request), BACKEND_A);
		request = request_from_port(&KINDS[i], FIRST_PORT - 2);
		request.dst_port = htons(OTHER_PORT);
		assert_int_equal(request_goes_to(scene, &request), BACKEND_B);

		scene_offer(scene, &KINDS[i], &KEEPS);
		assert_int_equal(count_at_b(scene, &KINDS[i], FIRST_PORT), 0);
	}
}

/* One client port has a backend by another service already: with an alias it has it by this one. */
static void a_connection_that_would_collide_keeps_the_backend_too(void **state)
{
	struct offer other = KEEPS_AT_A;
	struct scene *scene = *state;
	__be16 port_there;

	other.port = OTHER_PORT;
	for (int i = 0; i < KIND_COUNT; i++) {
		struct blueprint collides = request_from_port(&KINDS[i], FIRST_PORT);
		struct blueprint request = request_from_port(&KINDS[i], FIRST_PORT);

		collides.dst_port = htons(OTHER_PORT);
		scene_offer(scene, &KINDS[i], &KEEPS_AT_A);
		scene_offer(scene, &KINDS[i], &other);
		assert_int_equal(request_goes_to(scene, &request), BACKEND_A);
		request = request_from_port(&KINDS[i], FIRST_PORT + 1);
		request.dst_port = htons(OTHER_PORT);
		assert_int_equal(request_goes_to(scene, &request), BACKEND_A);

		other.backends[BACKEND_B] = BACKEND_ACTIVE;
		scene_offer(scene, &KINDS[i], &other);
		assert_int_equal(request_goes_from(scene, &collides, &port_there), BACKEND_A);
		assert_int_not_equal(port_there, collides.src_port);
		for (uint16_t port = FIRST_PORT + 2; port < FIRST_PORT + PORTS; port++) {
			request.src_port = htons(port);
			assert_int_equal(request_goes_to(scene, &request), BACKEND_A);
		}
		other.backends[BACKEND_B] = BACKEND_NONE;
	}
}

static void a_lone_rst_or_fin_notes_nothing(void **state)
{
	static const uint8_t FLAGS[] = {RST, FIN | ACK};
	struct scene *scene = *state;

	scene_offer_all(scene, &KEEPS);
	for (int i = 0; i < KIND_COUNT * 2; i++) {
		struct blueprint request = request_of(&KINDS[i / 2]);

		if (request.protocol != IPPROTO_TCP)
			continue;
		request.tcp_flags = FLAGS[i % 2];
		request_goes_to(scene, &request);
	}
	assert_int_equal(count_entries(scene), 0);
}

static void services_without_it_note_nothing(void **state)
{
	struct scene *scene = *state;

	scene_offer_all(scene, &BOTH);
	for (int i = 0; i < KIND_COUNT; i++)
		assert_in_range(count_at_b(scene, &KINDS[i], FIRST_PORT), 8, 32);
	assert_int_equal(count_entries(scene), 0);
}

/* A full LRU map evicts others where a key that it has is updated (kernel/bpf/hashtab.c). */
static void a_client_that_comes_often_pushes_nobody_out(void **state)
{
	struct scene *scene = *state;
	struct blueprint request = request_of(&KINDS[0]);

	scene_offer(scene, &KINDS[0], &KEEPS);
	for (uint32_t client = 1; client <= MAX_SCENE_AFFINITY; client++) {
		request.src.word[3] = htonl(0x0a090000 + client);
		request_goes_to(scene, &request);
	}
	assert_int_equal(count_entries(scene), MAX_SCENE_AFFINITY);

	for (uint16_t port = FIRST_PORT; port < FIRST_PORT + 2000; port++) {
		request.src_port = htons(port);
		request_goes_to(scene, &request);
	}
	assert_int_equal(count_entries(scene), MAX_SCENE_AFFINITY);
}

static void more_clients_than_there_is_room_for_are_served(void **state)
{
	struct scene *scene = *state;
	struct blueprint request = request_of(&KINDS[0]);

	scene_offer(scene, &KINDS[0], &KEEPS);
	for (uint32_t client = 1; client <= 4 * MAX_SCENE_AFFINITY; client++) {
		request.src.word[3] = htonl(0x0a090000 + client);
		request_goes_to(scene, &request);
	}
	assert_in_range(count_entries(scene), MAX_SCENE_AFFINITY / 2, MAX_SCENE_AFFINITY);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		scene_test(a_client_comes_back_to_its_backend_from_every_port),
		scene_test(clients_are_spread_over_the_backends),
		scene_test(it_survives_changes_of_other_backends),
		scene_test(it_ends_after_its_seconds_without_a_new_connection),
		scene_test(each_new_connection_prolongs_it_and_no_other_packet),
		scene_test(a_backend_that_takes_no_new_connections_loses_its_clients),
		scene_test(what_leads_to_a_stranger_leads_nowhere),
		scene_test(each_service_keeps_a_client_for_itself),
		scene_test(a_connection_that_would_collide_keeps_the_backend_too),
		scene_test(a_lone_rst_or_fin_notes_nothing),
		scene_test(services_without_it_note_nothing),
		scene_test(a_client_that_comes_often_pushes_nobody_out),
		scene_test(more_clients_than_there_is_room_for_are_served),
	};

	return cmocka_run_group_tests(tests, network_make, NULL);
}
