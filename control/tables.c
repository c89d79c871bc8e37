/*
 * A whole document to the model: its lists, and that nothing is in them twice. Whether its services
 * may stand beside those that exist already is for others to say.
 */
#include "control/tables.h"

#include <errno.h>
#include <stdlib.h>
#include "control/tables_parts.h"

static const char *const DOCUMENT_KEYS[] = {"services", "deny", NULL};
static const char *const DENY_KEYS[] = {"prefix", NULL};

void tables_finish(struct tables *tables)
{
	for (size_t i = 0; i < tables->service_count; i++)
		service_free(tables->services[i]);
	free(tables->services);
	free(tables->deny);
	*tables = (struct tables){0};
}

static int refuse_memory(const struct cursor *at)
{
	return refuse_with(at->refusal, ENOMEM, "out of memory");
}

static int decode_services(const struct cursor *list, struct tables *tables)
{
	size_t count = json_array_size(list->value);
	int error = cursor_check_array(list);

	if (error || !count)
		return error;
	tables->services = calloc(count, sizeof(struct service *));
	if (!tables->services)
		return refuse_memory(list);
	for (; tables->service_count < count; tables->service_count++) {
		struct cursor at = cursor_element(list, tables->service_count);

		error = tables_read_service(&at, &tables->services[tables->service_count]);
		if (error)
			return error;
	}
	return 0;
}

static int decode_denied(const struct cursor *at, struct prefix *prefix)
{
	struct cursor member = cursor_member(at, "prefix");
	int error = cursor_check_object(at, DENY_KEYS);

	return error ? error : tables_read_prefix(&member, prefix);
}

static int decode_deny(const struct cursor *list, struct tables *tables)
{
	size_t count = json_array_size(list->value);
	int error = cursor_check_array(list);

	if (error || !count)
		return error;
	tables->deny = calloc(count, sizeof(struct prefix));
	if (!tables->deny)
		return refuse_memory(list);
	for (; tables->deny_count < count; tables->deny_count++) {
		struct cursor at = cursor_element(list, tables->deny_count);

		error = decode_denied(&at, &tables->deny[tables->deny_count]);
		if (error)
			return error;
	}
	return 0;
}

static int check_services_differ(const struct cursor *list, const struct tables *tables)
{
	struct repetition repetition;
	char text[ENDPOINT_TEXT_MAX];
	struct cursor at;
	int found = tables_find_repeated_service(tables, &repetition);

	if (found < 0)
		return refuse_memory(list);
	if (!found)
		return 0;
	at = cursor_element(list, repetition.second);
	service_key_format(&tables->services[repetition.second]->key, text);
	cursor_refuse(&at, "%s is already services[%zu]", text, repetition.first);
	return -EEXIST;
}

static int check_deny_differ(const struct cursor *list, const struct tables *tables)
{
	struct repetition repetition;
	char text[ENDPOINT_TEXT_MAX];
	struct cursor at;
	int found = tables_find_repeated_deny(tables, &repetition);

	if (found < 0)
		return refuse_memory(list);
	if (!found)
		return 0;
	at = cursor_element(list, repetition.second);
	prefix_format(&tables->deny[repetition.second], text);
	cursor_refuse(&at, "%s is already deny[%zu]", text, repetition.first);
	return -EEXIST;
}

/* Both lists may be absent. */
static int decode_grammar(const struct cursor *document, struct tables *tables)
{
	struct cursor services = cursor_member(document, "services");
	struct cursor deny = cursor_member(document, "deny");
	int error = cursor_check_object(document, DOCUMENT_KEYS);

	if (!error && services.value)
		error = decode_services(&services, tables);
	if (!error && services.value)
		error = check_services_differ(&services, tables);
	if (!error && deny.value)
		error = decode_deny(&deny, tables);
	if (!error && deny.value)
		error = check_deny_differ(&deny, tables);
	return error;
}

int tables_decode(const json_t *document, enum source source, struct tables *tables,
		  struct refusal *refusal)
{
	__attribute__((cleanup(tables_finish))) struct tables decoded = {0};
	struct cursor root = cursor_root(document, NULL, refusal);
	int error = json_object_get(document, "kind") ? tables_read_kubernetes(&root, &decoded)
						      : decode_grammar(&root, &decoded);

	if (error)
		return error;
	for (size_t i = 0; i < decoded.service_count; i++)
		decoded.services[i]->source = source;
	*tables = decoded;
	decoded = (struct tables){0};
	return 0;
}
