/*
 * The programs for sockets (bpf/socket.bpf.c): an object of its own, by the maps of the first. Each
 * is attached to a cgroup by a link that is pinned as DIR/socket/PROGRAM. Notes that sockets have
 * stay with them from one lbd to the next, since their maps are pinned, too.
 */
#include <bpf/bpf.h>
#include <bpf/libbpf.h>
#include <dirent.h>
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>
#include "lb/cgroup.h"
#include "lb/datapath_audit.h"
#include "lb/datapath_internal.h"

#define DIRECTORY "socket"
#define ROOT_ID 1 /* of the root of all cgroups (kernfs) */

/* The network namespace that this thread is in. 0 or -errno. */
static int read_namespace(uint64_t *cookie)
{
	const int fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	socklen_t size = sizeof(*cookie);
	int error = 0;

	if (fd < 0)
		return -errno;
	if (getsockopt(fd, SOL_SOCKET, SO_NETNS_COOKIE, cookie, &size))
		error = -errno;
	close(fd);
	return error;
}

static int open_cgroup(struct datapath *datapath, const char *path, struct refusal *refusal)
{
	struct stat status;

	datapath->cgroup = cgroup_open(path, refusal);
	if (datapath->cgroup < 0)
		return datapath->cgroup;
	if (fstat(datapath->cgroup, &status))
		return refuse_with(refusal, errno, "--cgroup: %s", strerror(errno));
	datapath->cgroup_id = status.st_ino;
	return 0;
}

/* Of those that the programs for packets have, the same. */
static void set_knobs(const struct datapath *datapath, bool all)
{
	const struct lb_bpf__rodata *from = datapath->skeleton->rodata;
	struct socket_bpf__rodata *knobs = datapath->sockets->rodata;

	memcpy((void *)&knobs->timeouts, (const void *)&from->timeouts, sizeof(knobs->timeouts));
	knobs->jiffies_per_second = from->jiffies_per_second;
	knobs->hash_seed = from->hash_seed;
	knobs->service_filter_mask = from->service_filter_mask;
	knobs->backend_count = from->backend_count;
	knobs->answer_refused = from->answer_refused;
	knobs->only_namespace = all ? 0 : datapath->own_namespace;
}

static const struct bpf_map *shared(const struct datapath *datapath, const struct bpf_map *map)
{
	return bpf_object__find_map_by_name(datapath->skeleton->obj, bpf_map__name(map));
}

/* Nobody else's: pinned for the next lbd, and not what an earlier one has under another form. */
static bool is_own(const struct datapath *datapath, const struct bpf_map *map)
{
	return !bpf_map__is_internal(map) && !shared(datapath, map);
}

static bool has_form(int fd, const struct bpf_map *map)
{
	struct bpf_map_info info = {};
	__u32 size = sizeof(info);

	return !bpf_obj_get_info_by_fd(fd, &info, &size) && info.type == bpf_map__type(map) &&
	       info.key_size == bpf_map__key_size(map) &&
	       info.value_size == bpf_map__value_size(map) &&
	       info.max_entries == bpf_map__max_entries(map);
}

/* Of another form: its notes are lost, which only sockets that were open then miss. */
static int take_pinned(const struct datapath *datapath, struct bpf_map *map)
{
	char path[PIN_PATH_MAX];
	int fd, error = datapath_pin_path(datapath, "map", bpf_map__name(map), path);

	if (error)
		return error;
	fd = bpf_obj_get(path);
	if (fd < 0)
		return errno == ENOENT ? 0 : -errno;
	if (has_form(fd, map))
		error = bpf_map__reuse_fd(map, fd);
	close(fd);
	return error;
}

static int take_maps(const struct datapath *datapath)
{
	struct bpf_map *map;
	int error = 0;

	bpf_object__for_each_map (map, datapath->sockets->obj) {
		if (is_own(datapath, map))
			error = take_pinned(datapath, map);
		else if (!bpf_map__is_internal(map))
			error = bpf_map__reuse_fd(map, bpf_map__fd(shared(datapath, map)));
		if (error)
			return error;
	}
	return 0;
}

/* Repairs are not counted: there is nothing yet. */
static int pin_maps(const struct datapath *datapath)
{
	const struct bpf_map *map = NULL;
	int answer;

	while ((map = bpf_object__next_map(datapath->sockets->obj, map))) {
		answer = is_own(datapath, map) ? audit_map_pin(datapath, bpf_map__name(map), map)
					       : 0;
		if (answer < 0)
			return answer;
	}
	return 0;
}

int sockets_load(struct datapath *datapath, const struct datapath_options *options,
		 struct refusal *refusal)
{
	int error;

	if (options->socket_lb == SOCKET_LB_OFF)
		return 0;
	error = open_cgroup(datapath, options->cgroup, refusal);
	if (error)
		return error;
	error = read_namespace(&datapath->own_namespace);
	if (error)
		return refuse_with(refusal, -error, "cannot tell the network namespace: %s",
				   strerror(-error));
	listen_to_libbpf();
	datapath->sockets = socket_bpf__open();
	if (!datapath->sockets)
		return load_complain(refusal, -errno, "open the BPF object for sockets");
	set_knobs(datapath, options->socket_lb == SOCKET_LB_ALL);
	error = take_maps(datapath);
	if (!error)
		error = socket_bpf__load(datapath->sockets);
	if (!error)
		error = pin_maps(datapath);
	return error ? load_complain(refusal, error, "load the BPF programs for sockets") : 0;
}

void sockets_close(struct datapath *datapath)
{
	socket_bpf__destroy(datapath->sockets);
	if (datapath->cgroup >= 0)
		close(datapath->cgroup);
}

/* Whether a link is one of this program's kind on our cgroup: 1, 0 or -errno. Says of which. */
static int is_link_of(const struct datapath *datapath, int link, const struct bpf_program *program,
		      __u32 *attached)
{
	struct bpf_link_info info = {};
	__u32 size = sizeof(info);

	if (bpf_obj_get_info_by_fd(link, &info, &size))
		return -errno;
	*attached = info.prog_id;
	return info.type == BPF_LINK_TYPE_CGROUP && info.cgroup.cgroup_id == datapath->cgroup_id &&
	       info.cgroup.attach_type == bpf_program__expected_attach_type(program);
}

/* Also where somebody has removed the directory. */
static int make_directory(const struct datapath *datapath)
{
	char path[PIN_PATH_MAX];
	int error = datapath_pin_path(datapath, DIRECTORY, "", path);

	if (error)
		return error;
	return mkdir(path, 0700) && errno != EEXIST ? -errno : 0;
}

static int create_link(const struct datapath *datapath, const struct bpf_program *program,
		       const char *path)
{
	int link, error = make_directory(datapath);

	if (error)
		return error;
	link = bpf_link_create(bpf_program__fd(program), datapath->cgroup,
			       bpf_program__expected_attach_type(program), NULL);
	if (link < 0)
		return -errno;
	if (bpf_obj_pin(link, path))
		error = -errno;
	close(link); /* the pin holds it, or, where pinning failed, this detaches it again */
	return error;
}

/* What is pinned there is no link of ours: taken off if it is a link at all. */
static void remove_link(const char *path)
{
	const int link = bpf_obj_get(path);

	if (link >= 0) {
		bpf_link_detach(link);
		close(link);
	}
	unlink(path);
}

enum adopted {
	ADOPTED_NONE, /* no link that is pinned there fits */
	ADOPTED_AS_IT_IS,
	ADOPTED_ANEW, /* it had another program */
};

/* An enum adopted, or -errno with the link as it is. */
static int adopt_link(const struct datapath *datapath, const struct bpf_program *program,
		      const char *path)
{
	const int link = bpf_obj_get(path);
	__u32 wanted = 0, attached = 0;
	int answer;

	if (link < 0)
		return pin_is_not_ours(errno) ? ADOPTED_NONE : -errno;
	answer = program_id(bpf_program__fd(program), &wanted);
	if (!answer)
		answer = is_link_of(datapath, link, program, &attached);
	if (answer > 0 && attached != wanted)
		answer = bpf_link_update(link, bpf_program__fd(program), NULL) ? ADOPTED_NONE
									       : ADOPTED_ANEW;
	close(link);
	return answer;
}

/* 0: it is attached; 1: it is again; -errno. */
static int attach(const struct datapath *datapath, const struct bpf_program *program)
{
	char path[PIN_PATH_MAX];
	int answer = datapath_pin_path(datapath, DIRECTORY, bpf_program__name(program), path);

	if (!answer)
		answer = adopt_link(datapath, program, path);
	if (answer)
		return answer < 0 ? answer : answer == ADOPTED_ANEW;
	remove_link(path);
	answer = create_link(datapath, program, path);
	return answer ? answer : 1;
}

int datapath_attach_sockets(struct datapath *datapath, struct refusal *refusal)
{
	struct bpf_program *program;
	int answer;

	if (!datapath->sockets) {
		sockets_detach(datapath);
		return 0;
	}
	bpf_object__for_each_program(program, datapath->sockets->obj)
	{
		answer = attach(datapath, program);
		if (answer < 0)
			return refuse_with(refusal, -answer, "cannot attach %s to the cgroup: %s%s",
					   bpf_program__name(program), strerror(-answer),
					   answer == -EPERM ? " (a program that allows no other "
							      "may be there)"
							    : "");
	}
	return 0;
}

void sockets_detach(const struct datapath *datapath)
{
	char path[PIN_PATH_MAX];
	struct dirent *entry;
	DIR *pins = datapath_pin_path(datapath, DIRECTORY, "", path) ? NULL : opendir(path);

	while (pins && (entry = readdir(pins)))
		if (entry->d_name[0] != '.' &&
		    !datapath_pin_path(datapath, DIRECTORY, entry->d_name, path))
			remove_link(path);
	if (pins)
		closedir(pins);
	if (!datapath_pin_path(datapath, DIRECTORY, "", path))
		rmdir(path);
}

static bool is_attached(const struct datapath *datapath, const struct bpf_program *program)
{
	__u32 wanted, attached;
	char path[PIN_PATH_MAX];
	int link, answer;

	if (datapath_pin_path(datapath, DIRECTORY, bpf_program__name(program), path) ||
	    program_id(bpf_program__fd(program), &wanted))
		return false;
	link = bpf_obj_get(path);
	if (link < 0)
		return false;
	answer = is_link_of(datapath, link, program, &attached);
	close(link);
	return answer > 0 && attached == wanted;
}

void datapath_get_sockets(const struct datapath *datapath, struct socket_status *status)
{
	struct bpf_program *program;

	*status = (struct socket_status){.is_root = datapath->cgroup_id == ROOT_ID};
	if (!datapath->sockets)
		return;
	bpf_object__for_each_program(program, datapath->sockets->obj)
	{
		status->wanted++;
		status->attached += is_attached(datapath, program);
	}
}

void datapath_audit_sockets(struct datapath *datapath, struct repairs *repairs)
{
	const struct bpf_map *map = NULL;
	struct bpf_program *program;

	if (!datapath->sockets)
		return;
	bpf_object__for_each_program(program, datapath->sockets->obj)
		repairs_note(repairs, REPAIR_LINKS, attach(datapath, program));
	while ((map = bpf_object__next_map(datapath->sockets->obj, map)))
		if (is_own(datapath, map))
			repairs_note(repairs, REPAIR_PINS,
				     audit_map_pin(datapath, bpf_map__name(map), map));
}
