/*
 * Interfaces: wishes, links and what follows from both. Attaching itself is in interface_attach.c.
 */
#include "control/interface.h"

#include <errno.h>
#include <fnmatch.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include "control/interface_internal.h"
#include "control/log.h"
#include "lb/slots.h"

static void note_egress(void *context, const char *interface)
{
	(void)interface;
	*(bool *)context = true;
}

struct interfaces *interfaces_new(struct datapath *datapath, enum datapath_mode mode,
				  const struct interface_hooks *hooks)
{
	struct interfaces *interfaces = calloc(1, sizeof(*interfaces));

	if (!interfaces)
		return NULL;
	interfaces->datapath = datapath;
	interfaces->mode = mode;
	interfaces->hooks = *hooks;
	datapath_visit_tc(datapath, TC_EGRESS, note_egress, &interfaces->egress);
	interfaces->egress &= datapath_has_tc(datapath, TC_EGRESS);
	interfaces->ports = slots_new(1, datapath_capacity_ports(datapath));
	if (interfaces->ports) {
		ports_reserve(interfaces);
		return interfaces;
	}
	free(interfaces);
	return NULL;
}

void interfaces_free(struct interfaces *interfaces)
{
	struct interface *interface, *next;

	if (!interfaces)
		return;
	HASH_ITER (hh, interfaces->table, interface, next) {
		HASH_DEL(interfaces->table, interface);
		free(interface);
	}
	wishes_free(interfaces);
	slots_free(interfaces->ports);
	free(interfaces);
}

static struct interface *find(const struct interfaces *interfaces, uint32_t ifindex)
{
	struct interface *interface;

	HASH_FIND(hh, interfaces->table, &ifindex, sizeof(ifindex), interface);
	return interface;
}

static struct interface *find_name(const struct interfaces *interfaces, const char *name)
{
	struct interface *interface, *next;

	HASH_ITER (hh, interfaces->table, interface, next)
		if (!strcmp(interface->link.name, name))
			return interface;
	return NULL;
}

static struct interface *insert(struct interfaces *interfaces, const struct link *link)
{
	struct interface *interface = calloc(1, sizeof(*interface));

	if (!interface)
		return NULL;
	interface->link = *link;
	HASH_ADD(hh, interfaces->table, link.ifindex, sizeof(link->ifindex), interface);
	if (interface->hh.tbl)
		return interface;
	free(interface);
	return NULL;
}

static int refuse_unknown(const struct interfaces *interfaces, const char *name,
			  struct refusal *refusal)
{
	struct interface *interface, *next;
	char names[REASON_MAX] = "";
	size_t used = 0;

	HASH_ITER (hh, interfaces->table, interface, next)
		if (!interface->link.loopback && used < sizeof(names) - IF_NAMESIZE - 2)
			used += (size_t)snprintf(names + used, sizeof(names) - used, "%s%s",
						 used ? ", " : "", interface->link.name);
	return refuse_with(refusal, ENODEV, "interface %s does not exist here; there are: %s", name,
			   used ? names : "none");
}

/* By XDP or by tc. */
static bool is_attached_right(const struct interfaces *interfaces,
			      const struct interface *interface)
{
	const bool by_tc = wish_mode(interfaces, interface->link.name) == MODE_TC;

	return interface->attached && (interface->mode == MODE_TC) == by_tc;
}

static void attach_matching(struct interfaces *interfaces)
{
	struct interface *interface, *next;

	HASH_ITER (hh, interfaces->table, interface, next) {
		if (interface->link.loopback ||
		    !interfaces_wish_for(interfaces, interface->link.name) ||
		    is_attached_right(interfaces, interface))
			continue;
		if (!interface_attach(interfaces, interface))
			interfaces->hooks.changed(interfaces->hooks.context,
						  interface->link.ifindex);
	}
}

/* A name is a promise to attach now or say why not; a glob takes what it finds, now and later. */
static int attach_named(struct interfaces *interfaces, const char *name, struct refusal *refusal)
{
	struct interface *interface = find_name(interfaces, name);
	int error;

	if (!interface)
		return refuse_unknown(interfaces, name, refusal);
	if (interface->link.loopback)
		return refuse(refusal,
			      "interface %s is the loopback; name one that packets "
			      "arrive by",
			      name);
	error = is_attached_right(interfaces, interface) ? 0
							 : interface_attach(interfaces, interface);
	if (error)
		return refuse_with(refusal, -error, "%s", interface->error);
	interfaces->hooks.changed(interfaces->hooks.context, interface->link.ifindex);
	return 0;
}

int interfaces_want(struct interfaces *interfaces, const char *pattern, bool by_tc,
		    struct refusal *refusal)
{
	const struct wish *wish;
	int error;

	if (!pattern[0] || strlen(pattern) >= REASON_MAX / 2)
		return refuse(refusal, "interface '%.20s' is not a name or a glob", pattern);
	for (wish = interfaces->wishes; wish; wish = wish->next)
		if (!strcmp(wish->pattern, pattern))
			return refuse_with(refusal, EEXIST, "interface %s is asked for already",
					   pattern);
	if (by_tc && !datapath_has_tc(interfaces->datapath, TC_INGRESS))
		return refuse_with(refusal, EOPNOTSUPP,
				   "interface %s: lbd was started without --tc-interface, and may "
				   "load no programs any more",
				   pattern);
	error = wish_add(interfaces, pattern, by_tc, refusal);
	if (error)
		return error;
	if (!is_glob(pattern))
		error = attach_named(interfaces, pattern, refusal);
	if (error)
		wish_remove(interfaces, pattern);
	attach_matching(interfaces); /* after an error: what a glob had wanted there */
	return error;
}

int interfaces_unwant(struct interfaces *interfaces, const char *pattern, struct refusal *refusal)
{
	struct interface *interface, *next;

	if (wish_remove(interfaces, pattern))
		return refuse_with(refusal, ENOENT,
				   "interface %s is not asked for; `lbctl interface list` shows "
				   "the names and globs that are",
				   pattern);
	HASH_ITER (hh, interfaces->table, interface, next) {
		if (!interface->attached || interfaces_wish_for(interfaces, interface->link.name))
			continue; /* for a glob it may be the other way: see attach_matching */
		interface_detach(interfaces, interface);
		interfaces->hooks.changed(interfaces->hooks.context, interface->link.ifindex);
	}
	attach_matching(interfaces);
	return 0;
}

void interfaces_set_egress(struct interfaces *interfaces, bool egress)
{
	struct interface *interface, *next;

	if (egress == interfaces->egress)
		return;
	interfaces->egress = egress;
	HASH_ITER (hh, interfaces->table, interface, next)
		interface_follow_egress(interfaces, interface);
}

void interfaces_retry(struct interfaces *interfaces)
{
	struct interface *interface, *next;

	attach_matching(interfaces);
	HASH_ITER (hh, interfaces->table, interface, next) {
		if (!interface->attached || interface->receives)
			continue;
		interface_prepare_peer(interfaces, interface);
		port_update(interfaces, interface);
	}
}

static void drop_unwanted(void *context, const char *name)
{
	struct interfaces *interfaces = context;
	const struct interface *interface = find_name(interfaces, name);

	/* What could not be taken over yet runs on; it is tried again. */
	if (interface && (interface->attached || interfaces_wish_for(interfaces, name)))
		return;
	if (!datapath_detach(interfaces->datapath, name))
		log_info("detached", "interface=%s why=%s", name, log_quote("no longer asked for"));
}

void interfaces_drop_unwanted(struct interfaces *interfaces)
{
	datapath_links(interfaces->datapath, drop_unwanted, interfaces);
	ports_drop_unclaimed(interfaces);
}

/* What is attached stays so under another name: the pin is named after the interface. */
static void follow_rename(struct interfaces *interfaces, struct interface *interface,
			  const struct link *link)
{
	if (!strcmp(interface->link.name, link->name))
		return;
	log_info("renamed", "interface=%s to=%s", interface->link.name, link->name);
	if (interface->attached)
		interface_detach(interfaces, interface);
}

void interfaces_link_changed(struct interfaces *interfaces, const struct link *link)
{
	struct interface *interface = find(interfaces, link->ifindex);
	struct link before = {};
	bool wanted;

	if (interface) {
		before = interface->link;
		follow_rename(interfaces, interface, link);
		interface->link = *link;
	} else {
		interface = insert(interfaces, link);
		if (!interface) {
			log_error("out-of-memory", "interface=%s", link->name);
			return;
		}
	}
	wanted = !link->loopback && interfaces_wish_for(interfaces, link->name);
	if (wanted && !interface->attached)
		interface_attach(interfaces, interface);
	else if (wanted && (before.netnsid != link->netnsid ||
			    before.peer_ifindex != link->peer_ifindex || before.up != link->up))
		interface_prepare_peer(interfaces, interface);
	if (interface->port)
		port_update(interfaces, interface);
	if (memcmp(&before, link, sizeof(before)))
		interfaces->hooks.changed(interfaces->hooks.context, link->ifindex);
}

void interfaces_link_vanished(struct interfaces *interfaces, uint32_t ifindex, const char *name)
{
	struct interface *interface = find(interfaces, ifindex);

	if (!interface)
		return;
	if (interface->attached) {
		log_info("vanished", "interface=%s", name);
		datapath_detach(interfaces->datapath, interface->link.name);
	}
	port_drop(interfaces, interface);
	HASH_DEL(interfaces->table, interface);
	free(interface);
	interfaces->hooks.changed(interfaces->hooks.context, ifindex);
}

uint16_t interfaces_port(struct interfaces *interfaces, uint32_t ifindex)
{
	struct interface *interface = find(interfaces, ifindex);

	if (!interface || interface->link.loopback || !interface->link.has_mac)
		return 0;
	/* As in interface_attach: one in use keeps its flags, whoever asks for it first. */
	if (!interface->port && port_take(interfaces, interface))
		return 0;
	if (!port_is_written(interfaces, interface) && port_update(interfaces, interface))
		return 0;
	return interface->port;
}

const char *interfaces_name(const struct interfaces *interfaces, uint32_t ifindex)
{
	const struct interface *interface = find(interfaces, ifindex);

	return interface ? interface->link.name : "";
}

void interfaces_visit(const struct interfaces *interfaces,
		      void (*visit)(void *context, const struct interface_status *status),
		      void *context)
{
	struct interface *interface, *next;
	const struct wish *wish;

	HASH_ITER (hh, interfaces->table, interface, next) {
		wish = interfaces_wish_for(interfaces, interface->link.name);
		if (!wish || interface->link.loopback)
			continue;
		visit(context, &(struct interface_status){
				       .link = interface->link,
				       .asked = wish->pattern,
				       .attached = interface->attached,
				       .mode = interface->mode,
				       .redirect = port_takes_frames(interfaces, interface),
				       .peer = interface->peer,
				       .error = interface->error,
			       });
	}
	for (wish = interfaces->wishes; wish; wish = wish->next) {
		struct interface_status missing = {
			.asked = wish->pattern, .peer = "", .error = "it does not exist now"};

		if (is_glob(wish->pattern) || find_name(interfaces, wish->pattern))
			continue;
		snprintf(missing.link.name, sizeof(missing.link.name), "%s", wish->pattern);
		visit(context, &missing);
	}
}
