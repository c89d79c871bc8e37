/*
 * A thread of the hammer: sends the packets of its callers one after another and judges each by
 * what its caller knows. It never fails a test itself: what it found is told after it has stopped.
 */
#pragma once

#include <pthread.h>
#include "test/bpf/chance.h"
#include "test/bpf/hammer_caller.h"

#define FINDING_MAX 256
#define MAX_THREADS 32

/* What became of a packet, as its sender sees it. */
enum fate {
	FATE_PASSED,
	FATE_DROPPED,
	FATE_SENT_BACK,
	FATE_REDIRECTED,
	FATE_UNRESOLVED, /* translated, but left to the stack */
	FATE_ANSWERED,   /* its sender is told that there is no backend */
	_FATE_COUNT,
};

struct hammer_thread {
	const struct scene *scene;
	struct callers *callers;
	uint32_t number;
	bool lbd; /* services come and go meanwhile */
	uint32_t packets;
	int program;
	pthread_t pthread;
	struct chance chance;
	struct frame sent, left, wanted;
	uint32_t action;
	uint64_t fates[_FATE_COUNT];
	uint64_t requests[KIND_COUNT][SERVICES]; /* sent to it */
	uint64_t replies[KIND_COUNT][SERVICES];  /* left as from it */
	uint64_t aliased;                        /* requests that left with another port */
	uint64_t findings;
	char finding[FINDING_MAX]; /* the first */
};

/* Sends so many packets (pthread_create's). */
void *hammer_thread_run(void *context);
/* One packet, judged. hammer_judge.c. */
void hammer_request(struct hammer_thread *thread, struct caller *caller, uint32_t service,
		    uint8_t flags, uint32_t mac);
/* To one of its caller's ports, by number. */
struct spot {
	enum role backend;
	uint32_t port;
};
void hammer_reply(struct hammer_thread *thread, const struct caller *caller, struct spot from,
		  uint8_t flags);
