/*
 * Loads the BPF object that is built into this program, adopts or creates its pinned maps and maps
 * the arrays into memory. Attaching and the tables are in the files beside this one.
 */
#include "lb/datapath.h"

#include <bpf/bpf.h>
#include <bpf/libbpf.h>
#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>
#include "lb/datapath_internal.h"

#define NS_PER_SECOND 1000000000ull

/*
 * A ring of backends of equal weight takes 64 slots, the shortest there is, or less than twice the
 * ten slots of each backend: what fits the limits of services and backends finds room for its ring.
 */
#define RING_SLOTS_PER_SERVICE 64
#define RING_SLOTS_PER_BACKEND 20

#define LIBBPF_TEXT_MAX 256

/* The last warning of libbpf: it says more than errno does. One datapath a process, one thread. */
static char libbpf_text[LIBBPF_TEXT_MAX];

static int keep_warning(enum libbpf_print_level level, const char *format, va_list arguments)
{
	if (level != LIBBPF_WARN)
		return 0;
	vsnprintf(libbpf_text, sizeof(libbpf_text), format, arguments);
	libbpf_text[strcspn(libbpf_text, "\n")] = '\0';
	return 0;
}

static void set_knobs(struct datapath *datapath, const struct datapath_options *options)
{
	datapath->timeouts = (struct timeouts){
		.tcp_opening = options->tcp_opening_seconds * NS_PER_SECOND,
		.tcp_established = options->tcp_established_seconds * NS_PER_SECOND,
		.tcp_closing = options->tcp_closing_seconds * NS_PER_SECOND,
		.tcp_closed = options->tcp_closed_seconds * NS_PER_SECOND,
		.udp = options->udp_seconds * NS_PER_SECOND,
	};
	memcpy((void *)&datapath->skeleton->rodata->timeouts, &datapath->timeouts,
	       sizeof(datapath->timeouts));
	datapath->hairpin = options->hairpin;
	memcpy((void *)&datapath->skeleton->rodata->hairpin, &datapath->hairpin,
	       sizeof(datapath->hairpin));
}

/*
 * Services and connections are LRU hashes. Services get twice the room they may use, so that none
 * is ever evicted (free lists are per CPU); a connection takes an entry for each direction.
 */
static void set_sizes(struct lb_bpf *skeleton, const struct datapath_options *options)
{
	const uint32_t slots = options->max_services * RING_SLOTS_PER_SERVICE +
			       options->max_backends * RING_SLOTS_PER_BACKEND;

	bpf_map__set_max_entries(skeleton->maps.services, 2 * options->max_services);
	bpf_map__set_max_entries(skeleton->maps.connections, 2 * options->max_connections);
	bpf_map__set_max_entries(skeleton->maps.rings, slots / RING_ROW_SLOTS);
	bpf_map__set_max_entries(skeleton->maps.backends, options->max_backends + 1);
	bpf_map__set_max_entries(skeleton->maps.nexthops, options->max_backends + 1);
	bpf_map__set_max_entries(skeleton->maps.service_counters, options->max_services + 1);
	bpf_map__set_max_entries(skeleton->maps.backend_counters, options->max_backends + 1);
}

static int read_program_id(struct datapath *datapath)
{
	struct bpf_prog_info info = {};
	__u32 size = sizeof(info);

	if (bpf_obj_get_info_by_fd(bpf_program__fd(datapath->skeleton->progs.lb), &info, &size))
		return -errno;
	datapath->program_id = info.id;
	return 0;
}

static int map_array(const struct bpf_map *map, struct mapping *mapping)
{
	const size_t page = (size_t)sysconf(_SC_PAGESIZE);
	size_t size = (size_t)bpf_map__max_entries(map) * bpf_map__value_size(map);
	void *memory;

	size = (size + page - 1) / page * page;
	memory = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_SHARED, bpf_map__fd(map), 0);
	if (memory == MAP_FAILED)
		return -errno;
	*mapping = (struct mapping){.memory = memory, .size = size};
	return 0;
}

static int map_arrays(struct datapath *datapath)
{
	int error;

	error = map_array(datapath->skeleton->maps.backends, &datapath->backends);
	if (!error)
		error = map_array(datapath->skeleton->maps.nexthops, &datapath->nexthops);
	if (!error)
		error = map_array(datapath->skeleton->maps.ports, &datapath->ports);
	return error;
}

static int load(struct datapath *datapath, const struct datapath_options *options, bool *adopted,
		struct refusal *refusal)
{
	int error;

	datapath->skeleton = lb_bpf__open();
	if (!datapath->skeleton)
		return refuse_with(refusal, errno, "cannot open the BPF object: %s", libbpf_text);
	set_sizes(datapath->skeleton, options);
	set_knobs(datapath, options);
	error = pins_reuse_maps(datapath, adopted, refusal);
	if (error)
		return error;
	error = lb_bpf__load(datapath->skeleton);
	if (error)
		return refuse_with(refusal, -error, "cannot load the BPF programs: %s (%s)",
				   strerror(-error), libbpf_text);
	error = pins_add_maps(datapath);
	if (!error)
		error = pins_set_program(datapath);
	if (!error)
		error = read_program_id(datapath);
	if (!error)
		error = map_arrays(datapath);
	if (error)
		return refuse_with(refusal, -error, "cannot pin or map the BPF object: %s",
				   strerror(-error));
	return 0;
}

int datapath_open(const struct datapath_options *options, struct datapath **datapath, bool *adopted,
		  struct refusal *refusal)
{
	struct datapath *opened = calloc(1, sizeof(*opened));
	int error = -ENOMEM;

	refusal->text[0] = '\0';
	libbpf_set_print(keep_warning);
	if (!opened)
		goto out;
	opened->replace = options->replace;
	opened->cpus = (unsigned int)libbpf_num_possible_cpus();
	error = bpffs_prepare(options->pin_path, &opened->pin_path, &opened->bpffs, refusal);
	if (!error)
		error = pins_make_directories(opened, refusal);
	if (!error)
		error = load(opened, options, adopted, refusal);
out:
	if (error) {
		if (!refusal->text[0])
			refuse(refusal, "cannot open the datapath: %s", strerror(-error));
		datapath_close(opened);
		return error;
	}
	*datapath = opened;
	return 0;
}

static void unmap(struct mapping *mapping)
{
	if (mapping->memory)
		munmap(mapping->memory, mapping->size);
}

void datapath_close(struct datapath *datapath)
{
	if (!datapath)
		return;
	unmap(&datapath->backends);
	unmap(&datapath->rings);
	unmap(&datapath->nexthops);
	unmap(&datapath->ports);
	lb_bpf__destroy(datapath->skeleton);
	free(datapath->pin_path);
	free(datapath);
}

enum bpffs_made datapath_bpffs(const struct datapath *datapath)
{
	return datapath->bpffs;
}
