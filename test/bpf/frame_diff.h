/*
 * Tells two frames apart: the name of the first field that differs, and both in hexadecimal with
 * the differing bytes marked. For people who read a failed test.
 */
#pragma once

#include <stdbool.h>
#include "test/bpf/packet_builder.h"

bool frame_equal(const struct frame *a, const struct frame *b);
/* Of byte `offset` of `frame`: "IPv4 header checksum", "payload", … */
const char *frame_field(const struct frame *frame, size_t offset);
/* Prints to cmocka's error output; the frames must differ. */
void frame_print_difference(const struct frame *got, const struct frame *wanted);
