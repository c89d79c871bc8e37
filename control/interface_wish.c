/*
 * Wishes: the names and globs that are to be attached.
 */
#include <errno.h>
#include <fnmatch.h>
#include <stdlib.h>
#include <string.h>
#include "control/interface_internal.h"

bool is_glob(const char *pattern)
{
	return strpbrk(pattern, "*?[");
}

const struct wish *interfaces_wish_for(const struct interfaces *interfaces, const char *name)
{
	const struct wish *wish, *glob = NULL;

	for (wish = interfaces->wishes; wish; wish = wish->next) {
		if (!strcmp(wish->pattern, name))
			return wish;
		if (!glob && !fnmatch(wish->pattern, name, 0))
			glob = wish;
	}
	return glob;
}

static struct wish **end_of_wishes(struct interfaces *interfaces)
{
	struct wish **end = &interfaces->wishes;

	while (*end)
		end = &(*end)->next;
	return end;
}

int wish_add(struct interfaces *interfaces, const char *pattern, bool by_tc,
	     struct refusal *refusal)
{
	struct wish *wish = calloc(1, sizeof(*wish));

	if (wish)
		wish->pattern = strdup(pattern);
	if (!wish || !wish->pattern) {
		free(wish);
		return refuse_with(refusal, ENOMEM, "out of memory");
	}
	wish->by_tc = by_tc;
	*end_of_wishes(interfaces) = wish;
	return 0;
}

int wish_remove(struct interfaces *interfaces, const char *pattern)
{
	struct wish **link = &interfaces->wishes;
	struct wish *wish;

	while (*link && strcmp((*link)->pattern, pattern))
		link = &(*link)->next;
	wish = *link;
	if (!wish)
		return -ENOENT;
	*link = wish->next;
	free(wish->pattern);
	free(wish);
	return 0;
}

enum datapath_mode wish_mode(const struct interfaces *interfaces, const char *name)
{
	const struct wish *wish = interfaces_wish_for(interfaces, name);

	return wish && wish->by_tc ? MODE_TC : interfaces->mode;
}

void wishes_free(struct interfaces *interfaces)
{
	struct wish *wish;

	while ((wish = interfaces->wishes)) {
		interfaces->wishes = wish->next;
		free(wish->pattern);
		free(wish);
	}
}
