/*
 * lbd's event loop: epoll, with timers on timerfd and signals on signalfd. One thread; a handler
 * runs to its end before the next one, so nothing here needs a lock.
 */
#pragma once

#include <stdint.h>

struct loop;

/* What happens on an event. `events` are epoll's bits; of timers and signals see below. */
typedef void (*loop_handler)(void *context, uint32_t events);

/* NULL with errno set. */
struct loop *loop_new(void);
void loop_free(struct loop *loop);

/*
 * Watches `fd` for `events` (EPOLLIN …). The fd stays the caller's; loop_remove before closing it.
 * Removing from within a handler is allowed: events of that round for it are dropped. 0 or -errno.
 */
int loop_add(struct loop *loop, int fd, uint32_t events, loop_handler handler, void *context);
int loop_change(struct loop *loop, int fd, uint32_t events); /* 0, -ENOENT or -errno */
void loop_remove(struct loop *loop, int fd);

/* By the clock that timers run by. */
uint64_t loop_now_ms(void);

/*
 * A timer on CLOCK_MONOTONIC, disarmed. `events` of its handler is the number of expirations.
 * Returns its fd (the loop's own: loop_remove_timer closes it) or -errno.
 */
int loop_add_timer(struct loop *loop, loop_handler handler, void *context);
/* First after `delay_ms`, then every `interval_ms` (0: once). delay 0 and interval 0 disarms. */
int loop_set_timer(int timer, unsigned int delay_ms, unsigned int interval_ms);
void loop_remove_timer(struct loop *loop, int timer);

/*
 * Blocks the signal, for good, and hands it to `handler` with its number in `events`. What we exec
 * inherits the mask. 0 or -errno.
 */
int loop_add_signal(struct loop *loop, int signal, loop_handler handler, void *context);

/* Runs until loop_stop; no handler is called after that one. 0 or -errno of epoll. */
int loop_run(struct loop *loop);
void loop_stop(struct loop *loop);
