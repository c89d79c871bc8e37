/*
 * What the tests of masqueraded connections share: a node with addresses of its own, a service
 * whose backends are on other nodes, and its packets on both sides.
 */
#pragma once

#include "test/bpf/scene.h"

/* The node's address by POD, where other nodes are. */
struct address node_address(enum family family);
/* Tells it, and offers services of every kind that masquerade strangers: BACKEND_A, elsewhere. */
void offer_masqueraded(struct scene *scene);
extern const struct offer MASQUERADED;

/* The port that the client of this request has of the node; 0: it is not masqueraded. */
__be16 node_port(const struct scene *scene, const struct blueprint *request);

/* As the request leaves for BACKEND_A, whose reply comes as, which leaves as. */
struct blueprint masqueraded_request(const struct scene *scene, const struct blueprint *request);
struct blueprint masqueraded_reply(const struct scene *scene, const struct blueprint *request);
struct blueprint returned_reply(const struct blueprint *reply, const struct blueprint *request);

/* A request starts a connection, or goes on with one: it leaves masqueraded. And the answer. */
#define expect_masqueraded(scene, request)                                                         \
	((scene)->line = __LINE__, send_masqueraded((scene), (request)))
void send_masqueraded(struct scene *scene, const struct blueprint *request);
#define expect_returned(scene, request, flags)                                                     \
	((scene)->line = __LINE__, send_returned((scene), (request), (flags)))
void send_returned(struct scene *scene, const struct blueprint *request, uint8_t tcp_flags);

/* SYN, answer, ACK. */
void connect_masqueraded(struct scene *scene, const struct kind *kind);

uint32_t count_masquerades(const struct scene *scene);
/* All of lbd's sweep, once; as if all elements were older by so much. */
void sweep_masquerades(struct scene *scene, unsigned int seconds);
