/*
 * The values of lbd's settings, as the command line and the file of --config have them alike.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include "control/options.h"

int text_list_add(struct text_list *list, const char *text)
{
	char **items = realloc(list->items, (list->count + 1) * sizeof(*items));

	if (!items)
		return -ENOMEM;
	list->items = items;
	items[list->count] = strdup(text);
	if (!items[list->count])
		return -ENOMEM;
	list->count++;
	return 0;
}

void text_list_clear(struct text_list *list)
{
	for (size_t i = 0; i < list->count; i++)
		free(list->items[i]);
	free(list->items);
	*list = (struct text_list){};
}

int option_add_prefix(struct prefix_list *list, const char *name, const char *text,
		      struct refusal *refusal)
{
	struct prefix *items, prefix;
	struct refusal why;

	if (prefix_parse(text, &prefix, &why))
		return refuse(refusal, "%s: %s", name, why.text);
	items = reallocarray(list->items, list->count + 1, sizeof(*items));
	if (!items)
		return refuse_with(refusal, ENOMEM, "out of memory");
	list->items = items;
	items[list->count++] = prefix;
	return 0;
}

void prefix_list_clear(struct prefix_list *list)
{
	free(list->items);
	*list = (struct prefix_list){};
}

int option_set_text(char **target, const char *value, struct refusal *refusal)
{
	char *copy = strdup(value);

	if (!copy)
		return refuse_with(refusal, ENOMEM, "out of memory");
	free(*target);
	*target = copy;
	return 0;
}

int option_parse_group_may(const char *text, bool *changes)
{
	if (strcmp(text, "read") && strcmp(text, "change"))
		return -EINVAL;
	*changes = !strcmp(text, "change");
	return 0;
}

int option_parse_listen(const char *text, struct listen_option *listen)
{
	struct listen_option wanted = {.given = true, .on = strcmp(text, "off") != 0};
	struct refusal why;

	if (wanted.on &&
	    endpoint_parse(text, &wanted.endpoint.address, &wanted.endpoint.port, &why))
		return -EINVAL;
	*listen = wanted;
	return 0;
}

int option_parse_egress(const char *text, enum egress *egress)
{
	static const char *const WORDS[] = {
		[EGRESS_AUTO] = "auto", [EGRESS_ON] = "on", [EGRESS_OFF] = "off"};

	for (size_t i = 0; i < sizeof(WORDS) / sizeof(WORDS[0]); i++) {
		if (strcmp(text, WORDS[i]))
			continue;
		*egress = (enum egress)i;
		return 0;
	}
	return -EINVAL;
}

int option_parse_tc_attach(const char *text, bool *filters)
{
	*filters = !strcmp(text, "clsact");
	return *filters || !strcmp(text, "auto") ? 0 : -EINVAL;
}
