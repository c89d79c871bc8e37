/*
 * Takes images of maps and restores them: see map_image.h.
 */
#include "test/bpf/map_image.h"

#include <bpf/bpf.h>
#include <errno.h>
#include <linux/bpf.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include "lb/datapath_internal.h"

#define KEY_MAX 64

/* Variables of the program that nobody can write any more: its constants. */
static bool is_frozen(const struct bpf_map *map)
{
	return bpf_map__map_flags(map) & BPF_F_RDONLY_PROG;
}

static bool is_mapped(const struct bpf_map *map)
{
	return bpf_map__map_flags(map) & BPF_F_MMAPABLE;
}

static int image_init(struct map_image *image, size_t size)
{
	*image = (struct map_image){.bytes = calloc(1, size ? size : 1), .size = size};
	return image->bytes ? 0 : -ENOMEM;
}

void map_image_free(struct map_image *image)
{
	free(image->bytes);
	*image = (struct map_image){.bytes = NULL};
}

bool map_image_equal(const struct map_image *image, const struct map_image *other)
{
	return image->size == other->size && !memcmp(image->bytes, other->bytes, image->size);
}

static int take_mapped(struct map_image *image, const struct bpf_map *map)
{
	struct mapping mapping;
	int error = mapping_open(&mapping, map);

	if (error)
		return error;
	error = image_init(image, mapping.size);
	if (!error)
		memcpy(image->bytes, mapping.memory, mapping.size);
	mapping_close(&mapping);
	return error;
}

static int restore_mapped(const struct bpf_map *map, const struct map_image *image)
{
	struct mapping mapping;
	const int error = mapping_open(&mapping, map);

	if (error)
		return error;
	memcpy(mapping.memory, image->bytes, image->size);
	mapping_close(&mapping);
	return 0;
}

/* As system calls have it. */
static size_t value_size(const struct bpf_map *map)
{
	const size_t size = bpf_map__value_size(map);

	if (bpf_map__type(map) != BPF_MAP_TYPE_PERCPU_ARRAY)
		return size;
	return (size + 7) / 8 * 8 * (size_t)libbpf_num_possible_cpus();
}

/* 0, 1, … to the last; NULL: out of memory. */
static __u32 *indexes_of(const struct bpf_map *map)
{
	const __u32 count = bpf_map__max_entries(map);
	__u32 *indexes = calloc(count, sizeof(*indexes));

	for (__u32 i = 0; indexes && i < count; i++)
		indexes[i] = i;
	return indexes;
}

/* The kernel hands an array out in order, and says ENOENT at its end. */
static int take_array(struct map_image *image, const struct bpf_map *map)
{
	__u32 *indexes = indexes_of(map), count = bpf_map__max_entries(map), next;
	int error = indexes ? image_init(image, count * value_size(map)) : -ENOMEM;

	if (!error && bpf_map_lookup_batch(bpf_map__fd(map), NULL, &next, indexes, image->bytes,
					   &count, NULL))
		error = errno == ENOENT ? 0 : -errno;
	if (!error && count != bpf_map__max_entries(map))
		error = -EIO;
	free(indexes);
	return error;
}

static int restore_array(const struct bpf_map *map, const struct map_image *image)
{
	__u32 *indexes = indexes_of(map), count = bpf_map__max_entries(map);
	int error = indexes ? 0 : -ENOMEM;

	if (!error && bpf_map_update_batch(bpf_map__fd(map), indexes, image->bytes, &count, NULL))
		error = -errno;
	free(indexes);
	return error;
}

/* By id; 0: none there. */
static int take_programs(struct map_image *image, const struct bpf_map *map)
{
	const int error = image_init(image, bpf_map__max_entries(map) * sizeof(__u32));

	for (__u32 i = 0; !error && i < bpf_map__max_entries(map); i++)
		bpf_map_lookup_elem(bpf_map__fd(map), &i, (__u32 *)image->bytes + i);
	return error;
}

static int restore_program(const struct bpf_map *map, __u32 index, __u32 id)
{
	int error = 0, program;

	if (!id)
		return bpf_map_delete_elem(bpf_map__fd(map), &index) && errno != ENOENT ? -errno
											: 0;
	program = bpf_prog_get_fd_by_id(id);
	if (program < 0)
		return -errno;
	if (bpf_map_update_elem(bpf_map__fd(map), &index, &program, BPF_ANY))
		error = -errno;
	close(program);
	return error;
}

static int restore_programs(const struct bpf_map *map, const struct map_image *image)
{
	const __u32 *ids = image->bytes;
	int error = 0;

	for (__u32 i = 0; !error && i < bpf_map__max_entries(map); i++)
		error = restore_program(map, i, ids[i]);
	return error;
}

/* The keys, of which maps that nobody has written have none, or some that do not change. */
static int take_keys(struct map_image *image, const struct bpf_map *map)
{
	const size_t size = bpf_map__key_size(map);
	const void *before = NULL;
	uint8_t *keys;
	int error = image_init(image, 0);

	while (!error) {
		keys = realloc(image->bytes, image->size + size);
		if (!keys)
			return -ENOMEM;
		image->bytes = keys;
		before = image->size ? keys + image->size - size : NULL;
		if (bpf_map_get_next_key(bpf_map__fd(map), before, keys + image->size))
			return errno == ENOENT ? 0 : -errno;
		image->size += size;
	}
	return error;
}

static bool has_key(const struct map_image *image, const uint8_t *key, size_t size)
{
	for (size_t at = 0; at < image->size; at += size)
		if (!memcmp(image->bytes + at, key, size))
			return true;
	return false;
}

static int restore_keys(const struct bpf_map *map, const struct map_image *image)
{
	const size_t size = bpf_map__key_size(map);
	uint8_t key[KEY_MAX], kept[KEY_MAX];
	const uint8_t *before = NULL;

	if (size > sizeof(key))
		return -EINVAL;
	while (!bpf_map_get_next_key(bpf_map__fd(map), before, key)) {
		if (has_key(image, key, size))
			before = memcpy(kept, key, size);
		else if (bpf_map_delete_elem(bpf_map__fd(map), key))
			return -errno;
	}
	return errno == ENOENT ? 0 : -errno;
}

static int keep_record(void *context, void *record, size_t size)
{
	struct map_image *image = context;
	uint8_t *bytes = realloc(image->bytes, image->size + size);

	if (!bytes)
		return -ENOMEM;
	memcpy(bytes + image->size, record, size);
	image->bytes = bytes;
	image->size += size;
	return 0;
}

/* What is taken is not there any more: looking empties it, and that is how it is at first. */
static int take_records(struct map_image *image, const struct bpf_map *map)
{
	struct ring_buffer *ring = ring_buffer__new(bpf_map__fd(map), keep_record, image, NULL);
	int error = ring ? image_init(image, 0) : -errno;

	if (!error)
		error = ring_buffer__consume(ring);
	ring_buffer__free(ring);
	return error < 0 ? error : 0;
}

int map_image_take(struct map_image *image, const struct bpf_map *map)
{
	*image = (struct map_image){.bytes = NULL};
	if (!bpf_map__autocreate(map))
		return image_init(image, 0);
	switch (bpf_map__type(map)) {
	case BPF_MAP_TYPE_ARRAY:
		if (is_frozen(map))
			return image_init(image, 0);
		return is_mapped(map) ? take_mapped(image, map) : take_array(image, map);
	case BPF_MAP_TYPE_PERCPU_ARRAY:
		return take_array(image, map);
	case BPF_MAP_TYPE_PROG_ARRAY:
		return take_programs(image, map);
	case BPF_MAP_TYPE_HASH:
	case BPF_MAP_TYPE_LRU_HASH:
	case BPF_MAP_TYPE_LPM_TRIE:
	case BPF_MAP_TYPE_DEVMAP_HASH:
		return take_keys(image, map);
	case BPF_MAP_TYPE_RINGBUF:
		return take_records(image, map);
	default:
		return -EOPNOTSUPP;
	}
}

static int write_image(const struct bpf_map *map, const struct map_image *image)
{
	switch (bpf_map__type(map)) {
	case BPF_MAP_TYPE_ARRAY:
		return is_mapped(map) ? restore_mapped(map, image) : restore_array(map, image);
	case BPF_MAP_TYPE_PERCPU_ARRAY:
		return restore_array(map, image);
	case BPF_MAP_TYPE_PROG_ARRAY:
		return restore_programs(map, image);
	case BPF_MAP_TYPE_RINGBUF:
		return 0; /* taking its image has emptied it */
	default:
		return restore_keys(map, image);
	}
}

/* Most maps are as they were, and reading is half of the work. */
int map_restore(const struct bpf_map *map, const struct map_image *image)
{
	struct map_image now;
	bool is_so;
	int error = map_image_take(&now, map);

	is_so = !error && map_image_equal(&now, image);
	map_image_free(&now);
	if (error || is_so)
		return error;
	error = write_image(map, image);
	if (!error)
		error = map_image_take(&now, map);
	if (!error && !map_image_equal(&now, image))
		error = -EIO;
	map_image_free(&now);
	return error;
}
