/*
 * What both sides have counted and what they remember: see world.h.
 */
#include <arpa/inet.h>
#include <bpf/bpf.h>
#include <string.h>
#include "include/connection.h"
#include "lb/traffic.h"
#include "test/model/world.h"

static void compare_verdicts(struct world *world, struct difference *difference)
{
	struct counter now[_VERDICT_COUNT];

	verdicts_read(world->scene->datapath, now);
	for (int i = 0; i < _VERDICT_COUNT; i++) {
		const uint64_t packets = now[i].packets - world->verdicts[i].packets;
		const uint64_t bytes = now[i].bytes - world->verdicts[i].bytes;
		const struct counter *wanted = &world->model.verdicts[i];

		if (packets != wanted->packets || bytes != wanted->bytes)
			difference_say(difference,
				       "the datapath counts %llu packets and %llu bytes as %s, the "
				       "model %llu and %llu",
				       (unsigned long long)packets, (unsigned long long)bytes,
				       verdict_name((enum verdict)i),
				       (unsigned long long)wanted->packets,
				       (unsigned long long)wanted->bytes);
	}
}

static void compare_traffic(const char *of, const struct service_key *key,
			    const struct traffic_counter *got, const struct traffic_counter *wanted,
			    struct difference *difference)
{
	char text[ENDPOINT_TEXT_MAX];

	if (!memcmp(got, wanted, sizeof(*got)))
		return;
	difference_say(difference,
		       "%s of %s: the datapath counts %llu/%llu requests, %llu/%llu replies "
		       "(packets/bytes), %llu connections; the model %llu/%llu, %llu/%llu, %llu",
		       of, service_key_format(key, text), got->request.packets, got->request.bytes,
		       got->reply.packets, got->reply.bytes, got->connections,
		       wanted->request.packets, wanted->request.bytes, wanted->reply.packets,
		       wanted->reply.bytes, wanted->connections);
}

static const struct model_backend *find_backend(const struct model *model,
						const struct service_key *key,
						const struct backend *backend)
{
	for (uint32_t i = 0; i < model->backend_count; i++) {
		const struct model_backend *found = &model->backends[i];

		if (found->state != BACKEND_NONE && found->port == backend->port &&
		    address_equal(&found->address, &backend->address) &&
		    !memcmp(&found->service, key, sizeof(*key)))
			return found;
	}
	return NULL;
}

/* Each of its backends, and what none of these has counted. */
void world_compare_service(struct world *world, uint32_t index, struct difference *difference)
{
	const struct model_service *service = &world->model.services[index];
	const struct world_service *held = &world->services[index];
	struct traffic_counter got, wanted = service->retired;

	wanted.request.packets += service->refused.packets;
	wanted.request.bytes += service->refused.bytes;
	assert_int_equal(
		datapath_read_service(world->scene->datapath, held->placement->service, &got), 0);
	compare_traffic("what no backend", &service->key, &got, &wanted, difference);
	for (size_t i = 0; i < held->service->backend_count; i++) {
		const struct model_backend *backend =
			find_backend(&world->model, &service->key, &held->service->backends[i]);

		assert_non_null(backend);
		assert_int_equal(datapath_read_backend(world->scene->datapath,
						       held->placement->places[i].backend, &got),
				 0);
		compare_traffic("a backend", &service->key, &got, &backend->traffic, difference);
	}
}

static void compare_denied(struct world *world, struct difference *difference)
{
	struct counter got;

	for (uint32_t i = 0; i < world->model.denied_count; i++) {
		const struct counter *wanted = &world->model.denied_counters[i];

		assert_int_equal(datapath_read_denied(world->scene->datapath, i + 1, &got), 0);
		if (got.packets != wanted->packets || got.bytes != wanted->bytes)
			difference_say(difference,
				       "denied prefix %u has dropped %llu packets, by the model "
				       "%llu",
				       i, (unsigned long long)got.packets,
				       (unsigned long long)wanted->packets);
	}
}

/* The model's connection that an entry is; NULL: the model has none like it. */
static const struct model_connection *find_connection(const struct model *model,
						      const struct connection *entry,
						      const struct backend_record *record)
{
	for (uint32_t i = 0; i < model->connection_count; i++) {
		const struct model_connection *connection = &model->connections[i];
		const struct model_backend *backend = &model->backends[connection->backend];
		const __be16 port = connection->alias ? connection->alias : connection->client_port;

		if (connection->is_used && port == entry->head.client_port &&
		    backend->port == record->port &&
		    backend->service.port == record->service_port &&
		    backend->service.protocol == record->protocol &&
		    address_equal(&connection->client, &entry->client) &&
		    address_equal(&backend->address, &record->address) &&
		    address_equal(&backend->service.address, &record->service_address))
			return connection;
	}
	return NULL;
}

static bool is_expired(const struct world *world, const struct connection *entry,
		       const struct backend_record *record)
{
	LIBBPF_OPTS(bpf_test_run_opts, options);
	uint32_t idle;

	bpf_prog_test_run_opts(bpf_program__fd(world->scene->datapath->skeleton->progs.clock),
			       &options);
	idle = connection_idle(options.retval, entry->state.last_seen);
	return connection_is_expired(&world->scene->datapath->timeouts, record->protocol,
				     entry->state.seen, idle);
}

/* Entries of backends that are gone, or expired ones, may stay or not: nobody will know. */
static void compare_entry(struct world *world, const struct connection *entry, uint32_t *live,
			  struct difference *difference)
{
	const struct model_connection *connection;
	struct backend_record record;
	char client[ADDRESS_TEXT_MAX];

	datapath_get_backend(world->scene->datapath, entry->head.backend & BACKEND_INDEX_MASK,
			     &record);
	if (record.handle != entry->head.backend ||
	    (record.state != BACKEND_ACTIVE && record.state != BACKEND_DRAINING))
		return;
	connection = find_connection(&world->model, entry, &record);
	if (!connection) {
		if (is_expired(world, entry, &record))
			return;
		difference_say(difference,
			       "the datapath remembers a connection from %s:%u that the model does "
			       "not",
			       address_format(&entry->client, client),
			       ntohs(entry->head.client_port));
		return;
	}
	if (!model_is_live(&world->model, connection))
		return;
	++*live;
	if (connection->seen != entry->state.seen)
		difference_say(difference, "of the connection from %s:%u %#x was seen, not %#x",
			       address_format(&entry->client, client),
			       ntohs(entry->head.client_port), entry->state.seen, connection->seen);
}

static void compare_connections(struct world *world, struct difference *difference)
{
	const struct connection *entries = world->scene->connections.memory;
	const size_t count = world->scene->connections.size / sizeof(*entries);
	const struct model *model = &world->model;
	uint32_t live = 0, wanted = 0;

	for (size_t i = 0; i < count; i++)
		if (entries[i].head.word)
			compare_entry(world, &entries[i], &live, difference);
	for (uint32_t i = 0; i < model->connection_count; i++)
		wanted += model_is_live(model, &model->connections[i]);
	if (live != wanted)
		difference_say(difference, "the datapath has %u live connections, the model %u",
			       live, wanted);
}

void world_compare(struct world *world, struct difference *difference)
{
	if (world->model.is_uncertain)
		return;
	compare_verdicts(world, difference);
	for (uint32_t i = 0; i < MODEL_SERVICES; i++)
		if (world->model.services[i].is_used)
			world_compare_service(world, i, difference);
	compare_denied(world, difference);
	compare_connections(world, difference);
	world_compare_masquerades(world, difference);
}
