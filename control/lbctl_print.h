/*
 * From the objects of lbd's answers to tables: which field of an object is which column, and how it
 * is written. What an answer lacks is printed as '-'.
 */
#pragma once

#include <jansson.h>
#include "control/table.h"
#include "lb/address.h"

#define OBJECT_TEXT_MAX 400

/* Adds one cell, of what `row` has under `key`. */
typedef void (*cell_write)(struct table *table, const json_t *row, const char *key);

/* A column of a list, or a line of a block. Tables of them end with no title. */
struct field {
	const char *title;
	const char *key; /* with dots into objects: `request.bytes` */
	cell_write write;
	enum column_kind kind;
};

/* Text and numbers as they are, true as `yes`, a list joined by commas, null as '-'. */
void cell_value(struct table *table, const json_t *row, const char *key);
void cell_bytes(struct table *table, const json_t *row, const char *key);    /* 1.5MiB */
void cell_duration(struct table *table, const json_t *row, const char *key); /* 3h12m */
void cell_endpoint(struct table *table, const json_t *row, const char *key); /* ADDR:PORT */
void cell_service(struct table *table, const json_t *row, const char *key);  /* with /PROTO */

/* NULL where there is none, with dots as above. */
const json_t *object_find(const json_t *object, const char *path);

/* An integer, 0 where there is none. */
json_int_t object_get_integer(const json_t *object, const char *path);

/* A text for use within a line, cut where it is too long, '-' where there is none. Harmless. */
const char *object_text(const json_t *object, const char *path, char text[OBJECT_TEXT_MAX]);

/* Of a SERVICE, or of a BACKEND and all that has `address` and `port`. Harmless; returns `text`. */
const char *service_text(const json_t *service, char text[ENDPOINT_TEXT_MAX]);
const char *endpoint_text(const json_t *object, char text[ENDPOINT_TEXT_MAX]);

/* A line a row under a header; 0, -ENOMEM, or -EPROTO when `rows` is not a list. */
int print_rows(const json_t *rows, const struct field *fields);

/* A line a field, its title first; 0, -ENOMEM, or -EPROTO when `object` is not one. */
int print_block(const json_t *object, const struct field *fields);
