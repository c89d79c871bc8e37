/*
 * Moving what pinned maps hold into maps of another size (--max-…), or whose values are longer or
 * shorter: what both know of a value comes first in it, and zero means what was before. Programs
 * that are attached go on with the old maps until ours take their places (datapath_bridge.c).
 *
 * Only what lies in the maps themselves is moved. Filters and ends of backends are counted anew.
 */
#include <bpf/bpf.h>
#include <bpf/libbpf.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include "lb/datapath_internal.h"

#define MAP_NAME_MAX 32

/* A map that was pinned, of which ours is another; by name, since objects change. */
struct outgrown {
	char name[MAP_NAME_MAX];
	int fd;
	struct map_size size;
	struct table_layout layout; /* of connections */
};

static struct bpf_map *ours(const struct datapath *datapath, const struct outgrown *old)
{
	return bpf_object__find_map_by_name(datapath->skeleton->obj, old->name);
}

int moves_note(struct datapath *datapath, const struct bpf_map *map, int fd,
	       const struct map_size *old_size, const struct table_layout *layout)
{
	const size_t size = (datapath->outgrown_count + 1) * sizeof(struct outgrown);
	struct outgrown *old;
	struct outgrown *all = realloc(datapath->outgrown, size);

	if (!all)
		return -ENOMEM;
	datapath->outgrown = all;
	fd = dup(fd);
	if (fd < 0)
		return -errno;
	old = &all[datapath->outgrown_count++];
	*old = (struct outgrown){.fd = fd, .size = *old_size, .layout = *layout};
	snprintf(old->name, sizeof(old->name), "%s", bpf_map__name(map));
	return 0;
}

void moves_close(struct datapath *datapath)
{
	for (size_t i = 0; i < datapath->outgrown_count; i++)
		close(datapath->outgrown[i].fd);
	free(datapath->outgrown);
	datapath->outgrown = NULL;
	datapath->outgrown_count = 0;
}

static const struct outgrown *find_outgrown(const struct datapath *datapath,
					    const struct bpf_map *map)
{
	for (size_t i = 0; i < datapath->outgrown_count; i++)
		if (!strcmp(datapath->outgrown[i].name, bpf_map__name(map)))
			return &datapath->outgrown[i];
	return NULL;
}

int moves_fd(const struct datapath *datapath, const struct bpf_map *map)
{
	const struct outgrown *old = find_outgrown(datapath, map);

	return old ? old->fd : -1;
}

static int view_old(const struct outgrown *old, struct mapping *view)
{
	return mapping_open_fd(view, old->fd, (size_t)old->size.entries * old->size.value);
}

static uint32_t lesser(uint32_t a, uint32_t b)
{
	return a < b ? a : b;
}

/* A mapped array: as much as both have. */
static int move_mapped(const struct outgrown *old, const struct bpf_map *map)
{
	const uint32_t count = lesser(old->size.entries, bpf_map__max_entries(map));
	const uint32_t size = bpf_map__value_size(map);
	struct mapping from = {}, to = {};
	int error = view_old(old, &from);

	if (!error)
		error = mapping_open(&to, map);
	for (uint32_t i = 0; !error && i < count; i++)
		memcpy((char *)to.memory + (size_t)i * size,
		       (const char *)from.memory + (size_t)i * old->size.value,
		       lesser(size, old->size.value));
	mapping_close(&from);
	mapping_close(&to);
	return error;
}

/* Room for a value of either map, or for those of all CPUs, which the kernel pads to eight bytes.
 */
static void *value_room(const struct datapath *datapath, const struct outgrown *old,
			const struct bpf_map *map)
{
	const uint32_t size = old->size.value > bpf_map__value_size(map) ? old->size.value
									 : bpf_map__value_size(map);

	return calloc(datapath->cpus, (size + 7) / 8 * 8);
}

/* The values of index `from` of the old map become those of `to`. */
static int move_value(const struct outgrown *old, const struct bpf_map *map, uint32_t from,
		      uint32_t to, void *values)
{
	if (bpf_map_lookup_elem(old->fd, &from, values))
		return -errno;
	return bpf_map_update_elem(bpf_map__fd(map), &to, values, BPF_ANY) ? -errno : 0;
}

/*
 * Counters, in so many rows. What is counted between this and the programs' change is lost, and so
 * is what was counted per CPU in values of another size.
 */
static int move_array(const struct datapath *datapath, const struct outgrown *old,
		      const struct bpf_map *map, uint32_t rows)
{
	const uint32_t before = old->size.entries / rows, after = bpf_map__max_entries(map) / rows;
	void *values = value_room(datapath, old, map);
	int error = values ? 0 : -ENOMEM;

	if (bpf_map__type(map) == BPF_MAP_TYPE_PERCPU_ARRAY &&
	    old->size.value != bpf_map__value_size(map))
		rows = 0;
	for (uint32_t row = 0; row < rows; row++)
		for (uint32_t i = 0; !error && i < lesser(before, after); i++)
			error = move_value(old, map, row * before + i, row * after + i, values);
	free(values);
	return error;
}

/* What is there already stays where the flags say so (BPF_NOEXIST). */
static int move_keys(const struct datapath *datapath, const struct outgrown *old,
		     const struct bpf_map *map, uint64_t flags)
{
	void *key = calloc(1, bpf_map__key_size(map));
	void *value = value_room(datapath, old, map);
	const void *last = NULL;
	int error = key && value ? 0 : -ENOMEM;

	while (!error && !bpf_map_get_next_key(old->fd, last, key)) {
		last = key;
		if (bpf_map_lookup_elem(old->fd, key, value))
			continue; /* has just gone */
		if (bpf_map_update_elem(bpf_map__fd(map), key, value, flags) && errno != EEXIST)
			error = -errno;
	}
	free(key);
	free(value);
	return error;
}

static bool is_counted_anew(const struct lb_bpf *skeleton, const struct bpf_map *map)
{
	return map == skeleton->maps.service_filter || map == skeleton->maps.backend_filter ||
	       map == skeleton->maps.address_filter || map == skeleton->maps.backend_ends;
}

static int move_map(const struct datapath *datapath, const struct outgrown *old)
{
	const struct lb_bpf *skeleton = datapath->skeleton;
	const struct bpf_map *map = ours(datapath, old);
	const bool by_cpu =
		map == skeleton->maps.backend_counters || map == skeleton->maps.deny_counters;

	if (is_counted_anew(skeleton, map) || map == skeleton->maps.connections ||
	    map == skeleton->maps.programs)
		return 0;
	switch (bpf_map__type(map)) {
	case BPF_MAP_TYPE_RINGBUF:
		return 0;
	case BPF_MAP_TYPE_HASH:
	case BPF_MAP_TYPE_LRU_HASH:
	case BPF_MAP_TYPE_LPM_TRIE:
	case BPF_MAP_TYPE_DEVMAP_HASH:
		return move_keys(datapath, old, map, BPF_ANY);
	default:
		if (bpf_map__map_flags(map) & BPF_F_MMAPABLE)
			return move_mapped(old, map);
		return move_array(datapath, old, map, by_cpu ? datapath->cpus : 1);
	}
}

/* Indexes are in connections: nothing that has one can be moved to another. */
static int refuse_less(struct refusal *refusal, const char *option, uint32_t least)
{
	return refuse_with(refusal, ERANGE,
			   "%s: too few for what is pinned, whose indexes stay; at least %u, or "
			   "remove what is too much with the old limits first",
			   option, least);
}

static int check_services(struct datapath *datapath, struct refusal *refusal)
{
	struct service_record *records;
	struct service_key *keys;
	uint32_t count, services = 0, slots = 0;
	int error = datapath_list_services(datapath, &keys, &records, &count);

	if (error)
		return error;
	for (uint32_t i = 0; i < count; i++) {
		const struct ring *ring = &records[i].ring;

		if (records[i].service > services)
			services = records[i].service;
		if (ring->offset + ring->length > slots)
			slots = ring->offset + ring->length;
	}
	free(keys);
	free(records);
	if (services >= datapath_capacity_services(datapath))
		return refuse_less(refusal, "--max-services", services);
	if (slots > datapath_capacity_rings(datapath))
		return refuse_with(refusal, ERANGE,
				   "--max-backends, --max-services: too few for the rings that "
				   "are pinned, which take %u slots of %u",
				   slots, datapath_capacity_rings(datapath));
	return 0;
}

static int check_backends(struct datapath *datapath, struct refusal *refusal)
{
	const struct outgrown *old = find_outgrown(datapath, datapath->skeleton->maps.backends);
	struct backend_record record = {};
	struct mapping view = {};
	uint32_t needed = 0;
	int error;

	if (!old)
		return 0;
	error = view_old(old, &view);
	if (error)
		return error;
	for (uint32_t i = 1; i < old->size.entries; i++) {
		memcpy(&record, (const char *)view.memory + (size_t)i * old->size.value,
		       lesser(sizeof(record), old->size.value));
		if (record.state == BACKEND_NONE)
			continue;
		needed = i > needed ? i : needed;
		needed = record.nexthop > needed ? record.nexthop : needed;
	}
	mapping_close(&view);
	return needed < datapath_capacity_backends(datapath)
		       ? 0
		       : refuse_less(refusal, "--max-backends", needed);
}

/* Services first: whether all will fit is to be known before anything does not. */
static int copy_all(struct datapath *datapath, struct refusal *refusal)
{
	const struct outgrown *services =
		find_outgrown(datapath, datapath->skeleton->maps.services);
	int error = services ? move_map(datapath, services) : 0;

	if (!error)
		error = check_services(datapath, refusal);
	if (!error)
		error = check_backends(datapath, refusal);
	for (size_t i = 0; !error && i < datapath->outgrown_count; i++)
		if (&datapath->outgrown[i] != services)
			error = move_map(datapath, &datapath->outgrown[i]);
	return error;
}

int moves_copy(struct datapath *datapath, struct refusal *refusal)
{
	int error = datapath->outgrown_count ? copy_all(datapath, refusal) : 0;

	if (!error || refusal->text[0])
		return error;
	return refuse_with(refusal, -error,
			   "cannot move what is pinned to maps of another size: %s",
			   strerror(-error));
}

int moves_view_connections(const struct datapath *datapath, struct old_table *table)
{
	const struct outgrown *old = find_outgrown(datapath, datapath->skeleton->maps.connections);

	if (!old)
		return -ENOENT;
	table->buckets = old->size.entries;
	table->bucket_size = old->size.value;
	table->layout = old->layout;
	return view_old(old, &table->view);
}

bool datapath_is_moving(const struct datapath *datapath)
{
	return datapath->outgrown_count;
}

/* The maps that packets write and that forget by themselves: what came since the first time. */
int moves_copy_late(struct datapath *datapath)
{
	int error = 0;

	for (size_t i = 0; !error && i < datapath->outgrown_count; i++) {
		const struct outgrown *old = &datapath->outgrown[i];
		const struct bpf_map *map = ours(datapath, old);

		if (map == datapath->skeleton->maps.affinity ||
		    map == datapath->skeleton->maps.fragments ||
		    map == datapath->skeleton->maps.masquerades)
			error = move_keys(datapath, old, map, BPF_NOEXIST);
	}
	return error;
}

/* Connections last: they name what is in the others. What fails does not keep others from it. */
int moves_commit(struct datapath *datapath)
{
	const struct bpf_map *connections = datapath->skeleton->maps.connections;
	int error = 0, failed;

	for (size_t i = 0; i < datapath->outgrown_count; i++) {
		const struct bpf_map *map = ours(datapath, &datapath->outgrown[i]);

		failed = map == connections ? 0 : pins_replace_map(datapath, map);
		error = error ? error : failed;
	}
	failed = moves_fd(datapath, connections) < 0 ? 0 : pins_replace_map(datapath, connections);
	error = error ? error : failed;
	failed = pins_set_program(datapath);
	moves_close(datapath);
	return error ? error : failed;
}
