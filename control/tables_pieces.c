/*
 * A document of services, one service's tree at a time: large files are read in a fraction of the
 * time and memory that a tree of the whole takes. Only what is plainly right is taken; anything
 * else is left to those who know the whole document and can say what is wrong with it.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include "control/json_scratch.h"
#include "control/tables_parts.h"

#define FIRST_SERVICES 64

/* What is still to be read. */
struct rest {
	const char *at, *end;
};

static void skip_space(struct rest *rest)
{
	while (rest->at < rest->end && strchr(" \t\n\r", *rest->at) && *rest->at)
		rest->at++;
}

static bool take_token(struct rest *rest, const char *token)
{
	const size_t length = strlen(token);

	skip_space(rest);
	if ((size_t)(rest->end - rest->at) < length || memcmp(rest->at, token, length))
		return false;
	rest->at += length;
	return true;
}

static bool add_service(struct tables *tables, size_t *room, struct service *service)
{
	struct service **services = tables->services;

	if (tables->service_count == *room) {
		*room = *room ? 2 * *room : FIRST_SERVICES;
		services = reallocarray(services, *room, sizeof(struct service *));
		if (!services) {
			service_free(service);
			return false;
		}
		tables->services = services;
	}
	services[tables->service_count++] = service;
	return true;
}

/* jansson tells how far it came: to the end of the object. */
static bool take_service(struct rest *rest, enum source source, struct service **service)
{
	struct refusal ignored;
	json_error_t where;
	json_t *value = json_parse(rest->at, (size_t)(rest->end - rest->at),
				   JSON_REJECT_DUPLICATES | JSON_DISABLE_EOF_CHECK, &where);
	bool taken;

	if (!value)
		return false;
	taken = !tables_decode_service(value, NULL, service, &ignored);
	json_decref(value);
	if (!taken)
		return false;
	(*service)->source = source;
	rest->at += where.position;
	return true;
}

static bool take_services(struct rest *rest, enum source source, struct tables *tables)
{
	struct json_scratch scratch;
	struct service *service;
	size_t room = 0;
	bool taken;

	json_scratch_open(&scratch);
	do {
		taken = take_service(rest, source, &service) && add_service(tables, &room, service);
		json_scratch_empty(&scratch);
	} while (taken && take_token(rest, ","));
	json_scratch_close(&scratch);
	return taken;
}

bool tables_read_pieces(const char *text, size_t size, enum source source, struct tables *tables)
{
	__attribute__((cleanup(tables_finish))) struct tables read = {0};
	struct rest rest = {text, text + size};
	struct repetition ignored;

	if (!take_token(&rest, "{") || !take_token(&rest, "\"services\"") ||
	    !take_token(&rest, ":") || !take_token(&rest, "[") ||
	    !take_services(&rest, source, &read) || !take_token(&rest, "]") ||
	    !take_token(&rest, "}"))
		return false;
	skip_space(&rest);
	if (rest.at < rest.end || tables_find_repeated_service(&read, &ignored))
		return false;
	*tables = read;
	read = (struct tables){0};
	return true;
}
