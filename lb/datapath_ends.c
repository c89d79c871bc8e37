/*
 * The map backend_ends: of which backends an address, a port and a protocol are, and an address for
 * a service. The first are kept only where services may be balanced without entries, the others
 * only where tunnels end here, since each takes an entry of a hash for each backend.
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

static struct end_key end_of(const struct backend_record *record, enum end_kind kind)
{
	if (kind == END_OF_TUNNELS)
		return (struct end_key){.address = record->address, .service = record->service};
	return (struct end_key){
		.address = record->address, .port = record->port, .protocol = record->protocol};
}

/*
 * What cannot be written is missing: such a backend is not balanced to without an entry, or to none
 * of those that share its end, and not found by a tunnel, until ends_mend.
 */
static void change_end(struct datapath *datapath, const struct end_key *key, uint32_t index, int by)
{
	struct backend_end end = {};
	int failed;

	if (bpf_map_lookup_elem(ends_map(datapath), key, &end)) {
		if (errno != ENOENT)
			datapath->ends_differ = true;
		if (errno != ENOENT || by < 0)
			return;
	}
	end.backends ^= index;
	end.count += (uint32_t)by;
	if (end.count)
		failed = bpf_map_update_elem(ends_map(datapath), key, &end, BPF_ANY);
	else
		failed = bpf_map_delete_elem(ends_map(datapath), key);
	if (failed)
		datapath->ends_differ = true;
}

static void change(struct datapath *datapath, uint32_t index, const struct backend_record *record,
		   int by)
{
	for (int kind = 0; kind < _END_KIND_COUNT; kind++) {
		const struct end_key key = end_of(record, (enum end_kind)kind);

		if (datapath->knows_ends[kind] && record->state != BACKEND_NONE)
			change_end(datapath, &key, index, by);
	}
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
	struct end_key key;

	while (!bpf_map_get_next_key(ends_map(datapath), NULL, &key))
		if (bpf_map_delete_elem(ends_map(datapath), &key))
			return -errno;
	return errno == ENOENT ? 0 : -errno;
}

static bool knows_any(const struct datapath *datapath)
{
	return datapath->knows_ends[END_OF_REPLIES] || datapath->knows_ends[END_OF_TUNNELS];
}

/* An earlier lbd may have ended between two writes, or have kept none: begins afresh. */
void ends_open(struct datapath *datapath)
{
	struct backend_record record;

	datapath->ends_differ = forget_all(datapath);
	for (uint32_t i = 1; knows_any(datapath) && !datapath->ends_differ &&
			     i < datapath_capacity_backends(datapath);
	     i++) {
		datapath_get_backend(datapath, i, &record);
		ends_add(datapath, i, &record);
	}
}

/* What the backends that have this end make of it. */
static struct backend_end count_end(const struct datapath *datapath, const struct end_key *key,
				    enum end_kind kind)
{
	const uint32_t backends = datapath_capacity_backends(datapath);
	struct backend_record record;
	struct backend_end end = {};
	struct end_key other;

	for (uint32_t i = 1; i < backends; i++) {
		datapath_get_backend(datapath, i, &record);
		other = end_of(&record, kind);
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
static int audit_end(struct datapath *datapath, uint32_t index, const struct backend_record *record,
		     enum end_kind kind)
{
	const struct end_key key = end_of(record, kind);
	struct backend_end end = {};

	if (!datapath->knows_ends[kind] || record->state == BACKEND_NONE)
		return 0;
	if (!bpf_map_lookup_elem(ends_map(datapath), &key, &end) &&
	    (end.count > 1 || (end.count == 1 && end.backends == index)))
		return 0;
	end = count_end(datapath, &key, kind);
	return bpf_map_update_elem(ends_map(datapath), &key, &end, BPF_ANY) ? -errno : 1;
}

int datapath_audit_end(struct datapath *datapath, uint32_t index,
		       const struct backend_record *record)
{
	int answer = 0, part;

	for (int kind = 0; kind < _END_KIND_COUNT; kind++) {
		part = audit_end(datapath, index, record, (enum end_kind)kind);
		if (part)
			answer = part;
	}
	return answer;
}

void ends_mend(struct datapath *datapath)
{
	if (datapath->ends_differ)
		ends_open(datapath);
}
