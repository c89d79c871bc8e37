/*
 * What the packets of a row look like, as they are sent and as they must come out.
 */
#pragma once

#include <linux/types.h>
#include "include/verdict.h"
#include "test/bench/row.h"
#include "test/bpf/packet_builder.h"

#define ETHERTYPE_NOT_IP 0x0806

struct outcome {
	uint32_t action;      /* enum xdp_action */
	enum verdict verdict; /* of ours */
};

/* The client's last address word and port are not set: they are the flow's. */
struct blueprint traffic_request(const struct row *row, uint8_t tcp_flags);
struct blueprint traffic_reply(const struct row *row, uint32_t backend, uint8_t tcp_flags);
struct service_key traffic_service(const struct row *row);
/* How many backends may answer; 0: nobody does. */
uint32_t traffic_backends(const struct row *row);
bool traffic_is_request(const struct row *row);

struct outcome traffic_outcome(const struct row *row);
/* Whether `frame` is what must become of `sent`; else says on stderr how it differs. */
bool traffic_is_right(const struct row *row, const struct blueprint *sent,
		      const struct frame *frame);
