/*
 * What the files of the datapath module share. Nobody else includes this.
 */
#pragma once

#include <stddef.h>
#include "lb/datapath.h"
#include "bpf/lb.skel.h"

/* An array map in our address space. */
struct mapping {
	void *memory;
	size_t size;
};

struct datapath {
	struct lb_bpf *skeleton;
	char *pin_path;
	struct timeouts timeouts;
	struct hairpin hairpin;
	uint32_t program_id;
	bool replace;
	enum bpffs_made bpffs;
	unsigned int cpus; /* possible ones: what a per-CPU value is long */
	struct mapping backends;
	struct mapping rings; /* of it only a window, where the last ring was written */
	uint32_t rings_first; /* slot that the window starts with */
	struct mapping nexthops;
	struct mapping ports;
};

#define PIN_PATH_MAX 4096

/* DIR/KIND/NAME; -ENAMETOOLONG. */
int datapath_pin_path(const struct datapath *datapath, const char *kind, const char *name,
		      char path[PIN_PATH_MAX]);

/* datapath_pin.c, while the datapath is opened, in this order. 0 or -errno, some with a refusal. */
int pins_make_directories(struct datapath *datapath, struct refusal *refusal);
/* Hands pinned maps to the object that is to be loaded. *adopted: there are some. */
int pins_reuse_maps(struct datapath *datapath, bool *adopted, struct refusal *refusal);
int pins_add_maps(struct datapath *datapath);
int pins_set_program(struct datapath *datapath);

/* The pin of an interface's link. 0 or -ENAMETOOLONG. */
int link_pin_path(const struct datapath *datapath, const char *interface, char path[PIN_PATH_MAX]);

/* Whether any pinned link is on an interface that exists, here or in another namespace. */
bool link_pins_are_alive(struct datapath *datapath);

/*
 * The fd of the pinned link that is on the interface of that index, its pin now at `path`; -ENOENT
 * where there is none, or -errno. Whatever else was pinned at `path` is not any more.
 */
int link_pin_take(const struct datapath *datapath, uint32_t ifindex, const char *path);

/*
 * Makes the directory and, where it would lie under /sys/fs/bpf with no bpffs mounted there, gets
 * one: the machine's where `ip netns exec` hides it, so that pins outlive us, else one mounted
 * here. *pin_path: the path to use, the caller's. 0 or -errno with a refusal.
 */
int bpffs_prepare(const char *path, char **pin_path, enum bpffs_made *made,
		  struct refusal *refusal);

struct map_shape {
	int map;
	size_t key_size;
	size_t value_size;
};

struct batch {
	void *keys;
	void *values;
	uint32_t count;
};

/*
 * Calls visit for each chunk of entries that the map's batch lookup gives; map_visit_some for the
 * next one. Entries that change meanwhile may be missed or seen twice. 0 (some: 1 while there are
 * more), the first non-zero answer of visit, or -errno.
 */
int map_visit(const struct map_shape *shape, int (*visit)(void *context, const struct batch *batch),
	      void *context);
int map_visit_some(const struct map_shape *shape, struct connection_cursor *cursor,
		   int (*visit)(void *context, const struct batch *batch), void *context);
