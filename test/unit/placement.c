/*
 * Placements: a changed service stays where it was as far as it can.
 */
#include "test/unit/placement_fixture.h"

static void a_new_service_takes_an_id_a_ring_and_a_place_a_backend(void **state)
{
	struct service *service = make_service(0, FEW);
	struct placement *placement = place(service);

	(void)state;
	assert_in_range(placement->service, 1, SERVICES);
	assert_int_equal(placement->ring.offset % RING_GRANULE, 0);
	assert_int_equal(placement->ring.length, 61);
	assert_int_equal(placement->count, FEW);
	assert_usage((struct usage){1, FEW, 1, FEW, FEW});
	placement_release(&room, placement, service, NULL);
	assert_usage((struct usage){});
	service_free(service);
}

static void a_service_without_backends_has_an_id_and_no_ring(void **state)
{
	struct service *service = make_service(0, 0);
	struct placement *placement = place(service);

	(void)state;
	assert_int_equal(placement->ring.length, 0);
	assert_usage((struct usage){.services = 1});
	placement_release(&room, placement, service, NULL);
	assert_usage((struct usage){});
	service_free(service);
}

static void services_share_destinations_and_nothing_else(void **state)
{
	struct service *service = make_service(0, FEW);
	struct placement *one = place(service);
	struct placement *other = place(service);

	(void)state;
	assert_int_not_equal(one->service, other->service);
	assert_int_not_equal(one->ring.offset, other->ring.offset);
	for (size_t i = 0; i < FEW; i++) {
		assert_int_not_equal(one->places[i].backend, other->places[i].backend);
		assert_int_equal(one->places[i].nexthop, other->places[i].nexthop);
	}
	assert_usage((struct usage){2, 2 * FEW, 2, FEW, FEW});
	placement_release(&room, one, service, NULL);
	assert_usage((struct usage){1, FEW, 1, FEW, FEW});
	placement_release(&room, other, service, NULL);
	service_free(service);
}

/* The second service lacks the first two of the other's backends and has two more. */
static void a_changed_service_keeps_its_id_and_its_backends_places(void **state)
{
	struct service *old_service = make_service(0, FEW);
	struct service *service = make_service(2, FEW);
	struct placement *old = place(old_service);
	struct placement *placement = place_again(service, old, old_service);

	(void)state;
	assert_int_equal(placement->service, old->service);
	for (size_t i = 0; i < FEW - 2; i++) {
		assert_int_equal(placement->places[i].backend, old->places[i + 2].backend);
		assert_int_equal(placement->places[i].nexthop, old->places[i + 2].nexthop);
	}
	assert_usage((struct usage){1, FEW + 2, 2, FEW + 2, FEW + 2});

	placement_release(&room, old, old_service, placement);
	assert_usage((struct usage){1, FEW, 2, FEW, FEW});
	placement_release(&room, placement, service, NULL);
	assert_usage((struct usage){});
	service_free(old_service);
	service_free(service);
}

static void a_new_placement_that_is_not_to_be_leaves_the_old_one_whole(void **state)
{
	static const unsigned int counts[] = {0, 1, FEW, MANY};

	(void)state;
	for (size_t i = 0; i < sizeof(counts) / sizeof(counts[0]); i++) {
		struct service *old_service = make_service(0, FEW);
		struct service *service = make_service(3, counts[i]);
		struct placement *old = place(old_service);
		const struct usage before = usage();

		placement_release(&room, place_again(service, old, old_service), service, old);

		assert_usage(before);
		placement_release(&room, old, old_service, NULL);
		assert_usage((struct usage){});
		service_free(old_service);
		service_free(service);
	}
}

static void granules_are_whole(void **state)
{
	static const uint32_t rows[][2] = {
		{0, 0}, {1, 1}, {64, 1}, {65, 2}, {128, 2}, {65521, 1024},
	};

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++)
		assert_int_equal(ring_granules(rows[i][0]), rows[i][1]);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		WITH_ROOM(a_new_service_takes_an_id_a_ring_and_a_place_a_backend),
		WITH_ROOM(a_service_without_backends_has_an_id_and_no_ring),
		WITH_ROOM(services_share_destinations_and_nothing_else),
		WITH_ROOM(a_changed_service_keeps_its_id_and_its_backends_places),
		WITH_ROOM(a_new_placement_that_is_not_to_be_leaves_the_old_one_whole),
		cmocka_unit_test(granules_are_whole),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
