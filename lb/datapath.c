/*
 * Opens the datapath: says how large its maps are and what its programs are to do, adopts or
 * creates what is pinned and maps the arrays into memory. Loading, attaching and the tables are in
 * the files beside this one.
 */
#include "lb/datapath.h"

#include <bpf/bpf.h>
#include <bpf/libbpf.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/random.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>
#include "lb/bpffs.h"
#include "lb/datapath_internal.h"

#define NS_PER_SECOND 1000000000ull

/*
 * A ring of backends of equal weight takes 64 slots, the shortest there is, or less than twice the
 * ten slots of each backend: what fits the limits of services and backends finds room for its ring.
 * Rings that were in use before the last change are kept in what is left.
 */
#define RING_SLOTS_PER_SERVICE 64
#define RING_SLOTS_PER_BACKEND 20

/* A bit in so many of a full filter is set: what passes it for nothing costs a lookup. */
#define BITS_PER_SERVICE 16
#define BITS_PER_BACKEND 8
#define BITS_PER_ADDRESS 4 /* only fragments ask it */
#define FILTER_WORD_BITS 64

/* Four entries for each connection, so that few buckets are ever full. */
#define ENTRIES_PER_CONNECTION 4u

int datapath_refuse_parse(const char *text, enum refuse *refuse)
{
	if (strcmp(text, "answer") && strcmp(text, "drop"))
		return -EINVAL;
	*refuse = strcmp(text, "answer") ? REFUSE_DROP : REFUSE_ANSWER;
	return 0;
}

/* The kernel's tick, by the resolution of the clock that only ticks (kernel/time/posix-timers.c).
 */
static uint32_t read_jiffies_per_second(void)
{
	struct timespec tick = {};

	clock_getres(CLOCK_MONOTONIC_COARSE, &tick);
	return tick.tv_nsec ? (uint32_t)((NS_PER_SECOND + (uint64_t)tick.tv_nsec / 2) /
					 (uint64_t)tick.tv_nsec)
			    : 1;
}

static void set_timeouts(struct datapath *datapath, const struct datapath_options *options)
{
	const uint32_t second = read_jiffies_per_second();

	datapath->jiffies_per_second = second;
	datapath->timeouts = (struct timeouts){
		.tcp_opening = options->tcp_opening_seconds * second,
		.tcp_established = options->tcp_established_seconds * second,
		.tcp_closing = options->tcp_closing_seconds * second,
		.tcp_closed = options->tcp_closed_seconds * second,
		.udp = options->udp_seconds * second,
	};
}

static uint32_t connection_buckets(uint32_t connections)
{
	return (connections * ENTRIES_PER_CONNECTION + CONNECTION_WAYS - 1) / CONNECTION_WAYS;
}

/* Constants of the program; those that say how long a table is are read off the map. */
static void set_knobs(struct datapath *datapath, const struct datapath_options *options)
{
	struct lb_bpf *skeleton = datapath->skeleton;
	struct lb_bpf__rodata *knobs = skeleton->rodata;

	set_timeouts(datapath, options);
	memcpy((void *)&knobs->timeouts, &datapath->timeouts, sizeof(datapath->timeouts));
	memcpy((void *)&knobs->hairpin, &options->hairpin, sizeof(options->hairpin));
	if (options->masquerade_ports.count + options->masquerade_ports.second_count)
		memcpy((void *)&knobs->masquerade_ports, &options->masquerade_ports,
		       sizeof(options->masquerade_ports));
	tunnels_tell(skeleton, options);
	knobs->has_metadata = options->metadata;
	knobs->jiffies_per_second = datapath->jiffies_per_second;
	knobs->answer_refused = options->refuse == REFUSE_ANSWER;
	knobs->icmp_errors = options->icmp_errors;
	knobs->refresh_interval = datapath->jiffies_per_second;
	knobs->hash_seed = datapath->seed;
	knobs->connection_buckets = bpf_map__max_entries(skeleton->maps.connections);
	knobs->service_filter_mask =
		bpf_map__max_entries(skeleton->maps.service_filter) * FILTER_WORD_BITS - 1;
	knobs->backend_filter_mask =
		bpf_map__max_entries(skeleton->maps.backend_filter) * FILTER_WORD_BITS - 1;
	knobs->max_new_connections = options->max_new_connections;
	knobs->address_filter_mask =
		bpf_map__max_entries(skeleton->maps.address_filter) * FILTER_WORD_BITS - 1;
	knobs->backend_count = bpf_map__max_entries(skeleton->maps.backends);
}

/* Services get twice the room they may use: the LRU's free lists are per CPU, none is evicted. */
static void set_sizes(const struct datapath *datapath, const struct datapath_options *options)
{
	const uint32_t slots = options->max_services * RING_SLOTS_PER_SERVICE +
			       options->max_backends * RING_SLOTS_PER_BACKEND;
	const uint32_t backends = options->max_backends + 1; /* index 0 is none */
	struct lb_bpf *skeleton = datapath->skeleton;

	bpf_map__set_max_entries(skeleton->maps.services, 2 * options->max_services);
	bpf_map__set_max_entries(skeleton->maps.addresses, options->max_services);
	bpf_map__set_max_entries(skeleton->maps.connections,
				 connection_buckets(options->max_connections));
	bpf_map__set_max_entries(skeleton->maps.affinity, options->max_affinity);
	bpf_map__set_max_entries(skeleton->maps.masquerades, 2 * options->max_masquerades);
	bpf_map__set_max_entries(skeleton->maps.rings, slots / RING_ROW_SLOTS);
	bpf_map__set_max_entries(skeleton->maps.backends, backends);
	bpf_map__set_max_entries(skeleton->maps.nexthops, backends);
	bpf_map__set_max_entries(skeleton->maps.backend_ends, 2 * backends);
	bpf_map__set_max_entries(skeleton->maps.stateless_hops, STATELESS_HOPS);
	bpf_map__set_max_entries(skeleton->maps.service_filter,
				 filter_words(options->max_services, BITS_PER_SERVICE));
	bpf_map__set_max_entries(skeleton->maps.backend_filter,
				 filter_words(options->max_backends, BITS_PER_BACKEND));
	bpf_map__set_max_entries(
		skeleton->maps.address_filter,
		filter_words(options->max_services + options->max_backends, BITS_PER_ADDRESS));
	bpf_map__set_max_entries(skeleton->maps.fragments, options->max_fragments);
	bpf_map__set_max_entries(skeleton->maps.service_counters, options->max_services + 1);
	bpf_map__set_max_entries(skeleton->maps.retired_counters, options->max_services + 1);
	bpf_map__set_max_entries(skeleton->maps.backend_counters, datapath->cpus * backends);
	bpf_map__set_max_entries(skeleton->maps.deny_counters,
				 datapath->cpus *
					 bpf_map__max_entries(skeleton->maps.deny_counters));
}

/*
 * Clients choose their addresses and ports: with a hash they could foresee they would choose them
 * to meet in one bucket. What is in the table was put there by the seed, so it stays with it.
 */
static int choose_seed(struct datapath *datapath, bool adopted)
{
	const int map = bpf_map__fd(datapath->skeleton->maps.seed);
	const __u32 first = 0;

	if (adopted && map >= 0)
		return bpf_map_lookup_elem(map, &first, &datapath->seed) ? -errno : 0;
	if (datapath->seed)
		return 0;
	return getrandom(&datapath->seed, sizeof(datapath->seed), 0) < 0 ? -errno : 0;
}

static int keep_seed(struct datapath *datapath)
{
	const int map = bpf_map__fd(datapath->skeleton->maps.seed);
	const __u32 first = 0;

	return bpf_map_update_elem(map, &first, &datapath->seed, BPF_ANY) ? -errno : 0;
}

int program_id(int program, __u32 *id)
{
	struct bpf_prog_info info = {};
	__u32 size = sizeof(info);

	if (bpf_obj_get_info_by_fd(program, &info, &size))
		return -errno;
	*id = info.id;
	return 0;
}

int mapping_open_fd(struct mapping *mapping, int fd, size_t size)
{
	const size_t page = (size_t)sysconf(_SC_PAGESIZE);
	void *memory;

	size = (size + page - 1) / page * page;
	memory = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
	if (memory == MAP_FAILED)
		return -errno;
	*mapping = (struct mapping){.memory = memory, .size = size};
	return 0;
}

int mapping_open(struct mapping *mapping, const struct bpf_map *map)
{
	return mapping_open_fd(mapping, bpf_map__fd(map),
			       (size_t)bpf_map__max_entries(map) * bpf_map__value_size(map));
}

void mapping_close(struct mapping *mapping)
{
	if (mapping->memory)
		munmap(mapping->memory, mapping->size);
}

int tables_open(struct datapath *datapath)
{
	int error = mapping_open(&datapath->backends, datapath->skeleton->maps.backends);

	if (!error)
		error = mapping_open(&datapath->nexthops, datapath->skeleton->maps.nexthops);
	if (!error)
		error = mapping_open(&datapath->ports, datapath->skeleton->maps.ports);
	if (!error)
		error = filters_open(datapath);
	if (!error)
		error = denied_open(datapath);
	if (!error)
		error = addresses_open(datapath);
	if (error)
		return error;
	ends_open(datapath);
	masquerades_open(datapath);
	return 0;
}

void tables_close(struct datapath *datapath)
{
	mapping_close(&datapath->backends);
	mapping_close(&datapath->rings);
	mapping_close(&datapath->nexthops);
	mapping_close(&datapath->ports);
	filters_close(datapath);
	events_close(datapath);
	addresses_close(datapath);
}

static int load(struct datapath *datapath, const struct datapath_options *options, bool *adopted,
		struct refusal *refusal)
{
	int error;

	error = maps_open(datapath, refusal);
	if (error)
		return error;
	set_sizes(datapath, options);
	error = pins_reuse_maps(datapath, adopted, refusal);
	if (error)
		return error;
	error = choose_seed(datapath, *adopted);
	if (error)
		return refuse_with(refusal, -error, "cannot seed the hash: %s", strerror(-error));
	set_knobs(datapath, options);
	error = maps_load(datapath, refusal);
	if (!error)
		error = moves_copy(datapath, refusal);
	if (!error)
		error = programs_load(datapath, refusal);
	if (!error && datapath_is_moving(datapath))
		error = bridge_load(datapath, refusal);
	if (!error && options->tc)
		error = tc_load(datapath, TC_INGRESS, refusal);
	if (!error && options->egress)
		error = tc_load(datapath, TC_EGRESS, refusal);
	if (!error)
		error = sockets_load(datapath, options, refusal);
	if (error) {
		if (!*adopted)
			datapath_forget(datapath);
		return error;
	}
	error = keep_seed(datapath);
	if (!error)
		error = layouts_note(datapath);
	if (!error)
		error = pins_add_maps(datapath);
	if (!error && !datapath_is_moving(datapath))
		error = pins_set_program(datapath);
	if (!error)
		error = program_id(bpf_program__fd(datapath->skeleton->progs.lb),
				   &datapath->program_id);
	if (!error)
		error = tables_open(datapath);
	if (!error)
		error = programs_join(datapath);
	if (!error)
		error = tc_join(datapath);
	if (!error)
		return 0;
	if (!*adopted)
		datapath_forget(datapath); /* nobody else needs what this start has pinned */
	return refuse_with(refusal, -error, "cannot pin or map the BPF object: %s",
			   strerror(-error));
}

int datapath_open(const struct datapath_options *options, struct datapath **datapath, bool *adopted,
		  struct refusal *refusal)
{
	struct datapath *opened = calloc(1, sizeof(*opened));
	enum bpffs_made made;
	int error = -ENOMEM;

	refusal->text[0] = '\0';
	if (!opened)
		goto out;
	opened->cgroup = -1;
	opened->linear = options->linear;
	opened->replace = options->replace;
	opened->tc.by_filter = options->tc_filters;
	opened->max_connections = options->max_connections;
	opened->knows_ends[END_OF_REPLIES] = options->max_new_connections;
	opened->knows_ends[END_OF_TUNNELS] = options->tunnel_source_count;
	opened->seed = options->seed;
	opened->cpus = (unsigned int)libbpf_num_possible_cpus();
	error = bpffs_prepare(options->pin_path, &opened->pin_path, &made, refusal);
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

void datapath_close(struct datapath *datapath)
{
	if (!datapath)
		return;
	tables_close(datapath);
	moves_close(datapath);
	tc_close(datapath);
	sockets_close(datapath);
	lb_bpf__destroy(datapath->skeleton);
	lb_bpf__destroy(datapath->second);
	lb_bpf__destroy(datapath->bridge);
	free(datapath->pin_path);
	free(datapath);
}
