/*
 * An address and port to a service of ours: see front.h.
 */
#include "control/kube/front.h"

#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <stdlib.h>
#include <string.h>

static int append(struct kube_translation *translation, struct service *service)
{
	struct service **services = translation->services;

	if (translation->count == translation->capacity) {
		translation->capacity = translation->capacity ? 2 * translation->capacity : 4;
		services = reallocarray(services, translation->capacity, sizeof(*services));
		if (!services) {
			translation->capacity = translation->count;
			service_free(service);
			return -ENOMEM;
		}
		translation->services = services;
	}
	services[translation->count++] = service;
	return 0;
}

static bool is_chosen(const struct kube_target *target, const struct front *front)
{
	return front->is_local ? target->in_local : target->in_cluster;
}

/* Of UDP what serves keeps its connections, whatever policies and hints say. */
static enum backend_state state_of(const struct part *part, const struct front *front,
				   const struct kube_target *target)
{
	if (is_chosen(target, front))
		return BACKEND_ACTIVE;
	return part->port->protocol == IPPROTO_UDP && target->flags & KUBE_SERVING
		       ? BACKEND_DRAINING
		       : BACKEND_NONE;
}

/* An endpoint whose address cannot be one is left out. */
static int add_backends(struct part *part, const struct front *front, struct service *service)
{
	struct refusal refusal;
	int error;

	for (size_t i = 0; i < part->targets.count; i++) {
		const struct kube_target *target = &part->targets.items[i];
		const struct backend backend = {
			.address = target->address,
			.port = htons(target->port),
			.weight = 1,
			.state = state_of(part, front, target),
			.is_remote = !(target->flags & KUBE_LOCAL),
		};

		if (backend.state == BACKEND_NONE)
			continue;
		error = service_add_backend(service, &backend, &refusal);
		if (error == -ENOMEM)
			return error;
		if (error == -ENOSPC)
			part->translation->has_too_many = true;
	}
	return 0;
}

static int add_ranges(const struct part *part, struct service *service, struct refusal *refusal)
{
	const struct kube_service *from = part->service;
	int error;

	for (size_t i = 0; i < from->range_count; i++) {
		if (prefix_is_ipv4(&from->source_ranges[i]) == part->is_ipv6)
			continue;
		error = service_add_source_range(service, &from->source_ranges[i], refusal);
		if (error && error != -EEXIST)
			return error;
	}
	return 0;
}

/* 0, -ENOMEM, or an error with a refusal. */
static int fill(struct part *part, const struct front *front, struct service *service,
		struct refusal *refusal)
{
	const struct kube_targets *targets = &part->targets;
	int error;

	service->source = SOURCE_KUBERNETES;
	service->masquerade = front->masquerade;
	service->has_inside = front->has_inside;
	service->affinity_seconds = part->service->affinity_seconds;
	service->drops_unserved =
		front->is_local && !targets->local_count && targets->cluster_count;
	error = service_set_name(service, part->service->name, refusal);
	if (!error && front->is_limited)
		error = add_ranges(part, service, refusal);
	return error ? error : add_backends(part, front, service);
}

/* SCTP's checksum covers ports, and the datapath cannot compute one. */
static bool has_unequal_port(const struct part *part, const struct front *front)
{
	for (size_t i = 0; i < part->targets.count; i++)
		if (part->targets.items[i].port != front->port)
			return part->port->protocol == IPPROTO_SCTP;
	return false;
}

int front_add(struct part *part, const struct front *front)
{
	const struct service_key key = {.address = *front->address,
					.port = htons(front->port),
					.protocol = part->port->protocol,
					.scope = (__u8)front->scope};
	struct kube_translation *translation = part->translation;
	struct service *service;
	struct refusal refusal;
	int error;

	if (has_unequal_port(part, front)) {
		translation->unequal_port = part->port;
		return 0;
	}
	error = service_key_check(&key, &refusal);
	if (!error) {
		service = service_new(&key);
		error = service ? fill(part, front, service, &refusal) : -ENOMEM;
		if (!error)
			return append(translation, service);
		service_free(service);
	}
	if (error == -ENOMEM)
		return error;
	memcpy(translation->unusable, refusal.text, sizeof(translation->unusable));
	return 0;
}
