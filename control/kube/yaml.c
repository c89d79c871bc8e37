/*
 * From libyaml's nodes to JSON. An alias becomes a copy of what it stands for, so a few lines could
 * stand for more than there is memory, or for themselves: depth and number of values are limited.
 */
#include "control/kube/yaml.h"

#include <errno.h>
#include <stdbool.h>
#include <string.h>
#include <yaml.h>

struct reader {
	yaml_document_t document;
	size_t values;
	struct refusal *refusal;
};

static json_t *convert(struct reader *reader, int index, unsigned int depth);

static json_t *stop(struct reader *reader, const yaml_node_t *node, const char *why)
{
	refuse(reader->refusal, "line %zu: %s", node->start_mark.line + 1, why);
	return NULL;
}

static const char *text_of(const yaml_node_t *node)
{
	return (const char *)node->data.scalar.value;
}

static bool is_one_of(const char *text, const char *const words[])
{
	while (*words && strcmp(text, *words))
		words++;
	return *words;
}

/* What YAML's core schema says of words that stand without quotes. */
static json_t *convert_scalar(struct reader *reader, const yaml_node_t *node)
{
	static const char *const NOTHING[] = {"", "~", "null", "Null", "NULL", NULL};
	static const char *const YES[] = {"true", "True", "TRUE", NULL};
	static const char *const NO[] = {"false", "False", "FALSE", NULL};
	json_t *value;

	if (node->data.scalar.style == YAML_PLAIN_SCALAR_STYLE) {
		if (is_one_of(text_of(node), NOTHING))
			return json_null();
		if (is_one_of(text_of(node), YES))
			return json_true();
		if (is_one_of(text_of(node), NO))
			return json_false();
	}
	if (strlen(text_of(node)) != node->data.scalar.length)
		return stop(reader, node, "a character that is no text");
	value = json_string(text_of(node));
	return value ? value : stop(reader, node, "not UTF-8, or out of memory");
}

static json_t *convert_sequence(struct reader *reader, const yaml_node_t *node, unsigned int depth)
{
	json_t *list = json_array();
	json_t *value;

	for (const int *item = node->data.sequence.items.start;
	     list && item < node->data.sequence.items.top; item++) {
		value = convert(reader, *item, depth + 1);
		if (!value || json_array_append_new(list, value)) {
			json_decref(list);
			return NULL;
		}
	}
	return list;
}

static bool add_pair(struct reader *reader, const yaml_node_pair_t *pair, json_t *object,
		     unsigned int depth)
{
	const yaml_node_t *key = yaml_document_get_node(&reader->document, pair->key);
	json_t *value;

	if (key->type != YAML_SCALAR_NODE || strlen(text_of(key)) != key->data.scalar.length)
		return stop(reader, key, "a key that is no text");
	if (json_object_get(object, text_of(key)))
		return stop(reader, key, "a key for the second time");
	value = convert(reader, pair->value, depth + 1);
	if (!value)
		return false;
	if (json_object_set_new(object, text_of(key), value))
		return stop(reader, key, "not UTF-8, or out of memory");
	return true;
}

static json_t *convert_mapping(struct reader *reader, const yaml_node_t *node, unsigned int depth)
{
	json_t *object = json_object();

	for (const yaml_node_pair_t *pair = node->data.mapping.pairs.start;
	     object && pair < node->data.mapping.pairs.top; pair++) {
		if (!add_pair(reader, pair, object, depth)) {
			json_decref(object);
			return NULL;
		}
	}
	return object;
}

static json_t *convert(struct reader *reader, int index, unsigned int depth)
{
	const yaml_node_t *node = yaml_document_get_node(&reader->document, index);

	if (depth > YAML_DEPTH_MAX)
		return stop(reader, node, "nested too deep");
	if (++reader->values > YAML_VALUES_MAX)
		return stop(reader, node, "too many values");
	switch (node->type) {
	case YAML_SCALAR_NODE:
		return convert_scalar(reader, node);
	case YAML_SEQUENCE_NODE:
		return convert_sequence(reader, node, depth);
	case YAML_MAPPING_NODE:
		return convert_mapping(reader, node, depth);
	case YAML_NO_NODE:
		break;
	}
	return stop(reader, node, "no value");
}

static json_t *read_document(yaml_parser_t *parser, struct refusal *refusal)
{
	struct reader reader = {.refusal = refusal};
	json_t *value = NULL;

	if (!yaml_parser_load(parser, &reader.document)) {
		refuse(refusal, "line %zu: %s", parser->problem_mark.line + 1,
		       parser->problem ? parser->problem : "not YAML");
		return NULL;
	}
	if (!yaml_document_get_root_node(&reader.document))
		refuse(refusal, "there is nothing in it");
	else
		value = convert(&reader, 1, 0);
	yaml_document_delete(&reader.document);
	return value;
}

json_t *yaml_load_text(const char *text, size_t size, struct refusal *refusal)
{
	yaml_parser_t parser;
	json_t *value;

	if (size > YAML_BYTES_MAX) {
		refuse(refusal, "larger than %u bytes", YAML_BYTES_MAX);
		return NULL;
	}
	if (!yaml_parser_initialize(&parser)) {
		refuse_with(refusal, ENOMEM, "out of memory");
		return NULL;
	}
	/* Should memory run out on the way, this is what is said. */
	refuse_with(refusal, ENOMEM, "out of memory");
	yaml_parser_set_input_string(&parser, (const unsigned char *)text, size);
	value = read_document(&parser, refusal);
	yaml_parser_delete(&parser);
	return value;
}
