/*
 * Pins: what of the datapath outlives lbd. DIR/map/NAME, DIR/program/lb and, in datapath_link.c and
 * datapath_clsact.c, those of interfaces.
 */
#include <bpf/bpf.h>
#include <bpf/libbpf.h>
#include <dirent.h>
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>
#include "lb/datapath_internal.h"

int datapath_pin_path(const struct datapath *datapath, const char *kind, const char *name,
		      char path[PIN_PATH_MAX])
{
	int length = snprintf(path, PIN_PATH_MAX, "%s/%s/%s", datapath->pin_path, kind, name);

	return length < PIN_PATH_MAX ? 0 : -ENAMETOOLONG;
}

bool pins_hold(const struct bpf_map *map)
{
	return !bpf_map__is_internal(map) && bpf_map__autocreate(map);
}

/*
 * A map of programs takes those with fragments or those without, never both
 * (__bpf_prog_map_compatible in the kernel's bpf/core.c): each kind has a pin of its own, so that
 * the next lbd may be of the other.
 */
#define LINEAR_PROGRAMS "programs_linear"

/*
 * Where libbpf's probe for names has failed, for want of memory, the kernel's maps have none, and
 * libbpf calls a map what the kernel calls it.
 */
int pins_map_path(const struct datapath *datapath, const struct bpf_map *map,
		  char path[PIN_PATH_MAX])
{
	const bool linear = datapath->linear && map == datapath->skeleton->maps.programs;

	if (!bpf_map__name(map)[0])
		return -EAGAIN;
	return datapath_pin_path(datapath, "map", linear ? LINEAR_PROGRAMS : bpf_map__name(map),
				 path);
}

static const char *const KINDS[] = {
	"program",        "map",           XDP_PINS, "tc_ingress", "tc_egress",
	"filter_ingress", "filter_egress", "clsact",
};

int pins_make_directories(struct datapath *datapath, struct refusal *refusal)
{
	char path[PIN_PATH_MAX];
	int error = 0;

	if (mkdir(datapath->pin_path, 0700) && errno != EEXIST)
		return refuse_with(refusal, errno, "%s: %s", datapath->pin_path, strerror(errno));
	for (size_t i = 0; !error && i < sizeof(KINDS) / sizeof(KINDS[0]); i++) {
		snprintf(path, sizeof(path), "%s/%s", datapath->pin_path, KINDS[i]);
		if (mkdir(path, 0700) && errno != EEXIST)
			error = refuse_with(refusal, errno, "%s: %s", path, strerror(errno));
	}
	return error;
}

/* A map that was found pinned. */
struct found {
	int fd;
	struct map_size size;
	struct table_layout layout; /* of connections */
};

/* Packets write into it all the time, by indexes that connections have. */
static bool never_moves(const struct datapath *datapath, const struct bpf_map *map)
{
	return map == datapath->skeleton->maps.client_hops ||
	       map == datapath->skeleton->maps.alias_marks;
}

static bool fits(const struct datapath *datapath, const struct bpf_map *map,
		 const struct found *found)
{
	return found->size.entries == bpf_map__max_entries(map) &&
	       found->size.value == bpf_map__value_size(map) &&
	       (map != datapath->skeleton->maps.connections || layout_is_ours(&found->layout));
}

/* Values of an earlier or a later lbd may be longer or shorter than ours, but mean the same. */
static int check_found(const struct datapath *datapath, const struct bpf_map *map, const char *path,
		       struct found *found, struct refusal *refusal)
{
	const bool holds_connections = map == datapath->skeleton->maps.connections;
	struct bpf_map_info info = {};
	__u32 size = sizeof(info);
	int error = 0;

	if (bpf_obj_get_info_by_fd(found->fd, &info, &size))
		return refuse_with(refusal, errno, "%s: %s", path, strerror(errno));
	found->size = (struct map_size){.entries = info.max_entries, .value = info.value_size};
	if (holds_connections)
		error = layout_of_pinned(datapath, found->fd, &found->layout);
	if (error)
		return refuse_with(refusal, -error, "%s: %s", path, strerror(-error));
	if (info.type != bpf_map__type(map) || info.key_size != bpf_map__key_size(map) ||
	    (never_moves(datapath, map) && !fits(datapath, map, found)) ||
	    (holds_connections && !layout_is_known(&found->layout, info.value_size)))
		return refuse_with(
			refusal, EPROTO,
			"%s: pinned by an lbd whose layout this one does not know; start that one "
			"again, or remove what is pinned by lbd --cleanup, which ends the "
			"connections it holds",
			path);
	return 0;
}

/*
 * The programs that are attached and ours must not call each other's parts where they have not the
 * same maps: then ours get a map of programs of their own.
 */
static int take_map(struct datapath *datapath, struct bpf_map *map, const struct found *found,
		    bool reuse)
{
	const bool is_ours = fits(datapath, map, found);

	datapath->moves |= !is_ours;
	if (!reuse)
		return 0;
	if (!is_ours || (datapath->moves && map == datapath->skeleton->maps.programs))
		return moves_note(datapath, map, found->fd, &found->size, &found->layout);
	return bpf_map__reuse_fd(map, found->fd);
}

/*
 * Not by libbpf's own pinning: until 1.2 it finds a pinned devmap incompatible, because the kernel
 * adds BPF_F_RDONLY_PROG to its flags (kernel/bpf/devmap.c). `reuse` hands the map to the object,
 * or notes one that is to move; without it only the layout is checked. 1: it was there, 0: it was
 * not.
 */
static int try_map(struct datapath *datapath, struct bpf_map *map, const char *path, bool reuse,
		   struct refusal *refusal)
{
	struct found found = {.fd = bpf_obj_get(path)};
	int error;

	if (found.fd < 0 && errno == ENOENT)
		return 0;
	if (found.fd < 0)
		return refuse_with(refusal, errno, "%s: %s", path, strerror(errno));
	error = check_found(datapath, map, path, &found, refusal);
	if (!error)
		error = take_map(datapath, map, &found, reuse);
	close(found.fd);
	return error ? error : 1;
}

static int try_maps(struct datapath *datapath, bool reuse, bool *found, struct refusal *refusal)
{
	char path[PIN_PATH_MAX];
	struct bpf_map *map;
	int answer;

	*found = false;
	bpf_object__for_each_map (map, datapath->skeleton->obj) {
		if (!pins_hold(map))
			continue;
		answer = pins_map_path(datapath, map, path);
		if (!answer)
			answer = try_map(datapath, map, path, reuse, refusal);
		if (answer < 0)
			return answer;
		*found |= answer;
	}
	return 0;
}

int pins_reuse_maps(struct datapath *datapath, bool *adopted, struct refusal *refusal)
{
	int error = try_maps(datapath, false, adopted, refusal);

	/* Maps of another layout that no interface uses hold nothing that anybody would miss. */
	if (error == -EPROTO && !link_pins_are_alive(datapath)) {
		datapath_forget(datapath);
		datapath->moves = false;
		error = pins_make_directories(datapath, refusal);
	}
	return error ? error : try_maps(datapath, true, adopted, refusal);
}

/* Where a map waits that takes the place of one of another size. */
static int waiting_path(const struct datapath *datapath, const struct bpf_map *map,
			char path[PIN_PATH_MAX])
{
	size_t length;
	int error = pins_map_path(datapath, map, path);

	if (error)
		return error;
	length = strlen(path);
	return snprintf(path + length, PIN_PATH_MAX - length, "_new") < (int)(PIN_PATH_MAX - length)
		       ? 0
		       : -ENAMETOOLONG;
}

/*
 * Whatever waits is of an lbd that ended on its way here. Its programs may be on links still: those
 * that they call must stay pinned until links have ours.
 */
static int drop_waiting(const struct datapath *datapath, const struct bpf_map *map,
			const char *waiting)
{
	int fd, error = 0;

	if (map != datapath->skeleton->maps.programs) {
		unlink(waiting);
		return 0;
	}
	fd = bpf_obj_get(waiting);
	if (fd < 0)
		return errno == ENOENT ? 0 : -errno;
	error = pins_add_bridge(datapath, fd);
	close(fd);
	if (!error && unlink(waiting))
		error = -errno;
	return error;
}

static int add_map(struct datapath *datapath, struct bpf_map *map)
{
	char path[PIN_PATH_MAX], waiting[PIN_PATH_MAX];
	int error = pins_map_path(datapath, map, path);

	if (!error)
		error = waiting_path(datapath, map, waiting);
	if (!error)
		error = drop_waiting(datapath, map, waiting);
	if (error)
		return error;
	if (moves_fd(datapath, map) >= 0)
		return bpf_map__pin(map, waiting);
	return access(path, F_OK) ? bpf_map__pin(map, path) : 0;
}

/* Those that were not pinned already. */
int pins_add_maps(struct datapath *datapath)
{
	struct bpf_map *map;
	int error;

	bpf_object__for_each_map (map, datapath->skeleton->obj) {
		error = pins_hold(map) ? add_map(datapath, map) : 0;
		if (error)
			return error;
	}
	return 0;
}

/* By the map's id: that of an lbd that died on its way may be in use still. */
int pins_add_bridge(const struct datapath *datapath, int map)
{
	char path[PIN_PATH_MAX], pin[32];
	struct bpf_map_info info = {};
	__u32 size = sizeof(info);
	int error;

	if (bpf_obj_get_info_by_fd(map, &info, &size))
		return -errno;
	snprintf(pin, sizeof(pin), BRIDGE_PIN "%u", info.id);
	error = datapath_pin_path(datapath, "map", pin, path);
	if (error)
		return error;
	return bpf_obj_pin(map, path) && errno != EEXIST ? -errno : 0;
}

static void unpin_map(const struct datapath *datapath, const char *name)
{
	char path[PIN_PATH_MAX];

	if (!datapath_pin_path(datapath, "map", name, path))
		unlink(path);
}

/* Those of the other kind, or of a hook no more in use, hold all the maps of the lbd that had them.
 */
static void unpin_other_programs(const struct datapath *datapath)
{
	tc_unpin_unused(datapath);
	unpin_map(datapath, datapath->linear ? "programs" : LINEAR_PROGRAMS);
	unpin_map(datapath, datapath->linear ? "programs_new" : LINEAR_PROGRAMS "_new");
}

void pins_drop_others(struct datapath *datapath)
{
	char path[PIN_PATH_MAX];
	struct dirent *entry;
	DIR *pins = datapath_pin_path(datapath, "map", "", path) ? NULL : opendir(path);
	bool settled = false;

	while (pins && (entry = readdir(pins))) {
		if (strncmp(entry->d_name, BRIDGE_PIN, strlen(BRIDGE_PIN)))
			continue;
		/* Whoever is under way passes the map before the kernel empties it. */
		if (!settled)
			datapath_settle(datapath);
		settled = true;
		unpin_map(datapath, entry->d_name);
	}
	if (pins)
		closedir(pins);
	unpin_other_programs(datapath);
}

int pins_replace_map(const struct datapath *datapath, const struct bpf_map *map)
{
	char path[PIN_PATH_MAX], waiting[PIN_PATH_MAX];
	int error = pins_map_path(datapath, map, path);

	if (!error)
		error = waiting_path(datapath, map, waiting);
	if (error)
		return error;
	return rename(waiting, path) ? -errno : 0;
}

/* A new pin takes the old one's place in one step: DIR/program/lb always names a program. */
int pins_set_program(struct datapath *datapath)
{
	char path[PIN_PATH_MAX], fresh[PIN_PATH_MAX];
	int error;

	error = datapath_pin_path(datapath, "program", "lb", path);
	if (!error)
		error = datapath_pin_path(datapath, "program", "lb_new", fresh);
	if (error)
		return error;
	unlink(fresh);
	error = bpf_program__pin(datapath->skeleton->progs.lb, fresh);
	if (error)
		return error;
	return rename(fresh, path) ? -errno : 0;
}

static void unpin_all(const char *directory)
{
	char path[PIN_PATH_MAX];
	struct dirent *entry;
	DIR *pins = opendir(directory);

	while (pins && (entry = readdir(pins)))
		if (entry->d_name[0] != '.' && snprintf(path, sizeof(path), "%s/%s", directory,
							entry->d_name) < (int)sizeof(path))
			unlink(path);
	if (pins)
		closedir(pins);
	rmdir(directory);
}

static void unpin_link(void *context, const char *interface)
{
	datapath_detach(context, interface);
}

void datapath_forget(struct datapath *datapath)
{
	char path[PIN_PATH_MAX];

	sockets_detach(datapath);
	datapath_links(datapath, unpin_link, datapath);
	for (size_t i = 0; i < sizeof(KINDS) / sizeof(KINDS[0]); i++) {
		snprintf(path, sizeof(path), "%s/%s", datapath->pin_path, KINDS[i]);
		unpin_all(path);
	}
	rmdir(datapath->pin_path);
}

bool datapath_clean(char *pin_path)
{
	struct datapath datapath = {.pin_path = pin_path};
	char path[PIN_PATH_MAX];
	const bool found =
		!datapath_pin_path(&datapath, "map", "connections", path) && !access(path, F_OK);

	datapath_forget(&datapath);
	return found;
}
