/*
 * The scene of a test: the real program with its real maps, filled by the plan that lbd uses, with
 * the cast as neighbours. A test offers services, sends packets and says what is to come of them.
 * Every test has a scene of its own, whose programs may have been loaded for the one before:
 * kept.h.
 */
#pragma once

#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include "include/metadata.h"
#include "include/verdict.h"
#include "lb/datapath_internal.h"
#include "lb/plan.h"
#include "test/bpf/cast.h"
#include "test/bpf/network.h"
#include "test/bpf/packet_builder.h"

#define MAX_OFFERS 20
#define MAX_OFFERED_RANGES 8
#define MAX_SCENE_CONNECTIONS 128 /* 512 entries, unless a test wants another table */
#define MAX_SCENE_FRAGMENTS 1024
#define MAX_SCENE_MASQUERADES 64

/* Of the scene, each its own so that no test takes one for another. */
#define TCP_OPENING_SECONDS 30
#define TCP_ESTABLISHED_SECONDS 3000
#define TCP_CLOSING_SECONDS 120
#define TCP_CLOSED_SECONDS 20
#define UDP_SECONDS 60

#define MAX_SCENE_AFFINITY 1024 /* clients */

#define SCENE_MTU 9000 /* of every port */

/* A service with its place in the tables, as lbd's reconcile holds it. */
struct offered {
	struct service *service;
	struct placement *placement;
};

struct scene {
	struct datapath *datapath;
	struct mapping connections; /* the table, to look into and to set back */
	struct room room;
	struct offered offered[MAX_OFFERS];
	uint32_t nexthops[_ROLE_COUNT][_FAMILY_COUNT]; /* slots; 0: nobody sends there */
	enum interface location[_ROLE_COUNT];          /* behind which interface they are */
	struct counter counters[_VERDICT_COUNT];       /* as they stood after the last packet */
	size_t linear;    /* bytes of a frame in its first buffer; 0: as many as a page holds */
	size_t uncounted; /* bytes of a frame's outer header, which goes before it is counted */
	struct metadata metadata; /* what the last packet left with in front; zeros: nothing */
	int line;                 /* of the test, for messages */
};

/* A test with a scene around it. */
#define scene_test(function) cmocka_unit_test_setup_teardown(function, scene_open, scene_close)
/* The same with a table for so many connections, four entries each (const uint32_t *). */
#define sized_scene_test(function, connections)                                                    \
	cmocka_unit_test_prestate_setup_teardown(function, scene_open, scene_close,                \
						 (void *)(connections))
int scene_open(void **state);
/* With options of lbd changed; `change` NULL: as scene_open. */
int scene_open_changed(void **state, void (*change)(struct datapath_options *options));
int scene_close(void **state);

/* What the operator wants of a service at SERVICE. */
struct offer {
	enum algorithm algorithm;
	uint16_t port; /* 0: SERVICE_PORT */
	uint32_t affinity_seconds;
	enum backend_state backends[_ROLE_COUNT]; /* BACKEND_NONE: not a backend of it */
	uint16_t weights[_ROLE_COUNT];            /* where has_weights; else all weigh 1 */
	bool has_weights;
	/* Of either family; a service gets those of its own. */
	const char *source_ranges[MAX_OFFERED_RANGES];
	enum scope scope; /* for whom; of SCOPE_ANY: */
	bool has_inside;  /* there is one of SCOPE_INSIDE, too */
	enum masquerade masquerade;
	bool drops_unserved;
	bool is_remote[_ROLE_COUNT]; /* backends on another node */
};

extern const struct offer ONLY_A;
extern const struct offer ONLY_B;
extern const struct offer BOTH;
/*
 * For telling what is remembered from what is not: only that stays at A. By chance, since a hash
 * would find in the previous ring where the middle of a connection belongs.
 */
extern const struct offer A_DRAINS_TO_B;

/* Adds or changes the service of this kind and port; its id. */
uint32_t scene_offer(struct scene *scene, const struct kind *kind, const struct offer *offer);
void scene_offer_all(struct scene *scene, const struct offer *offer); /* of every kind */
/* From now on the node has SERVICE's addresses itself. */
void scene_own_service(struct scene *scene);
/* From now on addresses of this prefix are this one's. */
void scene_set_network(struct scene *scene, const char *prefix, enum network network);
void scene_withdraw(struct scene *scene, const struct kind *kind);
void scene_withdraw_port(struct scene *scene, const struct kind *kind, uint16_t port);
/* Of the service at SERVICE_PORT: where its ring lies, and the index of a backend. */
struct ring scene_ring(const struct scene *scene, const struct kind *kind);
uint32_t scene_backend(const struct scene *scene, const struct kind *kind, enum role backend);
/* What it has carried. */
struct traffic_counter scene_traffic(const struct scene *scene, const struct kind *kind);

/* The next hop of `role` is behind `interface` from now on. NOWHERE: not resolved. */
void scene_move(struct scene *scene, enum role role, enum interface interface);
/* An interface's port: its flags (enum port_flag) and how large a packet it takes. */
void scene_flag_port(struct scene *scene, enum interface interface, uint16_t flags);
void scene_set_mtu(struct scene *scene, enum interface interface, uint32_t mtu);

/*
 * Sends a packet in by an interface and fails the test unless it ends with `verdict`, counted once
 * with its bytes and nothing else counted, does what that verdict says, and leaves as `becomes`,
 * byte for byte. NULL: as it came.
 */
#define expect(scene, ...) ((scene)->line = __LINE__, expect_packet((scene), __VA_ARGS__))
void expect_packet(struct scene *scene, enum interface in, const struct blueprint *packet,
		   enum verdict verdict, const struct blueprint *becomes);
#define expect_bytes(scene, ...) ((scene)->line = __LINE__, expect_frame((scene), __VA_ARGS__))
void expect_frame(struct scene *scene, enum interface in, const struct frame *frame,
		  enum verdict verdict, const struct frame *becomes);

/* Sends a packet in by an interface, whatever becomes of it. */
void scene_take(struct scene *scene, enum interface in, const struct blueprint *packet);

/* Sends a frame in by an interface and lets what comes of it really leave (live frames). */
void scene_send(struct scene *scene, enum interface in, const struct frame *frame);

/*
 * A request of CLIENT's from UPLINK that must be redirected to one of the two backends: which one.
 */
#define request_goes_to(scene, ...) ((scene)->line = __LINE__, request_lands((scene), __VA_ARGS__))
enum role request_lands(struct scene *scene, const struct blueprint *request);
/* The same with whatever source port it leaves with: which. */
#define request_goes_from(scene, ...)                                                              \
	((scene)->line = __LINE__, request_lands_from((scene), __VA_ARGS__))
enum role request_lands_from(struct scene *scene, const struct blueprint *request, __be16 *port);

/* The connection that a request belongs to, as it is in the table. */
bool scene_find(const struct scene *scene, const struct blueprint *request,
		struct connection *connection);
void scene_forget(struct scene *scene, const struct blueprint *request);
/* The port that its backend sees. */
__be16 scene_source_port(const struct scene *scene, const struct blueprint *request);
uint32_t scene_count_connections(struct scene *scene);
/* As if nothing had been seen of the connection for so long. */
void scene_let_pass(struct scene *scene, const struct blueprint *request, unsigned int seconds);

/*
 * Plays packets of a connection whose backend is BACKEND_A. Capital letters are the client's: S a
 * SYN, A an ACK, F a FIN, R a RST; small letters the backend's, s a SYN with ACK. UDP knows no
 * flags. With an alias or without, as the table says.
 */
void scene_play(struct scene *scene, const struct blueprint *request, const char *letters);
uint8_t tcp_flags_of(char letter);
