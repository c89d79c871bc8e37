/*
 * Loads the objects for tc. Their maps are those of the XDP object, but for the map of the parts
 * that their programs call: programs of another type cannot be in one map.
 */
#include <bpf/bpf.h>
#include <bpf/btf.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include "lb/datapath_internal.h"
#include "bpf/egress.skel.h"
#include "bpf/tc.skel.h"

/* Variables lie in one map for all objects: as many, at the same places. */
#define SAME_PLACE(variable, other)                                                                \
	_Static_assert(offsetof(struct lb_bpf__bss, variable) ==                                   \
			       offsetof(struct other##_bpf__bss, variable),                        \
		       #variable)
SAME_PLACE(metadata_missing, tc);
SAME_PLACE(denied_prefixes, tc);
SAME_PLACE(virtual_filter, tc);
SAME_PLACE(masquerading, tc);
SAME_PLACE(unknown_to_stack, tc);
SAME_PLACE(metadata_missing, egress);
SAME_PLACE(denied_prefixes, egress);
SAME_PLACE(virtual_filter, egress);
SAME_PLACE(masquerading, egress);
SAME_PLACE(unknown_to_stack, egress);
_Static_assert(sizeof(struct lb_bpf__bss) == sizeof(struct tc_bpf__bss), "variables");
_Static_assert(sizeof(struct lb_bpf__bss) == sizeof(struct egress_bpf__bss), "variables");

/* Programs by enum program; NULL: it has no such, and who parts for it passes as it came. */
static const struct {
	const char *name; /* of the object, and what its map of parts is pinned as */
	const char *pin;
	const void *(*elf_bytes)(size_t *size);
	const char *program;
	const char *parts[_PROGRAM_COUNT];
} OBJECTS[_TC_SIDE_COUNT] = {
	[TC_INGRESS] = {"tc",
			"programs_tc",
			tc_bpf__elf_bytes,
			"lb",
			{[PROGRAM_ICMP] = "icmp",
			 [PROGRAM_RARE] = "rare",
			 [PROGRAM_STATELESS] = "stateless",
			 [PROGRAM_ANSWER] = "answer",
			 [PROGRAM_GONE] = "gone",
			 [PROGRAM_MASQUERADE] = "masquerade"}},
	[TC_EGRESS] = {"egress",
		       "programs_egress",
		       egress_bpf__elf_bytes,
		       "egress",
		       {[PROGRAM_ICMP] = "egress_icmp", [PROGRAM_RARE] = "egress_rare"}},
};

/* Those of a move between tables; tc has none. */
static bool is_of_move(const char *name)
{
	return !strcmp(name, "bridge") || !strcmp(name, "older_connections") ||
	       !strcmp(name, "cross") || !strcmp(name, "bring");
}

static struct bpf_map *parts_of(const struct tc_object *tc)
{
	return bpf_object__find_map_by_name(tc->object, "programs");
}

/* Where a constant lies; -ENOENT. */
static int find_constant(const struct btf *btf, const char *name, struct btf_var_secinfo *place)
{
	const int id = btf__find_by_name_kind(btf, ".rodata", BTF_KIND_DATASEC);
	const struct btf_type *section = id < 0 ? NULL : btf__type_by_id(btf, (__u32)id);
	const struct btf_var_secinfo *places = section ? btf_var_secinfos(section) : NULL;

	for (__u32 i = 0; section && i < btf_vlen(section); i++) {
		const struct btf_type *variable = btf__type_by_id(btf, places[i].type);

		if (strcmp(btf__name_by_offset(btf, variable->name_off), name))
			continue;
		*place = places[i];
		return 0;
	}
	return -ENOENT;
}

static struct bpf_map *constants_of(const struct bpf_object *object)
{
	struct bpf_map *map;

	bpf_object__for_each_map (map, object)
		if (bpf_map__is_internal(map) && strstr(bpf_map__name(map), ".rodata"))
			return map;
	return NULL;
}

/*
 * Constants by name: compilers put what they need themselves between them. An object has none that
 * the XDP object has not, since it includes the same headers.
 */
static int copy_constants(const struct datapath *datapath, const struct btf *to, uint8_t *target)
{
	const struct btf *from = bpf_object__btf(datapath->skeleton->obj);
	const uint8_t *source = (const uint8_t *)datapath->skeleton->rodata;
	const int id = btf__find_by_name_kind(to, ".rodata", BTF_KIND_DATASEC);
	const struct btf_type *section = id < 0 ? NULL : btf__type_by_id(to, (__u32)id);
	struct btf_var_secinfo there;

	for (__u32 i = 0; section && i < btf_vlen(section); i++) {
		const struct btf_var_secinfo *here = &btf_var_secinfos(section)[i];
		const struct btf_type *variable = btf__type_by_id(to, here->type);

		if (find_constant(from, btf__name_by_offset(to, variable->name_off), &there) ||
		    there.size != here->size)
			return -EINVAL;
		memcpy(target + here->offset, source + there.offset, here->size);
	}
	return section ? 0 : -EINVAL;
}

static int set_constants(const struct datapath *datapath, struct bpf_object *object)
{
	struct bpf_map *map = constants_of(object);
	const void *initial;
	uint8_t *values;
	size_t size = 0;
	int error;

	initial = map ? bpf_map__initial_value(map, &size) : NULL;
	values = initial ? malloc(size) : NULL;
	if (!values)
		return initial ? -ENOMEM : -EINVAL;
	memcpy(values, initial, size);
	error = copy_constants(datapath, bpf_object__btf(object), values);
	if (!error)
		error = bpf_map__set_initial_value(map, values, size);
	free(values);
	return error;
}

/* An fd of the pinned map of parts, or -errno. */
static int open_pinned_parts(const struct datapath *datapath, enum tc_side side)
{
	char path[PIN_PATH_MAX];
	int fd, error = datapath_pin_path(datapath, "map", OBJECTS[side].pin, path);

	if (error)
		return error;
	fd = bpf_obj_get(path);
	return fd < 0 ? -errno : fd;
}

/* While tables move, what programs of an earlier lbd call must not be ours, whose tables differ. */
static int take_parts(struct datapath *datapath, enum tc_side side, struct bpf_map *map)
{
	const int pinned = open_pinned_parts(datapath, side);
	int error;

	if (pinned < 0)
		return pinned == -ENOENT ? 0 : pinned;
	if (datapath_is_moving(datapath))
		error = pins_add_bridge(datapath, pinned);
	else
		error = bpf_map__reuse_fd(map, pinned);
	close(pinned);
	return error;
}

static int take_map(struct datapath *datapath, enum tc_side side, struct bpf_map *map)
{
	const char *name = bpf_map__name(map);
	const struct bpf_map *ours;

	if (bpf_map__is_internal(map))
		return strstr(name, ".bss")
			       ? bpf_map__reuse_fd(map, bpf_map__fd(datapath->skeleton->maps.bss))
			       : 0;
	if (!strcmp(name, "programs"))
		return take_parts(datapath, side, map);
	if (is_of_move(name))
		return bpf_map__set_autocreate(map, false);
	ours = bpf_object__find_map_by_name(datapath->skeleton->obj, name);
	return ours ? bpf_map__reuse_fd(map, bpf_map__fd(ours)) : -EINVAL;
}

static int prepare(struct datapath *datapath, enum tc_side side)
{
	struct bpf_object *object = datapath->tc.side[side].object;
	int error = set_constants(datapath, object);
	struct bpf_program *program;
	struct bpf_map *map;

	bpf_object__for_each_map (map, object)
		if (!error)
			error = take_map(datapath, side, map);
	bpf_object__for_each_program(program, object)
		bpf_program__set_autoload(program, !is_of_move(bpf_program__name(program)));
	return error;
}

/* 1: it was written, 0: it was so, or -errno. */
static int write_part(const struct tc_object *tc, enum tc_side side, __u32 index)
{
	const char *name = OBJECTS[side].parts[index];
	const struct bpf_program *part =
		name ? bpf_object__find_program_by_name(tc->object, name) : NULL;
	const int map = bpf_map__fd(parts_of(tc));
	__u32 wanted, found;
	int fd, error;

	if (!part)
		return 0;
	fd = bpf_program__fd(part);
	error = program_id(fd, &wanted);
	if (error)
		return error;
	if (!bpf_map_lookup_elem(map, &index, &found) && found == wanted)
		return 0;
	return bpf_map_update_elem(map, &index, &fd, BPF_ANY) ? -errno : 1;
}

static int write_parts(const struct tc_object *tc, enum tc_side side)
{
	int error = 0;

	for (__u32 i = 0; i < _PROGRAM_COUNT && error >= 0; i++)
		error = write_part(tc, side, i);
	return error < 0 ? error : 0;
}

/* 1: it was not pinned, 0: it was, or -errno. */
static int pin_parts(const struct datapath *datapath, enum tc_side side)
{
	return audit_map_pin(datapath, OBJECTS[side].pin, parts_of(&datapath->tc.side[side]));
}

static int start(struct datapath *datapath, enum tc_side side)
{
	struct tc_object *tc = &datapath->tc.side[side];

	tc->program = bpf_object__find_program_by_name(tc->object, OBJECTS[side].program);
	return program_id(bpf_program__fd(tc->program), &tc->program_id);
}

int tc_join(struct datapath *datapath)
{
	int error = 0;

	for (enum tc_side side = 0; side < _TC_SIDE_COUNT && error >= 0; side++) {
		if (!datapath->tc.side[side].object)
			continue;
		error = write_parts(&datapath->tc.side[side], side);
		if (!error)
			error = pin_parts(datapath, side);
	}
	return error < 0 ? error : 0;
}

int tc_load(struct datapath *datapath, enum tc_side side, struct refusal *refusal)
{
	struct tc_object *tc = &datapath->tc.side[side];
	LIBBPF_OPTS(bpf_object_open_opts, options, .object_name = OBJECTS[side].name);
	const void *bytes;
	size_t size;
	int error;

	bytes = OBJECTS[side].elf_bytes(&size);
	tc->object = bpf_object__open_mem(bytes, size, &options);
	if (!tc->object)
		return load_complain(refusal, -errno, "open the BPF object for tc");
	error = prepare(datapath, side);
	if (!error)
		error = bpf_object__load(tc->object);
	if (error)
		return load_complain(refusal, error, "load the BPF programs for tc");
	error = start(datapath, side);
	return error ? refuse_with(refusal, -error, "cannot pin the BPF programs for tc: %s",
				   strerror(-error))
		     : 0;
}

void tc_unpin_unused(const struct datapath *datapath)
{
	char path[PIN_PATH_MAX];

	for (enum tc_side side = 0; side < _TC_SIDE_COUNT; side++)
		if (!datapath->tc.side[side].object &&
		    !datapath_pin_path(datapath, "map", OBJECTS[side].pin, path))
			unlink(path);
}

void tc_audit_pins(struct datapath *datapath, struct repairs *repairs)
{
	for (enum tc_side side = 0; side < _TC_SIDE_COUNT; side++)
		if (datapath->tc.side[side].object)
			repairs_note(repairs, REPAIR_PINS, pin_parts(datapath, side));
}

void tc_audit(struct datapath *datapath, struct repairs *repairs)
{
	for (enum tc_side side = 0; side < _TC_SIDE_COUNT; side++) {
		const struct tc_object *tc = &datapath->tc.side[side];

		if (!tc->object)
			continue;
		for (__u32 i = 0; i < _PROGRAM_COUNT; i++)
			repairs_note(repairs, REPAIR_PROGRAMS, write_part(tc, side, i));
	}
}

void tc_close(struct datapath *datapath)
{
	for (int side = 0; side < _TC_SIDE_COUNT; side++)
		bpf_object__close(datapath->tc.side[side].object);
}
