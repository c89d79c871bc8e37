/*
 * `lbctl apply` and `lbctl export`: whole documents in and out. A document is decoded here too, so
 * that a bad one is refused with the paths of its mistakes before anybody is asked.
 */
#include "control/lbctl.h"

#include <errno.h>
#include <stdio.h>
#include "control/lbctl_print.h"
#include "control/tables.h"

static int put_document(struct invocation *invocation, const struct argument *argument,
			const char *word)
{
	json_t *document = tables_load_file(word, &invocation->refusal);
	struct tables tables = {0};
	int error;

	if (!document)
		return -EINVAL;
	error = tables_decode(document, SOURCE_OPERATOR, &tables, &invocation->refusal);
	tables_finish(&tables);
	if (!error)
		return request_set(invocation, argument->key, document);
	json_decref(document);
	return error;
}

const struct argument apply_arguments[] = {
	{"FILE", .key = "document", .put = put_document,
	 .help = "tables as JSON, or what `kubectl get services,endpointslices -A -o json` "
		 "prints; -: standard input"},
	{"--dry-run", .key = "dry_run", .put = put_flag, .help = "only say what would be done"},
	{"--prune", .key = "prune", .put = put_flag,
	 .help = "remove the operator's services and lasting prefixes that are not in the file"},
	{0},
};

static void print_deny_counts(const json_t *counts, bool dry)
{
	const json_int_t added = object_get_integer(counts, "added");
	const json_int_t changed = object_get_integer(counts, "changed");
	const json_int_t removed = object_get_integer(counts, "removed");
	const json_int_t unchanged = object_get_integer(counts, "unchanged");

	if (added || changed || removed || unchanged)
		printf(dry ? "deny: would add %lld, change %lld, remove %lld, leave %lld "
			     "unchanged\n"
			   : "deny: added %lld, changed %lld, removed %lld, left %lld unchanged\n",
		       added, changed, removed, unchanged);
}

int print_applied(const struct invocation *invocation, const json_t *result)
{
	bool dry = json_is_true(json_object_get(result, "dry_run"));

	(void)invocation;
	printf(dry ? "would add %lld, change %lld, remove %lld, leave %lld unchanged\n"
		   : "added %lld, changed %lld, removed %lld, left %lld unchanged\n",
	       object_get_integer(result, "added"), object_get_integer(result, "changed"),
	       object_get_integer(result, "removed"), object_get_integer(result, "unchanged"));
	print_deny_counts(json_object_get(result, "deny"), dry);
	return 0;
}
