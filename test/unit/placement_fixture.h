/*
 * A small room that tells what is taken of it, and services with backends of neighbouring
 * addresses, number 0 at 10.1.0.0:8080.
 */
#pragma once

#include <arpa/inet.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <cmocka.h>
#include "lb/placement.h"
#include "lb/slots.h"

#define FIRST_ADDRESS 0x0a010000u /* 10.1.0.0 */

/* Maglev rings: a granule up to 6 equal backends, two up to 12. */
#define FEW 5u
#define STILL_FEW 6u
#define MANY 7u
#define STILL_MANY 12u

#define SERVICES 4u /* that fit */
#define BACKENDS 200u
#define GRANULES 40u /* the ring of BACKENDS backends takes 32 */

static struct room room;
static struct refusal refusal;
static int heard; /* addresses added less those removed */

/* How much of each table is taken, and what the hooks heard. */
struct usage {
	uint32_t services, backends, granules;
	size_t destinations;
	int heard; /* addresses added less those removed */
};

static inline int hear_added(void *context, const struct address *address, uint32_t slot)
{
	(void)address;
	(void)slot;
	++*(int *)context;
	return 0;
}

static inline void hear_removed(void *context, const struct address *address, uint32_t slot)
{
	(void)address;
	(void)slot;
	--*(int *)context;
}

static inline int open_room(void **state)
{
	const struct destination_hooks hooks = {&heard, hear_added, hear_removed};
	const struct room_size size = {
		.services = SERVICES + 1,
		.backends = BACKENDS + 1,
		.rings = GRANULES * RING_GRANULE,
	};

	(void)state;
	heard = 0;
	refusal.text[0] = '\0';
	return room_init(&room, &size, &hooks);
}

static inline int close_room(void **state)
{
	(void)state;
	room_finish(&room);
	return 0;
}

/* What was given back may be taken again. */
static inline void settle_room(void)
{
	slots_settle(room.services);
	slots_settle(room.backends);
	slots_settle(room.rings);
	destinations_settle(room.destinations);
}

static inline struct usage usage(void)
{
	return (struct usage){
		.services = slots_taken(room.services),
		.backends = slots_taken(room.backends),
		.granules = slots_taken(room.rings),
		.destinations = destinations_count(room.destinations),
		.heard = heard,
	};
}

static inline void assert_usage(struct usage expected)
{
	const struct usage found = usage();

	assert_int_equal(found.services, expected.services);
	assert_int_equal(found.backends, expected.backends);
	assert_int_equal(found.granules, expected.granules);
	assert_int_equal(found.destinations, expected.destinations);
	assert_int_equal(found.heard, expected.heard);
}

static inline struct backend backend_number(unsigned int number)
{
	return (struct backend){
		.address.word = {0, 0, htonl(0xffff), htonl(FIRST_ADDRESS + number)},
		.port = htons(8080),
		.weight = 1,
		.state = BACKEND_ACTIVE,
	};
}

/* Backends number `first` … `first + count - 1`. The caller frees it. */
static inline struct service *make_service(unsigned int first, unsigned int count)
{
	struct service_key key;
	struct service *service;

	assert_int_equal(service_key_parse("10.96.0.10:80", &key, &refusal), 0);
	service = service_new(&key);
	assert_non_null(service);
	for (unsigned int i = first; i < first + count; i++) {
		const struct backend backend = backend_number(i);

		assert_int_equal(service_add_backend(service, &backend, &refusal), 0);
	}
	return service;
}

/* Places a service that must fit, beside what it was (NULL: it is new). */
static inline struct placement *place_again(const struct service *service,
					    const struct placement *old,
					    const struct service *old_service)
{
	struct placement *placement = placement_new(&room, service, old, old_service, &refusal);

	if (!placement)
		fail_msg("%s", refusal.text);
	return placement;
}

static inline struct placement *place(const struct service *service)
{
	return place_again(service, NULL, NULL);
}

#define WITH_ROOM(test) cmocka_unit_test_setup_teardown(test, open_room, close_room)
