/*
 * The source ranges of services: an LPM trie, an element for each range.
 */
#include <bpf/bpf.h>
#include <bpf/libbpf.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include "lb/datapath_internal.h"

#define FIRST_CAPACITY 64

static int ranges_map(const struct datapath *datapath)
{
	return bpf_map__fd(datapath->skeleton->maps.source_ranges);
}

static struct source_range_key key_of(uint32_t service, const struct prefix *range)
{
	struct source_range_key key = {
		.length = SOURCE_RANGE_SERVICE_BITS + range->length,
		.service = service,
	};

	memcpy(key.address, &range->address, sizeof(key.address));
	return key;
}

static void forget_owed(struct datapath *datapath, size_t i)
{
	datapath->owed_ranges[i] = datapath->owed_ranges[--datapath->owed_range_count];
}

/* A range that is wanted again is owed no more. */
static void settle_owed(struct datapath *datapath, uint32_t service, const struct prefix *range)
{
	for (size_t i = datapath->owed_range_count; i--;)
		if (datapath->owed_ranges[i].service == service &&
		    prefix_equal(&datapath->owed_ranges[i].range, range))
			forget_owed(datapath, i);
}

int datapath_add_source_range(struct datapath *datapath, uint32_t service,
			      const struct prefix *range)
{
	const struct source_range_key key = key_of(service, range);
	const uint32_t there = 1;

	if (bpf_map_update_elem(ranges_map(datapath), &key, &there, BPF_ANY))
		return -errno;
	settle_owed(datapath, service, range);
	return 0;
}

int datapath_remove_source_range(struct datapath *datapath, uint32_t service,
				 const struct prefix *range)
{
	const struct source_range_key key = key_of(service, range);
	int error = bpf_map_delete_elem(ranges_map(datapath), &key) ? -errno : 0;

	settle_owed(datapath, service, range);
	/* Past the end it stays until the next lbd, which removes what no service has. */
	if (error && error != -ENOENT && datapath->owed_range_count < OWED_RANGES)
		datapath->owed_ranges[datapath->owed_range_count++] =
			(struct source_range){.service = service, .range = *range};
	return error;
}

void sources_mend(struct datapath *datapath)
{
	for (size_t i = datapath->owed_range_count; i--;) {
		const struct source_range *owed = &datapath->owed_ranges[i];
		const struct source_range_key key = key_of(owed->service, &owed->range);

		if (!bpf_map_delete_elem(ranges_map(datapath), &key) || errno == ENOENT)
			forget_owed(datapath, i);
	}
}

/* One that lies in another of the same service may be missing: it says nothing that that does not.
 */
bool datapath_has_source_range(const struct datapath *datapath, uint32_t service,
			       const struct prefix *range)
{
	const struct source_range_key key = key_of(service, range);
	uint32_t there;

	return !bpf_map_lookup_elem(ranges_map(datapath), &key, &there);
}

static int append(struct source_range **list, uint32_t count, const struct source_range_key *key)
{
	struct source_range *grown = *list;

	/* Whenever it is full it doubles: at the powers of two. */
	if (!count || (count >= FIRST_CAPACITY && !(count & (count - 1)))) {
		grown = reallocarray(grown, count ? 2 * (size_t)count : FIRST_CAPACITY,
				     sizeof(*grown));
		if (!grown)
			return -ENOMEM;
		*list = grown;
	}
	grown[count] = (struct source_range){.service = key->service};
	grown[count].range.length = (__u8)(key->length - SOURCE_RANGE_SERVICE_BITS);
	memcpy(&grown[count].range.address, key->address, sizeof(key->address));
	return 0;
}

int datapath_list_source_ranges(struct datapath *datapath, struct source_range **ranges,
				uint32_t *count)
{
	const int map = ranges_map(datapath);
	struct source_range_key key, next;
	struct source_range *list = NULL;
	const void *before = NULL;
	uint32_t found = 0;
	int error = 0;

	while (!error && !bpf_map_get_next_key(map, before, &next)) {
		key = next;
		before = &key;
		error = append(&list, found, &key);
		found += !error;
	}
	if (!error && errno != ENOENT)
		error = -errno;
	if (error) {
		free(list);
		return error;
	}
	*ranges = list;
	*count = found;
	return 0;
}
