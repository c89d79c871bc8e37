/*
 * Maps: lists of values in memory of just their size. They are short, because no input is long.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <bpf/bpf_helpers.h>
#include "test/fuzz/native/native.h"

#define MAX_MAPS 48
#define ALIGNMENT_MAX 64

struct element {
	struct element *next;
	void *value;
	uint8_t key[]; /* of key_size bytes */
};

/* By the index of native_maps. The one that was used last comes first, as an LRU has it. */
static struct element *elements[MAX_MAPS];
static uint32_t counts[MAX_MAPS];

/* Not memcmp, nor strcmp: libFuzzer would learn from each call of theirs what inputs are to be. */
static bool is_same(const void *a, const void *b, size_t size)
{
	const uint8_t *one = a, *other = b;

	while (size && *one == *other) {
		one++;
		other++;
		size--;
	}
	return !size;
}

static uint32_t index_of(const void *variable)
{
	uint32_t i = 0;

	while (native_maps[i].name && native_maps[i].variable != variable)
		i++;
	native_must(native_maps[i].name && i < MAX_MAPS, "a map that is used is known");
	return i;
}

static struct native_map *map_named(const char *name)
{
	struct native_map *map = native_maps;

	while (map->name && !is_same(map->name, name, strlen(name) + 1))
		map++;
	native_must(map->name, "a map that is named is known");
	return map;
}

static bool is_array(const struct native_map *map)
{
	return map->type == BPF_MAP_TYPE_ARRAY || map->type == BPF_MAP_TYPE_PERCPU_ARRAY;
}

/* A type's size is a multiple of its alignment, which is therefore no more than this. */
static size_t alignment_of(uint32_t size)
{
	const size_t most = size & -size;

	if (most < sizeof(void *))
		return sizeof(void *);
	return most < ALIGNMENT_MAX ? most : ALIGNMENT_MAX;
}

static struct element *add_element(uint32_t index, const void *key)
{
	const struct native_map *map = &native_maps[index];
	struct element *element = malloc(sizeof(*element) + map->key_size);

	native_must(element && !posix_memalign(&element->value, alignment_of(map->value_size),
					       map->value_size),
		    "there is memory");
	memset(element->value, 0, map->value_size);
	memcpy(element->key, key, map->key_size);
	element->next = elements[index];
	elements[index] = element;
	counts[index]++;
	return element;
}

/* Takes out what *link leads to. */
static void drop_element(uint32_t index, struct element **link)
{
	struct element *element = *link;

	*link = element->next;
	free(element->value);
	free(element);
	counts[index]--;
}

/* The link that leads to the element of this key, or to the end. */
static struct element **find_link(uint32_t index, const void *key)
{
	struct element **link = &elements[index];

	while (*link && !is_same((*link)->key, key, native_maps[index].key_size))
		link = &(*link)->next;
	return link;
}

static struct element *use_element(uint32_t index, const void *key)
{
	struct element **link = find_link(index, key), *element = *link;

	if (!element)
		return NULL;
	*link = element->next;
	element->next = elements[index];
	elements[index] = element;
	return element;
}

static bool has_prefix(const uint8_t *bytes, const uint8_t *prefix, uint32_t bits)
{
	const uint32_t whole = bits / 8, rest = bits % 8;

	return is_same(bytes, prefix, whole) &&
	       (!rest || !((bytes[whole] ^ prefix[whole]) >> (8 - rest)));
}

/* Of a trie, whose keys begin with a number of bits: the longest prefix. */
static struct element *find_longest(uint32_t index, const void *key)
{
	struct element *longest = NULL;
	uint32_t bits, most = 0;

	for (struct element *i = elements[index]; i; i = i->next) {
		memcpy(&bits, i->key, sizeof(bits));
		if ((longest && bits <= most) ||
		    !has_prefix((const uint8_t *)key + 4, i->key + 4, bits))
			continue;
		longest = i;
		most = bits;
	}
	return longest;
}

static void *find(uint32_t index, const void *key)
{
	const struct native_map *map = &native_maps[index];
	struct element *element;
	uint32_t number;

	if (map->type == BPF_MAP_TYPE_LPM_TRIE) {
		element = find_longest(index, key);
		return element ? element->value : NULL;
	}
	element = use_element(index, key);
	if (!element && is_array(map)) {
		memcpy(&number, key, sizeof(number));
		if (number < map->max_entries)
			element = add_element(index, key);
	}
	return element ? element->value : NULL;
}

static void evict_oldest(uint32_t index)
{
	struct element **link = &elements[index];

	while (*link && (*link)->next)
		link = &(*link)->next;
	if (*link)
		drop_element(index, link);
}

static int put(uint32_t index, const void *key, const void *value)
{
	const struct native_map *map = &native_maps[index];
	struct element *element = use_element(index, key);

	if (!element && counts[index] >= map->max_entries) {
		if (map->type != BPF_MAP_TYPE_LRU_HASH)
			return -E2BIG;
		evict_oldest(index);
	}
	if (!element)
		element = add_element(index, key);
	memcpy(element->value, value, map->value_size);
	return 0;
}

void *native_find(const char *map, const void *key)
{
	return find((uint32_t)(map_named(map) - native_maps), key);
}

int native_put(const char *map, const void *key, const void *value)
{
	return put((uint32_t)(map_named(map) - native_maps), key, value);
}

void native_remove(const char *map, const void *key)
{
	const uint32_t index = (uint32_t)(map_named(map) - native_maps);
	struct element **link = find_link(index, key);

	if (*link)
		drop_element(index, link);
}

void native_resize(const char *map, uint32_t entries)
{
	map_named(map)->max_entries = entries;
}

void native_clear(void)
{
	for (uint32_t i = 0; i < MAX_MAPS; i++)
		while (elements[i])
			drop_element(i, &elements[i]);
}

void *bpf_map_lookup_elem(const void *map, const void *key)
{
	return find(index_of(map), key);
}

long bpf_map_update_elem(const void *map, const void *key, const void *value, __u64 flags)
{
	const uint32_t index = index_of(map);

	native_must(flags == BPF_ANY || flags == BPF_NOEXIST, "a program writes or claims");
	if (flags == BPF_NOEXIST && *find_link(index, key))
		return -EEXIST;
	return put(index, key, value);
}

long bpf_map_delete_elem(const void *map, const void *key)
{
	struct element **link = find_link(index_of(map), key);

	if (!*link)
		return -ENOENT;
	drop_element(index_of(map), link);
	return 0;
}
