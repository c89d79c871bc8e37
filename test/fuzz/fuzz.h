/*
 * What the targets of this folder share. A target takes bytes as a stranger may send them, hands
 * them to the code that has to bear them, and says what must hold whatever they are. libFuzzer
 * (meson's -Dfuzz=true) makes up bytes; in other builds replay.c reads them from files.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include "lb/refusal.h"

/* libFuzzer's names. */
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);
size_t LLVMFuzzerMutate(uint8_t *data, size_t size, size_t most);
size_t LLVMFuzzerCustomMutator(uint8_t *data, size_t size, size_t most, unsigned int seed);

/* Ends the process where it does not hold; in every build, which assert does not. */
void must(bool holds, const char *what);

/* That it is one line of text which JSON can carry. */
void must_be_readable(const struct refusal *refusal);
