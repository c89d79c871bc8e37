/*
 * Connections of a scene: what the table remembers, how time passes for it, and whole
 * conversations.
 */
#include <arpa/inet.h>
#include <bpf/libbpf.h>
#include <ctype.h>
#include "include/connection.h"
#include "lb/datapath_internal.h"
#include "test/bpf/scene.h"

/* The alias of an entry that has this one's port, if it is of this protocol. */
static uint8_t alias_of(const struct scene *scene, const struct connection *connection,
			uint8_t protocol)
{
	return connection_alias(connection->head,
				hash_endpoint(scene->datapath->seed, &connection->client,
					      connection->head.client_port, protocol));
}

/* The client's port as backends may know it, by alias; 0 where it has none. */
struct ports {
	__be16 of[1 + ALIASES];
};

static struct ports ports_of(const struct scene *scene, __be16 port)
{
	struct ports ports = {.of = {port}};

	for (uint8_t alias = 1; alias <= ALIASES; alias++)
		ports.of[alias] = connection_other_port(scene->datapath->seed, alias, port);
	return ports;
}

static bool has_port(const struct ports *ports, __be16 port)
{
	bool found = false;

	for (int alias = 0; alias <= ALIASES; alias++)
		found |= ports->of[alias] == port;
	return found;
}

/* Whether the entry is of the connection that this request belongs to. */
static bool is_of(const struct scene *scene, const struct connection *connection,
		  const struct flow *request, const struct ports *ports)
{
	const __be16 port = connection->head.client_port;
	const uint32_t handle = connection->head.backend;
	struct backend_record backend;

	if (!handle || memcmp(&connection->client, &request->src, sizeof(request->src)) ||
	    !has_port(ports, port) ||
	    ports->of[alias_of(scene, connection, request->protocol)] != port)
		return false;
	datapath_get_backend(scene->datapath, handle & BACKEND_INDEX_MASK, &backend);
	return backend.handle == handle && backend.protocol == request->protocol &&
	       backend.service_port == request->dst_port &&
	       !memcmp(&backend.service_address, &request->dst, sizeof(request->dst));
}

/* The first of the entries that may be of a connection whose client has this port. */
static struct connection *bucket_of(const struct scene *scene, const struct flow *request,
				    __be16 port)
{
	const struct bpf_map *map = scene->datapath->skeleton->maps.connections;
	const uint64_t hash =
		hash_endpoint(scene->datapath->seed, &request->src, port, request->protocol);
	struct connection_bucket *buckets = scene->connections.memory;

	return buckets[hash_bucket(hash, bpf_map__max_entries(map))].way;
}

/* NULL: it is not where packets look for it. The test fails where it is there twice. */
static struct connection *find(const struct scene *scene, const struct blueprint *request)
{
	const struct flow flow = blueprint_flow(request);
	const struct ports ports = ports_of(scene, flow.src_port);
	struct connection *found = NULL;

	for (int alias = 0; alias <= ALIASES; alias++) {
		struct connection *entries = bucket_of(scene, &flow, ports.of[alias]);

		for (int way = 0; way < CONNECTION_WAYS; way++) {
			if (&entries[way] == found || !is_of(scene, &entries[way], &flow, &ports))
				continue;
			if (found)
				fail_msg("line %d: a connection is in the table twice",
					 scene->line);
			found = &entries[way];
		}
	}
	return found;
}

bool scene_find(const struct scene *scene, const struct blueprint *request,
		struct connection *connection)
{
	const struct connection *found = find(scene, request);

	if (found)
		*connection = *found;
	return found;
}

void scene_forget(struct scene *scene, const struct blueprint *request)
{
	struct connection *found = find(scene, request);

	assert_non_null(found);
	found->head.word = 0;
}

__be16 scene_source_port(const struct scene *scene, const struct blueprint *request)
{
	const struct connection *found = find(scene, request);

	return found ? found->head.client_port : request->src_port;
}

static bool count_connection(void *context, const struct connection_view *view)
{
	(void)view;
	++*(uint32_t *)context;
	return false;
}

uint32_t scene_count_connections(struct scene *scene)
{
	uint32_t count = 0;

	assert_int_equal(datapath_visit_connections(scene->datapath, count_connection, &count), 0);
	return count;
}

void scene_let_pass(struct scene *scene, const struct blueprint *request, unsigned int seconds)
{
	struct connection *found = find(scene, request);

	assert_non_null(found);
	found->state.last_seen -= seconds * scene->datapath->jiffies_per_second;
}

uint8_t tcp_flags_of(char letter)
{
	switch (letter) {
	case 'S':
		return SYN;
	case 's':
		return SYN | ACK;
	case 'F':
	case 'f':
		return FIN | ACK;
	case 'R':
	case 'r':
		return RST | ACK;
	default:
		return ACK;
	}
}

static void play_request(struct scene *scene, const struct blueprint *request)
{
	__be16 port;

	assert_int_equal(request_lands_from(scene, request, &port), BACKEND_A);
	if (port != scene_source_port(scene, request))
		fail_msg("line %d: a request leaves from port %u, the table says %u", scene->line,
			 ntohs(port), ntohs(scene_source_port(scene, request)));
}

static void play_letter(struct scene *scene, const struct blueprint *request, char letter)
{
	const enum family family = blueprint_is_ipv6(request) ? IPV6 : IPV4;
	const struct kind kind = {.family = family, .protocol = request->protocol};
	struct blueprint packet = *request, leaves;

	if (isupper((unsigned char)letter)) {
		packet.tcp_flags = tcp_flags_of(letter);
		play_request(scene, &packet);
		return;
	}
	packet = reply_of(&kind, BACKEND_A);
	packet.dst_port = scene_source_port(scene, request);
	packet.tcp_flags = tcp_flags_of(letter);
	leaves = returned_from_service(&packet, UPLINK);
	leaves.src_port = request->dst_port;
	leaves.dst_port = request->src_port;
	expect_packet(scene, POD, &packet, VERDICT_REDIRECT, &leaves);
}

void scene_play(struct scene *scene, const struct blueprint *request, const char *letters)
{
	for (; *letters; letters++)
		play_letter(scene, request, *letters);
}
