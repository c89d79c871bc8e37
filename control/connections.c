/*
 * Connections: one walk over the table, with different eyes.
 */
#include "control/connections.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include "control/kube/local.h"
#include "include/connection.h"

#define MASQUERADES_STEP 1024 /* a few milliseconds */

/* A walk's view: what it looks for and what it found. */
struct walk {
	struct connection_filter filter;
	json_t *list;
	size_t tcp;
	size_t udp;
	size_t sctp;
	size_t matched;
};

static bool matches(const struct walk *walk, const struct flow *request)
{
	const struct service_key *service = walk->filter.service;

	if (service &&
	    (!address_equal(&service->address, &request->dst) ||
	     service->port != request->dst_port || service->protocol != request->protocol))
		return false;
	return !walk->filter.client || address_equal(walk->filter.client, &request->src);
}

static const char *state_of(const struct connection_view *view)
{
	if (view->flow.protocol != IPPROTO_TCP)
		return protocol_name(view->flow.protocol);
	if (connection_is_closed(view->seen))
		return "closed";
	if (view->seen & (TCP_SEEN_REQUEST_FIN | TCP_SEEN_REPLY_FIN))
		return "closing";
	return view->seen & TCP_SEEN_ESTABLISHED ? "established" : "opening";
}

static json_t *encode_alias(const struct connection_view *view)
{
	return view->alias_port ? json_integer(ntohs(view->alias_port)) : json_null();
}

static json_t *encode_masquerade(const struct connection_view *view)
{
	char text[ENDPOINT_TEXT_MAX];

	if (!view->masquerade_port)
		return json_null();
	return json_string(endpoint_format(&view->masquerade_address, view->masquerade_port, text));
}

static json_t *encode(const struct connection_view *view)
{
	char client[ENDPOINT_TEXT_MAX], service[ENDPOINT_TEXT_MAX], backend[ENDPOINT_TEXT_MAX];
	const struct flow *flow = &view->flow;

	return json_pack("{s:s, s:s, s:s, s:s, s:o, s:o, s:b, s:s, s:I}", "protocol",
			 protocol_name(flow->protocol), "client",
			 endpoint_format(&flow->src, flow->src_port, client), "service",
			 endpoint_format(&flow->dst, flow->dst_port, service), "backend",
			 endpoint_format(&view->backend_address, view->backend_port, backend),
			 "alias_port", encode_alias(view), "masquerade", encode_masquerade(view),
			 "tunnelled", view->is_tunnelled, "state", state_of(view), "idle_seconds",
			 (json_int_t)view->idle_seconds);
}

static bool visit_live(void *context, const struct connection_view *view)
{
	struct walk *walk = context;

	if (view->is_expired || view->is_lost || !matches(walk, &view->flow))
		return false;
	walk->tcp += view->flow.protocol == IPPROTO_TCP;
	walk->udp += view->flow.protocol == IPPROTO_UDP;
	walk->sctp += view->flow.protocol == IPPROTO_SCTP;
	if (walk->list)
		json_array_append_new(walk->list, encode(view));
	return false;
}

json_t *connections_list(const struct daemon *daemon, struct connection_filter filter)
{
	struct walk walk = {.filter = filter, .list = json_array()};

	datapath_visit_connections(daemon->datapath, visit_live, &walk);
	return json_pack("{s:o}", "connections", walk.list);
}

json_t *connections_count(const struct daemon *daemon)
{
	struct walk walk = {};

	datapath_visit_connections(daemon->datapath, visit_live, &walk);
	return json_pack("{s:I, s:I, s:I, s:I, s:I}", "connections",
			 (json_int_t)(walk.tcp + walk.udp + walk.sctp), "tcp", (json_int_t)walk.tcp,
			 "udp", (json_int_t)walk.udp, "sctp", (json_int_t)walk.sctp, "limit",
			 (json_int_t)datapath_capacity_connections(daemon->datapath));
}

static bool visit_flush(void *context, const struct connection_view *view)
{
	struct walk *walk = context;

	if (!matches(walk, &view->flow))
		return false;
	walk->matched++;
	return true;
}

int connections_flush(struct daemon *daemon, struct connection_filter filter, size_t *flushed)
{
	struct walk walk = {.filter = filter};
	int error = datapath_visit_connections(daemon->datapath, visit_flush, &walk);

	if (!error)
		*flushed = walk.matched;
	return error;
}

/*
 * TCP whose backend is gone is kept until it expires, so that both sides are reset whenever their
 * next packet comes; where the backend's index is another's, not even the protocol is known.
 */
static bool visit_expired(void *context, const struct connection_view *view)
{
	struct daemon *daemon = context;

	if (view->is_lost && view->flow.protocol == IPPROTO_UDP)
		daemon->proxy.flows_removed[address_is_ipv4(&view->flow.src) ? PROXY_IPV4
									     : PROXY_IPV6]++;
	if (view->is_expired || (view->is_lost && view->flow.protocol != IPPROTO_TCP))
		return true;
	daemon->swept_connections++;
	kube_local_note_used(daemon->kube_local, view->backend);
	return false;
}

static int sweep_masquerades(struct daemon *daemon)
{
	return datapath_sweep_masquerades(daemon->datapath, &daemon->masquerade_sweep,
					  MASQUERADES_STEP);
}

/* When connections are swept, what is left of those that were masqueraded. */
int connections_sweep_some(struct daemon *daemon)
{
	int answer;

	if (daemon->masquerade_sweep.is_under_way)
		return sweep_masquerades(daemon);
	if (!daemon->sweep.bucket)
		kube_local_begin_pass(daemon->kube_local);
	answer = datapath_sweep_some(daemon->datapath, &daemon->sweep, visit_expired, daemon);
	if (answer > 0)
		return answer;
	if (!answer) {
		kube_local_end_pass(daemon->kube_local);
		daemon->connections = daemon->swept_connections;
	}
	daemon->swept_connections = 0;
	return answer ? answer : sweep_masquerades(daemon);
}
