/*
 * Documents of tables, in the grammar and as Kubernetes has them. What is taken can be written and
 * read again, and says the same read in pieces and as a whole; what is not taken is told in a line.
 */
#include <stdlib.h>
#include <string.h>
#include "control/tables.h"
#include "control/tables_parts.h"
#include "test/fuzz/fuzz.h"

static void must_be_the_same(const struct tables *a, const struct tables *b)
{
	must(a->service_count == b->service_count, "as many services");
	must(a->deny_count == b->deny_count, "as many prefixes");
	for (size_t i = 0; i < a->service_count; i++)
		must(service_equal(a->services[i], b->services[i]), "the same service");
	for (size_t i = 0; i < a->deny_count; i++)
		must(!memcmp(&a->deny[i].address, &b->deny[i].address, sizeof(struct address)) &&
			     a->deny[i].length == b->deny[i].length,
		     "the same prefix");
}

static json_t *encode(const struct tables *tables)
{
	json_t *services = json_array(), *deny = json_array();
	char text[ENDPOINT_TEXT_MAX];

	for (size_t i = 0; i < tables->service_count; i++)
		must(!json_array_append_new(services, tables_encode_service(tables->services[i])),
		     "a service can be written");
	for (size_t i = 0; i < tables->deny_count; i++)
		json_array_append_new(
			deny, json_pack("{s:s}", "prefix", prefix_format(&tables->deny[i], text)));
	return json_pack("{s:o, s:o}", "services", services, "deny", deny);
}

/* By way of text, as `export` gives it and `apply` takes it. */
static void must_come_back(const struct tables *tables)
{
	json_t *document = encode(tables), *loaded;
	struct tables again = {0};
	struct refusal refusal;
	char *text;

	must(document, "tables can be written");
	text = json_dumps(document, JSON_COMPACT);
	loaded = tables_load_text(text, strlen(text), &refusal);
	must(loaded, "what was written can be parsed");
	must(!tables_decode(loaded, SOURCE_FILE, &again, &refusal), "and is taken");
	must_be_the_same(tables, &again);
	tables_finish(&again);
	json_decref(loaded);
	json_decref(document);
	free(text);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct tables whole = {0}, pieces = {0};
	struct refusal refusal = {0};
	json_t *document = tables_load_text((const char *)data, size, &refusal);
	bool taken = false;

	if (document)
		taken = !tables_decode(document, SOURCE_FILE, &whole, &refusal);
	if (taken)
		must_come_back(&whole);
	else
		must_be_readable(&refusal);
	if (tables_read_pieces((const char *)data, size, SOURCE_FILE, &pieces)) {
		must(taken, "what is taken in pieces is taken as a whole");
		must_be_the_same(&whole, &pieces);
	}
	tables_finish(&pieces);
	tables_finish(&whole);
	json_decref(document);
	return 0;
}
