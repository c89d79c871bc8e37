/*
 * bench_udp: question and answer over UDP as DNS does it, by real sockets.
 *
 *     bench_udp serve PORT ADDRESS…          a process for each address, until killed
 *     bench_udp ask ADDRESS,… PORT SECONDS   prints {"rate": …, "p50": …, "p99": …}, µs
 *
 * Several addresses are asked in turn: five pods directly, to compare with a service of five.
 *
 * The asking side keeps one question in flight on each of its sockets; a question not answered in
 * a second counts as lost and ends the run, because nothing here should lose any.
 */
#include <arpa/inet.h>
#include <errno.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#define SOCKETS 32
#define MESSAGE_BYTES 48
#define MAX_SAMPLES 4000000
#define LOST_MS 1000

static double now_us(void)
{
	struct timespec time;

	clock_gettime(CLOCK_MONOTONIC, &time);
	return time.tv_sec * 1e6 + time.tv_nsec / 1e3;
}

static void die(const char *what)
{
	fprintf(stderr, "bench_udp: %s: %s\n", what, strerror(errno));
	exit(1);
}

static struct sockaddr_in endpoint(const char *address, const char *port)
{
	struct sockaddr_in end = {.sin_family = AF_INET, .sin_port = htons(atoi(port))};

	if (inet_pton(AF_INET, address, &end.sin_addr) != 1)
		die(address);
	return end;
}

static void serve(const char *address, const char *port)
{
	struct sockaddr_in own = endpoint(address, port), client;
	char message[512];
	int fd = socket(AF_INET, SOCK_DGRAM, 0);

	if (fd < 0 || bind(fd, (struct sockaddr *)&own, sizeof(own)))
		die(address);
	for (;;) {
		socklen_t length = sizeof(client);
		ssize_t size = recvfrom(fd, message, sizeof(message), 0, (struct sockaddr *)&client,
					&length);

		if (size >= 0)
			sendto(fd, message, size, 0, (struct sockaddr *)&client, length);
	}
}

static void send_question(int fd)
{
	char message[MESSAGE_BYTES] = {0};
	double now = now_us();

	memcpy(message, &now, sizeof(now));
	if (send(fd, message, sizeof(message), 0) < 0)
		die("send");
}

/* The i-th of a list of addresses, from the start again where it is shorter. */
static struct sockaddr_in endpoint_of(const char *list, const char *port, int i)
{
	char copy[256], *rest = copy, *address = NULL;

	snprintf(copy, sizeof(copy), "%s", list);
	for (; i >= 0; i--) {
		if (!rest) {
			snprintf(copy, sizeof(copy), "%s", list);
			rest = copy;
		}
		address = strsep(&rest, ",");
	}
	return endpoint(address, port);
}

static int open_sockets(const char *addresses, const char *port)
{
	int epoll = epoll_create1(0);

	for (int i = 0; i < SOCKETS; i++) {
		struct sockaddr_in end = endpoint_of(addresses, port, i);
		int fd = socket(AF_INET, SOCK_DGRAM, 0);
		struct epoll_event event = {.events = EPOLLIN, .data.fd = fd};

		if (fd < 0 || connect(fd, (struct sockaddr *)&end, sizeof(end)) ||
		    epoll_ctl(epoll, EPOLL_CTL_ADD, fd, &event))
			die("socket");
		send_question(fd);
	}
	return epoll;
}

static int compare(const void *a, const void *b)
{
	const float *x = a, *y = b;

	return (*x > *y) - (*x < *y);
}

static void ask(const char *addresses, const char *port, double seconds)
{
	const double start = now_us(), end = start + seconds * 1e6;
	float *spent = calloc(MAX_SAMPLES, sizeof(*spent));
	int epoll = open_sockets(addresses, port);
	size_t count = 0;

	while (now_us() < end && count < MAX_SAMPLES - SOCKETS) {
		struct epoll_event events[SOCKETS];
		int ready = epoll_wait(epoll, events, SOCKETS, LOST_MS);
		double sent;

		if (ready <= 0)
			die("no answer");
		for (int i = 0; i < ready; i++) {
			char message[512];

			if (recv(events[i].data.fd, message, sizeof(message), 0) < 0)
				die("recv");
			memcpy(&sent, message, sizeof(sent));
			spent[count++] = now_us() - sent;
			send_question(events[i].data.fd);
		}
	}
	seconds = (now_us() - start) / 1e6;
	qsort(spent, count, sizeof(*spent), compare);
	printf("{\"rate\": %.0f, \"p50\": %.1f, \"p99\": %.1f}\n", count / seconds,
	       spent[count / 2], spent[count * 99 / 100]);
	free(spent);
}

int main(int argc, char **argv)
{
	if (argc >= 4 && !strcmp(argv[1], "serve")) {
		for (int i = 4; i < argc; i++) {
			if (fork() == 0)
				serve(argv[i], argv[2]);
		}
		serve(argv[3], argv[2]);
	}
	if (argc == 5 && !strcmp(argv[1], "ask")) {
		ask(argv[2], argv[3], atof(argv[4]));
		return 0;
	}
	return 2;
}
