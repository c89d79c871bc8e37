/*
 * A datagram too large for one frame, on its way through the node: whole as it comes and as it
 * leaves, from which the pieces of both are cut.
 */
#pragma once

#include "test/bpf/fragment_builder.h"
#include "test/bpf/scene.h"

#define DATAGRAM_BYTES 4000 /* that the transport carries */
#define PIECE_BYTES 1448    /* that fit an MTU of 1,500, of either family */
#define PIECE_COUNT 3

struct crossing {
	enum interface in;
	struct frame comes, leaves;
};

/* CLIENT's request of SERVICE, by UPLINK to BACKEND_A; BACKEND_A's answer, by POD. TCP: `flags`. */
void cross_request(const struct kind *kind, uint8_t tcp_flags, struct crossing *crossing);
void cross_reply(const struct kind *kind, uint8_t tcp_flags, struct crossing *crossing);
void cross(const struct blueprint *comes, enum interface in, const struct blueprint *leaves,
	   struct crossing *crossing);

/* The first, second or third of such a datagram. */
struct cut piece_of(size_t number, uint32_t identification);

/* Sends this piece; with REDIRECT or TX the same piece of what leaves comes of it. */
#define expect_piece(scene, ...) ((scene)->line = __LINE__, send_piece((scene), __VA_ARGS__))
void send_piece(struct scene *scene, const struct crossing *crossing, const struct cut *cut,
		enum verdict verdict);
