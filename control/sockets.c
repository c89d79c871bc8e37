/*
 * Clients on the node: see sockets.h.
 */
#include "control/sockets.h"

#include <errno.h>
#include "control/log.h"
#include "control/lost_sockets.h"
#include "control/upkeep.h"

#define LOST_INTERVAL_MS 200

int sockets_attach(struct daemon *daemon, struct refusal *refusal)
{
	const enum socket_lb which = daemon->options.datapath.socket_lb;
	const int error = datapath_attach_sockets(daemon->datapath, refusal);
	struct socket_status status;

	if (error || which == SOCKET_LB_OFF)
		return error;
	datapath_get_sockets(daemon->datapath, &status);
	log_info("sockets-attached", "socket_lb=%s programs=%u", socket_lb_name(which),
		 status.attached);
	if (!status.is_root && !daemon->options.cgroup)
		log_warning("not-the-root-cgroup", "why=%s",
			    log_quote("what is mounted here is not the root of all cgroups: "
				      "processes outside of it are not led; see --cgroup"));
	return 0;
}

static void end_lost(void *context, uint32_t events)
{
	struct daemon *daemon = context;

	(void)events;
	socket_ender_look(daemon->socket_ender, reconcile_changes(daemon->reconcile));
}

int sockets_start(struct daemon *daemon)
{
	if (daemon->options.datapath.socket_lb == SOCKET_LB_OFF)
		return 0;
	daemon->socket_ender = socket_ender_new(daemon->datapath);
	return daemon->socket_ender ? upkeep_add_timer(daemon, end_lost, LOST_INTERVAL_MS)
				    : -ENOMEM;
}
