/*
 * Rings that change: where the new one goes, and how long the old one is kept.
 */
#include "test/unit/placement_fixture.h"

static bool is_same_range(struct ring a, struct ring b)
{
	return a.offset == b.offset && a.length == b.length;
}

/* The next placement, and only that and what it keeps are taken when the old one is released. */
static struct placement *replace(const struct service *service, struct placement *old,
				 const struct service *old_service)
{
	struct placement *placement = place_again(service, old, old_service);

	placement_release(&room, old, old_service, placement);
	return placement;
}

static void a_ring_that_changes_moves_and_the_old_one_is_kept(void **state)
{
	static const struct {
		unsigned int before, after;
		uint32_t granules; /* of both */
	} rows[] = {
		{FEW, STILL_FEW, 2}, {1, FEW, 2},           {FEW, 1, 2}, {FEW, MANY, 3},
		{MANY, FEW, 3},      {MANY, STILL_MANY, 4}, {0, FEW, 1}, {FEW, 0, 1},
	};

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		struct service *old_service = make_service(0, rows[i].before);
		struct service *service = make_service(0, rows[i].after);
		struct placement *old = place(old_service);
		const struct ring ring = old->ring;
		struct placement *placement = replace(service, old, old_service);

		assert_true(!ring.length || placement->ring.offset != ring.offset ||
			    !placement->ring.length);
		assert_true(is_same_range(placement->previous, ring));
		assert_int_equal(usage().granules, rows[i].granules);
		placement_release(&room, placement, service, NULL);
		assert_usage((struct usage){});
		settle_room();
		service_free(old_service);
		service_free(service);
	}
}

static void the_next_change_frees_the_ring_that_was_kept(void **state)
{
	struct service *few = make_service(0, FEW), *many = make_service(0, MANY);
	struct service *one = make_service(0, 1);
	struct placement *placement = replace(many, place(few), few);
	const struct ring ring = placement->ring;

	(void)state;
	placement = replace(one, placement, many);
	assert_true(is_same_range(placement->previous, ring));
	assert_usage((struct usage){1, 1, 1 + 2, 1, 1});
	placement_release(&room, placement, one, NULL);
	assert_usage((struct usage){});
	service_free(few);
	service_free(many);
	service_free(one);
}

/* Two ranges in turn, so that a service that changes often does not wander through the table. */
static void a_ring_goes_where_the_one_before_the_last_was_if_that_is_as_long(void **state)
{
	struct service *few = make_service(0, FEW), *still_few = make_service(0, STILL_FEW);
	struct service *many = make_service(0, MANY);
	struct placement *placement = replace(still_few, place(few), few);
	struct ring ring = placement->ring, previous = placement->previous;

	(void)state;
	for (int turn = 0; turn < 3; turn++) {
		placement = replace(few, placement, still_few);
		assert_true(is_same_range(placement->ring, previous));
		assert_true(is_same_range(placement->previous, ring));
		placement = replace(still_few, placement, few);
		assert_true(is_same_range(placement->ring, ring));
		assert_true(is_same_range(placement->previous, previous));
		assert_int_equal(usage().granules, 2);
	}
	placement = replace(many, placement, still_few);
	assert_true(is_same_range(placement->previous, ring));
	assert_int_equal(usage().granules, 1 + 2);
	placement_release(&room, placement, many, NULL);
	service_free(few);
	service_free(still_few);
	service_free(many);
}

/* Nothing began while there was none. */
static void a_ring_is_kept_over_the_time_without_one(void **state)
{
	struct service *few = make_service(0, FEW), *none = make_service(0, 0);
	struct placement *placement = place(few);
	const struct ring ring = placement->ring;

	(void)state;
	placement = replace(none, placement, few);
	placement = replace(none, placement, none);
	assert_true(is_same_range(placement->previous, ring));
	placement = replace(few, placement, none);
	assert_true(is_same_range(placement->previous, ring));
	assert_usage((struct usage){1, FEW, 2, FEW, FEW});
	placement_release(&room, placement, few, NULL);
	service_free(few);
	service_free(none);
}

static void a_ring_in_which_nothing_changes_stays(void **state)
{
	struct service *many = make_service(0, MANY), *few = make_service(0, FEW);
	struct service *same = make_service(1, FEW - 1);
	const struct backend first = backend_number(0), last = backend_number(FEW);
	struct placement *placement = replace(few, place(many), many);
	const struct placement before = *placement;

	(void)state;
	/* Another order, another name, one more that takes no connections. */
	assert_int_equal(service_add_backend(same, &last, &refusal), 0);
	same->backends[FEW - 1].state = BACKEND_DRAINING;
	assert_int_equal(service_add_backend(same, &first, &refusal), 0);
	assert_int_equal(service_set_name(same, "default/web", &refusal), 0);
	same->algorithm = ALGORITHM_RANDOM;
	placement = replace(same, placement, few);

	assert_true(is_same_range(placement->ring, before.ring));
	assert_true(is_same_range(placement->previous, before.previous));
	assert_usage((struct usage){1, FEW + 1, 3, FEW + 1, FEW + 1});
	placement_release(&room, placement, same, NULL);
	service_free(many);
	service_free(few);
	service_free(same);
}

/* The tables do not tell weights. */
static void a_ring_that_was_adopted_stays_where_only_weights_may_differ(void **state)
{
	struct service *adopted = make_service(0, FEW), *wanted = make_service(0, FEW);
	struct placement *placement = place(adopted);
	const struct ring ring = placement->ring;

	(void)state;
	for (size_t i = 0; i < FEW; i++)
		wanted->backends[i].weight = 7;
	adopted->is_adopted = true;
	placement = replace(wanted, placement, adopted);

	assert_true(is_same_range(placement->ring, ring));
	assert_int_equal(placement->previous.length, 0);
	placement_release(&room, placement, wanted, NULL);
	service_free(adopted);
	service_free(wanted);
}

static void without_room_for_two_a_ring_stays_in_its_range(void **state)
{
	struct service *many = make_service(0, MANY), *few = make_service(0, FEW);
	struct service *still_few = make_service(0, STILL_FEW);
	struct placement *placement = replace(few, place(many), many);
	const struct ring ring = placement->ring;
	uint32_t granule;

	(void)state;
	settle_room();
	assert_int_equal(slots_take(room.rings, GRANULES - 3, &granule), 0);
	assert_false(room.lacks_rings);
	placement = replace(still_few, placement, few);

	assert_true(room.lacks_rings);
	assert_int_equal(placement->ring.offset, ring.offset);
	assert_int_equal(placement->previous.length, 0);
	assert_int_equal(usage().granules, GRANULES - 3 + 1);
	placement_release(&room, placement, still_few, NULL);
	service_free(many);
	service_free(few);
	service_free(still_few);
}

static void a_ring_that_is_kept_can_be_forgotten(void **state)
{
	struct service *few = make_service(0, FEW), *many = make_service(0, MANY);
	struct placement *placement = replace(many, place(few), few);

	(void)state;
	placement_forget_previous(&room, placement);
	assert_int_equal(placement->previous.length, 0);
	assert_usage((struct usage){1, MANY, 2, MANY, MANY});
	placement_release(&room, placement, many, NULL);
	service_free(few);
	service_free(many);
}

/* What is planned for the third service, with room for two rings or one. */
static void a_plan_can_make_do_with_less(void **state)
{
	static const struct {
		unsigned int first, second, third;
		uint32_t granules_planned, granules_then; /* of the second and the third */
		bool forgettable;                         /* what the second keeps, then */
	} rows[] = {
		{1, FEW, FEW, 2, 2, true},          /* nothing changes */
		{1, FEW, STILL_FEW, 2, 2, true},    /* back and forth */
		{MANY, FEW, STILL_FEW, 4, 3, true}, /* a range of its own */
		{1, MANY, FEW, 3, 3, false},        /* back into a shorter one */
		{1, FEW, MANY, 4, 4, true},         /* a longer one */
		{1, FEW, 0, 2, 2, true},            /* none */
	};

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		struct service *first = make_service(0, rows[i].first);
		struct service *second = make_service(0, rows[i].second);
		struct service *third = make_service(0, rows[i].third);
		struct placement *old = replace(second, place(first), first);
		struct placement *planned = place_again(third, old, second);

		placement_plan(old, planned);
		assert_int_equal(usage().granules, rows[i].granules_planned);
		placement_make_do(&room, planned, old);
		assert_int_equal(usage().granules, rows[i].granules_then);
		assert_int_equal(!old->previous_is_planned, rows[i].forgettable);
		if (rows[i].forgettable)
			placement_forget_previous(&room, old);
		placement_release(&room, old, second, planned);
		placement_release(&room, planned, third, NULL);
		assert_usage((struct usage){});
		settle_room();
		service_free(first);
		service_free(second);
		service_free(third);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		WITH_ROOM(a_ring_that_changes_moves_and_the_old_one_is_kept),
		WITH_ROOM(the_next_change_frees_the_ring_that_was_kept),
		WITH_ROOM(a_ring_goes_where_the_one_before_the_last_was_if_that_is_as_long),
		WITH_ROOM(a_ring_is_kept_over_the_time_without_one),
		WITH_ROOM(a_ring_in_which_nothing_changes_stays),
		WITH_ROOM(a_ring_that_was_adopted_stays_where_only_weights_may_differ),
		WITH_ROOM(without_room_for_two_a_ring_stays_in_its_range),
		WITH_ROOM(a_ring_that_is_kept_can_be_forgotten),
		WITH_ROOM(a_plan_can_make_do_with_less),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
