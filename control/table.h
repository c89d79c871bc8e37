/*
 * Aligned columns for people: a header in capitals, columns two spaces apart, numbers to the right,
 * '-' where there is nothing. It knows nothing of what the cells mean but the words of states.
 *
 * Running out of memory while cells are added is remembered and told by table_print, so that
 * callers need not check every cell.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdio.h>

#define MAX_COLUMNS 12

enum column_kind {
	COLUMN_TEXT,
	COLUMN_NUMBER, /* to the right */
	COLUMN_STATE,  /* coloured by what the word means: good, passing, bad */
	_COLUMN_KIND_COUNT,
};

struct column {
	const char *title; /* NULL in every column: the table has no header */
	enum column_kind kind;
	size_t width; /* the table's own */
};

/* All zero is an empty table. */
struct table {
	struct column columns[MAX_COLUMNS];
	size_t column_count;
	size_t *cells; /* where each begins in `text`, row by row */
	size_t cell_count;
	size_t cell_capacity;
	char *text; /* the cells, each with its NUL */
	size_t text_size;
	size_t text_capacity;
	bool failed; /* memory ran out */
};

void table_finish(struct table *table);

/* Before the first cell; at most MAX_COLUMNS. */
void table_add_column(struct table *table, const char *title, enum column_kind kind);

/* The next cell, left to right; NULL and "" become '-'. Text is copied and made harmless. */
void table_add(struct table *table, const char *text);
void table_addf(struct table *table, const char *format, ...) __attribute__((format(printf, 2, 3)));

/* Adds to the last cell. */
void table_append(struct table *table, const char *text);

/* 0 or -ENOMEM. Errors of the stream are left in it (ferror). */
int table_print(struct table *table, FILE *stream);
