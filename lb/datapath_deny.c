/*
 * Denied prefixes: an LPM trie, and counters an index for each. The number of prefixes is a
 * variable of the program, so that packets ask the trie only while there is one.
 */
#include <bpf/bpf.h>
#include <bpf/libbpf.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include "lb/datapath_audit.h"
#include "lb/datapath_internal.h"

#define COUNTERS_PER_CPU (MAX_DENIED + 1)

static int deny_map(const struct datapath *datapath)
{
	return bpf_map__fd(datapath->skeleton->maps.deny);
}

static struct deny_key key_of(const struct prefix *prefix)
{
	struct deny_key key = {.length = prefix->length};

	memcpy(key.address, &prefix->address, sizeof(key.address));
	return key;
}

static struct prefix prefix_of(const struct deny_key *key)
{
	struct prefix prefix = {.length = (__u8)key->length};

	memcpy(&prefix.address, key->address, sizeof(key->address));
	return prefix;
}

static uint32_t count_prefixes(const struct datapath *datapath)
{
	return datapath->skeleton->bss->denied_prefixes;
}

static void tell_count(struct datapath *datapath, uint32_t count)
{
	__atomic_store_n(&datapath->skeleton->bss->denied_prefixes, count, __ATOMIC_RELEASE);
}

static int clear_counter(struct datapath *datapath, uint32_t index)
{
	const int map = bpf_map__fd(datapath->skeleton->maps.deny_counters);
	const struct counter zero = {};

	for (unsigned int cpu = 0; cpu < datapath->cpus; cpu++) {
		const uint32_t element = cpu * COUNTERS_PER_CPU + index;

		if (bpf_map_update_elem(map, &element, &zero, BPF_ANY))
			return -errno;
	}
	return 0;
}

static struct denied denied_as(const struct prefix *prefix, uint32_t index)
{
	return (struct denied){
		.counter = index,
		.is_ipv6 = !prefix_is_ipv4(prefix),
	};
}

int datapath_deny(struct datapath *datapath, const struct prefix *prefix, uint32_t index)
{
	const struct deny_key key = key_of(prefix);
	const struct denied denied = denied_as(prefix, index);
	int error = clear_counter(datapath, index);

	if (error)
		return error;
	tell_count(datapath, count_prefixes(datapath) + 1);
	if (!bpf_map_update_elem(deny_map(datapath), &key, &denied, BPF_ANY))
		return 0;
	error = -errno;
	tell_count(datapath, count_prefixes(datapath) - 1);
	return error;
}

/* An LPM trie answers with the longest prefix that fits; whose it is its index tells. */
int datapath_audit_denied(struct datapath *datapath, const struct prefix *prefix, uint32_t index)
{
	const struct deny_key key = key_of(prefix);
	const struct denied denied = denied_as(prefix, index);
	struct denied found;

	if (!bpf_map_lookup_elem(deny_map(datapath), &key, &found) &&
	    !memcmp(&found, &denied, sizeof(found)))
		return 0;
	return bpf_map_update_elem(deny_map(datapath), &key, &denied, BPF_ANY) ? -errno : 1;
}

int datapath_audit_denied_count(struct datapath *datapath, uint32_t count)
{
	if (count_prefixes(datapath) == count)
		return 0;
	tell_count(datapath, count);
	return 1;
}

int datapath_allow(struct datapath *datapath, const struct prefix *prefix)
{
	const struct deny_key key = key_of(prefix);
	const int error = bpf_map_delete_elem(deny_map(datapath), &key) ? -errno : 0;

	/* What somebody else has deleted is counted still. */
	if ((!error || error == -ENOENT) && count_prefixes(datapath))
		tell_count(datapath, count_prefixes(datapath) - 1);
	return error;
}

int datapath_visit_denied(struct datapath *datapath, denied_visitor visit, void *context)
{
	const int map = deny_map(datapath);
	const void *before = NULL;
	struct deny_key key, next;
	struct denied denied;
	struct prefix prefix;

	while (!bpf_map_get_next_key(map, before, &next)) {
		key = next;
		before = &key;
		if (bpf_map_lookup_elem(map, &key, &denied))
			return -errno;
		prefix = prefix_of(&key);
		visit(context, &prefix, denied.counter);
	}
	return errno == ENOENT ? 0 : -errno;
}

int datapath_read_denied(struct datapath *datapath, uint32_t index, struct counter *counter)
{
	const int map = bpf_map__fd(datapath->skeleton->maps.deny_counters);
	struct counter sum = {}, own;

	for (unsigned int cpu = 0; cpu < datapath->cpus; cpu++) {
		const uint32_t element = cpu * COUNTERS_PER_CPU + index;

		if (bpf_map_lookup_elem(map, &element, &own))
			return -errno;
		sum.packets += own.packets;
		sum.bytes += own.bytes;
	}
	*counter = sum;
	return 0;
}

static void count_one(void *context, const struct prefix *prefix, uint32_t index)
{
	uint32_t *count = context;

	(void)prefix;
	(void)index;
	++*count;
}

int denied_open(struct datapath *datapath)
{
	uint32_t count = 0;
	int error = datapath_visit_denied(datapath, count_one, &count);

	if (!error)
		tell_count(datapath, count);
	return error;
}
