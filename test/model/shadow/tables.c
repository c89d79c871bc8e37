/*
 * Tables of the datapath as the model has them: see shadow.h.
 */
#include <bpf/bpf.h>
#include <bpf/libbpf.h>
#include <stdlib.h>
#include <string.h>
#include "include/connection.h"
#include "include/hash.h"
#include "test/model/shadow/shadow.h"

static struct model_prefix prefix_of(const struct prefix *prefix)
{
	return (struct model_prefix){
		.address = prefix->address,
		.length = prefix->length,
		.is_ipv4 = prefix_is_ipv4(prefix),
	};
}

static void read_options(const struct datapath_options *options, struct model *model)
{
	model->hairpin = options->hairpin;
	model->is_silent = options->refuse == REFUSE_DROP;
	model->timeouts = (struct timeouts){
		.tcp_opening = options->tcp_opening_seconds,
		.tcp_established = options->tcp_established_seconds,
		.tcp_closing = options->tcp_closing_seconds,
		.tcp_closed = options->tcp_closed_seconds,
		.udp = options->udp_seconds,
	};
}

static bool read_ring(const struct datapath *datapath, const struct ring *ring, uint8_t *slots,
		      uint32_t *length)
{
	const int map = bpf_map__fd(datapath->skeleton->maps.rings);
	struct ring_row row;

	if (ring->length > MODEL_RING)
		return false;
	*length = ring->length;
	for (uint32_t i = 0; i < ring->length; i++) {
		const uint32_t at = ring->offset + i, index = at / RING_ROW_SLOTS;

		if ((!i || !(at % RING_ROW_SLOTS)) && bpf_map_lookup_elem(map, &index, &row))
			return false;
		slots[i] = (uint8_t)row.backend[at % RING_ROW_SLOTS];
	}
	return true;
}

static uint64_t read_turns(const struct datapath *datapath, uint32_t service)
{
	const int map = bpf_map__fd(datapath->skeleton->maps.service_counters);
	struct service_counter *values = calloc(datapath->cpus, sizeof(*values));
	uint64_t turns = 0;

	if (values && !bpf_map_lookup_elem(map, &service, values))
		for (unsigned int cpu = 0; cpu < datapath->cpus; cpu++)
			turns += values[cpu].turns;
	free(values);
	return turns;
}

static bool add_ranges(struct datapath *datapath, uint32_t id, struct model_service *service)
{
	struct source_range *ranges = NULL;
	bool fits = true;
	uint32_t count;

	service->range_count = 0;
	if (datapath_list_source_ranges(datapath, &ranges, &count))
		return false;
	for (uint32_t i = 0; i < count; i++) {
		if (ranges[i].service != id)
			continue;
		if (service->range_count == MODEL_PREFIXES)
			fits = false;
		else
			service->ranges[service->range_count++] = prefix_of(&ranges[i].range);
	}
	free(ranges);
	return fits;
}

/* The datapath is told only of those that the node has not. */
static bool is_own(const struct datapath *datapath, const struct address *address)
{
	const int map = bpf_map__fd(datapath->skeleton->maps.addresses);
	__u32 nothing;

	return bpf_map_lookup_elem(map, address, &nothing) != 0;
}

static bool read_service(struct datapath *datapath, const struct service_key *key,
			 const struct service_record *record, struct model_service *service)
{
	service->is_used = true;
	service->is_own = is_own(datapath, &key->address);
	service->key = *key;
	service->has_inside = record->flags & SERVICE_HAS_INSIDE;
	service->drops_unserved = record->flags & SERVICE_DROPS_UNSERVED;
	service->masquerades[NETWORK_NONE] =
		record->flags & (SERVICE_MASQUERADES_STRANGERS | SERVICE_MASQUERADES_OTHERS);
	service->masquerades[NETWORK_CLUSTER] = record->flags & SERVICE_MASQUERADES_OTHERS;
	service->algorithm = (enum algorithm)record->algorithm;
	service->affinity_seconds = record->affinity_seconds;
	service->turns = read_turns(datapath, record->service);
	service->range_count = 0;
	if (record->flags & SERVICE_HAS_SOURCE_RANGES &&
	    !add_ranges(datapath, record->service, service))
		return false;
	return read_ring(datapath, &record->ring, service->ring, &service->ring_length) &&
	       read_ring(datapath, &record->previous, service->previous, &service->previous_length);
}

/* Of the model's services. */
static uint32_t shadow_ids[MODEL_SERVICES];

static bool read_services(struct datapath *datapath, struct model *model)
{
	struct service_record *records = NULL;
	struct service_key *keys = NULL;
	uint32_t count = 0;
	bool fits = !datapath_list_services(datapath, &keys, &records, &count) &&
		    count <= MODEL_SERVICES;

	memset(shadow_ids, 0, sizeof(shadow_ids));
	for (uint32_t i = 0; i < count && fits; i++) {
		shadow_ids[i] = records[i].service;
		fits = read_service(datapath, &keys[i], &records[i], &model->services[i]);
	}
	free(keys);
	free(records);
	return fits;
}

/* The index of the service that has this id; MODEL_NONE: it is gone. */
static uint32_t find_id(const uint32_t *ids, uint32_t id)
{
	for (uint32_t i = 0; i < MODEL_SERVICES; i++)
		if (ids[i] == id)
			return i;
	return MODEL_NONE;
}

static void add_neighbour(const struct datapath *datapath, const struct backend_record *record,
			  struct model *model)
{
	struct model_neighbour *neighbour = &model->neighbours[model->neighbour_count];
	struct nexthop hop;

	if (record->state == BACKEND_NONE)
		return;
	for (uint32_t i = 0; i < model->neighbour_count; i++)
		if (address_equal(&model->neighbours[i].address, &record->address))
			return;
	datapath_get_nexthop(datapath, record->nexthop, &hop);
	neighbour->address = record->address;
	neighbour->hop = (struct model_hop){.port = hop.port};
	memcpy(neighbour->hop.mac, hop.mac, sizeof(hop.mac));
	model->neighbour_count++;
}

/* Which of those that share its end a backend is of tells the service's id. */
static __u8 scope_of(const struct model *model, uint32_t id)
{
	const uint32_t index = find_id(shadow_ids, id);

	return index == MODEL_NONE ? SCOPE_ANY : model->services[index].key.scope;
}

/* By their indexes in the tables; weights are in the rings alone. */
static bool read_backends(const struct datapath *datapath, struct model *model)
{
	model->backend_count = datapath_capacity_backends(datapath);
	for (uint32_t i = 0; i < model->backend_count; i++) {
		struct backend_record record;

		datapath_get_backend(datapath, i, &record);
		model->backends[i] = (struct model_backend){
			.address = record.address,
			.port = record.port,
			.weight = 1,
			.is_remote = record.flags & BACKEND_IS_REMOTE,
			.state = (enum backend_state)record.state,
			.service = {.address = record.service_address,
				    .port = record.service_port,
				    .protocol = record.protocol,
				    .scope = scope_of(model, record.service)},
		};
		add_neighbour(datapath, &record, model);
	}
	return true;
}

static void add_denied(void *context, const struct prefix *prefix, uint32_t index)
{
	struct model *model = context;

	(void)index;
	if (model->denied_count < MODEL_PREFIXES)
		model->denied[model->denied_count] = prefix_of(prefix);
	model->denied_count++;
}

static void add_network(void *context, const struct prefix *prefix, enum network network)
{
	struct model *model = context;

	if (model->network_count < MODEL_NETWORKS)
		model->networks[model->network_count] =
			(struct model_network){.prefix = prefix_of(prefix), .network = network};
	model->network_count++;
}

static uint32_t read_clock(const struct datapath *datapath)
{
	LIBBPF_OPTS(bpf_test_run_opts, options);

	bpf_prog_test_run_opts(bpf_program__fd(datapath->skeleton->progs.clock), &options);
	return options.retval;
}

/* The way back that an entry names, without what else is in the word that has its port. */
static struct model_hop read_back(const struct datapath *datapath, __u32 index)
{
	const int map = bpf_map__fd(datapath->skeleton->maps.client_hops);
	struct model_hop back = {};
	struct way_back way;

	if (!index || bpf_map_lookup_elem(map, &index, &way))
		return back;
	back.port = (uint16_t)(way.hop.port & ~(CLIENT_HOP_LEAVING | CLIENT_HOP_TAGGED));
	memcpy(back.mac, way.hop.mac, sizeof(back.mac));
	while (back.tag_count < MODEL_TAGS && way.tags.tag[back.tag_count].type)
		back.tag_count++;
	memcpy(back.tags, &way.tags, sizeof(back.tags));
	return back;
}

/* An entry with an alias has the port that its backend knows the client by. */
static void tell_ports(const struct datapath *datapath, const struct connection *entry,
		       __u8 protocol, struct model_connection *connection)
{
	const __be16 port = entry->head.client_port;
	const __u8 alias = connection_alias(
		entry->head, hash_endpoint(datapath->seed, &entry->client, port, protocol));

	connection->client_port = alias ? connection_other_port(datapath->seed, alias, port) : port;
	connection->alias = alias ? port : 0;
}

/* An entry whose backend's index is another's by now is nobody's. */
static bool add_connection(const struct datapath *datapath, const struct connection *entry,
			   uint32_t now, struct model *model)
{
	const uint32_t index = entry->head.backend & BACKEND_INDEX_MASK;
	const uint32_t idle = connection_idle(now, entry->state.last_seen);
	struct model_connection *connection;
	struct backend_record record;

	if (index >= model->backend_count)
		return true;
	datapath_get_backend(datapath, index, &record);
	if (record.handle != entry->head.backend)
		return true;
	if (model->connection_count == MODEL_CONNECTIONS)
		return false;
	connection = &model->connections[model->connection_count++];
	*connection = (struct model_connection){
		.is_used = true,
		.client = entry->client,
		.backend = index,
		.seen = entry->state.seen,
		.idle = idle / datapath->jiffies_per_second,
		.is_masqueraded = entry->state.may_be_masqueraded,
		.back = read_back(datapath, entry->state.client_hop),
	};
	tell_ports(datapath, entry, record.protocol, connection);
	return true;
}

static bool read_connections(const struct datapath *datapath, struct model *model)
{
	const uint32_t now = read_clock(datapath);
	struct mapping table;
	bool fits = true;

	if (mapping_open(&table, datapath->skeleton->maps.connections))
		return false;
	for (size_t i = 0; i < table.size / sizeof(struct connection) && fits; i++) {
		const struct connection *entry = (const struct connection *)table.memory + i;

		if (entry->head.word)
			fits = add_connection(datapath, entry, now, model);
	}
	mapping_close(&table);
	return fits;
}

/* What leads nowhere any more is left out. */
static bool add_note(const struct datapath *datapath, const struct affinity_key *key,
		     union affinity entry, uint32_t now, struct model *model)
{
	const uint32_t index = entry.backend & BACKEND_INDEX_MASK;
	const uint32_t service = find_id(shadow_ids, key->service);
	struct backend_record record;

	if (index >= model->backend_count || service == MODEL_NONE)
		return true;
	datapath_get_backend(datapath, index, &record);
	if (record.handle != entry.backend || record.service != key->service)
		return true;
	if (model->note_count == MODEL_NOTES)
		return false;
	model->notes[model->note_count++] = (struct model_note){
		.client = key->client,
		.service = service,
		.backend = index,
		.age = (now - entry.last) / datapath->jiffies_per_second,
	};
	return true;
}

static bool read_affinity(const struct datapath *datapath, struct model *model)
{
	const int map = bpf_map__fd(datapath->skeleton->maps.affinity);
	const uint32_t now = read_clock(datapath);
	struct affinity_key key, *last = NULL, next;
	union affinity entry;

	for (; !bpf_map_get_next_key(map, last, &next); last = &key) {
		key = next;
		if (!bpf_map_lookup_elem(map, &key, &entry) &&
		    !add_note(datapath, &key, entry, now, model))
			return false;
	}
	return true;
}

/* A test may have taken one away. */
static bool has_all_programs(const struct datapath *datapath)
{
	const struct bpf_map *map = datapath->skeleton->maps.programs;
	__u32 program;

	for (__u32 i = 0; i < bpf_map__max_entries(map); i++)
		if (bpf_map_lookup_elem(bpf_map__fd(map), &i, &program))
			return false;
	return true;
}

bool shadow_read(struct datapath *datapath, const struct datapath_options *options,
		 struct model *model)
{
	model_reset(model);
	if (datapath_capacity_backends(datapath) > MODEL_BACKENDS || options->max_new_connections ||
	    !has_all_programs(datapath))
		return false;
	read_options(options, model);
	for (uint32_t i = 0; i < MODEL_PORTS; i++)
		datapath_get_port(datapath, i, &model->ports[i]);
	datapath_visit_denied(datapath, add_denied, model);
	if (datapath_visit_networks(datapath, add_network, model) ||
	    model->network_count > MODEL_NETWORKS)
		return false;
	return model->denied_count <= MODEL_PREFIXES && read_services(datapath, model) &&
	       read_backends(datapath, model) && read_connections(datapath, model) &&
	       read_affinity(datapath, model) && shadow_read_masquerades(datapath, model) &&
	       shadow_read_fragments(datapath, model);
}

uint32_t shadow_ingress(const struct datapath *datapath, uint32_t ifindex)
{
	const int map = bpf_map__fd(datapath->skeleton->maps.ingresses);
	struct ingress ingress;

	return bpf_map_lookup_elem(map, &ifindex, &ingress) ? 0 : ingress.port;
}
