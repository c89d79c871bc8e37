/*
 * The event loop with pipes, timers and signals: who is called, how often, and who no more.
 */
#include <errno.h>
#include <fcntl.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/epoll.h>
#include <time.h>
#include <unistd.h>
#include <cmocka.h>
#include "control/loop.h"

/* One pipe, watched at its reading end, and what its handler is to do. */
struct pipe_end {
	struct loop *loop;
	int fds[2];
	int calls;
	uint32_t events;
	struct pipe_end *victim; /* removed, closed and, if told so, opened anew by the handler */
	int reopen;
};

static struct loop *loop;
static struct pipe_end a, b;

static void open_pipe(struct pipe_end *end)
{
	*end = (struct pipe_end){.loop = loop};
	assert_int_equal(pipe2(end->fds, O_CLOEXEC | O_NONBLOCK), 0);
}

static void close_pipe(struct pipe_end *end)
{
	close(end->fds[0]);
	close(end->fds[1]);
}

static int open_all(void **state)
{
	(void)state;
	loop = loop_new();
	if (!loop)
		return -1;
	open_pipe(&a);
	open_pipe(&b);
	return 0;
}

static int close_all(void **state)
{
	(void)state;
	loop_free(loop);
	close_pipe(&a);
	close_pipe(&b);
	return 0;
}

static void stop(void *context, uint32_t events)
{
	(void)events;
	loop_stop(context);
}

/* Lets the loop run for a moment; everything that is ready is handled many times over. */
static void run_for_ms(unsigned int ms)
{
	int timer = loop_add_timer(loop, stop, loop);

	assert_true(timer >= 0);
	assert_int_equal(loop_set_timer(timer, ms, 0), 0);
	assert_int_equal(loop_run(loop), 0);
	loop_remove_timer(loop, timer);
}

static void write_to(struct pipe_end *end)
{
	assert_int_equal(write(end->fds[1], "x", 1), 1);
}

static void drain(void *context, uint32_t events)
{
	struct pipe_end *end = context;
	char byte;

	end->calls++;
	end->events = events;
	assert_int_equal(read(end->fds[0], &byte, 1), 1);
}

/* Removes the other end, whose event is part of the same round. */
static void remove_victim(void *context, uint32_t events)
{
	struct pipe_end *victim = ((struct pipe_end *)context)->victim;

	drain(context, events);
	if (victim->calls)
		return;
	loop_remove(loop, victim->fds[0]);
	if (!victim->reopen)
		return;
	close_pipe(victim);
	open_pipe(victim);
	assert_int_equal(loop_add(loop, victim->fds[0], EPOLLIN, drain, victim), 0);
}

static void remove_itself(void *context, uint32_t events)
{
	struct pipe_end *end = context;

	end->calls++;
	end->events = events;
	loop_remove(loop, end->fds[0]);
}

static void count_call(void *context, uint32_t events)
{
	struct pipe_end *end = context;

	end->calls++;
	end->events += events;
}

static void handler_is_called_once_per_event(void **state)
{
	(void)state;
	assert_int_equal(loop_add(loop, a.fds[0], EPOLLIN, drain, &a), 0);
	assert_int_equal(loop_add(loop, b.fds[0], EPOLLIN, drain, &b), 0);
	write_to(&a);

	run_for_ms(10);

	assert_int_equal(a.calls, 1);
	assert_int_equal(a.events, EPOLLIN);
	assert_int_equal(b.calls, 0);
}

static void an_fd_is_watched_once_only(void **state)
{
	(void)state;
	assert_int_equal(loop_add(loop, a.fds[0], EPOLLIN, drain, &a), 0);
	assert_int_equal(loop_add(loop, a.fds[0], EPOLLIN, drain, &a), -EEXIST);
	assert_int_equal(loop_change(loop, b.fds[0], EPOLLIN), -ENOENT);
	loop_remove(loop, b.fds[0]);
}

static void changed_events_apply(void **state)
{
	(void)state;
	assert_int_equal(loop_add(loop, a.fds[0], 0, drain, &a), 0);
	write_to(&a);
	run_for_ms(5);
	assert_int_equal(a.calls, 0);

	assert_int_equal(loop_change(loop, a.fds[0], EPOLLIN), 0);
	run_for_ms(5);

	assert_int_equal(a.calls, 1);
}

static void handler_may_remove_itself(void **state)
{
	(void)state;
	assert_int_equal(loop_add(loop, a.fds[0], EPOLLIN, remove_itself, &a), 0);
	write_to(&a);

	run_for_ms(5);

	assert_int_equal(a.calls, 1);
}

/* Whichever comes first removes the other, so exactly one is called. */
static void events_of_a_removed_fd_are_dropped_in_the_same_round(void **state)
{
	(void)state;
	a.victim = &b;
	b.victim = &a;
	assert_int_equal(loop_add(loop, a.fds[0], EPOLLIN, remove_victim, &a), 0);
	assert_int_equal(loop_add(loop, b.fds[0], EPOLLIN, remove_victim, &b), 0);
	write_to(&a);
	write_to(&b);

	run_for_ms(5);

	assert_int_equal(a.calls + b.calls, 1);
}

static void a_reused_fd_does_not_get_events_of_its_forerunner(void **state)
{
	(void)state;
	a.victim = &b;
	a.reopen = 1;
	b.victim = &a;
	b.reopen = 1;
	assert_int_equal(loop_add(loop, a.fds[0], EPOLLIN, remove_victim, &a), 0);
	assert_int_equal(loop_add(loop, b.fds[0], EPOLLIN, remove_victim, &b), 0);
	write_to(&a);
	write_to(&b);

	run_for_ms(5);

	assert_int_equal(a.calls + b.calls, 1);
}

static void closing_the_writing_end_is_told(void **state)
{
	(void)state;
	assert_int_equal(loop_add(loop, a.fds[0], EPOLLIN, remove_itself, &a), 0);
	close(a.fds[1]);
	a.fds[1] = -1;

	run_for_ms(5);

	assert_true(a.events & EPOLLHUP);
}

static void timer_fires_once_or_again_and_again(void **state)
{
	int once = loop_add_timer(loop, count_call, &a);
	int often = loop_add_timer(loop, count_call, &b);
	int never = loop_add_timer(loop, stop, loop);

	(void)state;
	assert_int_equal(loop_set_timer(once, 2, 0), 0);
	assert_int_equal(loop_set_timer(often, 0, 5), 0);
	assert_int_equal(loop_set_timer(never, 1, 1), 0);
	assert_int_equal(loop_set_timer(never, 0, 0), 0);

	run_for_ms(53);

	assert_int_equal(a.events, 1);
	assert_true(b.events >= 3); /* 11 on a machine that is not busy */
	loop_remove_timer(loop, once);
	run_for_ms(5);
	assert_int_equal(a.events, 1);
}

static void expirations_that_were_missed_are_counted(void **state)
{
	const struct timespec pause = {.tv_nsec = 30 * 1000000};
	int timer = loop_add_timer(loop, count_call, &a);

	(void)state;
	assert_int_equal(loop_set_timer(timer, 1, 1), 0);
	nanosleep(&pause, NULL);
	assert_int_equal(loop_set_timer(loop_add_timer(loop, stop, loop), 1, 0), 0);
	assert_int_equal(loop_run(loop), 0);

	assert_true(a.events >= 30);
	assert_true(a.calls < 10);
}

static void signals_arrive_with_their_number(void **state)
{
	sigset_t set;

	(void)state;
	assert_int_equal(loop_add_signal(loop, SIGUSR1, count_call, &a), 0);
	assert_int_equal(loop_add_signal(loop, SIGUSR2, count_call, &b), 0);
	assert_int_equal(loop_add_signal(loop, 4711, count_call, &b), -EINVAL);
	raise(SIGUSR1);

	run_for_ms(5);

	assert_int_equal(a.events, SIGUSR1);
	assert_int_equal(b.calls, 0);
	sigprocmask(SIG_BLOCK, NULL, &set);
	assert_true(sigismember(&set, SIGUSR2));
}

static void a_stop_before_running_is_not_lost(void **state)
{
	(void)state;
	loop_stop(loop);
	assert_int_equal(loop_run(loop), 0);
}

#define WITH_LOOP(test) cmocka_unit_test_setup_teardown(test, open_all, close_all)

int main(void)
{
	const struct CMUnitTest tests[] = {
		WITH_LOOP(handler_is_called_once_per_event),
		WITH_LOOP(an_fd_is_watched_once_only),
		WITH_LOOP(changed_events_apply),
		WITH_LOOP(handler_may_remove_itself),
		WITH_LOOP(events_of_a_removed_fd_are_dropped_in_the_same_round),
		WITH_LOOP(a_reused_fd_does_not_get_events_of_its_forerunner),
		WITH_LOOP(closing_the_writing_end_is_told),
		WITH_LOOP(timer_fires_once_or_again_and_again),
		WITH_LOOP(expirations_that_were_missed_are_counted),
		WITH_LOOP(signals_arrive_with_their_number),
		WITH_LOOP(a_stop_before_running_is_not_lost),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
