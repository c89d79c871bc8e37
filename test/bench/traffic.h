/*
 * What the packets of a row look like, as they are sent and as they must come out.
 */
#pragma once

#include <linux/types.h>
#include "include/verdict.h"
#include "test/bench/row.h"
#include "test/bpf/packet_builder.h"

struct outcome {
	uint32_t action;      /* enum xdp_action */
	enum verdict verdict; /* of ours */
};

/* The client's last address word and port are not set: they are the flow's. */
struct blueprint traffic_request(const struct row *row, uint8_t tcp_flags);
struct blueprint traffic_reply(const struct row *row, uint32_t backend, uint8_t tcp_flags);
/* The flags of the packets that are timed. */
uint8_t traffic_flags(const struct row *row);
enum service_shape traffic_shape(const struct row *row);
struct service_key traffic_service(const struct row *row);
/* How many backends may answer; 0: nobody does. */
uint32_t traffic_backends(const struct row *row);
/* Whether the packets that are timed come from the client's side. */
bool traffic_is_request(const struct row *row);
/* Whether they are of connections that must have been answered before. */
bool traffic_is_answered(const struct row *row);
/* Whether the backend of these has gone down since. */
bool traffic_is_lost(const struct row *row);
/* Whether each of them begins a connection. */
bool traffic_begins(const struct row *row);
/* Whether all of them are the same frame; then of flow 0, where they are of a flow. */
bool traffic_is_fixed(const struct row *row);
void traffic_fixed(const struct row *row, struct frame *frame);
/* What may begin its flow: the same, or the whole packet, which is remembered no further. */
void traffic_fixed_first(const struct row *row, struct frame *frame);

/* What must have gone before that: it has the port that an alias stands for. False: nothing. */
bool traffic_fixed_rival(const struct row *row, struct frame *frame);

struct outcome traffic_outcome(const struct row *row);
/*
 * Whether `frame` is what must become of `sent` (which a fixed one does not need); else says on
 * stderr how it differs.
 */
bool traffic_is_right(const struct row *row, const struct blueprint *sent,
		      const struct frame *frame);
