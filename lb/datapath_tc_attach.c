/*
 * Attaches the programs for tc to interfaces: by links of tcx, which are pinned and adopted like
 * those of XDP (DIR/tc_ingress/INTERFACE, DIR/tc_egress/INTERFACE), and where the kernel has no tcx
 * (before 6.6) by filters (datapath_clsact.c).
 */
#include <bpf/bpf.h>
#include <bpf/libbpf.h>
#include <errno.h>
#include <string.h>
#include <unistd.h>
#include "lb/datapath_audit.h"
#include "lb/datapath_internal.h"

/* Newer than the headers of Debian 12: enum bpf_attach_type, enum bpf_link_type. */
#define TCX_INGRESS 46
#define TCX_EGRESS 47
#define LINK_TYPE_TCX 11

static const struct {
	const char *name;
	const char *pins;
	int type;
} SIDES[_TC_SIDE_COUNT] = {
	[TC_INGRESS] = {"ingress", "tc_ingress", TCX_INGRESS},
	[TC_EGRESS] = {"egress", "tc_egress", TCX_EGRESS},
};

static int program_of(const struct datapath *datapath, enum tc_side side)
{
	return bpf_program__fd(datapath->tc.side[side].program);
}

/* 1: the link of an earlier lbd has our program, 0: there is none that fits, or -errno. */
static int adopt_tcx(struct datapath *datapath, uint32_t ifindex, enum tc_side side,
		     const char *path)
{
	const int link = link_pin_take(datapath, SIDES[side].pins, ifindex, path);
	int error;

	if (link < 0)
		return link == -ENOENT ? 0 : link;
	error = bpf_link_update(link, program_of(datapath, side), NULL) ? -errno : 0;
	if (error == -ENOLINK || error == -EINVAL) {
		bpf_link_detach(link);
		unlink(path);
	}
	close(link);
	if (!error)
		return 1;
	return error == -ENOLINK || error == -EINVAL ? 0 : error;
}

static int create_tcx(struct datapath *datapath, uint32_t ifindex, enum tc_side side,
		      const char *path)
{
	const int link = bpf_link_create(program_of(datapath, side), (int)ifindex,
					 (enum bpf_attach_type)SIDES[side].type, NULL);
	int error;

	if (link < 0)
		return -errno;
	error = link_pin(datapath, link, path);
	close(link); /* the pin holds it, or, where pinning failed, this detaches it again */
	return error;
}

static int drop_link(const struct datapath *datapath, const char *interface, enum tc_side side)
{
	return link_pin_drop(datapath, SIDES[side].pins, interface);
}

static int attach_filter(struct datapath *datapath, const char *interface, uint32_t ifindex,
			 enum tc_side side)
{
	const int error = clsact_attach(datapath, interface, ifindex, side);

	if (!error)
		drop_link(datapath, interface, side);
	return error;
}

static int attach_tcx(struct datapath *datapath, const char *interface, uint32_t ifindex,
		      enum tc_side side)
{
	char path[PIN_PATH_MAX];
	int answer = link_pin_path(datapath, SIDES[side].pins, interface, path);

	if (!answer)
		answer = adopt_tcx(datapath, ifindex, side, path);
	if (answer > 0)
		return 0;
	if (!answer)
		answer = create_tcx(datapath, ifindex, side, path);
	if (!answer)
		clsact_detach(datapath, interface, side);
	return answer;
}

int datapath_attach_tc(struct datapath *datapath, const char *interface, uint32_t ifindex,
		       enum tc_side side, struct refusal *refusal)
{
	int error = -EINVAL;

	if (!datapath->tc.side[side].object)
		return refuse_with(refusal, EOPNOTSUPP,
				   "%s: no programs for tc are loaded; start lbd with "
				   "--tc-interface, to which a glob can be given",
				   interface);
	if (!datapath->tc.by_filter)
		error = attach_tcx(datapath, interface, ifindex, side);
	if (error == -EINVAL) {
		error = attach_filter(datapath, interface, ifindex, side);
		datapath->tc.by_filter |= !error;
	}
	return error ? refuse_with(refusal, -error, "%s: cannot attach to tc's %s: %s", interface,
				   SIDES[side].name, strerror(-error))
		     : 0;
}

int datapath_detach_tc(struct datapath *datapath, const char *interface, enum tc_side side)
{
	const int link = drop_link(datapath, interface, side);
	const int filter = clsact_detach(datapath, interface, side);

	return link == -ENOENT ? filter : link;
}

bool datapath_has_tc(const struct datapath *datapath, enum tc_side side)
{
	return datapath->tc.side[side].object;
}

int datapath_is_attached_tc(const struct datapath *datapath, const char *interface,
			    uint32_t ifindex, enum tc_side side)
{
	const struct link_place place = {
		.pins = SIDES[side].pins,
		.type = LINK_TYPE_TCX,
		.ifindex = ifindex,
		.program_id = datapath->tc.side[side].program_id,
	};

	return datapath->tc.by_filter ? clsact_is_attached(datapath, interface, ifindex, side)
				      : link_is_there(datapath, interface, &place);
}

int datapath_visit_tc(struct datapath *datapath, enum tc_side side,
		      void (*visit)(void *context, const char *interface), void *context)
{
	const int error = link_pins_visit(datapath, SIDES[side].pins, visit, context);
	const int other = clsact_visit(datapath, side, visit, context);

	return error ? error : other;
}
