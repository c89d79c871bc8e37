/*
 * Ports: the entry of an interface in the table that packets leave by.
 */
#include <errno.h>
#include <string.h>
#include "control/interface_internal.h"
#include "lb/slots.h"

bool interface_is_veth(const struct interface *interface)
{
	return !strcmp(interface->link.kind, "veth");
}

/*
 * XDP_TX on a veth reaches the other end only if a program runs there; XDP_REDIRECT also with GRO.
 * A device in generic mode by lack of a driver has no ndo_xdp_xmit, so native programs elsewhere
 * must leave packets for it to the stack. Unattached interfaces too: nothing is known of them.
 */
static __u16 port_flags(const struct interfaces *interfaces, const struct interface *interface)
{
	__u16 flags = 0;

	if (interface_is_veth(interface))
		flags |= PORT_TX_BY_REDIRECT;
	if (interface->attached && interface->mode == MODE_GENERIC)
		flags |= PORT_GENERIC;
	if (!interface->attached || !interface->receives)
		flags |= PORT_BY_STACK;
	else if (interface->mode == MODE_GENERIC && interfaces->mode != MODE_GENERIC &&
		 !interface_is_veth(interface))
		flags |= PORT_BY_STACK;
	return flags;
}

bool port_takes_frames(const struct interfaces *interfaces, const struct interface *interface)
{
	return !(port_flags(interfaces, interface) & PORT_BY_STACK);
}

/* After a restart the port that the tables already have is kept: connections remember its index. */
int port_take(struct interfaces *interfaces, struct interface *interface)
{
	uint32_t capacity = datapath_capacity_ports(interfaces->datapath);
	struct port port;
	uint32_t index;
	int error;

	for (index = 1; index < capacity; index++) {
		datapath_get_port(interfaces->datapath, index, &port);
		if (port.ifindex == interface->link.ifindex) {
			interface->port = (uint16_t)index;
			return 0;
		}
	}
	error = slots_take(interfaces->ports, 1, &index);
	if (error == -ENOSPC && slots_resting(interfaces->ports)) {
		datapath_settle(interfaces->datapath);
		slots_settle(interfaces->ports);
		error = slots_take(interfaces->ports, 1, &index);
	}
	if (!error)
		interface->port = (uint16_t)index;
	return error;
}

bool port_is_written(const struct interfaces *interfaces, const struct interface *interface)
{
	struct port port;

	if (!interface->port)
		return false;
	datapath_get_port(interfaces->datapath, interface->port, &port);
	return port.ifindex == interface->link.ifindex;
}

struct port port_describe(const struct interfaces *interfaces, const struct interface *interface)
{
	struct port port = {
		.flags = port_flags(interfaces, interface),
		.ifindex = interface->link.ifindex,
		.mtu = interface->link.mtu,
	};

	memcpy(port.mac, interface->link.mac, sizeof(port.mac));
	return port;
}

int port_update(struct interfaces *interfaces, struct interface *interface)
{
	const struct port port = port_describe(interfaces, interface);
	struct port old;
	int error;

	if (!interface->port) {
		error = port_take(interfaces, interface);
		if (error)
			return error;
	}
	datapath_get_port(interfaces->datapath, interface->port, &old);
	if (!memcmp(&old, &port, sizeof(port)))
		return 0;
	return datapath_set_port(interfaces->datapath, interface->port, &port);
}

void port_drop(struct interfaces *interfaces, struct interface *interface)
{
	const struct port gone = {};

	if (!interface->port)
		return;
	datapath_set_port(interfaces->datapath, interface->port, &gone);
	slots_give_back(interfaces->ports, interface->port, 1);
	interface->port = 0;
}

void ports_reserve(struct interfaces *interfaces)
{
	uint32_t capacity = datapath_capacity_ports(interfaces->datapath);
	struct port port;

	for (uint32_t index = 1; index < capacity; index++) {
		datapath_get_port(interfaces->datapath, index, &port);
		if (port.ifindex)
			slots_adopt(interfaces->ports, index, 1);
	}
}

static bool is_claimed(const struct interfaces *interfaces, uint32_t index)
{
	struct interface *interface, *next;

	HASH_ITER (hh, interfaces->table, interface, next)
		if (interface->port == index)
			return true;
	return false;
}

void ports_drop_unclaimed(struct interfaces *interfaces)
{
	uint32_t capacity = datapath_capacity_ports(interfaces->datapath);
	const struct port gone = {};
	struct port port;

	for (uint32_t index = 1; index < capacity; index++) {
		datapath_get_port(interfaces->datapath, index, &port);
		if (!port.ifindex || is_claimed(interfaces, index))
			continue;
		datapath_set_port(interfaces->datapath, index, &gone);
		slots_give_back(interfaces->ports, index, 1);
	}
}
