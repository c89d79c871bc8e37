/*
 * Connections and counters, as they are read and cleared from outside the packet path.
 */
#include <bpf/bpf.h>
#include <bpf/libbpf.h>
#include <errno.h>
#include <stdlib.h>
#include "include/connection.h"
#include "lb/address.h"
#include "lb/datapath_internal.h"

struct connection_visit {
	int map;
	connection_visitor visit;
	void *context;
};

/*
 * A packet may have brought the entry back to life since it was read. Looking again shrinks that
 * gap to the time between two system calls; a connection lost in it is picked again by the ring.
 */
static void remove_unchanged(int map, const struct flow *flow, const struct connection *seen)
{
	struct connection now;

	if (!bpf_map_lookup_elem(map, flow, &now) && now.last_seen_ns == seen->last_seen_ns)
		bpf_map_delete_elem(map, flow);
}

static int visit_connections(void *context, const struct batch *batch)
{
	const struct connection_visit *walk = context;
	const struct flow *flows = batch->keys;
	const struct connection *connections = batch->values;

	for (uint32_t i = 0; i < batch->count; i++)
		if (walk->visit(walk->context, &flows[i], &connections[i]))
			remove_unchanged(walk->map, &flows[i], &connections[i]);
	return 0;
}

static struct map_shape connections_shape(const struct datapath *datapath)
{
	return (struct map_shape){
		.map = bpf_map__fd(datapath->skeleton->maps.connections),
		.key_size = sizeof(struct flow),
		.value_size = sizeof(struct connection),
	};
}

int datapath_visit_connections(struct datapath *datapath, connection_visitor visit, void *context)
{
	const struct map_shape shape = connections_shape(datapath);
	struct connection_visit walk = {.map = shape.map, .visit = visit, .context = context};

	return map_visit(&shape, visit_connections, &walk);
}

int datapath_visit_some(struct datapath *datapath, struct connection_cursor *cursor,
			connection_visitor visit, void *context)
{
	const struct map_shape shape = connections_shape(datapath);
	struct connection_visit walk = {.map = shape.map, .visit = visit, .context = context};

	return map_visit_some(&shape, cursor, visit_connections, &walk);
}

bool datapath_is_expired(const struct datapath *datapath, const struct flow *flow,
			 const struct connection *connection, uint64_t now_ns)
{
	return connection_is_expired(&datapath->timeouts, flow->protocol, connection, now_ns);
}

struct flow datapath_reverse_flow(const struct datapath *datapath, const struct flow *flow,
				  const struct connection *connection)
{
	const struct hairpin *hairpin = &datapath->hairpin;
	struct connection reverse;
	struct flow reverse_flow;

	connection_reverse(flow, connection,
			   address_is_ipv4(&flow->src) ? &hairpin->ipv4 : &hairpin->ipv6,
			   &reverse_flow, &reverse);
	return reverse_flow;
}

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

int datapath_read_service(struct datapath *datapath, uint32_t service,
			  struct traffic_counter *counter)
{
	return read_sum(datapath, datapath->skeleton->maps.service_counters, service,
			(uint64_t *)counter);
}

int datapath_read_backend(struct datapath *datapath, uint32_t backend,
			  struct traffic_counter *counter)
{
	return read_sum(datapath, datapath->skeleton->maps.backend_counters, backend,
			(uint64_t *)counter);
}

int datapath_clear_service(struct datapath *datapath, uint32_t service)
{
	return clear(datapath, datapath->skeleton->maps.service_counters, service);
}

int datapath_clear_backend(struct datapath *datapath, uint32_t backend)
{
	return clear(datapath, datapath->skeleton->maps.backend_counters, backend);
}
