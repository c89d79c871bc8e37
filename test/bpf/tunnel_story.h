/*
 * What the tests of tunnels share: a packet in an outer header, built byte by byte as RFC 2003 and
 * RFC 2473 draw it, on both ends of the tunnel.
 */
#pragma once

#include "test/bpf/scene.h"

/* Two nodes: the one where clients' packets arrive, and, for tests of it, somebody else. */
struct address entry_node(enum family family);
struct address other_node(enum family family);

/* A frame around a packet: MAC addresses and tags are those of the frame. */
struct tunnelled {
	struct blueprint inner; /* its hop limit is what it has inside */
	struct address from;
	struct address to;
	uint8_t hop_limit;
	uint8_t ecn; /* of the outer header, in the place of the inner one's: 0 leaves that */
	uint8_t inner_ecn;
};

/* What a node sends to BACKEND_A for this request; the frame's ends are the request's. */
struct tunnelled tunnel_of(const struct blueprint *request);
void tunnel_build(const struct tunnelled *tunnelled, struct frame *frame);
/* The packet that is inside, as a frame of its own. */
void tunnel_build_inner(const struct tunnelled *tunnelled, struct frame *frame);

/* As expect does, of a packet in a tunnel that comes, or leaves. */
#define expect_into_tunnel(scene, ...)                                                             \
	((scene)->line = __LINE__, expect_encapsulated((scene), __VA_ARGS__))
void expect_encapsulated(struct scene *scene, const struct blueprint *request, enum verdict verdict,
			 const struct tunnelled *leaves);
#define expect_from_tunnel(scene, ...)                                                             \
	((scene)->line = __LINE__, expect_decapsulated((scene), __VA_ARGS__))
void expect_decapsulated(struct scene *scene, const struct tunnelled *comes, enum verdict verdict,
			 const struct blueprint *leaves);
