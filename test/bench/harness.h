/*
 * A program under test behind the wrapper: frames of one kind and direction, of flows that follow
 * each other, run in the kernel by BPF_PROG_TEST_RUN and timed by the CPU time of the calling
 * thread.
 */
#pragma once

#include <stdint.h>
#include "test/bpf/packet_builder.h"

struct harness;

struct harness_options {
	const char *wrapper;    /* program of wrapper.bpf.c */
	int subject;            /* program under test */
	uint32_t ifindex;       /* by which frames come in */
	uint32_t first_flow;    /* number of the first flow */
	uint32_t flows;         /* round and round; 0: each packet is of a new flow */
	uint32_t service_count; /* each packet to the next; 0 and 1: all to the same */
	uint32_t first_service; /* last word of the first one's address */
	uint32_t first_suspect; /* of a wrapper for suspects: last word of flow 0's client */
};

struct harness_result {
	uint32_t action;    /* of the last packet, enum xdp_action */
	double ns;          /* of CPU time a packet, gross: harness included */
	struct frame frame; /* the last packet as it left */
};

/* 0 or -errno. */
int harness_open(const struct harness_options *options, struct harness **harness);
void harness_close(struct harness *harness);

/*
 * The frames to come are built as `blueprint` says, but for the client's last address word and
 * port, which the flow's number gives. `client_is_src`: requests.
 */
void harness_set_packet(struct harness *harness, const struct blueprint *blueprint,
			bool client_is_src);
/* The frames to come are this one, of FIXED_BYTES; the wrapper must be `as_it_is`. */
void harness_set_fixed(struct harness *harness, const struct frame *frame);

/*
 * Learns what a run costs however few its packets are, mostly putting the program in its place;
 * later runs are told without it. `subject` should do nothing. 0 or -errno.
 */
int harness_calibrate(int subject);

/* Runs so many packets on the CPU of the caller. 0 or -errno. */
int harness_run(struct harness *harness, uint32_t packets, struct harness_result *result);

/* The last packet as it went in, where there are flows: to compare with what came out. */
void harness_last_packet(const struct harness *harness, struct blueprint *blueprint);
