/*
 * The datapath and the model side by side: the same tables in both, each frame through both. The
 * real program is that of a scene (test/bpf/scene.h), its tables are written by the plan that lbd
 * uses. Nobody sends but us, so nothing has to be waited for.
 */
#pragma once

#include "test/bpf/scene.h"
#include "test/model/model.h"
#include "test/model/op.h"
#include "test/model/verdicts.h"

/* Of a sequence, with those that are gone: fewer than the tables hold, so no index comes again. */
#define WORLD_BACKENDS 56

/* A service as it is in the datapath's tables. */
struct world_service {
	struct service *service;
	struct placement *placement;
};

/* The last packet, and what the datapath made of it; valid until the next. */
struct world_last {
	const struct frame *sent;
	struct observed observed;
	enum verdict verdict; /* of the model, which is the datapath's unless they differ */
};

struct world {
	struct scene *scene;
	struct room room;
	struct mapping client_hops;
	struct mapping rings;
	uint8_t of_index[MODEL_BACKENDS]; /* the model's backend at each index of the table */
	struct model model;
	struct world_service services[MODEL_SERVICES];    /* as model.services */
	uint32_t nexthops[_STATION_COUNT][_FAMILY_COUNT]; /* slots; 0: nobody sends there */
	enum interface location[_STATION_COUNT];
	bool are_ports_changed;
	bool has_affinity;                       /* a service of the sequence */
	bool has_sources;                        /* of masqueraded connections */
	struct counter verdicts[_VERDICT_COUNT]; /* of the datapath, when the sequence began */
	struct world_last last;
	uint32_t sequences;
};

/* What was not the same. */
struct difference {
	bool is_found;
	char text[600];
	bool has_frames; /* what was sent, what left, and what should have by the model */
	struct frame sent, got, wanted;
};

void difference_say(struct difference *difference, const char *format, ...)
	__attribute__((format(printf, 2, 3)));

/* A scene for a world, as scene_open; a test with one around it, as sized_scene_test. */
int world_open_scene(void **state);
#define world_test(function, connections)                                                          \
	cmocka_unit_test_prestate_setup_teardown(function, world_open_scene, scene_close,          \
						 (void *)(connections))
struct world *world_open(struct scene *scene);
void world_close(struct world *world);
/* No services, no connections, nothing denied, all where it was in the beginning. */
void world_reset(struct world *world);
void world_set_port(struct world *world, enum interface interface, uint16_t flags, uint32_t mtu);
void world_move(struct world *world, enum station station, enum interface interface);
/* More than a second passes only as far as that tells for certain what has expired. */
void world_pass(struct world *world, uint32_t seconds);

/* world_affinity.c: for the notes of where clients went. */
void world_pass_affinity(struct world *world, uint32_t seconds);
void world_forget_affinity(struct world *world);

/* world_masquerade.c: what is known of masqueraded connections. */
void world_set_source(struct world *world, enum interface interface, enum station station);
bool world_is_own(const struct world *world, const struct address *address);
void world_pass_masquerades(struct world *world, uint32_t seconds);
void world_sweep_masquerades(struct world *world);
void world_forget_masquerades(struct world *world);
void world_compare_masquerades(struct world *world, struct difference *difference);

/* world_fragments.c */
void world_forget_fragments(struct world *world);

/* world_service.c. Differences: a ring that holds what it should not; counters of what goes. */
int world_open_room(struct world *world);
void world_close_room(struct world *world);
void world_offer(struct world *world, const struct op_offer *offer, struct difference *difference);
void world_withdraw(struct world *world, const struct op_service *service,
		    struct difference *difference);
void world_withdraw_all(struct world *world);
struct prefix world_prefix(const struct op_prefix *prefix);

/* world_model.c: the model gets what the tables hold of a service. */
void world_tell_model(struct world *world, uint32_t service, struct difference *difference);
/* Backends that `after` (NULL: nothing) does not have are gone; what they carried stays. */
void model_retire_backends(struct model *model, struct model_service *service,
			   const struct service *after);

/* world_network.c */
struct model_prefix model_prefix_of(const struct prefix *prefix);
void world_deny(struct world *world, const struct op_prefix *prefix);
/* Takes back what was denied last. */
void world_allow(struct world *world);
void world_set_network(struct world *world, const struct op_prefix *prefix, enum network network);
void world_forget_networks(struct world *world);

/* world_packet.c. `careful`: verdicts are read after each packet, and named. */
void world_send(struct world *world, const struct op_packet *packet, bool careful,
		struct difference *difference);

/* world_compare.c: what both have counted and remember at the end. */
void world_compare(struct world *world, struct difference *difference);
void world_compare_service(struct world *world, uint32_t service, struct difference *difference);
