/*
 * The audit of interfaces. Who detaches a program, or removes the pin of its link, tells nobody.
 */
#include "control/interface_internal.h"
#include "lb/datapath_audit.h"

static int audit_link(struct interfaces *interfaces, struct interface *interface)
{
	const char *name = interface->link.name;
	const uint32_t ifindex = interface->link.ifindex;
	const int attached =
		interface->mode == MODE_TC
			? datapath_is_attached_tc(interfaces->datapath, name, ifindex, TC_INGRESS)
			: datapath_is_attached(interfaces->datapath, name, ifindex);

	if (attached)
		return attached < 0 ? attached : 0;
	return interface_attach_again(interfaces, interface);
}

static int audit_egress(struct interfaces *interfaces, struct interface *interface)
{
	const int attached = datapath_is_attached_tc(interfaces->datapath, interface->link.name,
						     interface->link.ifindex, TC_EGRESS);
	int error;

	if (attached)
		return attached < 0 ? attached : 0;
	error = interface_follow_egress(interfaces, interface);
	return error ? error : 1;
}

static void audit_interface(struct interfaces *interfaces, struct interface *interface,
			    struct repairs *repairs)
{
	struct port port;

	if (interface->attached)
		repairs_note(repairs, REPAIR_LINKS, audit_link(interfaces, interface));
	if (interface->attached && interfaces->egress)
		repairs_note(repairs, REPAIR_LINKS, audit_egress(interfaces, interface));
	if (!interface->port)
		return;
	port = port_describe(interfaces, interface);
	repairs_note(repairs, REPAIR_PORTS,
		     datapath_audit_port(interfaces->datapath, interface->port, &port));
}

void interfaces_audit(struct interfaces *interfaces, size_t parts, struct repairs *repairs)
{
	const size_t part = interfaces->audited % parts;
	struct interface *interface, *next;
	size_t place = 0;

	HASH_ITER (hh, interfaces->table, interface, next)
		if (place++ % parts == part)
			audit_interface(interfaces, interface, repairs);
	interfaces->audited = part + 1;
}
