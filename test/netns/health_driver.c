/*
 * The health endpoints without a datapath or an API server, for health_test.sh: answers at the
 * endpoint given and takes lines from stdin, each answered by `done`.
 *
 *   health_driver ADDR:PORT
 *
 *   queued SECONDS              a change was heard of so long ago
 *   synced                      all are in force
 *   eligible yes|no             the node is to have traffic
 *   addresses [ADDR]...         where node ports are served; none: everywhere
 *   services [NS/NAME:PORT=N]...  those with a health check node port, N endpoints here
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <unistd.h>
#include "control/health.h"

#define MAX_WORDS 4096
#define LINE_BYTES 262144

struct driver {
	struct loop *loop;
	struct health *health;
	char line[LINE_BYTES];
	size_t used;
};

static int set_addresses(struct driver *driver, char *words[], size_t count)
{
	static struct address addresses[MAX_WORDS];

	for (size_t i = 0; i < count; i++)
		if (address_parse(words[i], &addresses[i]))
			return -EINVAL;
	return health_set_addresses(driver->health, count ? addresses : NULL, count);
}

static int set_services(struct driver *driver, char *words[], size_t count)
{
	static struct health_service services[MAX_WORDS];
	char *name, *port, *number;

	for (size_t i = 0; i < count; i++) {
		name = strchr(words[i], '/');
		port = name ? strchr(name, ':') : NULL;
		number = port ? strchr(port, '=') : NULL;
		if (!number)
			return -EINVAL;
		*name++ = *port++ = *number++ = '\0';
		services[i] = (struct health_service){
			.namespace = words[i],
			.name = name,
			.port = (uint16_t)atoi(port),
			.local_endpoints = (uint32_t)atoi(number),
		};
	}
	return health_set_services(driver->health, services, count);
}

static int act(struct driver *driver, char *words[], size_t count)
{
	const uint64_t now = loop_now_ms();

	if (!strcmp(words[0], "queued") && count == 2)
		health_queued(driver->health, now - 1000 * strtoull(words[1], NULL, 10));
	else if (!strcmp(words[0], "synced"))
		health_synced(driver->health, now);
	else if (!strcmp(words[0], "eligible") && count == 2)
		health_set_node_eligible(driver->health, !strcmp(words[1], "yes"));
	else if (!strcmp(words[0], "addresses"))
		return set_addresses(driver, words + 1, count - 1);
	else if (!strcmp(words[0], "services"))
		return set_services(driver, words + 1, count - 1);
	else
		return -EINVAL;
	return 0;
}

static void obey(struct driver *driver, char *line)
{
	char *words[MAX_WORDS], *rest = line;
	size_t count = 0;

	while (count < MAX_WORDS && (words[count] = strsep(&rest, " ")))
		count++;
	puts(act(driver, words, count) ? "failed" : "done");
	fflush(stdout);
}

static void take_line(void *context, uint32_t events)
{
	struct driver *driver = context;
	ssize_t count = read(STDIN_FILENO, driver->line + driver->used,
			     sizeof(driver->line) - 1 - driver->used);
	char *end;

	(void)events;
	if (count <= 0) {
		loop_stop(driver->loop);
		return;
	}
	driver->used += (size_t)count;
	driver->line[driver->used] = '\0';
	while ((end = strchr(driver->line, '\n'))) {
		*end = '\0';
		obey(driver, driver->line);
		driver->used -= (size_t)(end + 1 - driver->line);
		memmove(driver->line, end + 1, driver->used + 1);
	}
}

int main(int argc, char *argv[])
{
	static struct driver driver;
	struct http_endpoint endpoint;
	struct refusal refusal;
	struct http *http;
	int error;

	if (argc != 2 || endpoint_parse(argv[1], &endpoint.address, &endpoint.port, &refusal))
		return 2;
	driver.loop = loop_new();
	http = http_new(driver.loop);
	driver.health = health_new(http);
	error = health_listen(driver.health, &endpoint, &refusal);
	if (!error)
		error = loop_add(driver.loop, STDIN_FILENO, EPOLLIN, take_line, &driver);
	else
		fprintf(stderr, "%s\n", refusal.text);
	if (!error) {
		puts("ready");
		fflush(stdout);
		error = loop_run(driver.loop);
	}
	health_free(driver.health);
	http_free(http);
	loop_free(driver.loop);
	return error ? 1 : 0;
}
