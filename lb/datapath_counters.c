/*
 * Counters, as they are read and cleared from outside the packet path.
 */
#include <bpf/bpf.h>
#include <bpf/libbpf.h>
#include <errno.h>
#include <stdlib.h>
#include "lb/datapath_internal.h"

/* A per-CPU value is an array of one for each possible CPU; both kinds are 64-bit words. */
static int read_sum(const struct datapath *datapath, const struct bpf_map *map, uint32_t index,
		    uint64_t *sum)
{
	const size_t words = bpf_map__value_size(map) / sizeof(uint64_t);
	uint64_t *values = calloc(datapath->cpus, bpf_map__value_size(map));
	int error = 0;

	if (!values)
		return -ENOMEM;
	if (bpf_map_lookup_elem(bpf_map__fd(map), &index, values))
		error = -errno;
	for (size_t word = 0; !error && word < words; word++) {
		sum[word] = 0;
		for (unsigned int cpu = 0; cpu < datapath->cpus; cpu++)
			sum[word] += values[cpu * words + word];
	}
	free(values);
	return error;
}

static int clear(const struct datapath *datapath, const struct bpf_map *map, uint32_t index)
{
	void *zeros = calloc(datapath->cpus, bpf_map__value_size(map));
	int error = 0;

	if (!zeros)
		return -ENOMEM;
	if (bpf_map_update_elem(bpf_map__fd(map), &index, zeros, BPF_ANY))
		error = -errno;
	free(zeros);
	return error;
}

int datapath_read_verdicts(struct datapath *datapath, struct counter counters[_VERDICT_COUNT])
{
	int error = 0;

	for (uint32_t i = 0; !error && i < _VERDICT_COUNT; i++)
		error = read_sum(datapath, datapath->skeleton->maps.verdict_counters, i,
				 (uint64_t *)&counters[i]);
	return error;
}

int datapath_read_evictions(const struct datapath *datapath, uint64_t *evictions)
{
	return read_sum(datapath, datapath->skeleton->maps.evictions, 0, evictions);
}

uint64_t datapath_metadata_missing(const struct datapath *datapath)
{
	return datapath->skeleton->bss->metadata_missing;
}

static void add_traffic(struct traffic_counter *sum, const struct traffic_counter *counter)
{
	sum->request.packets += counter->request.packets;
	sum->request.bytes += counter->request.bytes;
	sum->reply.packets += counter->reply.packets;
	sum->reply.bytes += counter->reply.bytes;
	sum->connections += counter->connections;
}

static int retired_map(const struct datapath *datapath)
{
	return bpf_map__fd(datapath->skeleton->maps.retired_counters);
}

int datapath_read_service(struct datapath *datapath, uint32_t service,
			  struct traffic_counter *counter)
{
	struct traffic_counter retired;
	struct service_counter own;
	int error = read_sum(datapath, datapath->skeleton->maps.service_counters, service,
			     (uint64_t *)&own);

	if (error)
		return error;
	if (bpf_map_lookup_elem(retired_map(datapath), &service, &retired))
		return -errno;
	retired.request.packets += own.refused.packets;
	retired.request.bytes += own.refused.bytes;
	*counter = retired;
	return 0;
}

/* Where a CPU counts for a backend: bpf/maps.h. */
static uint32_t backend_element(const struct datapath *datapath, unsigned int cpu, uint32_t backend)
{
	return cpu * datapath_capacity_backends(datapath) + backend;
}

int datapath_read_backend(struct datapath *datapath, uint32_t backend,
			  struct traffic_counter *counter)
{
	const int map = bpf_map__fd(datapath->skeleton->maps.backend_counters);
	struct traffic_counter sum = {}, own;

	for (unsigned int cpu = 0; cpu < datapath->cpus; cpu++) {
		const uint32_t element = backend_element(datapath, cpu, backend);

		if (bpf_map_lookup_elem(map, &element, &own))
			return -errno;
		add_traffic(&sum, &own);
	}
	*counter = sum;
	return 0;
}

int datapath_retire_counter(struct datapath *datapath, uint32_t backend, uint32_t service)
{
	struct traffic_counter gone, retired;
	int error = datapath_read_backend(datapath, backend, &gone);

	if (error)
		return error;
	if (bpf_map_lookup_elem(retired_map(datapath), &service, &retired))
		return -errno;
	add_traffic(&retired, &gone);
	if (bpf_map_update_elem(retired_map(datapath), &service, &retired, BPF_ANY))
		return -errno;
	return datapath_clear_backend(datapath, backend);
}

int datapath_clear_service(struct datapath *datapath, uint32_t service)
{
	const struct traffic_counter zero = {};

	if (bpf_map_update_elem(retired_map(datapath), &service, &zero, BPF_ANY))
		return -errno;
	return clear(datapath, datapath->skeleton->maps.service_counters, service);
}

int datapath_clear_backend(struct datapath *datapath, uint32_t backend)
{
	const int map = bpf_map__fd(datapath->skeleton->maps.backend_counters);
	const struct traffic_counter zero = {};

	for (unsigned int cpu = 0; cpu < datapath->cpus; cpu++) {
		const uint32_t element = backend_element(datapath, cpu, backend);

		if (bpf_map_update_elem(map, &element, &zero, BPF_ANY))
			return -errno;
	}
	return 0;
}
