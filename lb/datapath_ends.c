/*
 * The map backend_ends: of which backends an address, a port and a protocol are. Kept only where
 * services may be balanced without entries, since it takes an entry of a hash for each backend.
 */
#include <bpf/bpf.h>
#include <bpf/libbpf.h>
#include <errno.h>
#include <string.h>
#include "lb/datapath_audit.h"
#include "lb/datapath_internal.h"

static int ends_map(const struct datapath *datapath)
{
	return bpf_map__fd(datapath->skeleton->maps.backend_ends);
}

static struct service_key end_of(const struct backend_record *record)
{
	return (struct service_key){
		.address = record->address, .port = record->port, .protocol = record->protocol};
}

/*
 * What cannot be written is missing: such a backend is not balanced to without an entry, or to none
 * of those that share its end, until ends_mend.
 */
static void change(struct datapath *datapath, uint32_t index, const struct backend_record *record,
		   int by)
{
	const struct service_key key = end_of(record);
	struct backend_end end = {};
	int failed;

	if (!datapath->knows_ends || record->state == BACKEND_NONE)
		return;
	if (bpf_map_lookup_elem(ends_map(datapath), &key, &end)) {
		if (errno != ENOENT)
			datapath->ends_differ = true;
		if (errno != ENOENT || by < 0)
			return;
	}
	end.backends ^= index;
	end.count += (uint32_t)by;
	if (end.count)
		failed = bpf_map_update_elem(ends_map(datapath), &key, &end, BPF_ANY);
	else
		failed = bpf_map_delete_elem(ends_map(datapath), &key);
	if (failed)
		datapath->ends_differ = true;
}

void ends_add(struct datapath *datapath, uint32_t index, const struct backend_record *record)
{
	change(datapath, index, record, 1);
}

void ends_remove(struct datapath *datapath, uint32_t index, const struct backend_record *record)
{
	change(datapath, index, record, -1);
}

static int forget_all(struct datapath *datapath)
{
	struct service_key key;

	while (!bpf_map_get_next_key(ends_map(datapath), NULL, &key))
		if (bpf_map_delete_elem(ends_map(datapath), &key))
			return -errno;
	return errno == ENOENT ? 0 : -errno;
}

/* An earlier lbd may have ended between two writes, or have kept none: begins afresh. */
void ends_open(struct datapath *datapath)
{
	struct backend_record record;

	datapath->ends_differ = forget_all(datapath);
	for (uint32_t i = 1; datapath->knows_ends && !datapath->ends_differ &&
			     i < datapath_capacity_backends(datapath);
	     i++) {
		datapath_get_backend(datapath, i, &record);
		ends_add(datapath, i, &record);
	}
}

/* What the backends that have this end make of it. */
static struct backend_end count_end(const struct datapath *datapath, const struct service_key *key)
{
	const uint32_t backends = datapath_capacity_backends(datapath);
	struct backend_record record;
	struct service_key other;
	struct backend_end end = {};

	for (uint32_t i = 1; i < backends; i++) {
		datapath_get_backend(datapath, i, &record);
		other = end_of(&record);
		if (record.state == BACKEND_NONE || memcmp(&other, key, sizeof(other)))
			continue;
		end.backends ^= i;
		end.count++;
	}
	return end;
}

/*
 * The entry of an end that backends share cannot be told from the index of one of them: only that
 * it is gone is seen.
 */
int datapath_audit_end(struct datapath *datapath, uint32_t index,
		       const struct backend_record *record)
{
	const struct service_key key = end_of(record);
	struct backend_end end = {};

	if (!datapath->knows_ends || record->state == BACKEND_NONE)
		return 0;
	if (!bpf_map_lookup_elem(ends_map(datapath), &key, &end) &&
	    (end.count > 1 || (end.count == 1 && end.backends == index)))
		return 0;
	end = count_end(datapath, &key);
	return bpf_map_update_elem(ends_map(datapath), &key, &end, BPF_ANY) ? -errno : 1;
}

void ends_mend(struct datapath *datapath)
{
	if (datapath->ends_differ)
		ends_open(datapath);
}
