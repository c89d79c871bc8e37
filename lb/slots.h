/*
 * Hands out runs of indexes of a table (services, backends, rings, next hops, ports). What is given
 * back rests until the caller knows that no packet still looks at it: a program that read the old
 * value may run on for a while on another CPU.
 */
#pragma once

#include <stdint.h>
#include <stdbool.h>

struct slots;

/* Indexes first … count - 1 are handed out; those below `first` never. NULL when out of memory. */
struct slots *slots_new(uint32_t first, uint32_t count);
void slots_free(struct slots *slots);

/* A run of `length` (above 0) neighbouring free indexes: its first in *index. 0, or -ENOSPC. */
int slots_take(struct slots *slots, uint32_t length, uint32_t *index);

/* Marks a run as taken that a map of an earlier lbd uses. 0, -ERANGE, or -EEXIST if taken. */
int slots_adopt(struct slots *slots, uint32_t index, uint32_t length);

/*
 * Whether the index may have had another owner: false only where neither it nor one above it was
 * ever given back. After slots_distrust all may: an earlier lbd handed out what nobody remembers.
 */
bool slots_has_past(const struct slots *slots, uint32_t index);
void slots_distrust(struct slots *slots);

/* Handed out, adopted, or resting. */
bool slots_is_taken(const struct slots *slots, uint32_t index);

/* The run rests: it is not handed out again before slots_settle. Never fails. */
void slots_give_back(struct slots *slots, uint32_t index, uint32_t length);

/* Whether anything rests, and: a grace period has passed for all that rests; it is free again. */
bool slots_resting(const struct slots *slots);
void slots_settle(struct slots *slots);

uint32_t slots_taken(const struct slots *slots); /* without what rests */
uint32_t slots_capacity(const struct slots *slots);
