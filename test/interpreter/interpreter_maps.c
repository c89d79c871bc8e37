/*
 * Maps of an interpreted program: the kernel's, with a copy of each value that the program points
 * at while a packet runs.
 */
#include <bpf/bpf.h>
#include <bpf/libbpf.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include "test/interpreter/interpreter_internal.h"

static bool describe(int map, struct bpf_map_info *description)
{
	__u32 size = sizeof(*description);

	memset(description, 0, size);
	return !bpf_obj_get_info_by_fd(map, description, &size) &&
	       description->key_size <= sizeof(((struct held_value *)NULL)->key);
}

static bool is_per_cpu(const struct bpf_map_info *map)
{
	return map->type == BPF_MAP_TYPE_PERCPU_ARRAY || map->type == BPF_MAP_TYPE_PERCPU_HASH ||
	       map->type == BPF_MAP_TYPE_LRU_PERCPU_HASH;
}

static size_t value_bytes(const struct bpf_map_info *map)
{
	const size_t rounded = (map->value_size + 7) / 8 * 8;

	return is_per_cpu(map) ? rounded * (size_t)libbpf_num_possible_cpus() : rounded;
}

/* Objects that share a map have descriptors of their own for it. */
static int same_map(struct interpreter *interpreter, int map)
{
	struct known_map known = {.map = map, .same = map};
	struct bpf_map_info description;

	for (size_t i = 0; i < interpreter->known_count; i++)
		if (interpreter->known[i].map == map)
			return interpreter->known[i].same;
	if (interpreter->known_count == MAX_KNOWN || !describe(map, &description))
		return map;
	known.id = description.id;
	for (size_t i = interpreter->known_count; i--;)
		if (interpreter->known[i].id == known.id)
			known.same = interpreter->known[i].same;
	interpreter->known[interpreter->known_count++] = known;
	return known.same;
}

static struct held_value *find(const struct interpreter *interpreter, int map, const void *key)
{
	struct held_value *held = interpreter->held;

	while (held && (held->map != map || memcmp(held->key, key, held->key_size)))
		held = held->next;
	return held;
}

void interpreter_share(struct interpreter *interpreter, int map, void *memory, size_t size)
{
	struct bpf_map_info description;

	if (interpreter->shared_count == MAX_SHARED || !describe(map, &description))
		abort(); /* a mistake of the test */
	interpreter->shared[interpreter->shared_count++] = (struct shared_map){
		same_map(interpreter, map), memory, size, value_bytes(&description)};
}

/* Arrays alone are mapped. */
static void *find_shared(const struct interpreter *interpreter, int map, const void *key)
{
	for (size_t i = 0; i < interpreter->shared_count; i++) {
		const struct shared_map *shared = &interpreter->shared[i];
		const size_t offset = *(const uint32_t *)key * shared->value_size;

		if (shared->map == map)
			return offset < shared->size ? shared->memory + offset : NULL;
	}
	return NULL;
}

bool is_shared(const struct interpreter *interpreter, uint64_t address)
{
	for (size_t i = 0; i < interpreter->shared_count; i++) {
		const struct shared_map *shared = &interpreter->shared[i];

		if (address - (uintptr_t)shared->memory < shared->size)
			return true;
	}
	return false;
}

void *map_value(struct interpreter *interpreter, int map, const void *key)
{
	static const uint64_t FIRST;
	struct bpf_map_info description;
	struct held_value *held;
	void *value;

	key = key ? key : &FIRST;
	map = same_map(interpreter, map);
	value = find_shared(interpreter, map, key);
	if (value)
		return value;
	held = find(interpreter, map, key);
	if (held)
		return held->value;
	if (!describe(map, &description))
		return NULL;
	held = calloc(1, sizeof(*held) + value_bytes(&description));
	if (!held)
		return NULL;
	held->map = map;
	held->key_size = description.key_size;
	memcpy(held->key, key, held->key_size);
	if (bpf_map_lookup_elem(map, key, held->value)) {
		free(held);
		return NULL;
	}
	held->next = interpreter->held;
	interpreter->held = held;
	return held->value;
}

int64_t map_update(struct interpreter *interpreter, int map, const void *key, const void *value,
		   uint64_t flags)
{
	struct held_value *held = find(interpreter, same_map(interpreter, map), key);
	struct bpf_map_info description;

	if (!describe(map, &description) || is_per_cpu(&description))
		return -EINVAL;
	if (held)
		memcpy(held->value, value, description.value_size);
	return bpf_map_update_elem(map, key, value, flags) ? -errno : 0;
}

/* The copy stays for who still points at it, as an element does until the grace period is over. */
int64_t map_delete(struct interpreter *interpreter, int map, const void *key)
{
	struct held_value *held = find(interpreter, same_map(interpreter, map), key);

	if (held)
		held->map = -1;
	return bpf_map_delete_elem(map, key) ? -errno : 0;
}

/* What is constant (.rodata) refuses, rightly. */
void maps_write_back(struct interpreter *interpreter)
{
	while (interpreter->held) {
		struct held_value *held = interpreter->held;

		bpf_map_update_elem(held->map, held->key, held->value, BPF_EXIST);
		interpreter->held = held->next;
		free(held);
	}
}
