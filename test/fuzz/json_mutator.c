/*
 * libFuzzer's mutator for what holds JSON: half the time it changes the tree, so that what comes
 * out still parses and gets as far as the code that reads it, and otherwise bytes. Where the whole
 * is no document it takes one of the lines that is. It is for the fuzzers alone; replays need none.
 */
#include <jansson.h>
#include <stdlib.h>
#include <string.h>
#include "test/fuzz/fuzz.h"

#define MAX_PLACES 1024
#define MAX_LINES 64
#define TEXT_BYTES 256

/* Where a value is: in an object by its key, or in an array. */
struct place {
	json_t *parent;
	const char *key; /* NULL: in an array */
	size_t index;
};

struct tree {
	json_t *root;
	size_t count;
	struct place places[MAX_PLACES];
	uint64_t chance;
};

static size_t below(struct tree *tree, size_t count)
{
	tree->chance = tree->chance * 6364136223846793005u + 1442695040888963407u;
	return count ? (size_t)(tree->chance >> 33) % count : 0;
}

static void collect(struct tree *tree, json_t *value)
{
	const char *key;
	json_t *item;
	size_t i;

	json_object_foreach (value, key, item) {
		if (tree->count < MAX_PLACES)
			tree->places[tree->count++] = (struct place){.parent = value, .key = key};
		collect(tree, item);
	}
	json_array_foreach (value, i, item) {
		if (tree->count < MAX_PLACES)
			tree->places[tree->count++] = (struct place){.parent = value, .index = i};
		collect(tree, item);
	}
}

static json_t *get(const struct place *place)
{
	return place->key ? json_object_get(place->parent, place->key)
			  : json_array_get(place->parent, place->index);
}

/* Consumes the value. */
static void put(const struct place *place, json_t *value)
{
	if (place->key)
		json_object_set_new(place->parent, place->key, value);
	else
		json_array_set_new(place->parent, place->index, value);
}

static json_t *make_number(struct tree *tree, json_int_t was)
{
	static const json_int_t EDGES[] = {
		-1,    0,     1,         127,        128,       255,       256,
		4095,  4096,  32767,     32768,      65535,     65536,     86400,
		86401, 99999, INT32_MAX, UINT32_MAX, INT64_MAX, INT64_MIN, INT64_MAX / 2,
	};

	switch (below(tree, 3)) {
	case 0:
		return json_integer((json_int_t)((uint64_t)was + below(tree, 5) - 2));
	case 1:
		return json_integer((json_int_t)((uint64_t)was ^ 1ull << below(tree, 64)));
	default:
		return json_integer(EDGES[below(tree, sizeof(EDGES) / sizeof(EDGES[0]))]);
	}
}

/* Bytes by libFuzzer, which knows the words of its dictionary; NULL where that is no UTF-8. */
static json_t *make_text(const char *was)
{
	uint8_t bytes[TEXT_BYTES];
	size_t size = was ? strlen(was) : 0;

	size = size < sizeof(bytes) ? size : sizeof(bytes) / 2;
	if (size)
		memcpy(bytes, was, size);
	size = LLVMFuzzerMutate(bytes, size, sizeof(bytes));
	return json_stringn((const char *)bytes, size);
}

static json_t *make_value(struct tree *tree, const json_t *was)
{
	switch (below(tree, 8)) {
	case 0:
		return json_null();
	case 1:
		return json_boolean(below(tree, 2));
	case 2:
		return json_object();
	case 3:
		return json_array();
	case 4:
		return json_real(0.5);
	case 5:
		return make_number(tree, 1);
	default:
		return json_is_integer(was) ? make_number(tree, json_integer_value(was))
					    : make_text(json_string_value(was));
	}
}

/* Another key for the value: that of some other place, or bytes. */
static void rename_key(struct tree *tree, const struct place *place)
{
	const char *other = tree->places[below(tree, tree->count)].key;
	json_t *text = other && below(tree, 2) ? json_string(other) : make_text(place->key);
	json_t *value = json_incref(get(place));

	if (text && place->key && json_string_length(text)) {
		json_object_del(place->parent, place->key);
		json_object_set(place->parent, json_string_value(text), value);
	}
	json_decref(text);
	json_decref(value);
}

static void repeat(struct tree *tree, const struct place *place)
{
	const size_t times = below(tree, 16) ? 1 : below(tree, 100);
	const struct place *other = &tree->places[below(tree, tree->count)];

	for (size_t i = 0; i < times && json_is_array(place->parent); i++)
		json_array_insert_new(place->parent, place->index, json_deep_copy(get(place)));
	if (!json_is_array(place->parent) && other->key)
		json_object_set_new(place->parent, other->key, json_deep_copy(get(place)));
}

static void change(struct tree *tree)
{
	const struct place *place = &tree->places[below(tree, tree->count)];
	const struct place *other = &tree->places[below(tree, tree->count)];
	json_t *value;

	switch (below(tree, 8)) {
	case 0:
		if (place->key)
			json_object_del(place->parent, place->key);
		else
			json_array_remove(place->parent, place->index);
		break;
	case 1:
		rename_key(tree, place);
		break;
	case 2:
	case 3:
		repeat(tree, place);
		break;
	case 4:
		put(place, json_deep_copy(get(other)));
		break;
	default:
		value = make_value(tree, get(place));
		if (value)
			put(place, value);
	}
}

/* The document in `text` changed, or NULL where it is none. */
static char *change_document(const uint8_t *text, size_t size, unsigned int seed)
{
	static struct tree tree;
	char *changed = NULL;

	tree = (struct tree){.chance = seed};
	tree.root = json_loadb((const char *)text, size, 0, NULL);
	for (size_t left = 1 + below(&tree, 3); left; left--) {
		tree.count = 0;
		collect(&tree, tree.root);
		if (tree.count)
			change(&tree);
	}
	if (tree.root)
		changed = json_dumps(tree.root, below(&tree, 8) ? JSON_COMPACT : JSON_INDENT(1));
	json_decref(tree.root);
	return changed;
}

/* A line of it, by the seed; the whole where it has none. */
static void pick_line(const uint8_t *data, size_t *from, size_t *to, unsigned int seed)
{
	size_t starts[MAX_LINES], count = 0;
	const uint8_t *newline;

	for (size_t at = 0; at < *to && count < MAX_LINES;) {
		starts[count++] = at;
		newline = memchr(data + at, '\n', *to - at);
		at = newline ? (size_t)(newline - data) + 1 : *to;
	}
	if (!count)
		return;
	*from = starts[seed % count];
	newline = memchr(data + *from, '\n', *to - *from);
	*to = newline ? (size_t)(newline - data) : *to;
}

size_t LLVMFuzzerCustomMutator(uint8_t *data, size_t size, size_t most, unsigned int seed)
{
	size_t from = 0, to = size, length;
	char *changed = NULL;

	if (seed % 2)
		changed = change_document(data, size, seed);
	if (seed % 2 && !changed) {
		pick_line(data, &from, &to, seed / 2);
		changed = change_document(data + from, to - from, seed);
	}
	length = changed ? strlen(changed) : 0;
	if (!changed || from + length + (size - to) > most) {
		free(changed);
		return LLVMFuzzerMutate(data, size, most);
	}
	memmove(data + from + length, data + to, size - to);
	memcpy(data + from, changed, length);
	free(changed);
	return from + length + (size - to);
}
