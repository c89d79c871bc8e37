/*
 * The way out: before anything is written, so that who has to answer the sender has what it sent.
 */
#include <string.h>
#include "test/model/walk.h"

struct model_hop hop_to(const struct model *model, const struct address *address)
{
	for (uint32_t i = 0; i < model->neighbour_count; i++)
		if (same_address(&model->neighbours[i].address, address))
			return model->neighbours[i].hop;
	return (struct model_hop){};
}

/* A request goes to its backend, a reply the way that the client's last request came. */
static struct model_hop next_hop(const struct walk *walk)
{
	if (walk->direction == DIRECTION_REPLY)
		return walk->connection->back;
	return hop_to(walk->model, &walk->backend->address);
}

/*
 * Padding is carried along, so it counts: a frame must fit as it is. What comes in by a generic
 * port may be several segments in one.
 */
static bool is_too_big(const struct walk *walk, const struct port *port)
{
	return walk->frame->length - walk->packet.ip > port->mtu &&
	       !(walk->in && walk->model->ports[walk->in].flags & PORT_GENERIC);
}

/* By the interface that it came in by; a VLAN's frames leave by its parent. */
static bool goes_back(const struct walk *walk, const struct port *port)
{
	return walk->in && port->ifindex == walk->model->ports[walk->in].ifindex;
}

/* Of a reply they are those of the way back; else the VLAN's, or what stays on the same wire. */
static void choose_tags(struct walk *walk, const struct port *port)
{
	if (walk->direction == DIRECTION_REPLY)
		return;
	if (port->flags & PORT_TAGGED)
		read_tags(port, &walk->next);
	else if (goes_back(walk, port))
		take_tags(walk->frame, &walk->next);
}

enum verdict forward(struct walk *walk)
{
	const struct port *port;

	if (walk->hop_limit <= 1)
		return VERDICT_PASS_HOP_LIMIT;
	walk->next = next_hop(walk);
	if (!walk->next.port)
		return VERDICT_PASS_UNRESOLVED;
	port = &walk->model->ports[walk->next.port];
	if (!port->ifindex || port->flags & PORT_BY_STACK)
		return VERDICT_PASS_BY_STACK;
	walk->mtu = port->mtu;
	if (is_too_big(walk, port))
		return turn_away_size(walk);
	choose_tags(walk, port);
	return goes_back(walk, port) ? VERDICT_TX : VERDICT_REDIRECT;
}
