/*
 * `lbctl stats --watch`: asks each second and puts beside every counter how fast it grows. Rates
 * are computed here, from two answers and the time between them; lbd only counts.
 */
#include "control/lbctl.h"

#include <signal.h>
#include <stdio.h>
#include <time.h>
#include <unistd.h>
#include "control/terminal.h"

#define INTERVAL_SECONDS 1

/* Every number of `now` as what it grew each second; objects within likewise. NULL: no memory. */
static json_t *compute_rate(json_t *now, const json_t *before, double seconds)
{
	json_t *rate = json_object();
	const char *key;
	json_t *value;

	json_object_foreach (now, key, value) {
		const json_t *old = json_object_get(before, key);
		double grown = (double)(json_integer_value(value) - json_integer_value(old));
		json_t *each = NULL;

		if (json_is_integer(value) && json_is_integer(old)) /* backwards: lbd began anew */
			each = json_integer(grown > 0 ? (json_int_t)(grown / seconds + 0.5) : 0);
		else if (json_is_object(value) && json_is_object(old))
			each = compute_rate(value, old, seconds);
		if (each)
			json_object_set_new(rate, key, each);
	}
	return rate;
}

/* What is new has no rate yet. */
static void add_rate(json_t *now, const json_t *before, double seconds)
{
	if (before)
		json_object_set_new(now, STATS_RATE_KEY, compute_rate(now, before, seconds));
}

/* The services of an answer by their keys, for their order may change from one to the next. */
static json_t *index_services(const json_t *result)
{
	json_t *index = json_object();
	json_t *service;
	size_t i;

	json_array_foreach (json_object_get(result, "services"), i, service) {
		const char *key = json_string_value(json_object_get(service, "service"));

		if (key)
			json_object_set(index, key, service);
	}
	return index;
}

static void add_rates(json_t *result, const json_t *before, double seconds)
{
	json_auto_t *services = index_services(before);
	json_t *old_verdicts = json_object_get(before, "verdicts");
	const char *name;
	json_t *row;
	size_t i;

	json_object_foreach (json_object_get(result, "verdicts"), name, row)
		add_rate(row, json_object_get(old_verdicts, name), seconds);
	json_array_foreach (json_object_get(result, "services"), i, row) {
		name = json_string_value(json_object_get(row, "service"));
		add_rate(row, name ? json_object_get(services, name) : NULL, seconds);
	}
}

/* Pages are flushed whole, so nothing is lost by leaving at once, also while lbd hangs. */
static void leave(int signal)
{
	(void)signal;
	_exit(STATUS_DONE);
}

static double read_clock(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return (double)now.tv_sec + (double)now.tv_nsec / 1e9;
}

static enum status print_page(struct invocation *invocation, json_t *result, const json_t *before,
			      double seconds)
{
	if (invocation->json) /* the answer as it is: its reader has a clock too */
		return invocation_print(invocation, result);
	add_rates(result, before, seconds);
	terminal_begin_page(stdout, !before);
	return invocation_print(invocation, result);
}

enum status invocation_watch(struct invocation *invocation)
{
	enum status status = STATUS_DONE;
	json_t *before = NULL;
	double before_at = 0;

	signal(SIGINT, leave);
	while (!status) {
		json_t *result = NULL;
		double now;

		status = invocation_ask(invocation, &result);
		now = read_clock();
		if (!status)
			status = print_page(invocation, result, before, now - before_at);
		json_decref(before);
		before = result;
		before_at = now;
		if (!status)
			sleep(INTERVAL_SECONDS);
	}
	json_decref(before);
	return status;
}
