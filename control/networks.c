/*
 * Whose sources are: see networks.h. There are few of them and they seldom change, so whoever
 * brings some has all put together anew, sorted, and what is otherwise than before is written.
 */
#include "control/networks.h"

#include <errno.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include "lb/datapath_audit.h"

struct entry {
	struct prefix prefix;
	enum network network;
};

struct list {
	struct entry *items;
	size_t count;
};

struct networks {
	struct datapath *datapath;
	struct list of[_NETWORK_SOURCE_COUNT];
	struct list told; /* what the datapath has: sorted, each prefix once */
	bool is_unsettled;
	size_t audited; /* where the audit goes on */
};

static int compare_prefixes(const struct prefix *a, const struct prefix *b)
{
	const int order = memcmp(&a->address, &b->address, sizeof(a->address));

	return order ? order : a->length - b->length;
}

/* Of the same prefix what counts comes first: NETWORK_NODE. */
static int compare(const void *first, const void *second)
{
	const struct entry *a = first, *b = second;
	const int order = compare_prefixes(&a->prefix, &b->prefix);

	return order ? order : (int)b->network - (int)a->network;
}

static int collect(const struct networks *networks, struct list *wanted)
{
	size_t count = 0, kept = 0;

	for (int i = 0; i < _NETWORK_SOURCE_COUNT; i++)
		count += networks->of[i].count;
	wanted->items = calloc(count + 1, sizeof(struct entry));
	if (!wanted->items)
		return -ENOMEM;
	for (int i = 0; i < _NETWORK_SOURCE_COUNT; i++)
		for (size_t k = 0; k < networks->of[i].count; k++)
			wanted->items[wanted->count++] = networks->of[i].items[k];
	qsort(wanted->items, wanted->count, sizeof(struct entry), compare);
	for (size_t i = 0; i < wanted->count; i++)
		if (!kept ||
		    compare_prefixes(&wanted->items[kept - 1].prefix, &wanted->items[i].prefix))
			wanted->items[kept++] = wanted->items[i];
	wanted->count = kept;
	return 0;
}

/* Both are sorted: `next` is where the search goes on. NULL: it is not there. */
static const struct entry *find(const struct list *list, const struct prefix *prefix, size_t *next)
{
	while (*next < list->count && compare_prefixes(&list->items[*next].prefix, prefix) < 0)
		++*next;
	if (*next == list->count || compare_prefixes(&list->items[*next].prefix, prefix))
		return NULL;
	return &list->items[*next];
}

/* What comes is there before what goes has gone. */
static int write_changes(struct networks *networks, const struct list *wanted)
{
	const struct list *told = &networks->told;
	const struct entry *there;
	int error = 0, failed;
	size_t next = 0;

	for (size_t i = 0; i < wanted->count; i++) {
		const struct entry *entry = &wanted->items[i];

		there = find(told, &entry->prefix, &next);
		if (there && there->network == entry->network)
			continue;
		failed = datapath_set_network(networks->datapath, &entry->prefix, entry->network);
		error = error ? error : failed;
	}
	next = 0;
	for (size_t i = 0; i < told->count; i++) {
		if (find(wanted, &told->items[i].prefix, &next))
			continue;
		failed = datapath_set_network(networks->datapath, &told->items[i].prefix,
					      NETWORK_NONE);
		error = error ? error : failed;
	}
	return error;
}

struct reading {
	struct list list;
	bool is_full; /* out of memory */
};

static void append(void *context, const struct prefix *prefix, enum network network)
{
	struct reading *reading = context;
	struct list *list = &reading->list;
	struct entry *items = reallocarray(list->items, list->count + 1, sizeof(*items));

	reading->is_full |= !items;
	if (!items)
		return;
	list->items = items;
	items[list->count++] = (struct entry){.prefix = *prefix, .network = network};
}

/* What the datapath has, sorted. */
static int read_told(const struct networks *networks, struct list *told)
{
	struct reading reading = {};
	int error = datapath_visit_networks(networks->datapath, append, &reading);

	if (!error && reading.is_full)
		error = -ENOMEM;
	if (error) {
		free(reading.list.items);
		return error;
	}
	if (reading.list.count)
		qsort(reading.list.items, reading.list.count, sizeof(struct entry), compare);
	*told = reading.list;
	return 0;
}

static int read_again(struct networks *networks)
{
	struct list told = {};
	int error = read_told(networks, &told);

	if (error)
		return error;
	free(networks->told.items);
	networks->told = told;
	return 0;
}

static int apply(struct networks *networks)
{
	struct list wanted = {};
	int error = networks->is_unsettled ? read_again(networks) : 0;

	if (!error)
		error = collect(networks, &wanted);
	networks->is_unsettled = true;
	if (error)
		return error;
	error = write_changes(networks, &wanted);
	networks->is_unsettled = error;
	free(networks->told.items);
	networks->told = wanted;
	return error;
}

struct networks *networks_new(struct datapath *datapath)
{
	struct networks *networks = calloc(1, sizeof(*networks));
	int error;

	if (!networks)
		return NULL;
	networks->datapath = datapath;
	error = read_told(networks, &networks->of[NETWORKS_ADOPTED]);
	if (!error)
		error = collect(networks, &networks->told);
	if (!error)
		return networks;
	networks_free(networks);
	errno = -error;
	return NULL;
}

void networks_free(struct networks *networks)
{
	if (!networks)
		return;
	for (int i = 0; i < _NETWORK_SOURCE_COUNT; i++)
		free(networks->of[i].items);
	free(networks->told.items);
	free(networks);
}

int networks_set(struct networks *networks, enum network_source source,
		 const struct prefix *prefixes, size_t count)
{
	struct entry *items = calloc(count + 1, sizeof(*items));

	if (!items)
		return -ENOMEM;
	for (size_t i = 0; i < count; i++)
		items[i] = (struct entry){
			.prefix = prefixes[i],
			.network = source == NETWORKS_OF_OPTIONS ? NETWORK_CLUSTER : NETWORK_NODE,
		};
	free(networks->of[source].items);
	networks->of[source] = (struct list){.items = items, .count = count};
	if (source == NETWORKS_OF_KUBERNETES)
		networks->of[NETWORKS_ADOPTED].count = 0;
	return apply(networks);
}

void networks_mend(struct networks *networks)
{
	if (networks->is_unsettled)
		apply(networks);
}

void networks_audit(struct networks *networks, size_t parts, struct repairs *repairs)
{
	const size_t count = networks->told.count;
	const size_t share = (count + parts - 1) / parts;

	for (size_t i = 0; i < share && !networks->is_unsettled; i++) {
		const struct entry *entry = &networks->told.items[networks->audited++ % count];

		repairs_note(
			repairs, REPAIR_NETWORKS,
			datapath_audit_network(networks->datapath, &entry->prefix, entry->network));
	}
}
