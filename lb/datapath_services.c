/*
 * The services: an LRU hash, written in batches.
 */
#include <bpf/bpf.h>
#include <bpf/libbpf.h>
#include <errno.h>
#include <stdlib.h>
#include "lb/datapath_internal.h"

#define BATCH_ENTRIES 4096

int datapath_set_services(struct datapath *datapath, const struct service_key *keys,
			  const struct service_record *records, uint32_t count)
{
	int map = bpf_map__fd(datapath->skeleton->maps.services);

	/* Counted down by what a call has written; an interrupted one goes on where it stopped. */
	while (count) {
		__u32 done = count;

		if (count == 1)
			return bpf_map_update_elem(map, keys, records, BPF_ANY) ? -errno : 0;
		if (bpf_map_update_batch(map, keys, records, &done, NULL))
			return -errno;
		keys += done;
		records += done;
		count -= done;
	}
	return 0;
}

int datapath_remove_services(struct datapath *datapath, const struct service_key *keys,
			     uint32_t count)
{
	int map = bpf_map__fd(datapath->skeleton->maps.services);

	for (uint32_t i = 0; i < count; i++)
		if (bpf_map_delete_elem(map, &keys[i]) && errno != ENOENT)
			return -errno;
	return 0;
}

int datapath_find_service(struct datapath *datapath, const struct service_key *key,
			  struct service_record *record)
{
	return bpf_map_lookup_elem(bpf_map__fd(datapath->skeleton->maps.services), key, record)
		       ? -errno
		       : 0;
}

struct service_list {
	struct service_key *keys;
	struct service_record *records;
	uint32_t count;
};

/* Room for so many more. */
static int reserve(struct service_list *list, uint32_t room)
{
	const size_t total = (size_t)list->count + room;
	struct service_key *keys = realloc(list->keys, total * sizeof(*keys));
	struct service_record *records;

	if (!keys)
		return -ENOMEM;
	list->keys = keys;
	records = realloc(list->records, total * sizeof(*records));
	if (!records)
		return -ENOMEM;
	list->records = records;
	return 0;
}

/* A bucket of the hash comes whole or not at all: ENOSPC asks for more room. */
static int read_services(int map, struct service_list *list)
{
	uint32_t position = 0, room = BATCH_ENTRIES, got;
	bool started = false;
	int ended = 0;

	while (!ended) {
		if (reserve(list, room))
			return -ENOMEM;
		got = room;
		if (bpf_map_lookup_batch(map, started ? &position : NULL, &position,
					 list->keys + list->count, list->records + list->count,
					 &got, NULL))
			ended = errno;
		if (ended == ENOSPC) {
			room *= 2;
			ended = 0;
			continue;
		}
		list->count += got;
		started = true;
	}
	return ended == ENOENT ? 0 : -ended;
}

int datapath_list_services(struct datapath *datapath, struct service_key **keys,
			   struct service_record **records, uint32_t *count)
{
	struct service_list list = {};
	int error = read_services(bpf_map__fd(datapath->skeleton->maps.services), &list);

	if (error) {
		free(list.keys);
		free(list.records);
		return error;
	}
	*keys = list.keys;
	*records = list.records;
	*count = list.count;
	return 0;
}
