/*
 * Puts the parts of lbd together, in the order that never lets traffic down: adopt what is pinned,
 * bring the wanted tables, then attach, then say `ready`. On the way out everything that is pinned
 * stays and goes on.
 */
#include "control/daemon.h"

#include <errno.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>
#include "control/audit.h"
#include "control/events.h"
#include "control/files.h"
#include "control/kube/kube.h"
#include "control/kube/local.h"
#include "control/link.h"
#include "control/log.h"
#include "control/lost_sockets.h"
#include "control/metrics.h"
#include "control/node.h"
#include "control/notify.h"
#include "control/requests.h"
#include "control/server.h"
#include "control/sockets.h"
#include "control/syscalls.h"
#include "control/takeover.h"
#include "control/upkeep.h"
#include "control/wall_clock.h"
#include "control/wanted.h"
#include "lb/bpffs.h"
#include "lb/privilege.h"

#define READY_INTERVAL_MS 10
#define READY_WAIT_MS 1000 /* for neighbours that do not answer */

static uint64_t monotonic_ns(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return (uint64_t)now.tv_sec * 1000000000ull + (uint64_t)now.tv_nsec;
}

/* Destinations come and go with services; the table keeps what an earlier lbd resolved. */
static int destination_added(void *context, const struct address *address, uint32_t slot)
{
	struct daemon *daemon = context;
	struct nexthop known;

	datapath_get_nexthop(daemon->datapath, slot, &known);
	return neighbours_watch(daemon->neighbours, address, slot, known.port ? &known : NULL);
}

static void destination_removed(void *context, const struct address *address, uint32_t slot)
{
	const struct nexthop unresolved = {};
	struct daemon *daemon = context;

	neighbours_unwatch(daemon->neighbours, address);
	datapath_set_nexthop(daemon->datapath, slot, &unresolved);
}

static void nexthop_resolved(void *context, uint32_t slot, const struct nexthop *hop)
{
	struct daemon *daemon = context;

	datapath_set_nexthop(daemon->datapath, slot, hop);
}

static uint16_t port_of(void *context, uint32_t ifindex)
{
	struct daemon *daemon = context;

	return interfaces_port(daemon->interfaces, ifindex);
}

static void interface_changed(void *context, uint32_t ifindex)
{
	struct daemon *daemon = context;

	node_changed(daemon);
	neighbours_link_changed(daemon->neighbours, ifindex);
}

static void link_changed(void *context, const struct link *link)
{
	struct daemon *daemon = context;

	interfaces_link_changed(daemon->interfaces, link);
}

static void link_vanished(void *context, uint32_t ifindex, const char *name)
{
	struct daemon *daemon = context;

	interfaces_link_vanished(daemon->interfaces, ifindex, name);
}

static json_t *answer(void *context, const json_t *request)
{
	return requests_answer(context, request);
}

static json_t *answer_reader(void *context, const json_t *request)
{
	return requests_answer_reader(context, request);
}

static bool is_settled(void *context)
{
	struct daemon *daemon = context;

	if (neighbours_pending(daemon->neighbours))
		return false;
	upkeep_follow_egress(daemon);
	return true;
}

static void stop(void *context, uint32_t events)
{
	struct daemon *daemon = context;
	const bool detaches = daemon->options.detach_on_exit;

	log_info("stopping", "signal=%u why=%s", events,
		 log_quote(detaches ? "programs, maps and links go too (--detach-on-exit)"
				    : "what is pinned goes on without lbd"));
	if (detaches) {
		takeover_hand_over(daemon);
		datapath_forget(daemon->datapath);
	}
	loop_stop(daemon->loop);
}

static void reload(void *context, uint32_t events)
{
	struct daemon *daemon = context;
	struct refusal refusal;

	(void)events;
	if (files_load(daemon->reconcile, daemon->deny, daemon->options.tables.items,
		       daemon->options.tables.count, &refusal))
		log_error("reload-refused", "reason=%s", log_quote(refusal.text));
}

/* Ready once the neighbours have answered, or had the time to. */
static void check_ready(void *context, uint32_t events)
{
	struct daemon *daemon = context;
	uint64_t waited_ms = (monotonic_ns() - daemon->started_ns) / 1000000;

	(void)events;
	if (daemon->ready)
		return;
	if (neighbours_pending(daemon->neighbours) && waited_ms < READY_WAIT_MS)
		return;
	daemon->ready = true;
	log_info("ready", "services=%zu backends=%zu unresolved=%zu version=%s",
		 reconcile_count_services(daemon->reconcile),
		 reconcile_count_backends(daemon->reconcile),
		 neighbours_pending(daemon->neighbours), LB_VERSION);
	notify_ready();
}

static int admit(struct daemon *daemon, struct refusal *refusal)
{
	struct admission admission = {.group_changes = daemon->options.group_changes};
	int error;

	if (!daemon->options.socket_group)
		return 0;
	error = admission_find_group(daemon->options.socket_group, &admission, refusal);
	return error ? error : server_admit(daemon->server, &admission, refusal);
}

/* Probes are answered from the start: while lbd starts it is healthy. */
static int open_http(struct daemon *daemon, struct refusal *refusal)
{
	const struct options *options = &daemon->options;

	daemon->http = http_new(daemon->loop);
	if (daemon->http)
		daemon->health = health_new(daemon->http);
	if (!daemon->health)
		return refuse_with(refusal, ENOMEM, "out of memory");
	if (options->healthz.on &&
	    health_listen(daemon->health, &options->healthz.endpoint, refusal))
		return -EINVAL;
	return options->metrics.on ? metrics_listen(daemon, refusal) : 0;
}

static int prepare_bpffs(struct daemon *daemon, struct refusal *refusal)
{
	enum bpffs_made made;
	int error;

	error = bpffs_prepare(daemon->options.pin_path, &daemon->pin_path, &made, refusal);
	if (error)
		return error;
	if (made == BPFFS_MOUNTED)
		log_info(
			"bpffs-mounted", "at=/sys/fs/bpf why=%s",
			log_quote("there was none; in a private mount namespace pins end with it"));
	if (made == BPFFS_OUTSIDE)
		log_info("bpffs-outside", "pin=%s why=%s", log_quote(daemon->options.pin_path),
			 log_quote("ip netns exec hides it here; look for the pins outside"));
	daemon->pin_lock = bpffs_lock(daemon->pin_path, refusal);
	return daemon->pin_lock < 0 ? daemon->pin_lock : 0;
}

/* When lbd has no use for most of them any more, and has not read a word that others wrote. */
static int drop_privileges(struct refusal *refusal)
{
	const size_t count = sizeof(SPARE_PRIVILEGES) / sizeof(SPARE_PRIVILEGES[0]);
	int error;

	error = privilege_drop(refusal);
	for (size_t i = 0; !error && i < count; i++)
		if (!privilege_is_held(SPARE_PRIVILEGES[i].capability))
			log_info("without-privilege", "capability=%s means=%s",
				 SPARE_PRIVILEGES[i].name, log_quote(SPARE_PRIVILEGES[i].loss));
	return error;
}

/* Nothing is loaded any more, and what is read from now on is not lbd's own. */
static int restrict_what_follows(const struct daemon *daemon, struct refusal *refusal)
{
	int error = privilege_drop_loading(refusal);

	if (!error && daemon->options.seccomp)
		error = syscalls_restrict(options_name_cluster(&daemon->options), refusal);
	if (!daemon->options.seccomp)
		log_warning("system-calls-unrestricted", "why=%s",
			    log_quote("seccomp is false in the file of --config"));
	return error;
}

static int open_datapath(struct daemon *daemon, struct refusal *refusal)
{
	const struct interface_hooks interface_hooks = {daemon, interface_changed};
	const struct neighbour_hooks neighbour_hooks = {daemon, nexthop_resolved, port_of};
	const struct destination_hooks destination_hooks = {daemon, destination_added,
							    destination_removed};
	int error;

	node_choose_ports(&daemon->options.datapath.masquerade_ports);
	daemon->options.datapath.pin_path = daemon->pin_path;
	daemon->options.datapath.cgroup = daemon->options.cgroup;
	daemon->options.datapath.linear = daemon->options.mode == MODE_GENERIC;
	daemon->options.datapath.tunnel_sources = daemon->options.dsr_from.items;
	daemon->options.datapath.tunnel_source_count = daemon->options.dsr_from.count;
	daemon->options.datapath.tc = daemon->options.tc_interfaces.count;
	daemon->options.datapath.egress = daemon->options.egress != EGRESS_OFF;
	error = datapath_open(&daemon->options.datapath, &daemon->datapath, &daemon->adopted,
			      refusal);
	if (!error)
		error = restrict_what_follows(daemon, refusal);
	if (error)
		return error;
	daemon->interfaces =
		interfaces_new(daemon->datapath, daemon->options.mode, &interface_hooks);
	daemon->neighbours = neighbours_new(daemon->loop, &neighbour_hooks);
	daemon->reconcile = reconcile_new(daemon->datapath, &destination_hooks);
	daemon->deny = deny_list_new(daemon->datapath);
	if (!daemon->interfaces || !daemon->neighbours || !daemon->reconcile || !daemon->deny)
		return refuse_with(refusal, errno ? errno : ENOMEM, "cannot start: %s",
				   strerror(errno ? errno : ENOMEM));
	if (!daemon->adopted)
		return 0;
	error = reconcile_adopt(daemon->reconcile);
	if (error)
		return refuse_with(refusal, -error, "cannot adopt what is pinned in %s: %s",
				   daemon->options.pin_path, strerror(-error));
	log_info("adopted", "services=%zu pin=%s", reconcile_count_services(daemon->reconcile),
		 log_quote(daemon->options.pin_path));
	return 0;
}

static int bring_tables(struct daemon *daemon, struct files *files, struct refusal *refusal)
{
	const struct operated operated = {daemon->reconcile, daemon->deny};
	int error;

	error = operator_open(operated, daemon->options.state_path, &daemon->operator, refusal);
	if (error)
		files_drop(files);
	else
		error = files_bring(files, daemon->reconcile, daemon->deny, refusal);
	if (error)
		return error;
	if (operator_is_incomplete(daemon->operator))
		return 0;
	deny_list_drop_orphans(daemon->deny);
	/* Of a cluster's nobody knows yet which are left: kube_local tells, once it has lists. */
	if (daemon->kube_local)
		return 0;
	error = reconcile_drop_orphans(daemon->reconcile);
	if (error > 0)
		log_info("dropped", "services=%d why=%s", error,
			 log_quote("pinned, but no source has them"));
	return error < 0 ? refuse_with(refusal, -error, "cannot clean the tables: %s",
				       strerror(-error))
			 : 0;
}

/* Adopt what is pinned and bring the wanted tables; the files are read in the meantime. */
static int open_tables(struct daemon *daemon, struct refusal *refusal)
{
	struct files *files =
		files_read_ahead(daemon->options.tables.items, daemon->options.tables.count);
	int error;

	if (!files)
		return refuse_with(refusal, ENOMEM, "out of memory");
	error = open_datapath(daemon, refusal);
	if (!error)
		error = node_learn(daemon, refusal);
	if (!error)
		return bring_tables(daemon, files, refusal);
	files_drop(files);
	return error;
}

static int attach(struct daemon *daemon, struct refusal *refusal)
{
	const struct link_hooks link_hooks = {daemon, link_changed, link_vanished};
	int error;

	daemon->links = links_open(daemon->loop, &link_hooks);
	if (!daemon->links)
		return refuse_with(refusal, errno, "cannot listen to netlink: %s", strerror(errno));
	error = wanted_attach(daemon->interfaces, &daemon->options, refusal);
	if (error)
		return error;
	node_changed(daemon);
	interfaces_drop_unwanted(daemon->interfaces);
	datapath_end_move(daemon->datapath);
	return 0;
}

/* Limits other than before, or maps laid out otherwise: from here on packets meet ours. */
static int move(struct daemon *daemon, struct refusal *refusal)
{
	uint32_t missed;
	int error = datapath_move(daemon->datapath, &missed, refusal);

	if (error)
		return error;
	log_info("moved", "connections_without_room=%u why=%s", missed,
		 log_quote("what was pinned is of other limits or of another lbd"));
	return 0;
}

static int listen_to_signals(struct daemon *daemon)
{
	int error = loop_add_signal(daemon->loop, SIGTERM, stop, daemon);

	if (!error)
		error = loop_add_signal(daemon->loop, SIGINT, stop, daemon);
	if (!error)
		error = loop_add_signal(daemon->loop, SIGHUP, reload, daemon);
	return error;
}

/* What lbd does now and then. */
static int start_rounds(struct daemon *daemon, struct refusal *refusal)
{
	int error = upkeep_start(daemon);

	if (!error)
		error = audit_start(daemon);
	if (!error)
		error = events_start(daemon);
	if (!error)
		error = sockets_start(daemon);
	if (!error)
		error = upkeep_add_timer(daemon, check_ready, READY_INTERVAL_MS);
	return error ? refuse_with(refusal, -error, "cannot start: %s", strerror(-error)) : 0;
}

int daemon_start(struct daemon *daemon, struct refusal *refusal)
{
	const struct server_hooks server_hooks = {daemon, answer, is_settled, answer_reader};
	int error;

	error = privilege_check(refusal);
	if (error)
		return error;
	daemon->started_ns = monotonic_ns();
	daemon->started_wall_ms = wall_clock_ms();
	daemon->loop = loop_new();
	if (!daemon->loop || listen_to_signals(daemon))
		return refuse_with(refusal, errno, "cannot start: %s", strerror(errno));
	/* The socket first: a second lbd of the same socket ends before it touches anything. */
	daemon->server =
		server_open(daemon->loop, daemon->options.socket_path, &server_hooks, refusal);
	if (!daemon->server)
		return -EINVAL;
	error = admit(daemon, refusal);
	if (!error)
		error = open_http(daemon, refusal);
	if (!error)
		error = prepare_bpffs(daemon, refusal);
	if (!error)
		error = kube_prepare(&daemon->options, &daemon->kube, refusal);
	if (!error)
		error = drop_privileges(refusal);
	if (!error)
		error = open_tables(daemon, refusal);
	if (!error && datapath_is_moving(daemon->datapath))
		error = move(daemon, refusal);
	if (!error)
		takeover_begin(daemon);
	if (!error)
		error = attach(daemon, refusal);
	if (!error)
		takeover_run(daemon);
	if (!error)
		error = sockets_attach(daemon, refusal);
	if (!error)
		error = start_rounds(daemon, refusal);
	if (!error)
		error = kube_start(daemon->kube, daemon, refusal);
	if (error && daemon->datapath)
		datapath_leave_unknown(daemon->datapath, 0);
	/* What this start has made nobody else needs; what it found goes on as it was. */
	if (error && daemon->datapath && !daemon->adopted)
		datapath_forget(daemon->datapath);
	return error;
}

void daemon_finish(struct daemon *daemon)
{
	kube_stop(daemon->kube);
	kube_local_free(daemon->kube_local);
	server_close(daemon->server);
	health_free(daemon->health);
	http_free(daemon->http);
	operator_close(daemon->operator);
	links_close(daemon->links);
	own_addresses_close(daemon->own_addresses);
	networks_free(daemon->networks);
	masquerade_sources_free(daemon->masquerade_sources);
	neighbours_free(daemon->neighbours);
	interfaces_free(daemon->interfaces);
	reconcile_free(daemon->reconcile);
	deny_list_free(daemon->deny);
	fragments_free(daemon->fragments);
	socket_ender_free(daemon->socket_ender);
	takeover_finish(daemon);
	datapath_close(daemon->datapath);
	free(daemon->pin_path);
	if (daemon->pin_lock >= 0)
		close(daemon->pin_lock);
	loop_free(daemon->loop);
}
