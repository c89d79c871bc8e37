/*
 * Reading Kubernetes' objects: what is absent or null has a default, what nobody asks for is not
 * looked at, and what is of the wrong type is told. A reader remembers the first thing that was
 * wrong, so that who reads asks once, at the end.
 */
#pragma once

#include <jansson.h>
#include <stdbool.h>
#include <stdint.h>
#include "lb/address.h"
#include "lb/refusal.h"

#define KUBE_ITEMS_MAX 16384 /* of one list of an object, which the API limits to fewer */

struct reader {
	struct refusal *refusal;
	int error; /* 0: all is right so far; -EINVAL with the refusal, or -ENOMEM */
};

/* Says what is wrong, unless something was before. */
void reader_refuse(struct reader *reader, const char *format, ...)
	__attribute__((format(printf, 2, 3)));
void reader_lack_memory(struct reader *reader);

/* A member, or `otherwise` where it is absent, null or wrong. Texts are the object's. */
const char *reader_text(struct reader *reader, const json_t *object, const char *key,
			const char *otherwise);
bool reader_flag(struct reader *reader, const json_t *object, const char *key, bool otherwise);
json_int_t reader_number(struct reader *reader, const json_t *object, const char *key,
			 json_int_t most, json_int_t otherwise);
/* NULL where there is none, which the functions of jansson take for an empty one. */
const json_t *reader_object(struct reader *reader, const json_t *object, const char *key);
const json_t *reader_list(struct reader *reader, const json_t *object, const char *key);
/* An element that must be an object; NULL where it is wrong. */
const json_t *reader_item(struct reader *reader, const json_t *list, size_t index);
/* An element that must be a text; "" where it is wrong. */
const char *reader_element(struct reader *reader, const json_t *list, size_t index);

/*
 * As kube-proxy reads them: numbers of IPv4 addresses with leading zeros are decimal, bits behind a
 * prefix are ignored. false: it is neither, and told.
 */
bool reader_address(struct reader *reader, const char *text, struct address *address);
bool reader_prefix(struct reader *reader, const char *text, struct prefix *prefix);

/* Zeroed memory for a list's items, and copies of texts; NULL for none, or out of memory. */
void *reader_room(struct reader *reader, size_t count, size_t size);
char *reader_copy(struct reader *reader, const char *text);

/* NAMESPACE/NAME of an object's metadata, or with another name; NULL where there is none. */
char *reader_name(struct reader *reader, const json_t *metadata, const char *name);
