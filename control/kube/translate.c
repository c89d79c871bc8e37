/*
 * Services of Kubernetes to services of ours: see translate.h.
 */
#include "control/kube/translate.h"

#include <stdlib.h>
#include "control/kube/front.h"

/* An address that clients outside of the cluster use. */
static int add_outer(struct part *part, const struct address *address, uint16_t port,
		     bool is_limited)
{
	struct front front = {
		.address = address,
		.port = port,
		.is_local = part->service->external_local,
		.has_inside = part->service->external_local,
		.is_limited = is_limited,
		.scope = SCOPE_ANY,
		.masquerade = MASQUERADE_OTHERS,
	};
	int error;

	if (!front.is_local)
		return front_add(part, &front);
	front.masquerade = MASQUERADE_NONE; /* clients keep their address */
	error = front_add(part, &front);
	if (error)
		return error;
	front.is_local = front.has_inside = false;
	front.scope = SCOPE_INSIDE;
	front.masquerade = MASQUERADE_OTHERS;
	return front_add(part, &front);
}

static int add_cluster(struct part *part, const struct address *address)
{
	const struct front front = {
		.address = address,
		.port = part->port->port,
		.is_local = part->service->is_local,
		.scope = SCOPE_ANY,
		.masquerade = part->rules->knows_cluster ? MASQUERADE_STRANGERS : MASQUERADE_NONE,
	};

	return front_add(part, &front);
}

static bool is_allowed(const struct kube_rules *rules, const struct address *address)
{
	for (size_t i = 0; i < rules->external_range_count; i++)
		if (prefix_covers(&rules->external_ranges[i], address))
			return true;
	return false;
}

static bool is_of_part(const struct part *part, const struct address *address)
{
	return address_is_ipv4(address) != part->is_ipv6;
}

static int add_addresses(struct part *part)
{
	const struct kube_service *service = part->service;
	const struct address *address = service->addresses;
	int error = 0;

	for (size_t i = 0; !error && i < service->cluster_count; i++, address++)
		if (is_of_part(part, address))
			error = add_cluster(part, address);
	for (size_t i = 0; !error && i < service->external_count; i++, address++) {
		if (!is_of_part(part, address))
			continue;
		if (is_allowed(part->rules, address))
			error = add_outer(part, address, part->port->port, false);
		else
			part->translation->denied = address;
	}
	for (size_t i = 0; !error && i < service->ingress_count; i++, address++)
		if (is_of_part(part, address))
			error = add_outer(part, address, part->port->port, true);
	return error;
}

static int add_node_port(struct part *part)
{
	int error = 0;

	for (size_t i = 0; !error && i < part->rules->node_address_count; i++)
		if (is_of_part(part, &part->rules->node_addresses[i]))
			error = add_outer(part, &part->rules->node_addresses[i],
					  part->port->node_port, false);
	return error;
}

static bool has_outer(const struct part *part)
{
	return part->port->node_port || part->service->external_count ||
	       part->service->ingress_count;
}

static void count_no_local(const struct part *part)
{
	struct kube_translation *translation = part->translation;

	if (part->targets.local_count || !part->targets.cluster_count)
		return;
	translation->no_local_internal[part->is_ipv6] += part->service->is_local;
	translation->no_local_external[part->is_ipv6] +=
		part->service->external_local && has_outer(part);
}

static bool has_family(const struct kube_service *service, bool is_ipv6)
{
	for (size_t i = 0; i < service->cluster_count; i++)
		if (address_is_ipv4(&service->addresses[i]) != is_ipv6)
			return true;
	return false;
}

static int translate_part(struct part *part, const struct kube_slice *const *slices,
			  size_t slice_count)
{
	int error = kube_targets_collect(slices, slice_count, part->port, part->is_ipv6,
					 &part->targets);

	if (error)
		return error;
	kube_targets_choose(&part->targets, part->rules->zone);
	count_no_local(part);
	error = add_addresses(part);
	if (!error && part->port->node_port)
		error = add_node_port(part);
	kube_targets_finish(&part->targets);
	return error;
}

int kube_translate(const struct kube_service *service, const struct kube_slice *const *slices,
		   size_t slice_count, const struct kube_rules *rules,
		   struct kube_translation *translation)
{
	struct part part = {.service = service, .rules = rules, .translation = translation};
	int error = 0;

	*translation = (struct kube_translation){};
	for (int family = 0; family < 2 && !service->is_skipped; family++) {
		const bool is_ipv6 = family == 1;
		size_t local;

		if (!has_family(service, is_ipv6))
			continue;
		part.is_ipv6 = is_ipv6;
		for (size_t i = 0; !error && i < service->port_count; i++) {
			part.port = &service->ports[i];
			error = translate_part(&part, slices, slice_count);
		}
		local = service->health_port ? kube_count_local(slices, slice_count, is_ipv6) : 0;
		if (local > translation->local_endpoints)
			translation->local_endpoints = local;
	}
	return error;
}

void kube_translation_finish(struct kube_translation *translation)
{
	for (size_t i = 0; i < translation->count; i++)
		service_free(translation->services[i]);
	free(translation->services);
	*translation = (struct kube_translation){};
}
