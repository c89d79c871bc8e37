/*
 * Numbers by chance that a seed brings back. The seed is $LBT_SEED or always the same one, and the
 * tables of the scene hash by it too (getrandom is answered here), so a run on one CPU can be
 * repeated exactly, and one on many as far as the CPUs let it.
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>

struct chance {
	uint64_t state;
};

uint64_t chance_seed(void);
/* One sequence of the seed for each `stream`. */
struct chance chance_of(uint64_t stream);
uint64_t chance_word(struct chance *chance);
uint32_t chance_below(struct chance *chance, uint32_t count);
bool chance_percent(struct chance *chance, uint32_t percent);
/* A number that an environment variable may set. */
uint32_t chance_setting(const char *variable, uint32_t otherwise);
