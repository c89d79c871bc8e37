/*
 * Cells of tables from JSON. Addresses, names and states come from lbd as text and are not parsed
 * again: this prints what was said.
 */
#include "control/lbctl_print.h"

#include <errno.h>
#include <string.h>
#include "control/terminal.h"

#define PATH_STEP_MAX 32

#define MINUTE 60
#define HOUR 3600
#define DAY 86400

const json_t *object_find(const json_t *object, const char *path)
{
	char step[PATH_STEP_MAX];

	while (object) {
		size_t length = strcspn(path, ".");

		if (!path[length] || length >= sizeof(step))
			return json_object_get(object, path);
		memcpy(step, path, length);
		step[length] = '\0';
		object = json_object_get(object, step);
		path += length + 1;
	}
	return NULL;
}

json_int_t object_get_integer(const json_t *object, const char *path)
{
	return json_integer_value(object_find(object, path));
}

const char *object_text(const json_t *object, const char *path, char text[OBJECT_TEXT_MAX])
{
	const char *found = json_string_value(object_find(object, path));

	snprintf(text, OBJECT_TEXT_MAX, "%s", found && found[0] ? found : "-");
	return terminal_clean(text);
}

static void add_list(struct table *table, const json_t *list)
{
	const json_t *element;
	size_t index;

	table_add(table, json_string_value(json_array_get(list, 0)));
	json_array_foreach (list, index, element) {
		if (!index || !json_is_string(element))
			continue;
		table_append(table, ", ");
		table_append(table, json_string_value(element));
	}
}

void cell_value(struct table *table, const json_t *row, const char *key)
{
	const json_t *value = object_find(row, key);

	if (json_is_integer(value))
		table_addf(table, "%" JSON_INTEGER_FORMAT, json_integer_value(value));
	else if (json_is_real(value))
		table_addf(table, "%.1f", json_real_value(value));
	else if (json_is_boolean(value))
		table_add(table, json_is_true(value) ? "yes" : "no");
	else if (json_is_array(value))
		add_list(table, value);
	else
		table_add(table, json_string_value(value)); /* NULL where it is no text */
}

void cell_bytes(struct table *table, const json_t *row, const char *key)
{
	static const char *const UNITS[] = {"B", "KiB", "MiB", "GiB", "TiB", "PiB", "EiB"};
	const json_t *value = object_find(row, key);
	double bytes = json_number_value(value);
	size_t unit = 0;

	for (; bytes >= 1024; unit++)
		bytes /= 1024;
	if (!json_is_number(value) || unit >= sizeof(UNITS) / sizeof(UNITS[0]))
		cell_value(table, row, key);
	else
		table_addf(table, "%.*f%s", unit ? 1 : 0, bytes, UNITS[unit]);
}

/* The two largest units are enough for people. */
static void add_duration(struct table *table, json_int_t seconds)
{
	if (seconds < MINUTE)
		table_addf(table, "%llds", seconds);
	else if (seconds < HOUR)
		table_addf(table, "%lldm%llds", seconds / MINUTE, seconds % MINUTE);
	else if (seconds < DAY)
		table_addf(table, "%lldh%lldm", seconds / HOUR, seconds % HOUR / MINUTE);
	else
		table_addf(table, "%lldd%lldh", seconds / DAY, seconds % DAY / HOUR);
}

void cell_duration(struct table *table, const json_t *row, const char *key)
{
	const json_t *value = object_find(row, key);

	if (json_is_number(value))
		add_duration(table, (json_int_t)json_number_value(value));
	else
		cell_value(table, row, key);
}

const char *endpoint_text(const json_t *object, char text[ENDPOINT_TEXT_MAX])
{
	const char *address = json_string_value(json_object_get(object, "address"));
	bool has_colon = address && strchr(address, ':'); /* IPv6 */

	snprintf(text, ENDPOINT_TEXT_MAX, has_colon ? "[%s]:%lld" : "%s:%lld",
		 address ? address : "-", object_get_integer(object, "port"));
	return terminal_clean(text);
}

const char *service_text(const json_t *service, char text[ENDPOINT_TEXT_MAX])
{
	const char *protocol = json_string_value(json_object_get(service, "protocol"));
	size_t length = strlen(endpoint_text(service, text));

	snprintf(text + length, ENDPOINT_TEXT_MAX - length, "/%s", protocol ? protocol : "-");
	return terminal_clean(text);
}

void cell_endpoint(struct table *table, const json_t *row, const char *key)
{
	char text[ENDPOINT_TEXT_MAX];

	(void)key; /* it is always of the whole row */
	table_add(table, endpoint_text(row, text));
}

void cell_service(struct table *table, const json_t *row, const char *key)
{
	char text[ENDPOINT_TEXT_MAX];

	(void)key;
	table_add(table, service_text(row, text));
}

int print_rows(const json_t *rows, const struct field *fields)
{
	__attribute__((cleanup(table_finish))) struct table table = {0};
	const json_t *row;
	size_t index;

	if (!json_is_array(rows))
		return -EPROTO;
	for (const struct field *field = fields; field->title; field++)
		table_add_column(&table, field->title, field->kind);
	json_array_foreach (rows, index, row)
		for (const struct field *field = fields; field->title; field++)
			field->write(&table, row, field->key);
	return table_print(&table, stdout);
}

int print_block(const json_t *object, const struct field *fields)
{
	__attribute__((cleanup(table_finish))) struct table table = {0};

	if (!json_is_object(object))
		return -EPROTO;
	table_add_column(&table, NULL, COLUMN_TEXT);
	table_add_column(&table, NULL, COLUMN_STATE);
	for (const struct field *field = fields; field->title; field++) {
		table_add(&table, field->title);
		field->write(&table, object, field->key);
	}
	return table_print(&table, stdout);
}
