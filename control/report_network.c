/*
 * Reports on interfaces and neighbours.
 */
#include <stdio.h>
#include <string.h>
#include "control/report.h"

static json_t *encode_interface(const struct interface_status *status)
{
	const bool attached = status->attached;

	return json_pack("{s:s, s:i, s:s, s:s, s:s, s:i, s:s, s:s?, s:s?}", "name",
			 status->link.name, "index", (int)status->link.ifindex, "mode",
			 attached ? datapath_mode_name(status->mode) : "none", "asked",
			 status->asked, "kind", status->link.kind, "mtu", (int)status->link.mtu,
			 "transmit", status->redirect ? "redirect" : "stack", "peer",
			 status->peer[0] ? status->peer : NULL, "error",
			 status->error[0] ? status->error : NULL);
}

static void append_interface(void *context, const struct interface_status *status)
{
	json_array_append_new(context, encode_interface(status));
}

json_t *report_interfaces(const struct daemon *daemon)
{
	json_t *interfaces = json_array();

	interfaces_visit(daemon->interfaces, append_interface, interfaces);
	return json_pack("{s:o}", "interfaces", interfaces);
}

json_t *report_interface(const struct daemon *daemon, const char *name)
{
	json_t *interfaces = json_array();
	json_t *found = NULL, *item;
	size_t i;

	interfaces_visit(daemon->interfaces, append_interface, interfaces);
	json_array_foreach (interfaces, i, item)
		if (!found && (!strcmp(json_string_value(json_object_get(item, "name")), name) ||
			       !strcmp(json_string_value(json_object_get(item, "asked")), name)))
			found = json_incref(item);
	json_decref(interfaces);
	return found ? found : json_pack("{s:s}", "name", name);
}

struct neighbour_list {
	const struct daemon *daemon;
	json_t *list;
};

static void append_neighbour(void *context, const struct neighbour_entry *entry)
{
	static const struct address none;
	static const uint8_t no_mac[6];
	struct neighbour_list *neighbours = context;
	char address[ADDRESS_TEXT_MAX], gateway[ADDRESS_TEXT_MAX], mac[18];

	snprintf(mac, sizeof(mac), "%02x:%02x:%02x:%02x:%02x:%02x", entry->mac[0], entry->mac[1],
		 entry->mac[2], entry->mac[3], entry->mac[4], entry->mac[5]);
	json_array_append_new(
		neighbours->list,
		json_pack("{s:s, s:s?, s:s, s:s?, s:s, s:b}", "address",
			  address_format(&entry->address, address), "gateway",
			  address_equal(&entry->gateway, &none)
				  ? NULL
				  : address_format(&entry->gateway, gateway),
			  "interface",
			  interfaces_name(neighbours->daemon->interfaces, entry->ifindex), "mac",
			  memcmp(entry->mac, no_mac, sizeof(no_mac)) ? mac : NULL, "state",
			  neighbour_state_name(entry->state), "managed", entry->managed));
}

json_t *report_neighbours(const struct daemon *daemon)
{
	struct neighbour_list neighbours = {.daemon = daemon, .list = json_array()};

	neighbours_visit(daemon->neighbours, append_neighbour, &neighbours);
	return json_pack("{s:o}", "neighbours", neighbours.list);
}
