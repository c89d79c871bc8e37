/*
 * Requests over a real loop, to a server on the loopback that answers with what the test says: what
 * is sent, how answers and failures arrive, and that a failure of the loop's is one of a request.
 */
#include <errno.h>
#include <netinet/in.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>
#include <cmocka.h>
#include "control/kube/client.h"

#define TEXT_MAX 4096
#define SECONDS 20

static struct loop *loop;
static struct kube_client *client;
static int listener, connection;
static unsigned int connections, failing_adds;
static const char *answer;      /* what the server says to a request */
static bool hangs_up;           /* after it */
static char received[TEXT_MAX]; /* by the server, of the last request */
static char body[TEXT_MAX], error[TEXT_MAX];
static struct kube_result result;
static long begun;
static unsigned int ended;
static bool wants_more;
static char token_path[] = "/tmp/lbd-token-XXXXXX";

int __real_loop_add(struct loop *in, int fd, uint32_t events, loop_handler handler, void *context);
int __wrap_loop_add(struct loop *in, int fd, uint32_t events, loop_handler handler, void *context);
int __wrap_loop_add(struct loop *in, int fd, uint32_t events, loop_handler handler, void *context)
{
	if (!failing_adds)
		return __real_loop_add(in, fd, events, handler, context);
	failing_adds--;
	return -ENOMEM;
}

/* ---- the server */

static void hang_up(void)
{
	if (connection < 0)
		return;
	loop_remove(loop, connection);
	close(connection);
	connection = -1;
}

static void read_request(void *context, uint32_t events)
{
	const ssize_t size = recv(connection, received, sizeof(received) - 1, 0);

	(void)context;
	(void)events;
	if (size <= 0) {
		hang_up();
		return;
	}
	received[size] = '\0';
	if (answer)
		assert_int_equal(send(connection, answer, strlen(answer), 0), strlen(answer));
	if (hangs_up)
		hang_up();
}

static void accept_one(void *context, uint32_t events)
{
	(void)context;
	(void)events;
	hang_up();
	connection = accept(listener, NULL, NULL);
	assert_true(connection >= 0);
	connections++;
	assert_int_equal(__real_loop_add(loop, connection, EPOLLIN, read_request, NULL), 0);
}

static int listen_somewhere(void)
{
	struct sockaddr_in address = {.sin_family = AF_INET,
				      .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
	socklen_t size = sizeof(address);

	listener = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
	if (listener < 0 || bind(listener, (struct sockaddr *)&address, sizeof(address)) ||
	    listen(listener, 5) || getsockname(listener, (struct sockaddr *)&address, &size))
		return -1;
	return ntohs(address.sin_port);
}

/* ---- the client */

static void write_token(const char *token)
{
	FILE *file = fopen(token_path, "w");

	assert_non_null(file);
	assert_true(fputs(token, file) >= 0);
	assert_int_equal(fclose(file), 0);
}

static int open_all(void **state)
{
	struct kube_config config = {.token = {.is_word = true}};
	struct refusal refusal;
	int port = listen_somewhere();

	(void)state;
	strcpy(token_path, "/tmp/lbd-token-XXXXXX");
	close(mkstemp(token_path));
	write_token("first\n");
	connection = -1;
	connections = failing_adds = 0;
	answer = NULL;
	hangs_up = false;
	loop = loop_new();
	config.token.path = strdup(token_path);
	if (port < 0 || !loop || asprintf(&config.server, "http://127.0.0.1:%d/base", port) < 0 ||
	    kube_secret_read(&config.token, &refusal) ||
	    __real_loop_add(loop, listener, EPOLLIN, accept_one, NULL))
		return -1;
	client = kube_client_open(loop, &config);
	return client ? 0 : -1;
}

static int close_all(void **state)
{
	(void)state;
	kube_client_close(client);
	hang_up();
	loop_remove(loop, listener);
	close(listener);
	loop_free(loop);
	return unlink(token_path);
}

static void begin(void *context, long status)
{
	(void)context;
	begun = status;
}

static bool take(void *context, const char *bytes, size_t size)
{
	(void)context;
	strncat(body, bytes, size);
	return wants_more;
}

static void end(void *context, const struct kube_result *found)
{
	(void)context;
	result = *found;
	snprintf(error, sizeof(error), "%s", found->error);
	ended++;
	loop_stop(loop);
}

static struct kube_request *ask(void)
{
	const struct kube_request_hooks hooks = {NULL, begin, take, end};

	body[0] = error[0] = received[0] = '\0';
	result = (struct kube_result){0};
	begun = 0;
	ended = 0;
	wants_more = true;
	return kube_client_get(client, "/api?watch=true", SECONDS, true, &hooks);
}

static void ask_and_wait(void)
{
	assert_non_null(ask());
	assert_int_equal(loop_run(loop), 0);
	assert_int_equal(ended, 1);
}

static void stop(void *context, uint32_t events)
{
	(void)events;
	loop_stop(context);
}

static void run_for_ms(unsigned int ms)
{
	const int timer = loop_add_timer(loop, stop, loop);

	assert_int_equal(loop_set_timer(timer, ms, 0), 0);
	assert_int_equal(loop_run(loop), 0);
	loop_remove_timer(loop, timer);
}

#define CHUNKED "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n"

static void an_answer_arrives_whole(void **state)
{
	(void)state;
	answer = CHUNKED "5\r\n{\"a\":\r\n2\r\n1}\r\n0\r\n\r\n";
	ask_and_wait();
	assert_int_equal(begun, 200);
	assert_string_equal(body, "{\"a\":1}");
	assert_true(result.is_whole && result.status == 200);
	assert_string_equal(error, "");
}

static void assert_received(const char *words)
{
	if (!strstr(received, words))
		fail_msg("%s\ndoes not have \"%s\"", received, words);
}

static void a_request_says_what_and_who(void **state)
{
	(void)state;
	answer = CHUNKED "0\r\n\r\n";
	ask_and_wait();
	assert_received("GET /base/api?watch=true HTTP/1.1\r\nHost: 127.0.0.1:");
	assert_received("\r\nAuthorization: Bearer first\r\n");
	assert_received("\r\nAccept: application/json\r\n");
	assert_received("\r\nUser-Agent: lbd/" LB_VERSION "\r\n");
}

static void a_connection_serves_again_and_a_new_token_is_taken(void **state)
{
	(void)state;
	answer = CHUNKED "0\r\n\r\n";
	ask_and_wait();
	write_token("second\n");
	ask_and_wait();
	assert_received("\r\nAuthorization: Bearer second\r\n");
	write_token("not a token\n");
	ask_and_wait();
	assert_received("\r\nAuthorization: Bearer second\r\n");
	assert_int_equal(connections, 1);
}

static void a_refusal_says_why_and_for_how_long(void **state)
{
	(void)state;
	answer = "HTTP/1.1 429 Too Many\r\nRetry-After: 7\r\nContent-Length: 38\r\n\r\n"
		 "{\"kind\":\"Status\",\"message\":\"too much\"}";
	ask_and_wait();
	assert_int_equal(result.status, 429);
	assert_int_equal(begun, 429);
	assert_int_equal(result.retry_seconds, 7);
	assert_string_equal(error, "HTTP 429: too much");
	assert_string_equal(body, "");
	answer = "HTTP/1.1 502 Bad Gateway\r\nContent-Length: 6\r\n\r\n<html>";
	ask_and_wait();
	assert_string_equal(error, "HTTP 502");
}

static void an_answer_that_is_cut_is_not_whole(void **state)
{
	(void)state;
	answer = CHUNKED "50\r\n{\"a\":";
	hangs_up = true;
	ask_and_wait();
	assert_string_equal(body, "{\"a\":");
	assert_false(result.is_whole);
	assert_true(error[0] != '\0');
}

static void who_wants_no_more_is_told_the_end(void **state)
{
	(void)state;
	answer = CHUNKED "2\r\n{}\r\n";
	assert_non_null(ask());
	wants_more = false;
	assert_int_equal(loop_run(loop), 0);
	assert_string_equal(body, "{}");
	assert_false(result.is_whole);
}

static void what_is_cancelled_says_nothing_more(void **state)
{
	struct kube_request *request = ask();

	(void)state;
	assert_non_null(request);
	run_for_ms(50);
	assert_received("GET ");
	kube_request_cancel(request);
	run_for_ms(50);
	assert_int_equal(ended, 0);
	assert_int_equal(connection, -1);
}

static void a_socket_that_cannot_be_watched_is_a_failure_that_passes(void **state)
{
	(void)state;
	answer = CHUNKED "0\r\n\r\n";
	failing_adds = 1;
	ask_and_wait();
	assert_false(result.is_whole);
	assert_string_equal(error, "Out of memory");
	ask_and_wait();
	assert_true(result.is_whole);
}

static void nobody_there_is_a_failure(void **state)
{
	(void)state;
	loop_remove(loop, listener);
	close(listener);
	listener = -1;
	ask_and_wait();
	assert_int_equal(result.status, 0);
	assert_non_null(strstr(error, "connect"));
}

#define WITH_SERVER(test) cmocka_unit_test_setup_teardown(test, open_all, close_all)

static int prepare(void **state)
{
	struct refusal refusal;

	(void)state;
	return kube_client_prepare(&refusal);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		WITH_SERVER(an_answer_arrives_whole),
		WITH_SERVER(a_request_says_what_and_who),
		WITH_SERVER(a_connection_serves_again_and_a_new_token_is_taken),
		WITH_SERVER(a_refusal_says_why_and_for_how_long),
		WITH_SERVER(an_answer_that_is_cut_is_not_whole),
		WITH_SERVER(who_wants_no_more_is_told_the_end),
		WITH_SERVER(what_is_cancelled_says_nothing_more),
		WITH_SERVER(a_socket_that_cannot_be_watched_is_a_failure_that_passes),
		WITH_SERVER(nobody_there_is_a_failure),
	};

	return cmocka_run_group_tests(tests, prepare, NULL);
}
