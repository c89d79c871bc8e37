/*
 * Sockets of netlink whose kernel is the input: what they hear and what answers their questions is
 * read from it, message by message. And a loop whose handlers are called one by one.
 *
 * A message is a byte that says its type and what is odd about it, a byte with the length of its
 * body, and the body: see netlink_socket.c.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include "control/loop.h"

#define MAX_HANDLERS 16

struct input {
	const uint8_t *at, *end;
};

extern struct input netlink_input;

/* The next byte; 0 at the end. */
uint8_t input_byte(void);
bool input_is_over(void);

/* Those that the modules have added to the loop, in order; timers too. */
size_t handler_count(void);
void handler_call(size_t index);
