/*
 * Two packets at the very same time on two CPUs, again and again: one is the test's, the other is
 * sent by a thread that waits for its turn. $LBT_DUELS: how often.
 */
#pragma once

#include <pthread.h>
#include <stdatomic.h>
#include "test/bpf/chance.h"
#include "test/bpf/scene.h"

struct duel {
	struct scene *scene;
	struct chance chance;
	struct frame frames[2];
	struct frame left[2];
	enum interface in[2];
	uint32_t action[2];
	unsigned int delay[2];
	atomic_uint turn, done;
	atomic_bool over;
	pthread_t other;
};

/* Skips the test where there is one CPU. */
struct duel *duel_new(struct scene *scene);
void duel_free(struct duel *duel);

uint32_t duel_count(void);
/* One packet, undisputed; and two at once. They come in by UPLINK unless `in` says otherwise. */
void duel_start(struct duel *duel, const struct blueprint *packet);
void duel_fight(struct duel *duel, const struct blueprint *one, const struct blueprint *other);
/* Whether a packet left, and to this MAC address. */
bool duel_sent(const struct duel *duel, int side);
bool duel_left_for(const struct duel *duel, int side, enum role next);
/* The source port that it left with. */
__be16 duel_source_port(const struct duel *duel, int side);
/* Empties the table: heads alone, as it happens to entries. */
void duel_clear(const struct duel *duel);
