/*
 * Placements that do not fit: the refusal names the table that is full, and what was found before
 * is given back.
 */
#include "test/unit/placement_fixture.h"

/* Nothing may come of it, the words must be in the refusal, and the room must be as before. */
static void assert_refused(const struct service *service, const struct placement *old,
			   const struct service *old_service, const char *words)
{
	const struct usage before = usage();

	assert_null(placement_new(&room, service, old, old_service, &refusal));

	if (!strstr(refusal.text, words))
		fail_msg("\"%s\" does not say \"%s\"", refusal.text, words);
	assert_usage(before);
}

static void a_service_too_many_is_refused(void **state)
{
	struct service *service = make_service(0, FEW);
	struct placement *placements[SERVICES];

	(void)state;
	for (unsigned int i = 0; i < SERVICES; i++)
		placements[i] = place(service);

	assert_refused(service, NULL, NULL,
		       "10.96.0.10:80/tcp does not fit: the table of services (--max-services) is "
		       "full at 4");

	placement_release(&room, place_again(service, placements[0], service), service,
			  placements[0]);
	for (unsigned int i = 0; i < SERVICES; i++)
		placement_release(&room, placements[i], service, NULL);
	service_free(service);
}

static void a_backend_too_many_is_refused_by_its_address(void **state)
{
	struct service *old_service = make_service(0, BACKENDS - 2);
	struct service *service = make_service(2, BACKENDS + 1);
	struct service *other_service = make_service(0, FEW);
	struct placement *old = place(old_service);

	(void)state;
	assert_refused(service, old, old_service,
		       "10.96.0.10:80/tcp: backend 10.1.0.200:8080 does not fit: the table of "
		       "backends (--max-backends) is full at 200");
	settle_room();
	assert_refused(other_service, NULL, NULL, "backend 10.1.0.2:8080 does not fit");

	placement_release(&room, old, old_service, NULL);
	assert_usage((struct usage){});
	service_free(old_service);
	service_free(service);
	service_free(other_service);
}

static void a_ring_too_many_is_refused(void **state)
{
	struct service *old_service = make_service(0, FEW);
	struct service *service = make_service(5, MANY);
	struct placement *old = place(old_service);
	uint32_t granule;

	(void)state;
	assert_int_equal(slots_take(room.rings, GRANULES - 2, &granule), 0);

	assert_refused(service, old, old_service,
		       "the ring of 10.96.0.10:80/tcp does not fit: the table of rings "
		       "(--max-services) is full at 40");
	assert_refused(service, NULL, NULL, "the ring of 10.96.0.10:80/tcp does not fit");

	placement_release(&room, old, old_service, NULL);
	service_free(old_service);
	service_free(service);
}

/* As when addresses given back still rest: there are backends left, but no next hops. */
static void a_destination_too_many_is_refused(void **state)
{
	struct service *old_service = make_service(0, FEW);
	struct service *service = make_service(5, FEW);
	struct placement *old = place(old_service);
	uint32_t slot;

	(void)state;
	for (unsigned int i = 0; i < BACKENDS - FEW - 2; i++) {
		const struct backend backend = backend_number(1000 + i);

		assert_int_equal(destinations_hold(room.destinations, &backend.address, &slot), 0);
	}

	assert_refused(service, old, old_service, "backend 10.1.0.7:8080 does not fit");

	placement_release(&room, old, old_service, NULL);
	service_free(old_service);
	service_free(service);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		WITH_ROOM(a_service_too_many_is_refused),
		WITH_ROOM(a_backend_too_many_is_refused_by_its_address),
		WITH_ROOM(a_ring_too_many_is_refused),
		WITH_ROOM(a_destination_too_many_is_refused),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
