/*
 * Traffic: see traffic.h.
 */
#include "lb/traffic.h"

static void add(struct traffic_counter *sum, const struct traffic_counter *backend)
{
	sum->request.packets += backend->request.packets;
	sum->request.bytes += backend->request.bytes;
	sum->reply.packets += backend->reply.packets;
	sum->reply.bytes += backend->reply.bytes;
	sum->connections += backend->connections;
}

int traffic_of_service(struct datapath *datapath, const struct placement *placement,
		       struct traffic_counter *counter)
{
	struct traffic_counter sum, backend;
	int error = datapath_read_service(datapath, placement->service, &sum);

	for (size_t i = 0; !error && i < placement->count; i++) {
		error = datapath_read_backend(datapath, placement->places[i].backend, &backend);
		if (!error)
			add(&sum, &backend);
	}
	if (!error)
		*counter = sum;
	return error;
}
