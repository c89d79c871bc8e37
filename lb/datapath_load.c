/*
 * Loads the BPF object that is built into this program: first its maps, then its programs. The
 * verifier's reading of those is most of what the start of an lbd takes, and it locks nobody out:
 * so two objects load a share of the programs each, at the same time, with the maps of the first.
 */
#include <bpf/bpf.h>
#include <bpf/libbpf.h>
#include <errno.h>
#include <pthread.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include "lb/datapath_internal.h"

#define WARNING_MAX 192

/* What libbpf had to say; it says more than errno does. */
struct complaint {
	char warning[WARNING_MAX];
	char reason[WARNING_MAX]; /* the verifier's */
};

static _Thread_local struct complaint complaint;

/* Of the verifier's log the line before its statistics. */
static void keep_reason(char *log)
{
	char *end = strstr(log, "\nprocessed "), *line;

	if (!end)
		return;
	*end = '\0';
	line = strrchr(log, '\n');
	snprintf(complaint.reason, sizeof(complaint.reason), ": %s", line ? line + 1 : log);
}

/* The last that names what it is about; after that libbpf says that all of it has failed. */
static int keep_warning(enum libbpf_print_level level, const char *format, va_list arguments)
{
	char *text;

	if (level != LIBBPF_WARN || vasprintf(&text, format, arguments) < 0)
		return 0;
	if (strstr(text, "-- BEGIN PROG LOAD LOG --"))
		keep_reason(text);
	else if (!strstr(text, "failed to load object") &&
		 !strstr(text, "failed to load BPF skeleton"))
		snprintf(complaint.warning, sizeof(complaint.warning), "%.*s",
			 (int)strcspn(text, "\n"), text);
	free(text);
	return 0;
}

int load_complain(struct refusal *refusal, int error, const char *what)
{
	return refuse_with(refusal, -error, "cannot %s: %s (%s%s)", what, strerror(-error),
			   complaint.warning, complaint.reason);
}

void listen_to_libbpf(void)
{
	complaint = (struct complaint){};
	libbpf_set_print(keep_warning);
}

static int open_object(struct lb_bpf **object, struct refusal *refusal)
{
	listen_to_libbpf();
	*object = lb_bpf__open();
	if (!*object)
		return load_complain(refusal, -errno, "open the BPF object");
	bpf_map__set_autocreate((*object)->maps.bridge, false);
	bpf_map__set_autocreate((*object)->maps.older_connections, false);
	return 0;
}

int maps_open(struct datapath *datapath, struct refusal *refusal)
{
	const int error = open_object(&datapath->skeleton, refusal);
	struct bpf_program *program;

	if (error)
		return error;
	bpf_object__for_each_program(program, datapath->skeleton->obj)
		bpf_program__set_autoload(program, false);
	return 0;
}

int maps_load(struct datapath *datapath, struct refusal *refusal)
{
	const int error = lb_bpf__load(datapath->skeleton);

	return error ? load_complain(refusal, error, "make the BPF maps") : 0;
}

/* What one thread loads. */
struct share {
	const struct datapath *datapath;
	bool is_second;
	struct lb_bpf *object; /* NULL: not opened, or not loaded */
	struct refusal refusal;
	int error;
};

/* Both take about as long to verify: test/bpf/knobs.c tells how long each program does. */
static bool is_of_share(const struct share *share, const struct bpf_program *program)
{
	const struct lb_bpf *object = share->object;

	if (program == object->progs.cross || program == object->progs.bring)
		return false;
	return share->is_second != (program == object->progs.lb || program == object->progs.icmp ||
				    program == object->progs.clock);
}

/*
 * Frames in fragments, as those of a large MTU are, but not for generic mode. There they gain
 * nothing, and since 6.9 the kernel copies packets for such a program and forgets how long their
 * MAC header is: tc's programs behind it find neither that header nor metadata (seen with 6.18; in
 * net/core/skbuff.c, skb_pp_cow_data).
 */
static void choose_programs(const struct share *share)
{
	struct bpf_program *program;

	bpf_object__for_each_program(program, share->object->obj)
	{
		bpf_program__set_autoload(program, is_of_share(share, program));
		if (bpf_program__type(program) == BPF_PROG_TYPE_XDP && !share->datapath->linear)
			bpf_program__set_flags(program, BPF_F_XDP_HAS_FRAGS);
	}
}

/*
 * All of ours, those of variables and constants too, which come in the same order; but not one that
 * is to be its own.
 */
static int take_maps(const struct datapath *datapath, const struct lb_bpf *object,
		     const struct bpf_map *own)
{
	const struct bpf_map *map = NULL;
	struct bpf_map *taking = NULL;
	int error = 0;

	while (!error && (map = bpf_object__next_map(datapath->skeleton->obj, map))) {
		taking = bpf_object__next_map(object->obj, taking);
		if (taking != own && bpf_map__autocreate(map))
			error = bpf_map__reuse_fd(taking, bpf_map__fd(map));
	}
	return error;
}

static void load_share(struct share *share)
{
	share->error = open_object(&share->object, &share->refusal);
	if (share->error)
		return;
	choose_programs(share);
	share->error = take_maps(share->datapath, share->object, NULL);
	if (!share->error)
		share->error = lb_bpf__load(share->object);
	if (!share->error)
		return;
	load_complain(&share->refusal, share->error, "load the BPF programs");
	lb_bpf__destroy(share->object);
	share->object = NULL;
}

static void *run_loading(void *context)
{
	load_share(context);
	return NULL;
}

static void load_shares(struct share *first, struct share *second)
{
	pthread_t thread;
	const bool has_thread = !pthread_create(&thread, NULL, run_loading, second);

	load_share(first);
	if (has_thread)
		pthread_join(thread, NULL);
	else
		load_share(second); /* it takes longer, and no more */
}

static void find_parts(struct datapath *datapath)
{
	const struct lb_bpf *second = datapath->second;

	datapath->parts[PROGRAM_ICMP] = datapath->skeleton->progs.icmp;
	datapath->parts[PROGRAM_RARE] = second->progs.rare;
	datapath->parts[PROGRAM_STATELESS] = second->progs.stateless;
	datapath->parts[PROGRAM_ANSWER] = second->progs.answer;
	datapath->parts[PROGRAM_GONE] = second->progs.gone;
	datapath->parts[PROGRAM_MASQUERADE] = second->progs.masquerade;
	datapath->parts[PROGRAM_ENCAPSULATE] = second->progs.encapsulate;
	datapath->parts[PROGRAM_DECAPSULATE] = second->progs.decapsulate;
}

int programs_join(const struct datapath *datapath)
{
	const int map = bpf_map__fd(datapath->skeleton->maps.programs);

	for (__u32 i = 0; i < _PROGRAM_COUNT; i++) {
		const int fd = bpf_program__fd(datapath->parts[i]);

		if (bpf_map_update_elem(map, &i, &fd, BPF_ANY))
			return -errno;
	}
	return 0;
}

int programs_load(struct datapath *datapath, struct refusal *refusal)
{
	struct share first = {.datapath = datapath};
	struct share second = {.datapath = datapath, .is_second = true};

	load_shares(&first, &second);
	if (first.error || second.error) {
		*refusal = first.error ? first.refusal : second.refusal;
		lb_bpf__destroy(first.object);
		lb_bpf__destroy(second.object);
		return first.error ? first.error : second.error;
	}
	lb_bpf__destroy(datapath->skeleton); /* the maps are the others', too */
	datapath->skeleton = first.object;
	datapath->second = second.object;
	find_parts(datapath);
	return 0;
}

/* The older table, where connections are to be brought out of one; or one that is empty. */
static int set_older(const struct datapath *datapath, struct lb_bpf *object)
{
	struct old_table old = {};
	int error = moves_view_connections(datapath, &old);

	if (error)
		return error == -ENOENT ? 0 : error;
	mapping_close(&old.view);
	object->rodata->older_buckets = old.buckets;
	memcpy((void *)&object->rodata->older, &old.layout, sizeof(old.layout));
	return bpf_map__reuse_fd(object->maps.older_connections,
				 moves_fd(datapath, datapath->skeleton->maps.connections));
}

static int prepare_bridge(const struct datapath *datapath)
{
	struct lb_bpf *object = datapath->bridge;
	struct bpf_program *program;
	int error;

	bpf_map__set_autocreate(object->maps.bridge, true);
	bpf_map__set_autocreate(object->maps.older_connections, true);
	bpf_object__for_each_program(program, object->obj)
	{
		bpf_program__set_autoload(program, program == object->progs.cross ||
							   program == object->progs.bring);
		if (bpf_program__type(program) == BPF_PROG_TYPE_XDP && !datapath->linear)
			bpf_program__set_flags(program, BPF_F_XDP_HAS_FRAGS);
	}
	memcpy(object->rodata, datapath->skeleton->rodata, sizeof(*object->rodata));
	error = take_maps(datapath, object, object->maps.rodata);
	return error ? error : set_older(datapath, object);
}

int bridge_load(struct datapath *datapath, struct refusal *refusal)
{
	int error = open_object(&datapath->bridge, refusal);

	if (error)
		return error;
	error = prepare_bridge(datapath);
	if (!error)
		error = lb_bpf__load(datapath->bridge);
	return error ? load_complain(refusal, error, "load the BPF programs of a move") : 0;
}
