/*
 * From an address to its next hop: the route, the neighbour it leads to, and that neighbour's MAC
 * address. A neighbour that changes its MAC address changes the next hop of all its destinations.
 */
#include "control/resolve.h"

#include <errno.h>
#include <linux/neighbour.h>
#include <string.h>
#include <utlist.h>
#include "control/log.h"
#include "control/route.h"
#include "lb/address.h"

int resolver_init(struct resolver *resolver, const struct neighbour_hooks *hooks)
{
	*resolver = (struct resolver){.hooks = *hooks};
	resolver->neighbours.question = netlink_open();
	return resolver->neighbours.question ? 0 : -errno;
}

void resolver_finish(struct resolver *resolver)
{
	neighbour_set_finish(&resolver->neighbours);
	netlink_close(resolver->neighbours.question);
}

static void set_state(struct resolver *resolver, struct destination *destination,
		      enum neighbour_state state)
{
	if (destination->state == NEIGHBOUR_RESOLVING)
		resolver->pending--;
	if (state == NEIGHBOUR_RESOLVING)
		resolver->pending++;
	resolver->left_to_stack +=
		(state == NEIGHBOUR_LOCAL) - (destination->state == NEIGHBOUR_LOCAL);
	destination->state = state;
}

/*
 * While a neighbour is being looked for, the MAC address it had stays, on the same port: it was
 * flushed, or we were restarted, and rarely is it another machine now.
 */
static struct nexthop next_hop(const struct resolver *resolver,
			       const struct destination *destination)
{
	const struct neighbour *neighbour = destination->neighbour;
	struct nexthop hop = {0};
	uint16_t port;

	if (!neighbour)
		return hop;
	port = resolver->hooks.port(resolver->hooks.context, neighbour->key.ifindex);
	if (neighbour->state == NEIGHBOUR_RESOLVING && port == destination->told.port)
		return destination->told;
	if (neighbour->state != NEIGHBOUR_RESOLVED || !port)
		return hop;
	memcpy(hop.mac, neighbour->mac, sizeof(hop.mac));
	hop.port = port;
	return hop;
}

static void publish(struct resolver *resolver, struct destination *destination)
{
	struct nexthop hop = next_hop(resolver, destination);

	if (destination->neighbour)
		set_state(resolver, destination, destination->neighbour->state);
	if (!memcmp(&destination->told, &hop, sizeof(hop)))
		return;
	destination->told = hop;
	resolver->hooks.resolved(resolver->hooks.context, destination->slot, &hop);
}

static void publish_all(struct resolver *resolver, const struct neighbour *neighbour)
{
	struct destination *destination;

	DL_FOREACH(neighbour->destinations, destination)
	publish(resolver, destination);
}

static void leave_neighbour(struct resolver *resolver, struct destination *destination)
{
	struct neighbour *neighbour = destination->neighbour;

	if (!neighbour)
		return;
	DL_DELETE(neighbour->destinations, destination);
	destination->neighbour = NULL;
	if (!neighbour->destinations)
		neighbour_set_remove(&resolver->neighbours, neighbour);
}

static void move_to_neighbour(struct resolver *resolver, struct destination *destination,
			      struct neighbour *neighbour)
{
	if (destination->neighbour != neighbour) {
		leave_neighbour(resolver, destination);
		DL_APPEND(neighbour->destinations, destination);
		destination->neighbour = neighbour;
	}
	if (neighbour->read) {
		publish(resolver, destination);
		return;
	}
	neighbour_settle(&resolver->neighbours, neighbour);
	publish_all(resolver, neighbour);
}

static void settle_without(struct resolver *resolver, struct destination *destination,
			   enum neighbour_state state)
{
	leave_neighbour(resolver, destination);
	set_state(resolver, destination, state);
	publish(resolver, destination);
}

/* Where we have no port, the stack sends, and looks for the neighbour itself when it does. */
static bool is_left_to_stack(const struct resolver *resolver, const struct route *route)
{
	return route->kind == ROUTE_LOCAL ||
	       !resolver->hooks.port(resolver->hooks.context, route->ifindex);
}

void resolver_resolve(struct resolver *resolver, struct destination *destination)
{
	struct neighbour *neighbour;
	struct neighbour_key key;
	struct route route;
	int error;

	destination->unknown = true;
	error = route_find(resolver->neighbours.question, &destination->address, &route);
	if (error) {
		log_error("route", "error=%s", log_quote(strerror(-error)));
		return;
	}
	destination->ifindex = route.ifindex;
	destination->unknown = false;
	if (route.kind == ROUTE_NONE) {
		settle_without(resolver, destination, NEIGHBOUR_NO_ROUTE);
		return;
	}
	if (is_left_to_stack(resolver, &route)) {
		settle_without(resolver, destination, NEIGHBOUR_LOCAL);
		return;
	}
	key = (struct neighbour_key){.address = route.neighbour, .ifindex = route.ifindex};
	neighbour = neighbour_set_find_or_add(&resolver->neighbours, &key);
	if (!neighbour) {
		destination->unknown = true;
		log_error("neighbour", "error=%s", log_quote(strerror(ENOMEM)));
		return;
	}
	move_to_neighbour(resolver, destination, neighbour);
}

void resolver_add(struct resolver *resolver, struct destination *destination)
{
	destination->state = NEIGHBOUR_RESOLVING;
	resolver->pending++;
}

void resolver_remove(struct resolver *resolver, struct destination *destination)
{
	leave_neighbour(resolver, destination);
	if (destination->state == NEIGHBOUR_RESOLVING)
		resolver->pending--;
	resolver->left_to_stack -= destination->state == NEIGHBOUR_LOCAL;
}

void resolver_describe(const struct destination *destination, struct neighbour_entry *entry)
{
	const struct neighbour *neighbour = destination->neighbour;

	*entry = (struct neighbour_entry){
		.address = destination->address,
		.ifindex = destination->ifindex,
		.state = destination->state,
	};
	if (!neighbour)
		return;
	if (!address_equal(&neighbour->key.address, &destination->address))
		entry->gateway = neighbour->key.address;
	entry->managed = neighbour->managed;
	if (neighbour->has_mac)
		memcpy(entry->mac, neighbour->mac, sizeof(entry->mac));
}

struct destination *resolver_hear(struct resolver *resolver, const struct kernel_neighbour *entry)
{
	struct neighbour *neighbour = neighbour_set_find(&resolver->neighbours, &entry->key);

	if (!neighbour)
		return NULL;
	if (entry->state == NUD_NONE || entry->state & NUD_FAILED) {
		/*
		 * An entry that is removed is said to have failed first (neigh_flush of `ip
		 * neighbour`): which of the two it was is known when it is read, a moment later.
		 */
		neighbour->read = false;
		neighbour->failed = entry->state & NUD_FAILED;
		return neighbour->destinations;
	}
	neighbour_take(neighbour, entry);
	publish_all(resolver, neighbour);
	return NULL;
}

void resolver_link_changed(struct resolver *resolver, uint32_t ifindex)
{
	struct neighbour *neighbour;

	for (neighbour = resolver->neighbours.all; neighbour; neighbour = neighbour->hh.next) {
		if (neighbour->key.ifindex != ifindex)
			continue;
		if (neighbour->state != NEIGHBOUR_RESOLVED)
			neighbour_ask_anew(&resolver->neighbours, neighbour);
		publish_all(resolver, neighbour);
	}
}

void resolver_refresh(struct resolver *resolver)
{
	struct neighbour *neighbour;

	for (neighbour = resolver->neighbours.all; neighbour; neighbour = neighbour->hh.next) {
		if (neighbour->fixed || neighbour->managed)
			continue;
		neighbour_settle(&resolver->neighbours, neighbour);
		publish_all(resolver, neighbour);
	}
}

void resolver_doubt(struct resolver *resolver)
{
	struct neighbour *neighbour;

	for (neighbour = resolver->neighbours.all; neighbour; neighbour = neighbour->hh.next)
		neighbour->read = false;
}
