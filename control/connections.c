/*
 * Connections: one walk over the table, with different eyes.
 */
#include "control/connections.h"

#include <netinet/in.h>
#include <string.h>
#include <time.h>
#include "include/connection.h"

#define NS_PER_SECOND 1000000000ull

/* A walk's view: what it looks for and what it found. */
struct walk {
	const struct daemon *daemon;
	struct connection_filter filter;
	uint64_t now_ns;
	json_t *list;
	size_t tcp;
	size_t udp;
	size_t matched;
};

static struct walk begin(const struct daemon *daemon, struct connection_filter filter)
{
	struct walk walk = {.daemon = daemon, .filter = filter};
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	walk.now_ns = (uint64_t)now.tv_sec * NS_PER_SECOND + (uint64_t)now.tv_nsec;
	return walk;
}

/* The flow of the request direction, whichever direction's entry this is. */
static struct flow request_flow(const struct walk *walk, const struct flow *flow,
				const struct connection *connection)
{
	if (connection->direction == DIRECTION_REQUEST)
		return *flow;
	return datapath_reverse_flow(walk->daemon->datapath, flow, connection);
}

static bool matches(const struct walk *walk, const struct flow *request)
{
	const struct service_key *service = walk->filter.service;

	if (service &&
	    (!address_equal(&service->address, &request->dst) ||
	     service->port != request->dst_port || service->protocol != request->protocol))
		return false;
	return !walk->filter.client || address_equal(walk->filter.client, &request->src);
}

static const char *state_of(const struct flow *flow, const struct connection *connection)
{
	if (flow->protocol != IPPROTO_TCP)
		return "udp";
	if (connection_is_closed(connection->seen))
		return "closed";
	if (connection->seen & (TCP_SEEN_REQUEST_FIN | TCP_SEEN_REPLY_FIN))
		return "closing";
	return connection->seen & TCP_SEEN_ESTABLISHED ? "established" : "opening";
}

static json_t *encode(const struct walk *walk, const struct flow *flow,
		      const struct connection *connection)
{
	char client[ENDPOINT_TEXT_MAX], service[ENDPOINT_TEXT_MAX], backend[ENDPOINT_TEXT_MAX];
	int64_t idle = (int64_t)(walk->now_ns - connection->last_seen_ns);

	return json_pack(
		"{s:s, s:s, s:s, s:s, s:s, s:I}", "protocol", protocol_name(flow->protocol),
		"client", endpoint_format(&flow->src, flow->src_port, client), "service",
		endpoint_format(&flow->dst, flow->dst_port, service), "backend",
		endpoint_format(&connection->translation, connection->translation_port, backend),
		"state", state_of(flow, connection), "idle_seconds",
		(json_int_t)(idle > 0 ? (uint64_t)idle / NS_PER_SECOND : 0));
}

/* Each connection once: by the entry of its request direction, while that lives. */
static bool visit_live(void *context, const struct flow *flow, const struct connection *connection)
{
	struct walk *walk = context;

	if (connection->direction != DIRECTION_REQUEST || !matches(walk, flow) ||
	    datapath_is_expired(walk->daemon->datapath, flow, connection, walk->now_ns))
		return false;
	walk->tcp += flow->protocol == IPPROTO_TCP;
	walk->udp += flow->protocol == IPPROTO_UDP;
	if (walk->list)
		json_array_append_new(walk->list, encode(walk, flow, connection));
	return false;
}

json_t *connections_list(const struct daemon *daemon, struct connection_filter filter)
{
	struct walk walk = begin(daemon, filter);

	walk.list = json_array();
	datapath_visit_connections(daemon->datapath, visit_live, &walk);
	return json_pack("{s:o}", "connections", walk.list);
}

json_t *connections_count(const struct daemon *daemon)
{
	struct walk walk = begin(daemon, (struct connection_filter){});

	datapath_visit_connections(daemon->datapath, visit_live, &walk);
	return json_pack("{s:I, s:I, s:I, s:I}", "connections", (json_int_t)(walk.tcp + walk.udp),
			 "tcp", (json_int_t)walk.tcp, "udp", (json_int_t)walk.udp, "limit",
			 (json_int_t)datapath_capacity_connections(daemon->datapath));
}

static bool visit_flush(void *context, const struct flow *flow, const struct connection *connection)
{
	struct walk *walk = context;
	const struct flow request = request_flow(walk, flow, connection);

	if (!matches(walk, &request))
		return false;
	walk->matched += connection->direction == DIRECTION_REQUEST;
	return true;
}

int connections_flush(struct daemon *daemon, struct connection_filter filter, size_t *flushed)
{
	struct walk walk = begin(daemon, filter);
	int error = datapath_visit_connections(daemon->datapath, visit_flush, &walk);

	if (!error)
		*flushed = walk.matched;
	return error;
}

/* The index may belong to another backend by now: the generation tells. */
static bool has_lost_its_backend(const struct datapath *datapath,
				 const struct connection *connection)
{
	struct backend_record record;

	if (connection->backend >= datapath_capacity_backends(datapath))
		return true;
	datapath_get_backend(datapath, connection->backend, &record);
	return record.generation != connection->generation || record.state == BACKEND_NONE;
}

static bool visit_expired(void *context, const struct flow *flow,
			  const struct connection *connection)
{
	const struct walk *walk = context;
	const struct datapath *datapath = walk->daemon->datapath;

	return datapath_is_expired(datapath, flow, connection, walk->now_ns) ||
	       has_lost_its_backend(datapath, connection);
}

int connections_sweep_some(struct daemon *daemon)
{
	struct walk walk = begin(daemon, (struct connection_filter){});

	return datapath_visit_some(daemon->datapath, &daemon->sweep, visit_expired, &walk);
}
