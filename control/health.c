/*
 * The state, and /healthz and /livez. The bodies are kube-proxy's; times are as Go prints them.
 */
#include "control/health_internal.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#define MAX_CLIENTS 64
#define TIME_TEXT_MAX 48
#define MS_PER_SECOND 1000
#define NS_PER_MS 1000000

static const char *const PATHS[_HEALTH_PATH_COUNT] = {
	[HEALTH_HEALTHZ] = "/healthz",
	[HEALTH_LIVEZ] = "/livez",
};

void health_queued(struct health *health, uint64_t now_ms)
{
	if (!health->queued_ms)
		health->queued_ms = now_ms;
}

void health_synced(struct health *health, uint64_t now_ms)
{
	health->queued_ms = 0;
	health->synced_ms = now_ms;
}

void health_set_node_eligible(struct health *health, bool eligible)
{
	health->node_eligible = eligible;
}

bool health_is_good(const struct health *health, uint64_t now_ms)
{
	return !health->queued_ms || now_ms - health->queued_ms < HEALTH_TIMEOUT_MS;
}

struct health_answers health_answers(const struct health *health, enum health_path path)
{
	return health->answers[path];
}

static const char *format_time(const struct timespec *time, char text[TIME_TEXT_MAX])
{
	struct tm parts;
	size_t length;

	gmtime_r(&time->tv_sec, &parts);
	length = strftime(text, TIME_TEXT_MAX, "%Y-%m-%d %H:%M:%S", &parts);
	snprintf(text + length, TIME_TEXT_MAX - length, ".%09ld +0000 UTC", time->tv_nsec);
	return text;
}

/*
 * kube-proxy's: the last time that all was in force, which is now unless something is waiting.
 * `now` is of the wall clock.
 */
static const char *last_updated(const struct health *health, uint64_t now_ms, struct timespec now,
				char text[TIME_TEXT_MAX])
{
	const int64_t ago_ms = (int64_t)(now_ms - health->synced_ms);

	if (!health->synced_ms)
		return "0001-01-01 00:00:00 +0000 UTC"; /* Go's time of zero */
	now.tv_sec -= (time_t)(ago_ms / MS_PER_SECOND);
	now.tv_nsec -= (long)(ago_ms % MS_PER_SECOND) * NS_PER_MS;
	if (now.tv_nsec < 0) {
		now.tv_sec--;
		now.tv_nsec += MS_PER_SECOND * NS_PER_MS;
	}
	return format_time(&now, text);
}

static void answer_path(struct health *health, enum health_path path, struct http_reply *reply)
{
	const bool is_healthz = path == HEALTH_HEALTHZ;
	const uint64_t now_ms = loop_now_ms();
	const bool good = health_is_good(health, now_ms) && (!is_healthz || health->node_eligible);
	char updated[TIME_TEXT_MAX], current[TIME_TEXT_MAX], eligible[32] = "";
	struct timespec now;

	clock_gettime(CLOCK_REALTIME, &now);
	format_time(&now, current);
	health->answers[path].ok += good;
	health->answers[path].unavailable += !good;
	if (is_healthz)
		snprintf(eligible, sizeof(eligible), ", \"nodeEligible\": %s",
			 health->node_eligible ? "true" : "false");
	reply->status = good ? 200 : 503;
	reply->type = "application/json";
	snprintf(reply->text, sizeof(reply->text),
		 "{\"lastUpdated\": \"%s\",\"currentTime\": \"%s\"%s}",
		 good ? current : last_updated(health, now_ms, now, updated), current, eligible);
}

static void answer(void *context, const struct http_request *request, struct http_reply *reply)
{
	for (int path = 0; path < _HEALTH_PATH_COUNT; path++)
		if (!strcmp(request->path, PATHS[path]))
			answer_path(context, (enum health_path)path, reply);
}

int health_listen(struct health *health, const struct http_endpoint *endpoint,
		  struct refusal *refusal)
{
	static const struct http_site site = {"healthz", answer, MAX_CLIENTS};

	health->listener = http_listen(health->http, &site, endpoint, health, refusal);
	return health->listener ? 0 : -EINVAL;
}

struct health *health_new(struct http *http)
{
	struct health *health = calloc(1, sizeof(*health));

	if (!health)
		return NULL;
	health->http = http;
	health->node_eligible = true;
	return health;
}

void health_free(struct health *health)
{
	if (!health)
		return;
	health_close_ports(health);
	http_close(health->listener);
	free(health->addresses);
	free(health);
}
