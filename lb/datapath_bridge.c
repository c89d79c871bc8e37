/*
 * The move from the programs of an earlier lbd, whose maps are of other sizes or laid out otherwise
 * (datapath_move.c), to ours. Were links given ours one after another, a connection that begins by
 * an earlier program, or by ours, would for a moment be a stranger to those of other links. So:
 *
 *   1. Each link gets the program `cross`, which goes on in whatever the map `bridge` names: still
 *      the earlier program. Nothing changes.
 *   2. `bridge` names `bring`, for all links in one step. It goes on in our program and brings the
 *      packet's connection into our table, if only the earlier one has it. A grace period later
 *      nobody writes into that any more.
 *   3. What no packet has brought, lbd brings (datapath_catch_up.c). Our maps and our program
 *      become the pinned ones.
 *   4. Each link gets our program. Some have it then and some are still at 2, which is the same.
 *
 * An lbd that dies at 1 has changed nothing. One that dies between 2 and the end of 3, some tens of
 * milliseconds, leaves links with its program, and the earlier maps pinned: the next lbd goes on
 * with those, and what began meanwhile goes by the rings. What its programs call stays pinned until
 * links have others (datapath_pin.c).
 */
#include <bpf/bpf.h>
#include <bpf/libbpf.h>
#include <errno.h>
#include <string.h>
#include <unistd.h>
#include "lb/datapath_internal.h"

static int name(const struct datapath *datapath, enum bridge place, int program)
{
	const __u32 index = place;

	return bpf_map_update_elem(bpf_map__fd(datapath->bridge->maps.bridge), &index, &program,
				   BPF_ANY)
		       ? -errno
		       : 0;
}

static int name_bringing(const struct datapath *datapath)
{
	return name(datapath, BRIDGE_NEXT, bpf_program__fd(datapath->bridge->progs.bring));
}

/*
 * 0: links can go on in it, or -errno: there is none pinned, or it is of the other kind (with
 * fragments or without).
 */
static int name_earlier(const struct datapath *datapath)
{
	char path[PIN_PATH_MAX];
	int program, error = datapath_pin_path(datapath, "program", "lb", path);

	if (error)
		return error;
	program = bpf_obj_get(path);
	if (program < 0)
		return -errno;
	error = name(datapath, BRIDGE_NEXT, program);
	close(program);
	return error;
}

/* Without an earlier program, links go to 2 at once, one after another. */
static int cross(const struct datapath *datapath)
{
	int error = name(datapath, BRIDGE_LB, bpf_program__fd(datapath->skeleton->progs.lb));

	if (!error && name_earlier(datapath))
		error = name_bringing(datapath);
	if (!error)
		error = pins_add_bridge(datapath, bpf_map__fd(datapath->bridge->maps.bridge));
	if (error)
		return error;
	links_switch(datapath, bpf_program__fd(datapath->bridge->progs.cross));
	return name_bringing(datapath);
}

int datapath_move(struct datapath *datapath, uint32_t *missed, struct refusal *refusal)
{
	int error = cross(datapath);

	*missed = 0;
	if (!error)
		datapath_settle(datapath);
	if (!error)
		error = moves_catch_up(datapath, missed);
	if (!error)
		error = moves_copy_late(datapath);
	if (error) {
		name_earlier(datapath); /* where there is one, nothing has changed */
		return refuse_with(refusal, -error, "cannot move what is pinned to other maps: %s",
				   strerror(-error));
	}
	moves_commit(datapath); /* from here there is no way back: the audit repairs pins */
	links_switch(datapath, bpf_program__fd(datapath->skeleton->progs.lb));
	return 0;
}

void datapath_end_move(struct datapath *datapath)
{
	/* What began with the earlier programs since ours were loaded. */
	masquerades_open(datapath);
	pins_drop_others(datapath);
	lb_bpf__destroy(datapath->bridge);
	datapath->bridge = NULL;
}
