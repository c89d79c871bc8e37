/*
 * The tables of services in plain memory: see datapath.h.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include "lb/address.h"
#include "lb/datapath_audit.h"
#include "test/fuzz/datapath.h"
#include "test/fuzz/fuzz.h"

void fake_clear(struct datapath *datapath)
{
	datapath->service_count = datapath->range_count = datapath->denied_count = 0;
	datapath->announced = datapath->served = 0;
	memset(datapath->backends, 0, sizeof(datapath->backends));
	memset(datapath->nexthops, 0, sizeof(datapath->nexthops));
	memset(datapath->ports, 0, sizeof(datapath->ports));
}

uint32_t datapath_capacity_services(const struct datapath *datapath)
{
	(void)datapath;
	return FAKE_SERVICES;
}

uint32_t datapath_capacity_backends(const struct datapath *datapath)
{
	(void)datapath;
	return FAKE_BACKENDS;
}

uint32_t datapath_capacity_rings(const struct datapath *datapath)
{
	(void)datapath;
	return FAKE_RING_SLOTS;
}

void datapath_set_backend(struct datapath *datapath, uint32_t index,
			  const struct backend_record *record)
{
	must(index && index < FAKE_BACKENDS, "a backend has a place");
	datapath->backends[index] = *record;
}

void datapath_get_backend(const struct datapath *datapath, uint32_t index,
			  struct backend_record *record)
{
	must(index < FAKE_BACKENDS, "a backend is looked up in its table");
	*record = datapath->backends[index];
}

int datapath_set_ring(struct datapath *datapath, uint32_t offset, const uint32_t *slots,
		      uint32_t length)
{
	must((uint64_t)offset + length <= FAKE_RING_SLOTS, "a ring lies in its table");
	memcpy(datapath->slots + offset, slots, length * sizeof(*slots));
	return 0;
}

void datapath_set_nexthop(struct datapath *datapath, uint32_t index, const struct nexthop *hop)
{
	must(index && index < FAKE_BACKENDS, "a next hop has a place");
	datapath->nexthops[index] = *hop;
}

void datapath_get_nexthop(const struct datapath *datapath, uint32_t index, struct nexthop *hop)
{
	must(index < FAKE_BACKENDS, "a next hop is looked up in its table");
	*hop = datapath->nexthops[index];
}

/* Its index, or the number of services. */
static uint32_t find(const struct datapath *datapath, const struct service_key *key)
{
	uint32_t i;

	for (i = 0; i < datapath->service_count; i++)
		if (!memcmp(&datapath->keys[i], key, sizeof(*key)))
			break;
	return i;
}

int datapath_set_services(struct datapath *datapath, const struct service_key *keys,
			  const struct service_record *records, uint32_t count)
{
	uint32_t index;

	for (uint32_t i = 0; i < count; i++) {
		index = find(datapath, &keys[i]);
		must(index < FAKE_SERVICES, "no more services than there is room for");
		datapath->keys[index] = keys[i];
		datapath->records[index] = records[i];
		if (index == datapath->service_count)
			datapath->service_count++;
	}
	return 0;
}

int datapath_remove_services(struct datapath *datapath, const struct service_key *keys,
			     uint32_t count)
{
	uint32_t index, last;

	for (uint32_t i = 0; i < count; i++) {
		index = find(datapath, &keys[i]);
		if (index == datapath->service_count)
			return -ENOENT;
		last = --datapath->service_count;
		datapath->keys[index] = datapath->keys[last];
		datapath->records[index] = datapath->records[last];
	}
	return 0;
}

int datapath_find_service(struct datapath *datapath, const struct service_key *key,
			  struct service_record *record)
{
	const uint32_t index = find(datapath, key);

	if (index == datapath->service_count)
		return -ENOENT;
	*record = datapath->records[index];
	return 0;
}

int datapath_list_services(struct datapath *datapath, struct service_key **keys,
			   struct service_record **records, uint32_t *count)
{
	*count = datapath->service_count;
	*keys = malloc(sizeof(datapath->keys));
	*records = malloc(sizeof(datapath->records));
	must(*keys && *records, "there is memory");
	memcpy(*keys, datapath->keys, sizeof(datapath->keys));
	memcpy(*records, datapath->records, sizeof(datapath->records));
	return 0;
}

void datapath_announce_service(struct datapath *datapath, const struct service_key *key)
{
	(void)key;
	datapath->announced++;
}

void datapath_withdraw_service(struct datapath *datapath, const struct service_key *key)
{
	(void)key;
	must(datapath->announced, "what is taken back was said");
	datapath->announced--;
}

int datapath_serve_address(struct datapath *datapath, const struct address *address)
{
	(void)address;
	datapath->served++;
	return 0;
}

int datapath_leave_address(struct datapath *datapath, const struct address *address)
{
	(void)address;
	must(datapath->served, "an address that is left was served");
	datapath->served--;
	return 0;
}

static bool is_range(const struct source_range *a, uint32_t service, const struct prefix *range)
{
	return a->service == service && a->range.length == range->length &&
	       address_equal(&a->range.address, &range->address);
}

int datapath_add_source_range(struct datapath *datapath, uint32_t service,
			      const struct prefix *range)
{
	for (uint32_t i = 0; i < datapath->range_count; i++)
		if (is_range(&datapath->ranges[i], service, range))
			return 0;
	if (datapath->range_count == FAKE_RANGES)
		return -ENOSPC;
	datapath->ranges[datapath->range_count++] =
		(struct source_range){.service = service, .range = *range};
	return 0;
}

int datapath_remove_source_range(struct datapath *datapath, uint32_t service,
				 const struct prefix *range)
{
	for (uint32_t i = 0; i < datapath->range_count; i++)
		if (is_range(&datapath->ranges[i], service, range)) {
			datapath->ranges[i] = datapath->ranges[--datapath->range_count];
			return 0;
		}
	return -ENOENT;
}

int datapath_list_source_ranges(struct datapath *datapath, struct source_range **ranges,
				uint32_t *count)
{
	*count = datapath->range_count;
	*ranges = malloc((*count + 1) * sizeof(**ranges));
	must(*ranges, "there is memory");
	memcpy(*ranges, datapath->ranges, *count * sizeof(**ranges));
	return 0;
}

int datapath_audit_source_range(struct datapath *datapath, uint32_t service,
				const struct prefix *range)
{
	for (uint32_t i = 0; i < datapath->range_count; i++)
		if (is_range(&datapath->ranges[i], service, range))
			return 0;
	return 1;
}

void datapath_restore_backend(struct datapath *datapath, uint32_t index,
			      const struct backend_record *record)
{
	datapath_set_backend(datapath, index, record);
}

int datapath_audit_end(struct datapath *datapath, uint32_t index,
		       const struct backend_record *record)
{
	(void)datapath;
	(void)index;
	(void)record;
	return 0;
}

const uint32_t *datapath_view_ring(struct datapath *datapath, uint32_t offset, uint32_t length)
{
	must((uint64_t)offset + length <= FAKE_RING_SLOTS, "a ring lies in its table");
	return datapath->slots + offset;
}

static void must_lead_to_its_own(const struct datapath *datapath, uint32_t service)
{
	const struct service_record *record = &datapath->records[service];
	const struct service_key *key = &datapath->keys[service];
	const struct backend_record *backend;
	uint32_t index;

	must((uint64_t)record->ring.offset + record->ring.length <= FAKE_RING_SLOTS,
	     "a record's ring lies in its table");
	for (uint32_t i = 0; i < record->ring.length; i++) {
		index = datapath->slots[record->ring.offset + i];
		must(index && index < FAKE_BACKENDS, "a slot names a backend");
		backend = &datapath->backends[index];
		must(backend->service == record->service && backend->service_port == key->port &&
			     backend->protocol == key->protocol &&
			     address_equal(&backend->service_address, &key->address),
		     "that is the service's own");
		must(backend->state == BACKEND_ACTIVE, "and takes connections");
	}
}

void fake_must_be_whole(const struct datapath *datapath)
{
	must(datapath->announced == datapath->service_count, "each service is announced once");
	for (uint32_t i = 0; i < datapath->service_count; i++)
		must_lead_to_its_own(datapath, i);
}

void fake_must_be_empty(const struct datapath *datapath)
{
	must(!datapath->service_count && !datapath->announced && !datapath->served,
	     "no service is left");
	must(!datapath->range_count && !datapath->denied_count, "nor range or denied prefix");
	for (uint32_t i = 0; i < FAKE_BACKENDS; i++)
		must(datapath->backends[i].state != BACKEND_ACTIVE, "nor backend");
}
