/*
 * A watch over a client that answers what the test says, at a time that it sets: what the hooks are
 * told, what is asked next, and how long that waits.
 */
#pragma once

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <time.h>
#include <cmocka.h>
#include "control/kube/stream.h"
#include "control/kube/watch.h"
#include "control/log.h"

#define TEXT_MAX 8192
#define AT_ONCE (-1) /* no timer runs */

static struct kube_watch *watch;
static char told[TEXT_MAX];             /* by the hooks */
static int put_error;                   /* what they answer */
static char logged[TEXT_MAX];           /* names of events */
static char asked[1024];                /* the path of the request that runs; "": none does */
static struct kube_request_hooks hooks; /* its */
static loop_handler time_is_up;
static int timer_ms;
static unsigned int now_ms, cancelled, renewed;

static inline void add(char *text, const char *format, const char *word)
{
	snprintf(text + strlen(text), TEXT_MAX - strlen(text), format, word);
}

/* ---- in the place of client and loop */

struct kube_request *__wrap_kube_client_get(struct kube_client *client, const char *path,
					    unsigned int seconds, bool patient,
					    const struct kube_request_hooks *given);
struct kube_request *__wrap_kube_client_get(struct kube_client *client, const char *path,
					    unsigned int seconds, bool patient,
					    const struct kube_request_hooks *given)
{
	(void)client;
	assert_string_equal(asked, "");
	assert_true(seconds >= 300 && seconds <= 630);
	assert_int_equal(patient, !!strstr(path, "watch=true"));
	snprintf(asked, sizeof(asked), "%s", path);
	hooks = *given;
	return (struct kube_request *)asked;
}

void __wrap_kube_request_cancel(struct kube_request *request);
void __wrap_kube_request_cancel(struct kube_request *request)
{
	cancelled += request != NULL;
	asked[0] = '\0';
}

struct loop *__wrap_kube_client_loop(const struct kube_client *client);
struct loop *__wrap_kube_client_loop(const struct kube_client *client)
{
	(void)client;
	return NULL;
}

void __wrap_kube_client_renew(struct kube_client *client);
void __wrap_kube_client_renew(struct kube_client *client)
{
	(void)client;
	renewed++;
}

int __wrap_loop_add_timer(struct loop *loop, loop_handler handler, void *context);
int __wrap_loop_add_timer(struct loop *loop, loop_handler handler, void *context)
{
	(void)loop;
	(void)context;
	time_is_up = handler;
	return 0;
}

int __wrap_loop_set_timer(int timer, unsigned int delay_ms, unsigned int interval_ms);
int __wrap_loop_set_timer(int timer, unsigned int delay_ms, unsigned int interval_ms)
{
	assert_int_equal(timer, 0);
	assert_int_equal(interval_ms, 0);
	timer_ms = delay_ms ? (int)delay_ms : AT_ONCE;
	return 0;
}

void __wrap_loop_remove_timer(struct loop *loop, int timer);
void __wrap_loop_remove_timer(struct loop *loop, int timer)
{
	(void)loop;
	(void)timer;
}

/* The longest wait there can be. */
uint32_t __wrap_kube_random(void);
uint32_t __wrap_kube_random(void)
{
	return UINT32_MAX - UINT32_MAX % 1000 - 1;
}

int __wrap_clock_gettime(clockid_t clock, struct timespec *now);
int __wrap_clock_gettime(clockid_t clock, struct timespec *now)
{
	(void)clock;
	*now = (struct timespec){now_ms / 1000, (long)(now_ms % 1000) * 1000000};
	return 0;
}

void __wrap_log_event(enum log_level level, const char *event, const char *fields, ...);
void __wrap_log_event(enum log_level level, const char *event, const char *fields, ...)
{
	(void)level;
	(void)fields;
	add(logged, "%s ", event);
}

/* ---- the hooks of the watch */

static inline void begin(void *context)
{
	add(context, "%s", "begin ");
}

static inline void end(void *context)
{
	add(context, "%s", "end ");
}

static inline int put(void *context, const json_t *object)
{
	const json_t *metadata = json_object_get(object, "metadata");

	add(context, "+%s ", json_string_value(json_object_get(metadata, "name")));
	return put_error;
}

static inline int take_away(void *context, const json_t *object)
{
	const json_t *metadata = json_object_get(object, "metadata");

	add(context, "-%s ", json_string_value(json_object_get(metadata, "name")));
	return put_error;
}

static inline void pass_time(void)
{
	assert_true(timer_ms > 0);
	now_ms += (unsigned int)timer_ms;
	timer_ms = AT_ONCE;
	time_is_up(watch, 1);
}

static inline int open_watch(void **state)
{
	const struct kube_watch_hooks watch_hooks = {told, begin, put, take_away, end};

	(void)state;
	told[0] = logged[0] = asked[0] = '\0';
	cancelled = renewed = 0;
	put_error = 0;
	now_ms = 1000000;
	watch = kube_watch_open(NULL, "/api/v1/services", "labelSelector=%21a", &watch_hooks);
	return watch ? 0 : -1;
}

static inline int close_watch(void **state)
{
	(void)state;
	kube_watch_close(watch);
	return 0;
}

static inline struct kube_watch_status describe(void)
{
	struct kube_watch_status status;

	kube_watch_describe(watch, &status);
	return status;
}

/* ---- what the server does */

static inline void answers(long status)
{
	hooks.begin(hooks.context, status);
}

static inline bool sends(const char *text)
{
	return hooks.take(hooks.context, text, strlen(text));
}

static inline void ends_with(const struct kube_result *result)
{
	asked[0] = '\0';
	hooks.end(hooks.context, result);
}

static inline void ends(void)
{
	ends_with(&(struct kube_result){.status = 200, .is_whole = true, .error = ""});
}

static inline void breaks(void)
{
	ends_with(&(struct kube_result){.status = 200, .kind = 18, .error = "cut"});
}

static inline void refuses_with(long status)
{
	ends_with(&(struct kube_result){.status = status,
					.is_whole = true,
					.kind = 1000 + (int)status,
					.error = "refused"});
}

static inline void gives_page(const char *page)
{
	answers(200);
	assert_true(sends(page));
	ends();
}

#define ITEM(name) "{\"metadata\":{\"name\":\"" name "\"}}"
#define PAGE(metadata, items)                                                                      \
	"{\"kind\":\"ServiceList\",\"metadata\":{" metadata "},\"items\":[" items "]}"
#define EVENT(type, name, version)                                                                 \
	"{\"type\":\"" type "\",\"object\":{\"metadata\":{\"name\":\"" name                        \
	"\",\"resourceVersion\":\"" version "\"}}}\n"
#define ERROR_EVENT(code)                                                                          \
	"{\"type\":\"ERROR\",\"object\":{\"kind\":\"Status\",\"code\":" code "}}\n"

static inline void assert_asks(const char *path)
{
	assert_string_equal(asked, path);
}

static inline void assert_lists(void)
{
	assert_asks("/api/v1/services?limit=500&labelSelector=%21a");
}

static inline void assert_watches_from(const char *version)
{
	char words[64];

	snprintf(words, sizeof(words), "watch=true&allowWatchBookmarks=true&resourceVersion=%s&",
		 version);
	if (!strstr(asked, words))
		fail_msg("%s does not watch from %s", asked, version);
}

/* It says nothing more, and tries again after at most so long. */
static inline void assert_waits(int most_ms)
{
	assert_string_equal(asked, "");
	assert_int_equal(describe().state, KUBE_WAITING);
	assert_in_range(timer_ms, 1, most_ms);
}

/* A list of a and b at version 7, and the watch from there is answered. */
static inline void given_connected(void)
{
	pass_time();
	gives_page(PAGE("\"resourceVersion\":\"7\"", ITEM("a") "," ITEM("b")));
	answers(200);
	assert_int_equal(describe().state, KUBE_CONNECTED);
	now_ms += 1000;
	told[0] = logged[0] = '\0';
}

#define WITH_WATCH(test) cmocka_unit_test_setup_teardown(test, open_watch, close_watch)
