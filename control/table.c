/*
 * Aligned columns for people. Cells are kept in one growing text, so that a table of a million
 * connections costs two arrays and not a million allocations.
 */
#include "control/table.h"

#include <errno.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include "control/terminal.h"

#define GAP 2 /* spaces between columns */
#define FORMATTED_MAX 256
#define FIRST_CAPACITY 64

#define BOLD "\033[1m"
#define RED "\033[31m"
#define GREEN "\033[32m"
#define YELLOW "\033[33m"
#define RESET "\033[0m"

static const struct {
	const char *state;
	const char *colour;
} STATE_COLOURS[] = {
	{"active", GREEN},   {"established", GREEN}, {"native", GREEN},    {"resolved", GREEN},
	{"yes", GREEN},      {"closing", YELLOW},    {"draining", YELLOW}, {"generic", YELLOW},
	{"opening", YELLOW}, {"resolving", YELLOW},  {"down", RED},        {"failed", RED},
	{"no", RED},         {"no-route", RED},      {"none", RED},        {"error", RED},
	{"warning", YELLOW}, {"note", GREEN},
};

void table_finish(struct table *table)
{
	free(table->cells);
	free(table->text);
	*table = (struct table){0};
}

void table_add_column(struct table *table, const char *title, enum column_kind kind)
{
	table->columns[table->column_count++] = (struct column){.title = title, .kind = kind};
}

/* Room for `need` elements: the array, moved perhaps; NULL when memory ran out, now or before. */
static void *reserve(struct table *table, void *array, size_t *capacity, size_t need, size_t size)
{
	size_t wanted = *capacity ? *capacity : FIRST_CAPACITY;
	void *grown;

	if (table->failed)
		return NULL;
	if (need <= *capacity)
		return array;
	while (wanted < need)
		wanted *= 2;
	grown = reallocarray(array, wanted, size);
	if (grown)
		*capacity = wanted;
	else
		table->failed = true;
	return grown;
}

static bool copy_text(struct table *table, const char *text)
{
	size_t size = strlen(text) + 1;
	char *room = reserve(table, table->text, &table->text_capacity, table->text_size + size, 1);

	if (!room)
		return false;
	table->text = room;
	memcpy(room + table->text_size, text, size);
	terminal_clean(room + table->text_size);
	table->text_size += size;
	return true;
}

void table_add(struct table *table, const char *text)
{
	size_t begin = table->text_size;
	size_t *room = reserve(table, table->cells, &table->cell_capacity, table->cell_count + 1,
			       sizeof(*table->cells));

	if (!room)
		return;
	table->cells = room;
	if (copy_text(table, text && text[0] ? text : "-"))
		room[table->cell_count++] = begin;
}

void table_addf(struct table *table, const char *format, ...)
{
	char text[FORMATTED_MAX];
	va_list arguments;

	va_start(arguments, format);
	vsnprintf(text, sizeof(text), format, arguments);
	va_end(arguments);
	table_add(table, text);
}

void table_append(struct table *table, const char *text)
{
	if (!table->text_size)
		return;
	table->text_size--; /* over the NUL of the last cell */
	if (!copy_text(table, text))
		table->text_size++;
}

/* Characters, not bytes. Wide and combining ones count as one: good enough for names. */
static size_t count_characters(const char *text)
{
	size_t count = 0;

	for (; *text; text++)
		count += ((unsigned char)*text & 0xc0) != 0x80;
	return count;
}

static void fit_columns(struct table *table)
{
	for (size_t i = 0; i < table->column_count; i++)
		table->columns[i].width =
			table->columns[i].title ? count_characters(table->columns[i].title) : 0;
	for (size_t i = 0; i < table->cell_count; i++) {
		struct column *column = &table->columns[i % table->column_count];
		size_t width = count_characters(table->text + table->cells[i]);

		if (width > column->width)
			column->width = width;
	}
}

static const char *find_colour(const struct column *column, const char *text)
{
	if (column->kind != COLUMN_STATE)
		return NULL;
	for (size_t i = 0; i < sizeof(STATE_COLOURS) / sizeof(STATE_COLOURS[0]); i++)
		if (!strcmp(text, STATE_COLOURS[i].state))
			return STATE_COLOURS[i].colour;
	return NULL;
}

static void print_spaces(size_t count, FILE *stream)
{
	while (count--)
		fputc(' ', stream);
}

/* Nothing follows the last column, so that lines have no blanks at their end. */
static void print_cell(const struct table *table, size_t index, const char *text,
		       const char *colour, FILE *stream)
{
	const struct column *column = &table->columns[index];
	size_t padding = column->width - count_characters(text);
	bool is_last = index + 1 == table->column_count;

	if (column->kind == COLUMN_NUMBER)
		print_spaces(padding, stream);
	if (colour)
		fprintf(stream, "%s%s" RESET, colour, text);
	else
		fputs(text, stream);
	if (column->kind != COLUMN_NUMBER && !is_last)
		print_spaces(padding, stream);
	if (is_last)
		fputc('\n', stream);
	else
		print_spaces(GAP, stream);
}

int table_print(struct table *table, FILE *stream)
{
	bool coloured = terminal_has_colours(stream);

	if (table->failed)
		return -ENOMEM;
	fit_columns(table);
	for (size_t i = 0; i < table->column_count && table->columns[i].title; i++)
		print_cell(table, i, table->columns[i].title, coloured ? BOLD : NULL, stream);
	for (size_t i = 0; i < table->cell_count; i++) {
		size_t index = i % table->column_count;
		const char *text = table->text + table->cells[i];
		const char *colour = coloured ? find_colour(&table->columns[index], text) : NULL;

		print_cell(table, index, text, colour, stream);
	}
	return 0;
}
