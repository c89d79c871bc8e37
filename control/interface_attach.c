/*
 * Attaching one interface: the veth's other end first, then its port, then the program, so that the
 * first packet the program sees finds everything in place.
 */
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include "control/interface_internal.h"
#include "control/log.h"
#include "control/peer.h"

static void fail(struct interface *interface, const char *reason)
{
	const bool repeated = !strcmp(interface->error, reason);

	snprintf(interface->error, sizeof(interface->error), "%s", reason);
	if (!repeated)
		log_error(interface->attached ? "peer-not-prepared" : "not-attached",
			  "interface=%s reason=%s", interface->link.name, log_quote(reason));
}

static void describe_peer(struct interface *interface, const struct peer_result *result)
{
	snprintf(interface->peer, sizeof(interface->peer), "gro %s%s, tx checksumming %s%s",
		 result->receives ? "on" : "off", result->changed_gro ? " (by lbd)" : "",
		 result->full_checksum ? "off" : "on", result->changed_tx ? " (by lbd)" : "");
}

/* What was done once is told as long as it holds: a second look finds it done. */
static bool is_news(const struct interface *interface, const struct peer_result *result)
{
	return !interface->peer[0] || result->changed_gro || result->changed_tx ||
	       interface->receives != result->receives;
}

int interface_prepare_peer(struct interfaces *interfaces, struct interface *interface)
{
	struct peer_result result = {};
	struct refusal refusal;
	int error;

	if (wish_mode(interfaces, interface->link.name) == MODE_TC) {
		interface->receives = false; /* of what XDP redirects: the stack forwards it */
		return 0;
	}
	if (!interface_is_veth(interface)) {
		interface->receives = true;
		return 0;
	}
	error = peer_prepare(interface->link.netnsid, interface->link.peer_ifindex, &result,
			     &refusal);
	if (is_news(interface, &result))
		describe_peer(interface, &result);
	interface->receives = result.receives;
	if (error) {
		fail(interface, refusal.text);
		return error;
	}
	if (interface->attached)
		interface->error[0] = '\0';
	if (result.changed_gro || result.changed_tx)
		log_info("peer-prepared", "interface=%s did=%s", interface->link.name,
			 log_quote(interface->peer));
	return 0;
}

static void log_attached(const struct interfaces *interfaces, const struct interface *interface)
{
	log_info("attached", "interface=%s mode=%s", interface->link.name,
		 datapath_mode_name(interface->mode));
	if (interface->mode == MODE_GENERIC && interfaces->mode == MODE_AUTO)
		log_warning("generic-mode", "interface=%s why=%s", interface->link.name,
			    log_quote("the driver has no native XDP: the kernel allocates a buffer "
				      "for each packet before the program sees it, so a drop or "
				      "forward costs several times as much"));
}

static int run_program(struct interfaces *interfaces, struct interface *interface)
{
	struct refusal refusal;
	int error;

	error = datapath_attach(interfaces->datapath, interface->link.name, interface->link.ifindex,
				wish_mode(interfaces, interface->link.name), &interface->mode,
				&refusal);
	/* What was attached is so until it is known not to run any more. */
	if (error && interface->attached &&
	    datapath_may_run(interfaces->datapath, interface->link.ifindex))
		return error;
	interface->attached = !error;
	if (error)
		fail(interface, refusal.text);
	else
		interface->error[0] = '\0';
	return error;
}

int interface_attach_again(struct interfaces *interfaces, struct interface *interface)
{
	const int error = run_program(interfaces, interface);

	if (error && interface->attached)
		return error == -EAGAIN ? 0 : error;
	port_update(interfaces, interface);
	return error ? error : 1;
}

int interface_follow_egress(struct interfaces *interfaces, struct interface *interface)
{
	const bool wanted = interfaces->egress && interface->attached;
	struct refusal refusal;
	int error;

	if (!wanted) {
		datapath_detach_tc(interfaces->datapath, interface->link.name, TC_EGRESS);
		return 0;
	}
	error = datapath_attach_tc(interfaces->datapath, interface->link.name,
				   interface->link.ifindex, TC_EGRESS, &refusal);
	if (error)
		log_error("no-egress", "interface=%s reason=%s", interface->link.name,
			  log_quote(refusal.text));
	return error;
}

int interface_attach(struct interfaces *interfaces, struct interface *interface)
{
	int error;

	if (!interface->link.has_mac) {
		fail(interface, "not an Ethernet device");
		return -EOPNOTSUPP;
	}
	error = interface_prepare_peer(interfaces, interface);
	if (error)
		return error;
	/*
	 * A port that is in use, after a restart, keeps its flags until the program is known to
	 * run.
	 */
	if (!interface->port)
		error = port_take(interfaces, interface);
	if (!error && !port_is_written(interfaces, interface))
		error = port_update(interfaces, interface);
	if (error) {
		fail(interface, "no port left for it");
		return error;
	}
	error = run_program(interfaces, interface);
	if (error) {
		port_update(interfaces, interface);
		return error;
	}
	log_attached(interfaces, interface);
	interface_follow_egress(interfaces, interface);
	return port_update(interfaces, interface);
}

void interface_detach(struct interfaces *interfaces, struct interface *interface)
{
	interface->attached = false;
	interface->error[0] = '\0';
	if (!datapath_detach(interfaces->datapath, interface->link.name))
		log_info("detached", "interface=%s", interface->link.name);
	if (interface->port)
		port_update(interfaces, interface);
}
