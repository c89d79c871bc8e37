/*
 * bench_dns: DNS over UDP, by real sockets and real messages (RFC 1035, 4.1).
 *
 *     bench_dns serve PORT ADDRESS…          answers for all addresses, until killed
 *     bench_dns ask ADDRESS PORT SECONDS     prints {"rate": …, "p50": …, "p90": …, "p99": …}, µs
 *     bench_dns spread ADDRESS PORT COUNT    prints who answered, a line for each question
 *
 * A server answers every name with its own address, so an answer tells which pod gave it. `ask`
 * keeps one question in flight on each of its sockets, `spread` takes a new socket for each. A
 * question that is not answered rightly in a second ends the run: nothing here should lose any.
 */
#include <arpa/inet.h>
#include <errno.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#define SOCKETS 32
#define MAX_SAMPLES 4000000
#define LOST_MS 1000
#define MESSAGE_MAX 512 /* RFC 1035, 4.2.1 */

/* Of a message's header, after the identifier. */
static const uint8_t ASKS[] = {0x01, 0x00, 0, 1, 0, 0, 0, 0, 0, 0};    /* RD; one question */
static const uint8_t ANSWERS[] = {0x85, 0x80, 0, 1, 0, 1, 0, 0, 0, 0}; /* QR, AA, RD, RA; and one */
static const char QUESTION[] = "\3web\7default\3svc\7cluster\5local\0\0\1\0\1"; /* A, IN */
/* The name is the question's; A, IN, 5 s, four bytes that follow. */
static const uint8_t RECORD[] = {0xc0, 12, 0, 1, 0, 1, 0, 0, 0, 5, 0, 4};

#define ID_BYTES 2
#define HEADER_BYTES (ID_BYTES + sizeof(ASKS))
#define QUESTION_BYTES (sizeof(QUESTION) - 1) /* its NUL is none of it */
#define ASK_BYTES (HEADER_BYTES + QUESTION_BYTES)
#define ANSWER_BYTES (ASK_BYTES + sizeof(RECORD) + sizeof(struct in_addr))

struct asker {
	int fd;
	uint16_t id;
	double sent; /* µs */
};

static double now_us(void)
{
	struct timespec time;

	clock_gettime(CLOCK_MONOTONIC, &time);
	return time.tv_sec * 1e6 + time.tv_nsec / 1e3;
}

static void die(const char *what)
{
	fprintf(stderr, "bench_dns: %s: %s\n", what, strerror(errno));
	exit(1);
}

static struct sockaddr_in endpoint(const char *address, const char *port)
{
	struct sockaddr_in end = {.sin_family = AF_INET, .sin_port = htons(atoi(port))};

	if (inet_pton(AF_INET, address, &end.sin_addr) != 1)
		die(address);
	return end;
}

/* ---- the server */

/* The question in place becomes its answer. 0: it is none that a server answers. */
static size_t make_answer(uint8_t message[MESSAGE_MAX], size_t length, struct in_addr own)
{
	if (length < HEADER_BYTES || message[ID_BYTES] >> 7 || /* QR: an answer itself */
	    memcmp(message + ID_BYTES + 2, ASKS + 2, sizeof(ASKS) - 2) ||
	    length + sizeof(RECORD) + sizeof(own) > MESSAGE_MAX)
		return 0;
	memcpy(message + ID_BYTES, ANSWERS, sizeof(ANSWERS));
	memcpy(message + length, RECORD, sizeof(RECORD));
	memcpy(message + length + sizeof(RECORD), &own, sizeof(own));
	return length + sizeof(RECORD) + sizeof(own);
}

static void answer(int fd, struct in_addr own)
{
	struct sockaddr_in client;
	socklen_t size = sizeof(client);
	uint8_t message[MESSAGE_MAX];
	ssize_t length = recvfrom(fd, message, sizeof(message), 0, (void *)&client, &size);
	size_t answered = length < 0 ? 0 : make_answer(message, length, own);

	if (answered)
		sendto(fd, message, answered, 0, (void *)&client, size);
}

static void serve(const char *port, char **addresses, int count)
{
	struct in_addr *own = calloc(count, sizeof(*own));
	int *fds = calloc(count, sizeof(*fds));
	int epoll = epoll_create1(0);

	if (!own || !fds || epoll < 0)
		die("serve");
	for (int i = 0; i < count; i++) {
		const struct sockaddr_in end = endpoint(addresses[i], port);
		struct epoll_event event = {.events = EPOLLIN, .data.u32 = i};

		own[i] = end.sin_addr;
		fds[i] = socket(AF_INET, SOCK_DGRAM | SOCK_NONBLOCK, 0);
		if (fds[i] < 0 || bind(fds[i], (const void *)&end, sizeof(end)) ||
		    epoll_ctl(epoll, EPOLL_CTL_ADD, fds[i], &event))
			die(addresses[i]);
	}
	for (;;) {
		struct epoll_event events[SOCKETS];
		const int ready = epoll_wait(epoll, events, SOCKETS, -1);

		for (int i = 0; i < ready; i++)
			answer(fds[events[i].data.u32], own[events[i].data.u32]);
	}
}

/* ---- who asks */

static void send_question(struct asker *asker)
{
	uint8_t message[ASK_BYTES];

	asker->id++;
	memcpy(message, &asker->id, ID_BYTES);
	memcpy(message + ID_BYTES, ASKS, sizeof(ASKS));
	memcpy(message + HEADER_BYTES, QUESTION, QUESTION_BYTES);
	asker->sent = now_us();
	if (send(asker->fd, message, sizeof(message), 0) < 0)
		die("send");
}

/* Who has given the answer that is due. */
static struct in_addr receive_answer(const struct asker *asker)
{
	uint8_t message[MESSAGE_MAX];
	const ssize_t length = recv(asker->fd, message, sizeof(message), 0);
	struct in_addr from;

	if (length != (ssize_t)ANSWER_BYTES || memcmp(message, &asker->id, ID_BYTES) ||
	    memcmp(message + ID_BYTES, ANSWERS, sizeof(ANSWERS))) {
		errno = length < 0 ? errno : EPROTO;
		die("not the answer");
	}
	memcpy(&from, message + ANSWER_BYTES - sizeof(from), sizeof(from));
	return from;
}

static void open_asker(struct asker *asker, const char *address, const char *port)
{
	const struct timeval patience = {.tv_sec = LOST_MS / 1000};
	const struct sockaddr_in end = endpoint(address, port);

	*asker = (struct asker){.fd = socket(AF_INET, SOCK_DGRAM, 0)};
	if (asker->fd < 0 || connect(asker->fd, (const void *)&end, sizeof(end)) ||
	    setsockopt(asker->fd, SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof(patience)))
		die("socket");
}

static void spread(const char *address, const char *port, int count)
{
	for (int i = 0; i < count; i++) {
		char text[INET_ADDRSTRLEN];
		struct in_addr from;
		struct asker asker;

		open_asker(&asker, address, port);
		send_question(&asker);
		from = receive_answer(&asker);
		printf("%s\n", inet_ntop(AF_INET, &from, text, sizeof(text)));
		close(asker.fd);
	}
}

static int compare(const void *a, const void *b)
{
	const float *x = a, *y = b;

	return (*x > *y) - (*x < *y);
}

static void report(float *spent, size_t count, double seconds)
{
	qsort(spent, count, sizeof(*spent), compare);
	printf("{\"rate\": %.0f, \"p50\": %.1f, \"p90\": %.1f, \"p99\": %.1f}\n", count / seconds,
	       spent[count / 2], spent[count * 9 / 10], spent[count * 99 / 100]);
}

static void ask(const char *address, const char *port, double seconds)
{
	float *spent = calloc(MAX_SAMPLES, sizeof(*spent));
	const int epoll = epoll_create1(0);
	struct asker askers[SOCKETS];
	const double start = now_us();
	size_t count = 0;

	if (!spent || epoll < 0)
		die("ask");
	for (int i = 0; i < SOCKETS; i++) {
		struct epoll_event event = {.events = EPOLLIN, .data.u32 = i};

		open_asker(&askers[i], address, port);
		if (epoll_ctl(epoll, EPOLL_CTL_ADD, askers[i].fd, &event))
			die("epoll");
		send_question(&askers[i]);
	}
	while (now_us() < start + seconds * 1e6 && count < MAX_SAMPLES - SOCKETS) {
		struct epoll_event events[SOCKETS];
		const int ready = epoll_wait(epoll, events, SOCKETS, LOST_MS);

		if (ready <= 0)
			die("no answer");
		for (int i = 0; i < ready; i++) {
			struct asker *asker = &askers[events[i].data.u32];

			receive_answer(asker);
			spent[count++] = now_us() - asker->sent;
			send_question(asker);
		}
	}
	report(spent, count, (now_us() - start) / 1e6);
	free(spent);
}

int main(int argc, char **argv)
{
	if (argc >= 4 && !strcmp(argv[1], "serve"))
		serve(argv[2], &argv[3], argc - 3);
	else if (argc == 5 && !strcmp(argv[1], "ask"))
		ask(argv[2], argv[3], atof(argv[4]));
	else if (argc == 5 && !strcmp(argv[1], "spread"))
		spread(argv[2], argv[3], atoi(argv[4]));
	else
		return 2;
	return 0;
}
