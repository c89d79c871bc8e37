/*
 * The addresses of services: how many services each has, and whether the node has it itself. The
 * datapath is told of those that it has not: only what is for those is ours to answer or refuse.
 */
#include <bpf/bpf.h>
#include <bpf/libbpf.h>
#include <errno.h>
#include <stdlib.h>
#define HASH_NONFATAL_OOM 1
#include <uthash.h>
#include "include/hash.h"
#include "lb/datapath_audit.h"
#include "lb/datapath_internal.h"

struct known_address {
	struct address address; /* the key */
	uint32_t services;
	uint32_t counted; /* services, while these are counted anew */
	bool is_own;      /* the node's */
	bool is_told;     /* the datapath knows it */
	bool is_wanted;   /* while all own ones are named anew */
	UT_hash_handle hh;
};

static struct known_address *find(const struct datapath *datapath, const struct address *address)
{
	struct known_address *known;

	HASH_FIND(hh, datapath->addresses, address, sizeof(*address), known);
	return known;
}

/* NULL: out of memory. */
static struct known_address *get(struct datapath *datapath, const struct address *address)
{
	struct known_address *known = find(datapath, address);

	if (known)
		return known;
	known = calloc(1, sizeof(*known));
	if (!known)
		return NULL;
	known->address = *address;
	HASH_ADD(hh, datapath->addresses, address, sizeof(known->address), known);
	if (known->hh.tbl)
		return known;
	free(known);
	return NULL;
}

/* One that is full is counted no more: packets that lead there are looked up. */
static void filter_address(struct datapath *datapath, const struct address *address, int change)
{
	__u8 *count = (__u8 *)&datapath->skeleton->bss->virtual_filter[hash_virtual(address)];

	if (*count < UINT8_MAX)
		__atomic_store_n(count, (__u8)(*count + change), __ATOMIC_RELEASE);
}

static int tell(struct datapath *datapath, const struct address *address)
{
	const int map = bpf_map__fd(datapath->skeleton->maps.addresses);
	const __u32 nothing = 0;

	filter_address(datapath, address, 1);
	if (!bpf_map_update_elem(map, address, &nothing, BPF_ANY))
		return 0;
	filter_address(datapath, address, -1);
	return -errno;
}

static int take_back(struct datapath *datapath, const struct address *address)
{
	const int map = bpf_map__fd(datapath->skeleton->maps.addresses);

	if (bpf_map_delete_elem(map, address) && errno != ENOENT)
		return -errno;
	filter_address(datapath, address, -1);
	return 0;
}

/* Makes the datapath know what is known here; what is of no use any more is forgotten. */
static int settle(struct datapath *datapath, struct known_address *known)
{
	const bool wanted = known->services && !known->is_own;
	int error = 0;

	if (wanted != known->is_told)
		error = wanted ? tell(datapath, &known->address)
			       : take_back(datapath, &known->address);
	if (error) {
		datapath->addresses_differ = true;
		return error;
	}
	known->is_told = wanted;
	if (known->services || known->is_own)
		return 0;
	if (datapath->audited_address == known)
		datapath->audited_address = known->hh.next;
	HASH_DEL(datapath->addresses, known);
	free(known);
	return 0;
}

/* The node's own are not to be there. */
static int audit_address(struct datapath *datapath, const struct known_address *known)
{
	const int map = bpf_map__fd(datapath->skeleton->maps.addresses);
	__u32 nothing = 0;

	if (!bpf_map_lookup_elem(map, &known->address, &nothing) == known->is_told)
		return 0;
	if (known->is_told ? bpf_map_update_elem(map, &known->address, &nothing, BPF_ANY)
			   : bpf_map_delete_elem(map, &known->address))
		return -errno;
	return 1;
}

void datapath_audit_addresses(struct datapath *datapath, uint32_t parts, struct repairs *repairs)
{
	struct known_address *known = datapath->audited_address;

	for (uint32_t i = HASH_COUNT(datapath->addresses) / parts + 1; i; i--) {
		if (!known)
			known = datapath->addresses;
		if (!known)
			break;
		repairs_note(repairs, REPAIR_ADDRESSES, audit_address(datapath, known));
		known = known->hh.next;
	}
	datapath->audited_address = known;
}

int datapath_serve_address(struct datapath *datapath, const struct address *address)
{
	struct known_address *known = get(datapath, address);

	if (!known) {
		datapath->addresses_uncounted = true;
		return -ENOMEM;
	}
	known->services++;
	return settle(datapath, known);
}

int datapath_leave_address(struct datapath *datapath, const struct address *address)
{
	struct known_address *known = find(datapath, address);

	if (!known || !known->services)
		return 0;
	known->services--;
	return settle(datapath, known);
}

int datapath_add_own_address(struct datapath *datapath, const struct address *address)
{
	struct known_address *known = get(datapath, address);

	if (!known)
		return -ENOMEM;
	known->is_own = true;
	return settle(datapath, known);
}

int datapath_set_own_addresses(struct datapath *datapath, const struct address *addresses,
			       size_t count)
{
	struct known_address *known, *next;
	int error = 0, failed;

	for (size_t i = 0; i < count; i++) {
		known = get(datapath, &addresses[i]);
		if (!known)
			return -ENOMEM;
		known->is_wanted = true;
	}
	HASH_ITER (hh, datapath->addresses, known, next) {
		known->is_own = known->is_wanted;
		known->is_wanted = false;
		failed = settle(datapath, known);
		if (failed && !error)
			error = failed;
	}
	return error;
}

static int count_services(struct datapath *datapath)
{
	struct known_address *known;
	struct service_record *records;
	struct service_key *keys;
	uint32_t count;
	int error = datapath_list_services(datapath, &keys, &records, &count);

	if (error)
		return error;
	for (uint32_t i = 0; i < count && !error; i++) {
		known = get(datapath, &keys[i].address);
		if (known)
			known->counted++;
		else
			error = -ENOMEM;
	}
	free(keys);
	free(records);
	return error;
}

/* One that found no memory was not counted. */
static int count_again(struct datapath *datapath)
{
	struct known_address *known, *next;
	int error;

	HASH_ITER (hh, datapath->addresses, known, next)
		known->counted = 0;
	error = count_services(datapath);
	if (error)
		return error;
	HASH_ITER (hh, datapath->addresses, known, next)
		known->services = known->counted;
	return 0;
}

void addresses_mend(struct datapath *datapath)
{
	struct known_address *known, *next;

	if (datapath->addresses_uncounted && !count_again(datapath)) {
		datapath->addresses_uncounted = false;
		datapath->addresses_differ = true;
	}
	if (!datapath->addresses_differ)
		return;
	datapath->addresses_differ = false;
	HASH_ITER (hh, datapath->addresses, known, next)
		settle(datapath, known);
}

/* What an earlier lbd has told; the new program's filter has to learn it. */
static int read_told(struct datapath *datapath)
{
	const int map = bpf_map__fd(datapath->skeleton->maps.addresses);
	const void *before = NULL;
	struct known_address *known;
	struct address key, next;

	while (!bpf_map_get_next_key(map, before, &next)) {
		key = next;
		before = &key;
		known = get(datapath, &key);
		if (!known)
			return -ENOMEM;
		known->is_told = true;
		filter_address(datapath, &key, 1);
	}
	return errno == ENOENT ? 0 : -errno;
}

/*
 * A service's address that an earlier lbd has not told is taken for one of the node's, until those
 * are named: better that its packets pass than that they are refused.
 */
int addresses_open(struct datapath *datapath)
{
	struct known_address *known, *next;
	int error = read_told(datapath);

	if (!error)
		error = count_again(datapath);
	if (error)
		return error;
	HASH_ITER (hh, datapath->addresses, known, next) {
		known->is_own = known->services && !known->is_told;
		error = settle(datapath, known);
		if (error)
			return error;
	}
	return 0;
}

void addresses_close(struct datapath *datapath)
{
	struct known_address *known, *next;

	HASH_ITER (hh, datapath->addresses, known, next) {
		HASH_DEL(datapath->addresses, known);
		free(known);
	}
}
