/*
 * Complaints: see complaints.h.
 */
#include "control/kube/complaints.h"

#include <stdio.h>
#include <stdlib.h>
#define HASH_NONFATAL_OOM 1
#include <uthash.h>

struct complaints {
	char *text; /* EVENT NAME */
	UT_hash_handle hh;
};

static struct complaints *find(struct complaints *complaints, const char *text)
{
	struct complaints *found;

	HASH_FIND_STR(complaints, text, found);
	return found;
}

static void free_complaint(struct complaints *complaint)
{
	free(complaint->text);
	free(complaint);
}

static bool add(struct complaints **complaints, char *text)
{
	struct complaints *added = calloc(1, sizeof(*added));

	if (!added) {
		free(text);
		return false;
	}
	added->text = text;
	HASH_ADD_KEYPTR(hh, *complaints, added->text, strlen(added->text), added);
	if (added->hh.tbl)
		return true;
	free_complaint(added);
	return false;
}

bool complaints_raise(struct complaints **complaints, const char *event, const char *name)
{
	char *text;

	if (HASH_COUNT(*complaints) >= COMPLAINTS_MAX || asprintf(&text, "%s %s", event, name) < 0)
		return false;
	if (!find(*complaints, text))
		return add(complaints, text);
	free(text);
	return false;
}

void complaints_settle(struct complaints **complaints, const char *event, const char *name)
{
	struct complaints *found;
	char *text;

	if (!*complaints || asprintf(&text, "%s %s", event, name) < 0)
		return;
	found = find(*complaints, text);
	free(text);
	if (!found)
		return;
	HASH_DEL(*complaints, found);
	free_complaint(found);
}

void complaints_free(struct complaints **complaints)
{
	struct complaints *complaint, *next;

	HASH_ITER (hh, *complaints, complaint, next) {
		HASH_DEL(*complaints, complaint);
		free_complaint(complaint);
	}
}
