/*
 * Health check node ports: a listener for each service that has one, at each address of the node
 * that node ports are served at. Any path is answered, as kube-proxy does.
 */
#include "control/health_internal.h"

#include <arpa/inet.h>
#include <errno.h>
#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include "control/log.h"

#define MAX_CLIENTS 128 /* of all services */

static void answer(void *context, const struct http_request *request, struct http_reply *reply)
{
	const struct health_port *port = context;
	const bool good = health_is_good(port->health, loop_now_ms());

	(void)request;
	reply->status = port->local_endpoints && good ? 200 : 503;
	reply->type = "application/json";
	reply->weight = port->local_endpoints;
	snprintf(reply->text, sizeof(reply->text),
		 "{\n\t\"service\": {\n\t\t\"namespace\": %s,\n\t\t\"name\": %s\n\t},\n"
		 "\t\"localEndpoints\": %u,\n\t\"serviceProxyHealthy\": %s\n}",
		 port->namespace, port->name, port->local_endpoints, good ? "true" : "false");
}

static const struct http_site SITE = {"health-check-node-port", answer, MAX_CLIENTS};

static void close_listeners(struct health_port *port)
{
	for (size_t i = 0; i < port->listener_count; i++)
		http_close(port->listeners[i]);
	free((void *)port->listeners);
	port->listeners = NULL;
	port->listener_count = 0;
}

static void open_at(struct health_port *port, size_t i, const struct address *address)
{
	const struct http_endpoint endpoint = {*address, htons(port->port)};
	struct refusal refusal;

	port->listeners[i] = http_listen(port->health->http, &SITE, &endpoint, port, &refusal);
	if (!port->listeners[i])
		log_error("not-listening", "service=%s/%s why=%s", port->namespace, port->name,
			  log_quote(refusal.text));
}

static int open_listeners(struct health_port *port)
{
	static const struct address any;
	const struct health *health = port->health;
	const size_t count = health->addresses ? health->address_count : 1;

	port->listeners = calloc(count + 1, sizeof(struct http_listener *));
	if (!port->listeners)
		return -ENOMEM;
	port->listener_count = count;
	for (size_t i = 0; i < count; i++)
		open_at(port, i, health->addresses ? &health->addresses[i] : &any);
	return 0;
}

static void remove_port(struct health *health, struct health_port *port)
{
	HASH_DEL(health->ports, port);
	close_listeners(port);
	free(port);
}

/* Names are what the API server lets through, and still somebody else's words. */
static void quote(const char *name, char text[HEALTH_NAME_MAX])
{
	json_t *value = json_string(name);
	size_t length = json_dumpb(value, text, HEALTH_NAME_MAX - 1, JSON_ENCODE_ANY);

	if (!length || length >= HEALTH_NAME_MAX)
		length = (size_t)snprintf(text, HEALTH_NAME_MAX, "\"\"");
	text[length] = '\0';
	json_decref(value);
}

static struct health_port *new_port(struct health *health, const struct health_service *service)
{
	struct health_port *port = calloc(1, sizeof(*port));

	if (!port)
		return NULL;
	quote(service->namespace, port->namespace);
	quote(service->name, port->name);
	port->health = health;
	port->port = service->port;
	port->local_endpoints = service->local_endpoints;
	return port;
}

/* In the place of one with its port, if there is. */
static int put_port(struct health *health, const struct health_service *service)
{
	struct health_port *port = new_port(health, service), *old;
	int error;

	if (!port)
		return -ENOMEM;
	port->wanted = true;
	HASH_FIND(hh, health->ports, &port->port, sizeof(port->port), old);
	if (old && !strcmp(old->name, port->name) && !strcmp(old->namespace, port->namespace)) {
		old->local_endpoints = port->local_endpoints;
		old->wanted = true;
		free(port);
		return 0;
	}
	if (old)
		remove_port(health, old);
	HASH_ADD(hh, health->ports, port, sizeof(port->port), port);
	if (!port->hh.tbl) {
		free(port);
		return -ENOMEM;
	}
	error = open_listeners(port);
	if (error)
		remove_port(health, port);
	return error;
}

int health_set_services(struct health *health, const struct health_service *services, size_t count)
{
	struct health_port *port, *next;
	int error = 0;

	HASH_ITER (hh, health->ports, port, next)
		port->wanted = false;
	for (size_t i = 0; !error && i < count; i++)
		error = put_port(health, &services[i]);
	if (error)
		return error;
	HASH_ITER (hh, health->ports, port, next)
		if (!port->wanted)
			remove_port(health, port);
	return 0;
}

int health_set_addresses(struct health *health, const struct address *addresses, size_t count)
{
	struct health_port *port, *next;
	struct address *copy = NULL;
	int error = 0;

	if (!addresses)
		count = 0;
	if (!addresses == !health->addresses && count == health->address_count &&
	    (!count || !memcmp(health->addresses, addresses, count * sizeof(*addresses))))
		return 0;
	if (addresses) {
		copy = calloc(count + 1, sizeof(*copy));
		if (!copy)
			return -ENOMEM;
		memcpy(copy, addresses, count * sizeof(*copy));
	}
	free(health->addresses);
	health->addresses = copy;
	health->address_count = count;
	HASH_ITER (hh, health->ports, port, next) {
		close_listeners(port);
		error = error ? error : open_listeners(port);
	}
	return error;
}

void health_close_ports(struct health *health)
{
	struct health_port *port, *next;

	HASH_ITER (hh, health->ports, port, next)
		remove_port(health, port);
}
