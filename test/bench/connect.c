/*
 * What leading a socket costs connect(): asks a service and its backend by turns.
 *
 *     bench_connect serve ADDRESS PORT                    takes TCP connections and closes them
 *     bench_connect tcp|udp ROUNDS DIRECT PORT SERVICE PORT
 *
 * Prints one JSON object: medians of one connect(), in nanoseconds, and the median of differences
 * between neighbours in time, which a busy machine disturbs least.
 */
#include <arpa/inet.h>
#include <netinet/in.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#define BACKLOG 4096
#define WARM_UP 200 /* rounds before the first that counts */

struct target {
	struct sockaddr_storage address;
	socklen_t size;
};

static void die(const char *what)
{
	perror(what);
	exit(1);
}

static struct target read_target(const char *address, const char *port)
{
	struct target target = {};
	struct sockaddr_in6 *ipv6 = (struct sockaddr_in6 *)&target.address;
	struct sockaddr_in *ipv4 = (struct sockaddr_in *)&target.address;
	const in_port_t number = htons((uint16_t)atoi(port));

	if (inet_pton(AF_INET, address, &ipv4->sin_addr) == 1) {
		ipv4->sin_family = AF_INET;
		ipv4->sin_port = number;
		target.size = sizeof(*ipv4);
	} else if (inet_pton(AF_INET6, address, &ipv6->sin6_addr) == 1) {
		ipv6->sin6_family = AF_INET6;
		ipv6->sin6_port = number;
		target.size = sizeof(*ipv6);
	} else {
		die(address);
	}
	return target;
}

static int64_t now_ns(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return (int64_t)now.tv_sec * 1000000000 + now.tv_nsec;
}

static _Noreturn void serve(const char *address, const char *port)
{
	const struct target here = read_target(address, port);
	const int listener = socket(here.address.ss_family, SOCK_STREAM, 0), one = 1;

	if (listener < 0 || setsockopt(listener, SOL_SOCKET, SO_REUSEADDR, &one, sizeof(one)) ||
	    bind(listener, (const struct sockaddr *)&here.address, here.size) ||
	    listen(listener, BACKLOG))
		die("serve");
	for (;;) {
		const int client = accept(listener, NULL, NULL);

		if (client >= 0)
			close(client);
	}
}

/* A reset ends the connection, so that no port waits. */
static int64_t time_connect(const struct target *target, int kind)
{
	const struct linger reset = {.l_onoff = 1};
	const int client = socket(target->address.ss_family, kind, 0);
	int64_t start, end;

	if (client < 0)
		die("socket");
	start = now_ns();
	if (connect(client, (const struct sockaddr *)&target->address, target->size))
		die("connect");
	end = now_ns();
	setsockopt(client, SOL_SOCKET, SO_LINGER, &reset, sizeof(reset));
	close(client);
	return end - start;
}

static int compare(const void *a, const void *b)
{
	const int64_t one = *(const int64_t *)a, other = *(const int64_t *)b;

	return (one > other) - (one < other);
}

static int64_t median(int64_t *times, size_t count)
{
	qsort(times, count, sizeof(*times), compare);
	return times[count / 2];
}

/* Who is first takes turns as well. */
static int measure(int kind, size_t rounds, const struct target *direct,
		   const struct target *service)
{
	int64_t *times[3];

	for (size_t i = 0; i < 3; i++)
		if (!(times[i] = calloc(rounds, sizeof(**times))))
			die("calloc");
	for (size_t i = 0; i < rounds + WARM_UP; i++) {
		const size_t at = i < WARM_UP ? 0 : i - WARM_UP;

		if (i % 2)
			times[0][at] = time_connect(direct, kind);
		times[1][at] = time_connect(service, kind);
		if (!(i % 2))
			times[0][at] = time_connect(direct, kind);
		times[2][at] = times[1][at] - times[0][at];
	}
	printf("{\"direct_ns\": %lld, \"service_ns\": %lld, \"added_ns\": %lld}\n",
	       (long long)median(times[0], rounds), (long long)median(times[1], rounds),
	       (long long)median(times[2], rounds));
	for (size_t i = 0; i < 3; i++)
		free(times[i]);
	return 0;
}

int main(int argc, char *argv[])
{
	struct target direct, service;

	if (argc == 4 && !strcmp(argv[1], "serve"))
		serve(argv[2], argv[3]);
	if (argc != 7 || (strcmp(argv[1], "tcp") && strcmp(argv[1], "udp")) || atoi(argv[2]) < 1) {
		fprintf(stderr, "usage: see the head of test/bench/connect.c\n");
		return 2;
	}
	direct = read_target(argv[3], argv[4]);
	service = read_target(argv[5], argv[6]);
	return measure(strcmp(argv[1], "udp") ? SOCK_STREAM : SOCK_DGRAM, (size_t)atoi(argv[2]),
		       &direct, &service);
}
