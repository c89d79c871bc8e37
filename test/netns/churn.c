/*
 * Traffic of three sorts at once, of which nothing may be lost, and who answers it.
 *
 *     churn serve                       on TCP port 9000 (echoes), 9001 (echoes once and closes)
 * and UDP port 9002 (echoes) churn load ADDRESS SECONDS LONG NEW DATAGRAMS LONG connections to port
 * 9000, a message each on all of them ten times a second; NEW connections a second to 9001; so many
 * DATAGRAMS a second to 9002, a hundred from each port
 *
 * `load` prints a JSON object: of each sort how many there were, failures (errors, other bytes than
 * those sent, or nothing for 5 seconds), the first error, and the slowest answer in milliseconds.
 */
#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <signal.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#define PORT_LONG 9000
#define PORT_NEW 9001
#define PORT_UDP 9002

#define EVENTS 256
#define GIVE_UP_MS 5000
#define LONG_PERIOD_MS 100
#define DATAGRAMS_PER_PORT 100
#define DATAGRAM_SOCKETS 256 /* each waits for answers until it is made anew */

struct message {
	uint64_t number;
	uint64_t fill[7];
};

static int64_t now_ms(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return now.tv_sec * 1000 + now.tv_nsec / 1000000;
}

static void die(const char *what)
{
	fprintf(stderr, "churn: %s: %s\n", what, strerror(errno));
	exit(1);
}

static int poller;

static void watch(int fd, uint32_t events, void *what, int operation)
{
	struct epoll_event event = {.events = events, .data.ptr = what};

	if (epoll_ctl(poller, operation, fd, &event))
		die("epoll_ctl");
}

/* ---- serve */

struct end {
	int fd;
	uint16_t port; /* that it serves */
	bool listens;
};

static struct end *end_new(int fd, uint16_t port, bool listens)
{
	struct end *end = malloc(sizeof(*end));

	if (!end)
		die("out of memory");
	*end = (struct end){fd, port, listens};
	watch(fd, EPOLLIN, end, EPOLL_CTL_ADD);
	return end;
}

static void serve_at(uint16_t port, int type)
{
	const struct sockaddr_in any = {.sin_family = AF_INET, .sin_port = htons(port)};
	const int one = 1, fd = socket(AF_INET, type | SOCK_NONBLOCK, 0);

	setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &one, sizeof(one));
	if (bind(fd, (const void *)&any, sizeof(any)))
		die("bind");
	if (type == SOCK_STREAM && listen(fd, 4096))
		die("listen");
	end_new(fd, port, type == SOCK_STREAM);
}

static void serve_datagrams(int fd)
{
	struct message message;
	struct sockaddr_in peer;
	socklen_t size = sizeof(peer);

	while (recvfrom(fd, &message, sizeof(message), 0, (void *)&peer, &size) == sizeof(message))
		sendto(fd, &message, sizeof(message), 0, (void *)&peer, size);
}

static void serve_connection(struct end *end)
{
	char bytes[4096];
	const ssize_t got = read(end->fd, bytes, sizeof(bytes));

	if (got < 0 && errno == EAGAIN)
		return;
	if (got > 0 && write(end->fd, bytes, (size_t)got) == got && end->port == PORT_LONG)
		return;
	close(end->fd);
	free(end);
}

static void serve_one(struct end *end)
{
	int fd;

	if (end->port == PORT_UDP)
		serve_datagrams(end->fd);
	else if (!end->listens)
		serve_connection(end);
	else
		while ((fd = accept4(end->fd, NULL, NULL, SOCK_NONBLOCK)) >= 0)
			end_new(fd, end->port, false);
}

static _Noreturn void serve(void)
{
	struct epoll_event events[EVENTS];

	serve_at(PORT_LONG, SOCK_STREAM);
	serve_at(PORT_NEW, SOCK_STREAM);
	serve_at(PORT_UDP, SOCK_DGRAM);
	for (;;) {
		const int count = epoll_wait(poller, events, EVENTS, -1);

		for (int i = 0; i < count; i++)
			serve_one(events[i].data.ptr);
	}
}

/* ---- load */

struct tally {
	const char *name;
	uint64_t count, failures;
	int64_t slowest;
	char error[64];
};

static struct tally longs = {.name = "long"}, news = {.name = "new"}, datagrams = {.name = "udp"};

struct flow {
	struct flow *next, *before; /* of those that wait */
	struct tally *tally;
	int fd; /* -1: it has ended */
	bool connected;
	struct message message;
	int64_t sent; /* 0: nothing is under way */
};

static struct flow waiting = {.next = &waiting, .before = &waiting}; /* the longest first */
static struct sockaddr_in service = {.sin_family = AF_INET};
static uint64_t numbers;

static void enlist(struct flow *flow)
{
	flow->before = waiting.before;
	flow->next = &waiting;
	waiting.before->next = flow;
	waiting.before = flow;
}

static void unlist(struct flow *flow)
{
	flow->before->next = flow->next;
	flow->next->before = flow->before;
}

static void end_flow(struct flow *flow, const char *error)
{
	if (error) {
		flow->tally->failures++;
		if (!flow->tally->error[0])
			snprintf(flow->tally->error, sizeof(flow->tally->error), "%s", error);
	}
	if (flow->sent)
		unlist(flow);
	close(flow->fd);
	flow->fd = -1;
	if (flow->tally == &news)
		free(flow);
}

/* Once connected the message goes out; until then this is the time that connecting takes. */
static void begin(struct flow *flow, int64_t now)
{
	flow->message.number = ++numbers;
	flow->sent = now;
	enlist(flow);
	if (!flow->connected)
		return;
	if (send(flow->fd, &flow->message, sizeof(flow->message), MSG_NOSIGNAL) !=
	    sizeof(flow->message))
		end_flow(flow, strerror(errno));
}

static void open_flow(struct flow *flow, struct tally *tally, uint16_t port, int64_t now)
{
	service.sin_port = htons(port);
	*flow = (struct flow){.tally = tally,
			      .fd = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK, 0)};
	if (flow->fd < 0)
		die("socket");
	tally->count++;
	watch(flow->fd, EPOLLIN | EPOLLOUT, flow, EPOLL_CTL_ADD);
	begin(flow, now);
	if (connect(flow->fd, (const void *)&service, sizeof(service)) && errno != EINPROGRESS)
		end_flow(flow, strerror(errno));
}

static void finish_connecting(struct flow *flow)
{
	socklen_t size = sizeof(int);
	int error = 0;

	getsockopt(flow->fd, SOL_SOCKET, SO_ERROR, &error, &size);
	if (error) {
		end_flow(flow, strerror(error));
		return;
	}
	flow->connected = true;
	watch(flow->fd, EPOLLIN, flow, EPOLL_CTL_MOD);
	if (send(flow->fd, &flow->message, sizeof(flow->message), MSG_NOSIGNAL) !=
	    sizeof(flow->message))
		end_flow(flow, strerror(errno));
}

static void hear(struct flow *flow, int64_t now)
{
	struct message answer;
	const ssize_t got = recv(flow->fd, &answer, sizeof(answer), 0);

	if (got < 0 && errno == EAGAIN)
		return;
	if (got != sizeof(answer) || !flow->sent ||
	    memcmp(&answer, &flow->message, sizeof(answer))) {
		end_flow(flow, got < 0    ? strerror(errno)
			       : got == 0 ? "closed by the other side"
					  : "other bytes than were sent");
		return;
	}
	if (now - flow->sent > flow->tally->slowest)
		flow->tally->slowest = now - flow->sent;
	unlist(flow);
	flow->sent = 0;
	if (flow->tally == &news)
		end_flow(flow, NULL);
}

static void give_up(int64_t now)
{
	while (waiting.next != &waiting && now - waiting.next->sent > GIVE_UP_MS)
		end_flow(waiting.next, "no answer");
}

/* ---- datagrams: each number is awaited from the socket that it left by */

static int sockets[DATAGRAM_SOCKETS];
static uint64_t answered;

static void hear_datagrams(const int *fd)
{
	struct message message;

	while (recv(*fd, &message, sizeof(message), 0) == sizeof(message))
		answered++;
}

static void send_datagram(void)
{
	int *fd = &sockets[datagrams.count / DATAGRAMS_PER_PORT % DATAGRAM_SOCKETS];
	const struct message message = {.number = ++numbers};

	if (datagrams.count % DATAGRAMS_PER_PORT == 0) {
		if (*fd)
			close(*fd);
		*fd = socket(AF_INET, SOCK_DGRAM | SOCK_NONBLOCK, 0);
		service.sin_port = htons(PORT_UDP);
		if (*fd < 0 || connect(*fd, (const void *)&service, sizeof(service)))
			die("socket");
		watch(*fd, EPOLLIN, fd, EPOLL_CTL_ADD);
	}
	if (send(*fd, &message, sizeof(message), 0) == sizeof(message))
		datagrams.count++;
}

static bool is_socket(const void *what)
{
	return what >= (const void *)sockets && what < (const void *)(sockets + DATAGRAM_SOCKETS);
}

static void hear_all(int timeout)
{
	struct epoll_event events[EVENTS];
	const int count = epoll_wait(poller, events, EVENTS, timeout);
	const int64_t now = now_ms();

	for (int i = 0; i < count; i++) {
		struct flow *flow = events[i].data.ptr;

		if (is_socket(flow))
			hear_datagrams(events[i].data.ptr);
		else if (!flow->connected)
			finish_connecting(flow);
		else
			hear(flow, now);
	}
	give_up(now);
}

/* So many more as are due by now. */
static uint64_t due(uint64_t rate, int64_t elapsed_ms, uint64_t done)
{
	const uint64_t all = rate * (uint64_t)elapsed_ms / 1000;

	return all > done ? all - done : 0;
}

static volatile sig_atomic_t ends;

static void stop(int signal)
{
	(void)signal;
	ends = 1;
}

static void run(struct flow *flows, int count, uint64_t rate, uint64_t udp_rate)
{
	const int64_t start = now_ms();
	int64_t elapsed = 0, spoken = 0;

	for (; !ends; elapsed = now_ms() - start) {
		for (uint64_t n = due(rate, elapsed, news.count); n; n--) {
			struct flow *flow = malloc(sizeof(*flow));

			if (!flow)
				die("out of memory");
			open_flow(flow, &news, PORT_NEW, start + elapsed);
		}
		for (uint64_t n = due(udp_rate, elapsed, datagrams.count); n; n--)
			send_datagram();
		for (int i = 0; elapsed - spoken >= LONG_PERIOD_MS && i < count; i++)
			if (flows[i].fd >= 0 && !flows[i].sent)
				begin(&flows[i], start + elapsed);
		if (elapsed - spoken >= LONG_PERIOD_MS)
			spoken = elapsed;
		hear_all(1);
	}
	while (waiting.next != &waiting)
		hear_all(10);
	for (int i = 0; i < 20; i++)
		hear_all(10);
}

static void report(const struct tally *tally, const char *end)
{
	printf("\"%s\": {\"count\": %lu, \"failures\": %lu, \"slowest_ms\": %ld, \"error\": "
	       "\"%s\"}%s",
	       tally->name, tally->count, tally->failures, tally->slowest, tally->error, end);
}

static int load(char *words[])
{
	const int count = atoi(words[1]);
	struct flow *flows = calloc((size_t)count + 1, sizeof(*flows));

	if (!flows || inet_pton(AF_INET, words[0], &service.sin_addr) != 1)
		die(words[0]);
	for (int i = 0; i < count; i++) {
		open_flow(&flows[i], &longs, PORT_LONG, now_ms());
		hear_all(1); /* not in one burst */
	}
	run(flows, count, strtoull(words[2], NULL, 10), strtoull(words[3], NULL, 10));
	datagrams.failures = datagrams.count - answered;
	printf("{");
	report(&longs, ", ");
	report(&news, ", ");
	report(&datagrams, "}\n");
	return 0;
}

int main(int count, char *words[])
{
	const struct rlimit many = {65536, 65536};

	setrlimit(RLIMIT_NOFILE, &many);
	signal(SIGTERM, stop);
	poller = epoll_create1(0);
	if (count == 2 && !strcmp(words[1], "serve"))
		serve();
	if (count == 6 && !strcmp(words[1], "load"))
		return load(words + 2);
	fprintf(stderr, "usage: churn serve | load ADDRESS LONG NEW DATAGRAMS\n");
	return 2;
}
