/*
 * Whether what is pinned is still what lbd has left there: anybody who may write to the pins may
 * also remove them, or change what is in the maps. Each look is at a few things; who calls goes
 * round (control/audit.c). The filters and the addresses are looked at where they are kept. What
 * cannot be looked at, for want of an fd or of memory, is not known to be wrong and stays.
 */
#include "lb/datapath_audit.h"

#include <bpf/bpf.h>
#include <bpf/libbpf.h>
#include <errno.h>
#include <net/if.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>
#include "lb/datapath_internal.h"

/* 0 or -errno. */
static int map_id(int map, __u32 *id)
{
	struct bpf_map_info info = {};
	__u32 size = sizeof(info);

	if (bpf_obj_get_info_by_fd(map, &info, &size))
		return -errno;
	*id = info.id;
	return 0;
}

/* Whether it is what is pinned: 1, 0 or -errno. */
static int is_pinned(const char *path, int ours, int (*id)(int fd, __u32 *id))
{
	const int pinned = bpf_obj_get(path);
	__u32 found = 0, wanted = 0;
	int error;

	if (pinned < 0)
		return pin_is_not_ours(errno) ? 0 : -errno;
	error = id(pinned, &found);
	close(pinned);
	if (!error)
		error = id(ours, &wanted);
	return error ? error : found == wanted;
}

/*
 * Whatever else is pinned there gives way in one step: whenever lbd ends, the name is that of one
 * or the other.
 */
static int audit_pin(const char *path, const char *fresh, int ours, int (*id)(int fd, __u32 *id))
{
	const int pinned = is_pinned(path, ours, id);

	if (pinned)
		return pinned < 0 ? pinned : 0;
	return bpf_obj_pin(ours, fresh) || rename(fresh, path) ? -errno : 1;
}

int audit_map_pin(const struct datapath *datapath, const char *name, const struct bpf_map *map)
{
	char path[PIN_PATH_MAX], fresh[PIN_PATH_MAX];
	int error = datapath_pin_path(datapath, "map", "audit", fresh);

	if (!error)
		error = datapath_pin_path(datapath, "map", name, path);
	return error ? error : audit_pin(path, fresh, bpf_map__fd(map), map_id);
}

void datapath_audit_pins(struct datapath *datapath, struct repairs *repairs)
{
	const struct bpf_program *program = datapath->skeleton->progs.lb;
	char path[PIN_PATH_MAX], fresh[PIN_PATH_MAX];
	const struct bpf_map *map = NULL;
	struct refusal ignored;
	int error;

	pins_make_directories(datapath, &ignored); /* where they are gone, too */
	if (datapath_pin_path(datapath, "map", "audit", fresh))
		return;
	unlink(fresh); /* of an lbd that ended there */
	while ((map = bpf_object__next_map(datapath->skeleton->obj, map))) {
		if (!pins_hold(map))
			continue;
		error = pins_map_path(datapath, map, path);
		repairs_note(repairs, REPAIR_PINS,
			     error ? error : audit_pin(path, fresh, bpf_map__fd(map), map_id));
	}
	error = datapath_pin_path(datapath, "program", "lb", path);
	repairs_note(repairs, REPAIR_PINS,
		     error ? error : audit_pin(path, fresh, bpf_program__fd(program), program_id));
	tc_audit_pins(datapath, repairs);
}

static int audit_part(const struct datapath *datapath, __u32 index)
{
	const int map = bpf_map__fd(datapath->skeleton->maps.programs);
	const int program = bpf_program__fd(datapath->parts[index]);
	__u32 found, wanted; /* the kernel answers with the program's id */
	int error = program_id(program, &wanted);

	if (error)
		return error;
	if (!bpf_map_lookup_elem(map, &index, &found) && found == wanted)
		return 0;
	return bpf_map_update_elem(map, &index, &program, BPF_ANY) ? -errno : 1;
}

/* The programs have it as a constant; the next lbd reads it. */
static int audit_seed(const struct datapath *datapath)
{
	const int map = bpf_map__fd(datapath->skeleton->maps.seed);
	const __u32 first = 0;
	uint64_t seed;

	if (!bpf_map_lookup_elem(map, &first, &seed) && seed == datapath->seed)
		return 0;
	return bpf_map_update_elem(map, &first, &datapath->seed, BPF_ANY) ? -errno : 1;
}

void datapath_audit_programs(struct datapath *datapath, struct repairs *repairs)
{
	for (__u32 i = 0; i < _PROGRAM_COUNT; i++)
		repairs_note(repairs, REPAIR_PROGRAMS, audit_part(datapath, i));
	repairs_note(repairs, REPAIR_PROGRAMS, audit_seed(datapath));
	tc_audit(datapath, repairs);
}

static bool has_ways(const struct datapath *datapath, uint32_t index, const struct port *port)
{
	const int ways = bpf_map__fd(datapath->skeleton->maps.ingresses);
	const int transmit = bpf_map__fd(datapath->skeleton->maps.transmit);
	struct ingress way;
	__u32 ifindex;

	return !bpf_map_lookup_elem(ways, &port->ifindex, &way) && way.port == index &&
	       !bpf_map_lookup_elem(transmit, &port->ifindex, &ifindex) && ifindex == port->ifindex;
}

/* What is gone is told by netlink. (bpf_xdp_query finds no fault with an index that nobody has.) */
static bool exists(uint32_t ifindex)
{
	char name[IF_NAMESIZE];

	return if_indextoname(ifindex, name) || errno != ENXIO;
}

int datapath_audit_port(struct datapath *datapath, uint32_t index, const struct port *port)
{
	struct port found;
	int error;

	datapath_get_port(datapath, index, &found);
	if (!memcmp(&found, port, sizeof(found)) && has_ways(datapath, index, port))
		return 0;
	if (!exists(port->ifindex))
		return 0;
	error = datapath_set_port(datapath, index, port);
	return error ? error : 1;
}

int datapath_is_attached(const struct datapath *datapath, const char *interface, uint32_t ifindex)
{
	const struct link_place place = {
		.pins = XDP_PINS,
		.type = BPF_LINK_TYPE_XDP,
		.ifindex = ifindex,
		.program_id = datapath->program_id,
	};
	const int attached = link_is_there(datapath, interface, &place);

	return attached ? attached : !exists(ifindex);
}

int datapath_audit_source_range(struct datapath *datapath, uint32_t service,
				const struct prefix *range)
{
	int error;

	if (datapath_has_source_range(datapath, service, range))
		return 0;
	error = datapath_add_source_range(datapath, service, range);
	return error ? error : 1;
}
