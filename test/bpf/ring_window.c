/*
 * Rings written through a window of mapped memory are where the program looks for them: each slot
 * is read back from the map, across the edges of windows and at both ends of the table.
 */
#include <bpf/bpf.h>
#include <sched.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mount.h>
#include <unistd.h>
#include <cmocka.h>
#include "lb/datapath.h"

#define PIN_PATH "/sys/fs/bpf/ring-window"
#define MAX_SERVICES 4096u
#define LONGEST 65521u
#define WRITES 2000

static struct datapath *datapath;
static int rings = -1; /* the map, as others see it */
static uint32_t *expected, *slots;

/* A bpffs that nobody else sees, so that all ends with the test. */
static int open_datapath(void **state)
{
	const struct datapath_options options = {
		.pin_path = PIN_PATH,
		.max_services = MAX_SERVICES,
		.max_backends = MAX_SERVICES,
		.max_connections = 1024,
		.max_affinity = 1024,
		.max_masquerades = 64,
		.max_fragments = 1024,
	};
	struct refusal refusal = {""};
	bool adopted;

	(void)state;
	if (unshare(CLONE_NEWNS) || mount(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL) ||
	    mount("bpf", "/sys/fs/bpf", "bpf", 0, NULL))
		return -1;
	if (datapath_open(&options, &datapath, &adopted, &refusal)) {
		print_error("%s\n", refusal.text);
		return -1;
	}
	rings = bpf_obj_get(PIN_PATH "/map/rings");
	expected = calloc(datapath_capacity_rings(datapath), sizeof(*expected));
	slots = calloc(LONGEST, sizeof(*slots));
	return rings >= 0 && expected && slots ? 0 : -1;
}

static int close_datapath(void **state)
{
	(void)state;
	datapath_close(datapath);
	close(rings);
	free(expected);
	free(slots);
	return 0;
}

static void write_ring(uint32_t offset, uint32_t length)
{
	for (uint32_t i = 0; i < length; i++)
		expected[offset + i] = slots[i] = (uint32_t)rand();
	assert_int_equal(datapath_set_ring(datapath, offset, slots, length), 0);
}

static void assert_table(void)
{
	const uint32_t rows = datapath_capacity_rings(datapath) / RING_ROW_SLOTS;
	struct ring_row row;

	for (uint32_t i = 0; i < rows; i++) {
		assert_int_equal(bpf_map_lookup_elem(rings, &i, &row), 0);
		assert_memory_equal(row.backend, expected + i * RING_ROW_SLOTS, sizeof(row));
	}
}

static void rings_are_written_where_they_are(void **state)
{
	static const uint32_t LENGTHS[] = {1, 61, 127, 251, 1021, 16381, LONGEST};
	const uint32_t capacity = datapath_capacity_rings(datapath);

	(void)state;
	for (int i = 0; i < WRITES; i++) {
		uint32_t length = LENGTHS[(size_t)rand() % (sizeof(LENGTHS) / sizeof(*LENGTHS))];

		write_ring((uint32_t)rand() % (capacity - length + 1), length);
	}
	assert_table();
}

static void the_table_is_written_from_its_first_slot_to_its_last(void **state)
{
	const uint32_t capacity = datapath_capacity_rings(datapath);

	(void)state;
	for (uint32_t offset = 0; offset + 61 <= capacity; offset += 61)
		write_ring(offset, 61);
	write_ring(capacity - 1, 1);
	write_ring(0, 1);
	write_ring(capacity - LONGEST, LONGEST);
	assert_table();
}

static void a_ring_beyond_the_table_is_an_error_and_writes_nothing(void **state)
{
	const uint32_t capacity = datapath_capacity_rings(datapath);

	(void)state;
	assert_int_not_equal(datapath_set_ring(datapath, capacity + 65536, slots, 61), 0);
	assert_int_not_equal(datapath_set_ring(datapath, capacity - 61, slots, LONGEST), 0);
	write_ring(64, 61);
	assert_table();
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(rings_are_written_where_they_are),
		cmocka_unit_test(the_table_is_written_from_its_first_slot_to_its_last),
		cmocka_unit_test(a_ring_beyond_the_table_is_an_error_and_writes_nothing),
	};

	return cmocka_run_group_tests(tests, open_datapath, close_datapath);
}
