/*
 * What the files of the datapath module share. Nobody else includes this.
 */
#pragma once

#include <stddef.h>
#include "lb/datapath.h"
#include "lb/datapath_tc.h"
#include "bpf/lb.skel.h"
#include "bpf/socket.skel.h"

#define OWED_RANGES 64

/* What the map backend_ends knows a backend by. */
enum end_kind {
	END_OF_REPLIES, /* their address, port and protocol */
	END_OF_TUNNELS, /* the backend's address and its service */
	_END_KIND_COUNT,
};

/* An array map in our address space. */
struct mapping {
	void *memory;
	size_t size;
};

/* A bitmap that packets read, and how much stands behind each bit. */
struct filter {
	struct mapping words;
	uint32_t mask; /* bits - 1: a power of two */
	uint8_t *counts;
};

struct datapath {
	struct lb_bpf *skeleton; /* the maps, the programs `lb` and `clock`, and some of: */
	const struct bpf_program *parts[_PROGRAM_COUNT];
	struct lb_bpf *second; /* the same maps, and the others of them */
	char *pin_path;
	struct timeouts timeouts;
	uint32_t jiffies_per_second;
	uint32_t max_connections;
	uint64_t seed; /* of hash_endpoint */
	uint32_t program_id;
	bool linear; /* programs that do not take frames in fragments (xdp.frags) */
	bool replace;
	bool knows_ends[_END_KIND_COUNT]; /* those of the map backend_ends that are kept */
	unsigned int cpus;                /* possible ones: what a per-CPU value is long */
	struct mapping backends;
	struct mapping rings; /* of it only a window, where the last ring was written */
	uint32_t rings_first; /* slot that the window starts with */
	struct mapping nexthops;
	struct mapping ports;
	struct filter service_filter;
	struct filter backend_filter;
	struct filter address_filter;
	struct ring_buffer *events; /* NULL: nobody wants them */
	struct taking *taking;      /* what is done with them just now */
	struct known_address *addresses;
	struct known_address *audited_address; /* where the audit goes on; NULL: at the first */
	uint32_t audited_filters;              /* the part that comes next */
	bool ends_differ;                      /* the map backend_ends could not be written */
	bool addresses_differ;                 /* nor that of addresses */
	bool addresses_uncounted;              /* how many services each has, is not known */
	struct source_range owed_ranges[OWED_RANGES]; /* could not be removed */
	size_t owed_range_count;
	bool moves; /* something pinned is of another size or layout than we want it */
	struct outgrown *outgrown;
	size_t outgrown_count;
	struct lb_bpf *bridge; /* what packets cross then; NULL: nothing moves */
	struct tc tc;
	struct socket_bpf *sockets; /* NULL: sockets are left alone */
	int cgroup;                 /* whose; -1: nobody's */
	uint64_t cgroup_id;
	uint64_t own_namespace; /* of the network: its cookie */
};

/* Of the program of this fd. 0 or -errno. */
int program_id(int program, __u32 *id);

/* A mapped array of the datapath's own; mapping_close also of one that was not opened. 0/-errno. */
int mapping_open(struct mapping *mapping, const struct bpf_map *map);
int mapping_open_fd(struct mapping *mapping, int fd, size_t size);
void mapping_close(struct mapping *mapping);

/*
 * datapath.c: maps the arrays and learns what is in the tables, once the maps are there. 0 or
 * -errno. Closing undoes that, also of some of it, and ends what has been opened of them since.
 */
int tables_open(struct datapath *datapath);
void tables_close(struct datapath *datapath);

/* datapath_filter.c. The words of a filter for so many entries. */
uint32_t filter_words(uint32_t entries, uint32_t bits_per_entry);
/* Maps the filters, counts what is in the tables and sets the bits right. 0 or -errno. */
int filters_open(struct datapath *datapath);
void filters_close(struct datapath *datapath);
/* Before a backend is in its table, and after it is gone. */
void filters_add_backend(struct datapath *datapath, const struct backend_record *record);
void filters_remove_backend(struct datapath *datapath, const struct backend_record *record);

/*
 * datapath_ends.c: by which ends of flows replies are known that no connection knows, where the
 * datapath is to know them. A backend's end is there before the backend is, and goes after it.
 */
void ends_open(struct datapath *datapath); /* of what is in the tables */
void ends_add(struct datapath *datapath, uint32_t index, const struct backend_record *record);
void ends_remove(struct datapath *datapath, uint32_t index, const struct backend_record *record);
void ends_mend(struct datapath *datapath); /* what could not be written */

/* datapath_connections.c: jiffies, as packets see them; only the kernel can tell. 0 or -errno. */
int clock_read(struct datapath *datapath, uint32_t *now);

/*
 * datapath_catch_up.c: a connection that comes to our table from elsewhere. 0, or as struct taken
 * has it: TAKEN_IS_THERE, TAKEN_IS_IN_THE_WAY, -ENOSPC.
 */
struct comer {
	struct connection entry;
	struct backend_record backend;
	uint64_t hash;
};
int connections_put(const struct datapath *datapath, struct connection_bucket *buckets,
		    const struct comer *comer);

/* datapath_events.c. */
void events_close(struct datapath *datapath);

/* datapath_addresses.c: what is in the tables, as the new program is to know it. 0 or -errno. */
int addresses_open(struct datapath *datapath);
void addresses_mend(struct datapath *datapath);
void addresses_close(struct datapath *datapath);

/* datapath_sources.c. */
bool datapath_has_source_range(const struct datapath *datapath, uint32_t service,
			       const struct prefix *range);
void sources_mend(struct datapath *datapath);

/* datapath_masquerade.c. Tells the new programs whether there are any. */
void masquerades_open(struct datapath *datapath);
/* As what these requests leave, if they are masqueraded. */
bool masquerades_find(const struct datapath *datapath, const struct flow *request,
		      struct masquerade_record *found);

/* datapath_tunnels.c: constants of programs that are about to be loaded. */
void tunnels_tell(struct lb_bpf *skeleton, const struct datapath_options *options);

/* datapath_deny.c: tells the new program whether anything is denied. 0 or -errno. */
int denied_open(struct datapath *datapath);

/*
 * datapath_load.c. Opens the object that makes the maps, for others to set; loads it; puts the two
 * that have the programs in its place. 0 or -errno with a refusal.
 */
int maps_open(struct datapath *datapath, struct refusal *refusal);
int maps_load(struct datapath *datapath, struct refusal *refusal);
int programs_load(struct datapath *datapath, struct refusal *refusal);

/*
 * Puts the programs that others part to in the places of those of an earlier lbd, whose packets go
 * to ours from then on: all that ours read must be there. 0 or -errno.
 */
int programs_join(const struct datapath *datapath);
/* libbpf's reason with it; returns the error. */
int load_complain(struct refusal *refusal, int error, const char *what);
/* Those that packets cross while they move. */
int bridge_load(struct datapath *datapath, struct refusal *refusal);

/* What libbpf warns of from now on, this thread keeps for load_complain. */
void listen_to_libbpf(void);

struct map_size {
	uint32_t entries;
	uint32_t value; /* bytes */
};

/* datapath_layout.c. How the pinned table of that fd is laid out. 0 or -errno. */
int layout_of_pinned(const struct datapath *datapath, int fd, struct table_layout *layout);
bool layout_is_ours(const struct table_layout *layout);
/* Whether it can be one of our ABI, in buckets of so many bytes. */
bool layout_is_known(const struct table_layout *layout, uint32_t bucket);
/* Notes how ours is. 0 or -errno. */
int layouts_note(const struct datapath *datapath);

/*
 * datapath_move.c: what is pinned in other maps than ours. 0 or -errno. The fd stays the caller's,
 * the layout is that of connections.
 */
int moves_note(struct datapath *datapath, const struct bpf_map *map, int fd,
	       const struct map_size *size, const struct table_layout *layout);
/* The pinned map in the place of which ours is to come; -1: ours is it. */
int moves_fd(const struct datapath *datapath, const struct bpf_map *map);
void moves_close(struct datapath *datapath);

/* In this order: when ours are made, with a refusal; ... */
int moves_copy(struct datapath *datapath, struct refusal *refusal);
/*
 * ... when nobody writes into the others any more (datapath_catch_up.c: connections, *missed of
 * which find no room, and what else packets have written meanwhile); ...
 */
int moves_catch_up(struct datapath *datapath, uint32_t *missed);
int moves_copy_late(struct datapath *datapath);
/* ... and our maps and our program become the pinned ones. */
int moves_commit(struct datapath *datapath);

/* The old table of connections. */
struct old_table {
	struct mapping view;
	uint32_t buckets;
	uint32_t bucket_size; /* bytes */
	struct table_layout layout;
};

/* -ENOENT: ours is the old one. */
int moves_view_connections(const struct datapath *datapath, struct old_table *table);

/* What the name of a pin begins with that holds a map `bridge`. */
#define BRIDGE_PIN "bridge_"

#define PIN_PATH_MAX 4096

/* DIR/KIND/NAME; -ENAMETOOLONG. */
int datapath_pin_path(const struct datapath *datapath, const char *kind, const char *name,
		      char path[PIN_PATH_MAX]);

/* datapath_pin.c, while the datapath is opened, in this order. 0 or -errno, some with a refusal. */
int pins_make_directories(struct datapath *datapath, struct refusal *refusal);
/* Hands pinned maps to the object that is to be loaded. *adopted: there are some. */
int pins_reuse_maps(struct datapath *datapath, bool *adopted, struct refusal *refusal);
int pins_add_maps(struct datapath *datapath);
/* Whether a map is pinned: not those of constants and variables, nor what is but for a move. */
bool pins_hold(const struct bpf_map *map);
/* Where. 0 or -ENAMETOOLONG. */
int pins_map_path(const struct datapath *datapath, const struct bpf_map *map,
		  char path[PIN_PATH_MAX]);
/* Keeps a map of programs that links may call until links have others; ... */
int pins_add_bridge(const struct datapath *datapath, int map);
/* ... which is now: those, and what an lbd of the other kind (with fragments, or without) called.
 */
void pins_drop_others(struct datapath *datapath);
/* The map's pin takes the place of the one of another size. */
int pins_replace_map(const struct datapath *datapath, const struct bpf_map *map);
int pins_set_program(struct datapath *datapath);

/*
 * Whether a pin that cannot be opened (errno) is none that lbd has made: nothing is there, or
 * nothing of BPF, or what lbd may not open. Other errors say nothing of it.
 */
bool pin_is_not_ours(int error);

/*
 * The pin of an interface's link, in the directory of those of its kind. 0 or -ENAMETOOLONG.
 */
#define XDP_PINS "link"
int link_pin_path(const struct datapath *datapath, const char *pins, const char *interface,
		  char path[PIN_PATH_MAX]);
/* Also where somebody has removed the directory. 0 or -errno. */
int link_pin(struct datapath *datapath, int link, const char *path);
/* Detaches and unpins. 0 or -errno (-ENOENT: there is none). */
int link_pin_drop(const struct datapath *datapath, const char *pins, const char *interface);
int link_pins_visit(const struct datapath *datapath, const char *pins,
		    void (*visit)(void *context, const char *interface), void *context);

/* Whether an interface's link is pinned, and what it should be. 1, 0 or -errno. */
struct link_place {
	const char *pins;
	int type; /* enum bpf_link_type */
	uint32_t ifindex;
	uint32_t program_id;
};
int link_is_there(const struct datapath *datapath, const char *interface,
		  const struct link_place *place);

/* Gives all pinned links a program, one right after the other. What goes wrong with one is told
 * when it is attached. */
void links_switch(const struct datapath *datapath, int program);

/* Whether any pinned link is on an interface that exists, here or in another namespace. */
bool link_pins_are_alive(struct datapath *datapath);

/*
 * The fd of the pinned link that is on the interface of that index, its pin now at `path`; -ENOENT
 * where there is none, or -errno. Whatever else was pinned at `path` is not any more.
 */
int link_pin_take(const struct datapath *datapath, const char *pins, uint32_t ifindex,
		  const char *path);

/*
 * datapath_socket.c: loads the programs for sockets, where they are wanted, with our maps. 0 or
 * -errno with a refusal. Detaching is for whatever lbd has pinned them.
 */
int sockets_load(struct datapath *datapath, const struct datapath_options *options,
		 struct refusal *refusal);
void sockets_detach(const struct datapath *datapath);
void sockets_close(struct datapath *datapath);

/* datapath_audit.c: a map that is to be pinned by its name. 0, 1: it is again, or -errno. */
int audit_map_pin(const struct datapath *datapath, const char *name, const struct bpf_map *map);
