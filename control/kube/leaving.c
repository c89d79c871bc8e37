/*
 * Backends on their way out: see leaving.h.
 */
#include "control/kube/leaving.h"

#include <errno.h>
#include <netinet/in.h>
#include <stdlib.h>

static bool is_kept(const struct service *in_force, const struct backend *backend)
{
	return in_force && service_find_backend(in_force, &backend->address, backend->port);
}

static void remove_new_ones(struct service *wanted, const struct service *in_force)
{
	for (size_t i = wanted->backend_count; i > 0; i--) {
		struct backend *backend = &wanted->backends[i - 1];

		if (backend->state == BACKEND_DRAINING && !is_kept(in_force, backend))
			service_remove_backend(wanted, backend);
	}
}

static bool drains(const struct backend *backend)
{
	return backend->state == BACKEND_ACTIVE || backend->state == BACKEND_DRAINING;
}

/* What does not fit in goes at once. */
static int add_draining(struct service *service, const struct backend *from)
{
	struct backend backend = *from;
	struct refusal refusal;

	backend.state = BACKEND_DRAINING;
	backend.deadline_ms = 0;
	return service_add_backend(service, &backend, &refusal) == -ENOMEM ? -ENOMEM : 0;
}

int leaving_complete(struct service *wanted, const struct service *in_force)
{
	int error = 0;

	remove_new_ones(wanted, in_force);
	if (!in_force || wanted->key.protocol == IPPROTO_UDP)
		return 0;
	for (size_t i = 0; !error && i < in_force->backend_count; i++) {
		const struct backend *backend = &in_force->backends[i];

		if (drains(backend) &&
		    !service_find_backend(wanted, &backend->address, backend->port))
			error = add_draining(wanted, backend);
	}
	return error;
}

/* Nobody begins anything there, so all else it had is of no use. */
int leaving_keep(const struct service *in_force, struct service **left)
{
	struct service *service;
	struct refusal refusal;
	int error = 0;

	*left = NULL;
	if (in_force->key.protocol == IPPROTO_UDP || !in_force->backend_count)
		return 0;
	service = service_new(&in_force->key);
	if (!service)
		return -ENOMEM;
	service->source = SOURCE_KUBERNETES;
	service->masquerade = in_force->masquerade;
	if (service_set_name(service, in_force->name, &refusal) == -ENOMEM)
		error = -ENOMEM;
	for (size_t i = 0; !error && i < in_force->backend_count; i++)
		if (drains(&in_force->backends[i]))
			error = add_draining(service, &in_force->backends[i]);
	if (error || !service->backend_count)
		service_free(service);
	else
		*left = service;
	return error;
}

bool leaving_any(const struct service *service)
{
	for (size_t i = 0; i < service->backend_count; i++)
		if (service->backends[i].state == BACKEND_DRAINING)
			return true;
	return false;
}

bool leaving_begins(const struct service *service, const struct service *before)
{
	for (size_t i = 0; i < service->backend_count; i++) {
		const struct backend *backend = &service->backends[i], *same;

		if (backend->state != BACKEND_DRAINING)
			continue;
		same = before ? service_find_backend(before, &backend->address, backend->port)
			      : NULL;
		if (!same || same->state != BACKEND_DRAINING)
			return true;
	}
	return false;
}

static bool is_used(struct used_backends used, uint32_t index)
{
	return used.bits[index / 64] >> index % 64 & 1;
}

int leaving_drop_unused(const struct service *in_force, const struct placement *placement,
			struct used_backends used, struct service **left)
{
	struct service *service = NULL;

	*left = NULL;
	for (size_t i = in_force->backend_count; i > 0; i--) {
		if (in_force->backends[i - 1].state != BACKEND_DRAINING ||
		    is_used(used, placement->places[i - 1].backend))
			continue;
		if (!service)
			service = service_clone(in_force);
		if (!service)
			return -ENOMEM;
		service_remove_backend(service, &service->backends[i - 1]);
	}
	*left = service;
	return 0;
}
