/*
 * The event loop. Each watched fd has a watch, found by epoll through its pointer. Removing one
 * while a round of events is being handled only empties it: it is freed after the round, so that
 * events already fetched for it find nobody, even where its fd was closed and given out again.
 */
#include "control/loop.h"

#include <errno.h>
#include <signal.h>
#include <stdbool.h>
#include <stdlib.h>
#include <sys/epoll.h>
#include <sys/signalfd.h>
#include <sys/timerfd.h>
#include <time.h>
#include <unistd.h>

#define EVENTS_PER_ROUND 64
#define MS_PER_SECOND 1000
#define NS_PER_MS 1000000

enum watch_kind {
	WATCH_FD, /* the caller's */
	WATCH_TIMER,
	WATCH_SIGNAL,
};

struct watch {
	struct watch *next;
	int fd;
	enum watch_kind kind;
	loop_handler handler; /* NULL: removed */
	void *context;
};

struct loop {
	int epoll;
	bool stopped;
	struct watch *watches;
	struct watch *removed; /* freed when no fetched event can name them any more */
};

struct loop *loop_new(void)
{
	struct loop *loop = calloc(1, sizeof(*loop));

	if (!loop)
		return NULL;
	loop->epoll = epoll_create1(EPOLL_CLOEXEC);
	if (loop->epoll >= 0)
		return loop;
	free(loop);
	return NULL;
}

/* Timers and signals have fds of ours. */
static void free_watches(struct watch *watch)
{
	while (watch) {
		struct watch *next = watch->next;

		if (watch->handler && watch->kind != WATCH_FD)
			close(watch->fd);
		free(watch);
		watch = next;
	}
}

void loop_free(struct loop *loop)
{
	if (!loop)
		return;
	free_watches(loop->watches);
	free_watches(loop->removed);
	close(loop->epoll);
	free(loop);
}

static int add_watch(struct loop *loop, const struct watch *model, uint32_t events)
{
	struct watch *watch = malloc(sizeof(*watch));
	struct epoll_event event = {.events = events, .data.ptr = watch};
	int error;

	if (!watch)
		return -ENOMEM;
	*watch = *model;
	if (epoll_ctl(loop->epoll, EPOLL_CTL_ADD, watch->fd, &event)) {
		error = -errno;
		free(watch);
		return error;
	}
	watch->next = loop->watches;
	loop->watches = watch;
	return 0;
}

/* The pointer that leads to the watch of `fd`; what it points to is NULL where there is none. */
static struct watch **find_watch(struct loop *loop, int fd)
{
	struct watch **link = &loop->watches;

	while (*link && (*link)->fd != fd)
		link = &(*link)->next;
	return link;
}

int loop_add(struct loop *loop, int fd, uint32_t events, loop_handler handler, void *context)
{
	const struct watch watch = {
		.fd = fd,
		.kind = WATCH_FD,
		.handler = handler,
		.context = context,
	};

	return add_watch(loop, &watch, events);
}

int loop_change(struct loop *loop, int fd, uint32_t events)
{
	struct watch *watch = *find_watch(loop, fd);
	struct epoll_event event = {.events = events, .data.ptr = watch};

	if (!watch)
		return -ENOENT;
	return epoll_ctl(loop->epoll, EPOLL_CTL_MOD, fd, &event) ? -errno : 0;
}

void loop_remove(struct loop *loop, int fd)
{
	struct watch **link = find_watch(loop, fd);
	struct watch *watch = *link;

	if (!watch)
		return;
	epoll_ctl(loop->epoll, EPOLL_CTL_DEL, fd, NULL);
	*link = watch->next;
	watch->handler = NULL;
	watch->next = loop->removed;
	loop->removed = watch;
}

/* Watches an fd of ours, which is closed when that fails. The fd, or -errno. */
static int add_own(struct loop *loop, const struct watch *watch)
{
	int error = add_watch(loop, watch, EPOLLIN);

	if (!error)
		return watch->fd;
	close(watch->fd);
	return error;
}

uint64_t loop_now_ms(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return (uint64_t)now.tv_sec * 1000 + (uint64_t)now.tv_nsec / 1000000;
}

int loop_add_timer(struct loop *loop, loop_handler handler, void *context)
{
	const struct watch watch = {
		.fd = timerfd_create(CLOCK_MONOTONIC, TFD_NONBLOCK | TFD_CLOEXEC),
		.kind = WATCH_TIMER,
		.handler = handler,
		.context = context,
	};

	if (watch.fd < 0)
		return -errno;
	return add_own(loop, &watch);
}

static struct timespec to_timespec(unsigned int ms)
{
	return (struct timespec){
		.tv_sec = ms / MS_PER_SECOND,
		.tv_nsec = (long)(ms % MS_PER_SECOND) * NS_PER_MS,
	};
}

int loop_set_timer(int timer, unsigned int delay_ms, unsigned int interval_ms)
{
	struct itimerspec when = {
		.it_value = to_timespec(delay_ms),
		.it_interval = to_timespec(interval_ms),
	};

	/* A value of zero disarms whatever the interval; at once is therefore a nanosecond. */
	if (!delay_ms && interval_ms)
		when.it_value.tv_nsec = 1;
	return timerfd_settime(timer, 0, &when, NULL) ? -errno : 0;
}

void loop_remove_timer(struct loop *loop, int timer)
{
	loop_remove(loop, timer);
	close(timer);
}

int loop_add_signal(struct loop *loop, int signal, loop_handler handler, void *context)
{
	struct watch watch = {
		.kind = WATCH_SIGNAL,
		.handler = handler,
		.context = context,
	};
	sigset_t set;
	int fd;

	sigemptyset(&set);
	if (sigaddset(&set, signal) || sigprocmask(SIG_BLOCK, &set, NULL))
		return -errno;
	watch.fd = signalfd(-1, &set, SFD_NONBLOCK | SFD_CLOEXEC);
	if (watch.fd < 0)
		return -errno;
	fd = add_own(loop, &watch);
	return fd < 0 ? fd : 0;
}

/*
 * What the handler gets as `events`. 0: nothing happened after all, as when another handler of
 * this round has set the timer anew.
 */
static uint32_t read_events(const struct watch *watch, uint32_t events)
{
	struct signalfd_siginfo signal;
	uint64_t expirations;

	switch (watch->kind) {
	case WATCH_FD:
		return events;
	case WATCH_TIMER:
		if (read(watch->fd, &expirations, sizeof(expirations)) < 0)
			return 0;
		return expirations < UINT32_MAX ? (uint32_t)expirations : UINT32_MAX;
	case WATCH_SIGNAL:
		return read(watch->fd, &signal, sizeof(signal)) < 0 ? 0 : signal.ssi_signo;
	}
	return 0;
}

static void dispatch(const struct watch *watch, uint32_t events)
{
	if (!watch->handler)
		return;
	events = read_events(watch, events);
	if (events)
		watch->handler(watch->context, events);
}

static int run_round(struct loop *loop)
{
	struct epoll_event events[EVENTS_PER_ROUND];
	int count = epoll_wait(loop->epoll, events, EVENTS_PER_ROUND, -1);

	if (count < 0)
		return errno == EINTR ? 0 : -errno;
	for (int i = 0; i < count && !loop->stopped; i++)
		dispatch(events[i].data.ptr, events[i].events);
	free_watches(loop->removed);
	loop->removed = NULL;
	return 0;
}

int loop_run(struct loop *loop)
{
	int error = 0;

	while (!loop->stopped && !error)
		error = run_round(loop);
	loop->stopped = false;
	return error;
}

void loop_stop(struct loop *loop)
{
	loop->stopped = true;
}
