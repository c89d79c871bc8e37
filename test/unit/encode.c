/*
 * Encoding: records field by field, and rings of those backends only that take connections.
 */
#include <stdlib.h>
#include "lb/encode.h"
#include "test/unit/placement_fixture.h"

#define UNTOUCHED 0xdeadbeefu

static uint32_t ring[65536];

static int open_large_room(void **state)
{
	const struct destination_hooks hooks = {&heard, hear_added, hear_removed};
	const struct room_size size = {.services = 10, .backends = 5000, .rings = 1 << 18};

	(void)state;
	return room_init(&room, &size, &hooks);
}

static void encode(const struct service *service, const struct placement *placement)
{
	memset(ring, 0xff, sizeof(ring));
	ring[placement->ring.length] = UNTOUCHED;
	assert_int_equal(encode_ring(service, placement, ring), 0);
	assert_int_equal(ring[placement->ring.length], UNTOUCHED);
}

/* Slots of the ring that hold this backend. */
static size_t share(const struct placement *placement, size_t backend)
{
	size_t slots = 0;

	for (uint32_t i = 0; i < placement->ring.length; i++)
		slots += ring[i] == placement->places[backend].backend;
	return slots;
}

static void a_service_record_says_where_its_ring_is_and_how_long_clients_stay(void **state)
{
	struct service *service = make_service(0, 2);
	struct placement placement = {.service = 7, .ring = {.offset = 512, .length = 251}};
	struct service_record expected, record;

	(void)state;
	for (unsigned int algorithm = 0; algorithm < _ALGORITHM_COUNT; algorithm++) {
		service->algorithm = algorithm;
		service->affinity_seconds = 86400;
		memset(&expected, 0, sizeof(expected));
		expected.ring.offset = 512;
		expected.ring.length = 251;
		expected.service = 7;
		expected.affinity_seconds = 86400;
		expected.algorithm = (__u8)algorithm;

		record = encode_service(service, &placement);

		assert_memory_equal(&record, &expected, sizeof(expected));
	}
	service_free(service);
}

static void a_service_record_says_whether_sources_are_limited(void **state)
{
	struct service *service = make_service(0, 2);
	struct placement placement = {.service = 7};
	struct prefix range;

	(void)state;
	assert_int_equal(encode_service(service, &placement).flags, 0);
	assert_int_equal(prefix_parse("192.0.2.0/24", &range, &refusal), 0);
	assert_int_equal(service_add_source_range(service, &range, &refusal), 0);

	assert_int_equal(encode_service(service, &placement).flags, SERVICE_HAS_SOURCE_RANGES);
	service_free(service);
}

static void what_a_record_says_of_a_service_of_a_cluster_is_adopted_again(void **state)
{
	struct service *service = make_service(0, 2), *adopted = make_service(0, 2);
	struct placement placement = {.service = 7};

	(void)state;
	for (unsigned int bits = 0; bits < 4 * _MASQUERADE_COUNT; bits++) {
		service->masquerade = bits / 4;
		service->has_inside = bits & 1;
		service->drops_unserved = bits & 2;

		encode_adopt_flags(encode_service(service, &placement).flags, adopted);

		assert_true(service_equal(service, adopted));
	}
	service_free(service);
	service_free(adopted);
}

static void a_service_record_says_where_the_ring_before_was(void **state)
{
	struct service *service = make_service(0, 2);
	struct placement placement = {.service = 7, .previous = {.offset = 64, .length = 61}};

	(void)state;
	assert_int_equal(encode_service(service, &placement).previous.offset, 64);
	assert_int_equal(encode_service(service, &placement).previous.length, 61);
	service_free(service);
}

/* RFC 1071, 4.1, the slow way: 16 bits after 16 bits. */
static __u16 sum_of(const void *bytes, size_t size, __u32 sum, bool inverted)
{
	__u16 word;

	for (size_t i = 0; i < size; i += sizeof(word)) {
		memcpy(&word, (const char *)bytes + i, sizeof(word));
		sum += inverted ? (__u16)~word : word;
		sum = (sum & 0xffff) + (sum >> 16);
	}
	return (__u16)sum;
}

static struct checksum_change expected_change(const struct address *from, __be16 from_port,
					      const struct address *to, __be16 to_port)
{
	struct checksum_change change;

	change.addresses = sum_of(from, sizeof(*from), 0, true);
	change.addresses = sum_of(to, sizeof(*to), change.addresses, false);
	change.all = sum_of(&from_port, sizeof(from_port), change.addresses, true);
	change.all = sum_of(&to_port, sizeof(to_port), change.all, false);
	return change;
}

static void a_backend_record_is_of_its_place_and_state(void **state)
{
	struct service *service = make_service(40, 3);
	struct placement *placement = place(service);
	struct backend_record expected, record;
	const struct backend second = backend_number(41);

	(void)state;
	placement->service = 9;
	placement->places[1] = (struct place){.backend = 1234, .nexthop = 77};
	for (unsigned int backend = BACKEND_ACTIVE; backend < _BACKEND_STATE_COUNT; backend++) {
		service->backends[1].state = backend;
		memset(&expected, 0, sizeof(expected));
		expected.address = second.address;
		expected.service_address = service->key.address;
		expected.handle = 42;
		expected.port = htons(8080);
		expected.service_port = service->key.port;
		expected.protocol = service->key.protocol;
		expected.request = expected_change(&service->key.address, service->key.port,
						   &second.address, htons(8080));
		expected.reply = expected_change(&second.address, htons(8080),
						 &service->key.address, service->key.port);
		expected.service = 9;
		expected.nexthop = 77;
		expected.state = (__u8)backend;

		record = encode_backend(service, placement, 1, 42);

		assert_memory_equal(&record, &expected, sizeof(expected));
	}
	free(placement);
	service_free(service);
}

/* It gets no new connection, be it by affinity, and keeps those it has. */
static void an_active_backend_without_weight_drains_to_packets(void **state)
{
	struct service *service = make_service(0, 1);
	struct placement *placement = place(service);

	(void)state;
	service->backends[0].weight = 0;
	assert_int_equal(encode_backend(service, placement, 0, 42).state, BACKEND_DRAINING);
	service->backends[0].state = BACKEND_DOWN;
	assert_int_equal(encode_backend(service, placement, 0, 42).state, BACKEND_DOWN);
	service->backends[0].state = BACKEND_ACTIVE;
	service->backends[0].weight = 65535;
	assert_int_equal(encode_backend(service, placement, 0, 42).state, BACKEND_ACTIVE);
	placement_release(&room, placement, service, NULL);
	service_free(service);
}

static void a_handle_names_its_index_and_is_never_the_last_one(void **state)
{
	const uint32_t indexes[] = {1, 77, BACKEND_INDEX_MASK};

	(void)state;
	for (size_t i = 0; i < sizeof(indexes) / sizeof(indexes[0]); i++) {
		uint32_t handle = encode_next_handle(indexes[i], 0);

		for (int turn = 0; turn < 1000; turn++) {
			const uint32_t next = encode_next_handle(indexes[i], handle);

			assert_int_equal(handle & BACKEND_INDEX_MASK, indexes[i]);
			assert_in_range(handle, 1, BACKEND_HANDLE_MASK);
			assert_int_not_equal(next, handle);
			handle = next;
		}
	}
}

static void ring_length_is_of_the_algorithm_and_the_backends(void **state)
{
	static const struct {
		enum algorithm algorithm;
		unsigned int count;
		__u16 heaviest; /* weight of the first backend; of the others 1 */
		uint32_t length;
	} rows[] = {
		{ALGORITHM_MAGLEV, 0, 0, 0},        {ALGORITHM_MAGLEV, 1, 1, 1},
		{ALGORITHM_MAGLEV, 1, 9, 1},        {ALGORITHM_MAGLEV, 2, 1, 61},
		{ALGORITHM_MAGLEV, 6, 1, 61},       {ALGORITHM_MAGLEV, 7, 1, 127},
		{ALGORITHM_MAGLEV, 12, 1, 127},     {ALGORITHM_MAGLEV, 13, 1, 251},
		{ALGORITHM_MAGLEV, 25, 1, 251},     {ALGORITHM_MAGLEV, 26, 1, 509},
		{ALGORITHM_MAGLEV, 2, 50, 1021},    {ALGORITHM_MAGLEV, 100, 1, 1021},
		{ALGORITHM_RANDOM, 2, 1, 61},       {ALGORITHM_SOURCE_HASH, 2, 1, 61},
		{ALGORITHM_ROUND_ROBIN, 0, 0, 0},   {ALGORITHM_ROUND_ROBIN, 1, 9, 1},
		{ALGORITHM_ROUND_ROBIN, 2, 1, 2},   {ALGORITHM_ROUND_ROBIN, 2, 50, 51},
		{ALGORITHM_ROUND_ROBIN, 64, 1, 64}, {ALGORITHM_ROUND_ROBIN, 65, 1, 65},
	};

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		struct service *service = make_service(0, rows[i].count);

		service->algorithm = rows[i].algorithm;
		if (rows[i].count)
			service->backends[0].weight = rows[i].heaviest;

		assert_int_equal(encode_ring_length(service), rows[i].length);
		service_free(service);
	}
}

/* Its middle one of three backends cannot take connections; the others share the ring. */
static void only_backends_that_take_connections_are_in_the_ring(void **state)
{
	static const struct {
		enum backend_state state;
		__u16 weight;
	} rows[] = {{BACKEND_DRAINING, 1}, {BACKEND_DOWN, 1}, {BACKEND_ACTIVE, 0}};
	static const enum algorithm algorithms[] = {ALGORITHM_MAGLEV, ALGORITHM_ROUND_ROBIN};

	(void)state;
	for (size_t i = 0; i < 2 * sizeof(rows) / sizeof(rows[0]); i++) {
		struct service *service = make_service(0, 3);
		struct placement *placement;

		service->algorithm = algorithms[i % 2];
		service->backends[1].state = rows[i / 2].state;
		service->backends[1].weight = rows[i / 2].weight;
		placement = place(service);
		encode(service, placement);

		assert_int_equal(share(placement, 1), 0);
		assert_true(share(placement, 0) > 0);
		assert_int_equal(share(placement, 0) + share(placement, 2), placement->ring.length);
		placement_release(&room, placement, service, NULL);
		settle_room();
		service_free(service);
	}
}

static void a_service_whose_backends_are_all_out_has_no_ring(void **state)
{
	struct service *service = make_service(0, 3);
	struct placement *placement;

	(void)state;
	service->backends[0].state = BACKEND_DOWN;
	service->backends[1].state = BACKEND_DRAINING;
	service->backends[2].weight = 0;
	placement = place(service);

	assert_int_equal(encode_ring_length(service), 0);
	assert_int_equal(placement->ring.length, 0);
	assert_int_equal(placement->count, 3);
	encode(service, placement);
	placement_release(&room, placement, service, NULL);
	service_free(service);
}

static void round_robin_shares_are_the_weights(void **state)
{
	struct service *service = make_service(0, 3);
	struct placement *placement;

	(void)state;
	service->algorithm = ALGORITHM_ROUND_ROBIN;
	for (__u16 i = 0; i < 3; i++)
		service->backends[i].weight = (__u16)(5 - i);
	placement = place(service);
	encode(service, placement);

	assert_int_equal(placement->ring.length, 5 + 4 + 3);
	for (size_t i = 0; i < 3; i++)
		assert_int_equal(share(placement, i), 5 - i);
	placement_release(&room, placement, service, NULL);
	service_free(service);
}

/* On the stack or on the heap, each has its own and at least nine tenths of a fair share. */
static void every_backend_of_few_and_of_many_is_in_the_ring(void **state)
{
	static const unsigned int counts[] = {2, 64, 65, 400, MAX_BACKENDS_PER_SERVICE};

	(void)state;
	for (size_t i = 0; i < sizeof(counts) / sizeof(counts[0]); i++) {
		struct service *service = make_service(0, counts[i]);
		struct placement *placement = place(service);
		size_t fair = placement->ring.length / counts[i];

		encode(service, placement);

		for (size_t backend = 0; backend < counts[i]; backend += 1 + counts[i] / 70)
			assert_in_range(share(placement, backend), fair, fair + 1);
		placement_release(&room, placement, service, NULL);
		settle_room();
		service_free(service);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_service_record_says_where_its_ring_is_and_how_long_clients_stay),
		cmocka_unit_test(a_service_record_says_whether_sources_are_limited),
		cmocka_unit_test(what_a_record_says_of_a_service_of_a_cluster_is_adopted_again),
		cmocka_unit_test(a_service_record_says_where_the_ring_before_was),
		WITH_ROOM(a_backend_record_is_of_its_place_and_state),
		WITH_ROOM(an_active_backend_without_weight_drains_to_packets),
		cmocka_unit_test(a_handle_names_its_index_and_is_never_the_last_one),
		cmocka_unit_test(ring_length_is_of_the_algorithm_and_the_backends),
		WITH_ROOM(only_backends_that_take_connections_are_in_the_ring),
		WITH_ROOM(a_service_whose_backends_are_all_out_has_no_ring),
		WITH_ROOM(round_robin_shares_are_the_weights),
		cmocka_unit_test_setup_teardown(every_backend_of_few_and_of_many_is_in_the_ring,
						open_large_room, close_room),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
