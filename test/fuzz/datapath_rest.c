/*
 * The datapath in plain memory, but for services: denied prefixes, ports, and what counts or
 * remembers packets, of which there are none. See datapath.h.
 */
#include <errno.h>
#include <string.h>
#include "lb/address.h"
#include "lb/datapath_audit.h"
#include "test/fuzz/datapath.h"
#include "test/fuzz/fuzz.h"

static bool is_prefix(const struct prefix *a, const struct prefix *b)
{
	return a->length == b->length && address_equal(&a->address, &b->address);
}

int datapath_deny(struct datapath *datapath, const struct prefix *prefix, uint32_t index)
{
	must(index && index <= MAX_DENIED, "a denied prefix has a counter");
	if (datapath->denied_count == FAKE_DENIED)
		return -ENOSPC;
	for (uint32_t i = 0; i < datapath->denied_count; i++) {
		must(!is_prefix(&datapath->denied[i], prefix), "nothing is denied twice");
		must(datapath->denied_index[i] != index, "each has its own counter");
	}
	datapath->denied[datapath->denied_count] = *prefix;
	datapath->denied_index[datapath->denied_count++] = index;
	return 0;
}

int datapath_allow(struct datapath *datapath, const struct prefix *prefix)
{
	const uint32_t last = datapath->denied_count - 1;

	for (uint32_t i = 0; i < datapath->denied_count; i++)
		if (is_prefix(&datapath->denied[i], prefix)) {
			datapath->denied[i] = datapath->denied[last];
			datapath->denied_index[i] = datapath->denied_index[last];
			datapath->denied_count = last;
			return 0;
		}
	return -ENOENT;
}

int datapath_visit_denied(struct datapath *datapath, denied_visitor visit, void *context)
{
	for (uint32_t i = 0; i < datapath->denied_count; i++)
		visit(context, &datapath->denied[i], datapath->denied_index[i]);
	return 0;
}

int datapath_read_denied(struct datapath *datapath, uint32_t index, struct counter *counter)
{
	(void)datapath;
	must(index <= MAX_DENIED, "a counter is in its table");
	*counter = (struct counter){0};
	return 0;
}

uint32_t datapath_capacity_ports(const struct datapath *datapath)
{
	(void)datapath;
	return FAKE_PORTS;
}

int datapath_set_port(struct datapath *datapath, uint32_t index, const struct port *port)
{
	must(index && index < FAKE_PORTS, "a port has a place");
	datapath->ports[index] = *port;
	return 0;
}

void datapath_get_port(const struct datapath *datapath, uint32_t index, struct port *port)
{
	must(index < FAKE_PORTS, "a port is looked up in its table");
	*port = datapath->ports[index];
}

int datapath_attach(struct datapath *datapath, const char *interface, uint32_t ifindex,
		    enum datapath_mode mode, enum datapath_mode *used, struct refusal *refusal)
{
	(void)datapath;
	if (ifindex % 2)
		return refuse_with(refusal, EBUSY, "%s has another program", interface);
	*used = mode == MODE_TC ? MODE_TC : MODE_NATIVE;
	return 0;
}

bool datapath_may_run(const struct datapath *datapath, uint32_t ifindex)
{
	(void)datapath;
	(void)ifindex;
	return false;
}

int datapath_attach_tc(struct datapath *datapath, const char *interface, uint32_t ifindex,
		       enum tc_side side, struct refusal *refusal)
{
	(void)datapath;
	(void)side;
	return ifindex % 3 ? 0 : refuse_with(refusal, EBUSY, "%s cannot be attached", interface);
}

int datapath_detach_tc(struct datapath *datapath, const char *interface, enum tc_side side)
{
	(void)datapath;
	(void)interface;
	(void)side;
	return 0;
}

bool datapath_has_tc(const struct datapath *datapath, enum tc_side side)
{
	(void)datapath;
	(void)side;
	return true;
}

int datapath_visit_tc(struct datapath *datapath, enum tc_side side,
		      void (*visit)(void *context, const char *interface), void *context)
{
	(void)datapath;
	(void)side;
	(void)visit;
	(void)context;
	return 0;
}

int datapath_is_attached_tc(const struct datapath *datapath, const char *interface,
			    uint32_t ifindex, enum tc_side side)
{
	(void)datapath;
	(void)interface;
	(void)side;
	return ifindex % 2;
}

int datapath_detach(struct datapath *datapath, const char *interface)
{
	(void)datapath;
	(void)interface;
	return 0;
}

int datapath_links(struct datapath *datapath, void (*visit)(void *context, const char *interface),
		   void *context)
{
	(void)datapath;
	(void)visit;
	(void)context;
	return 0;
}

void datapath_get_sockets(const struct datapath *datapath, struct socket_status *status)
{
	(void)datapath;
	*status = (struct socket_status){};
}

int datapath_mode_parse(const char *text, enum datapath_mode *mode)
{
	(void)text;
	(void)mode;
	return -EINVAL;
}

const char *datapath_mode_name(enum datapath_mode mode)
{
	must(mode <= MODE_OFFLOAD, "a mode has a name");
	return "native";
}

void datapath_mend(struct datapath *datapath)
{
	(void)datapath;
}

void datapath_settle(struct datapath *datapath)
{
	(void)datapath;
}

uint32_t datapath_capacity_connections(const struct datapath *datapath)
{
	(void)datapath;
	return 0;
}

int datapath_visit_connections(struct datapath *datapath, connection_visitor visit, void *context)
{
	(void)datapath;
	(void)visit;
	(void)context;
	return 0;
}

int datapath_sweep_masquerades(struct datapath *datapath, struct masquerade_cursor *cursor,
			       uint32_t most)
{
	(void)datapath;
	(void)cursor;
	(void)most;
	return 0;
}

int datapath_sweep_some(struct datapath *datapath, struct connection_cursor *cursor,
			connection_visitor visit, void *context)
{
	(void)cursor;
	return datapath_visit_connections(datapath, visit, context);
}

/* Nobody translates beside it. */
int datapath_take_connections(struct datapath *datapath, struct taken *list, size_t count)
{
	(void)datapath;
	(void)list;
	must(!count, "there is nothing to take over");
	return 0;
}

void datapath_leave_unknown(struct datapath *datapath, uint32_t protocols)
{
	(void)datapath;
	(void)protocols;
}

uint64_t datapath_metadata_missing(const struct datapath *datapath)
{
	(void)datapath;
	return 0;
}

int datapath_read_verdicts(struct datapath *datapath, struct counter counters[_VERDICT_COUNT])
{
	(void)datapath;
	memset(counters, 0, _VERDICT_COUNT * sizeof(*counters));
	return 0;
}

int datapath_read_service(struct datapath *datapath, uint32_t service,
			  struct traffic_counter *counter)
{
	(void)datapath;
	must(service < FAKE_SERVICES, "a service's counter is in its table");
	*counter = (struct traffic_counter){0};
	return 0;
}

int datapath_read_backend(struct datapath *datapath, uint32_t backend,
			  struct traffic_counter *counter)
{
	(void)datapath;
	must(backend < FAKE_BACKENDS, "a backend's counter is in its table");
	*counter = (struct traffic_counter){0};
	return 0;
}

int datapath_retire_counter(struct datapath *datapath, uint32_t backend, uint32_t service)
{
	struct traffic_counter ignored;

	datapath_read_backend(datapath, backend, &ignored);
	return datapath_read_service(datapath, service, &ignored);
}

int datapath_clear_service(struct datapath *datapath, uint32_t service)
{
	struct traffic_counter ignored;

	return datapath_read_service(datapath, service, &ignored);
}

int datapath_clear_backend(struct datapath *datapath, uint32_t backend)
{
	struct traffic_counter ignored;

	return datapath_read_backend(datapath, backend, &ignored);
}
