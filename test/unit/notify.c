/*
 * Telling systemd: one datagram to whom NOTIFY_SOCKET names, and no harm where nobody is named.
 */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>
#include <cmocka.h>
#include "control/notify.h"

static char directory[32];
static char name[sizeof(((struct sockaddr_un *)NULL)->sun_path)];
static int listener;

static int make_directory(void **state)
{
	(void)state;
	unsetenv("NOTIFY_SOCKET");
	strcpy(directory, "/tmp/lbd-notify-XXXXXX");
	listener = -1;
	return mkdtemp(directory) ? 0 : -1;
}

static int remove_directory(void **state)
{
	(void)state;
	if (listener >= 0)
		close(listener);
	unlink(name);
	unsetenv("NOTIFY_SOCKET");
	return rmdir(directory);
}

/* Listens as systemd does at what `name` holds; '@' makes it abstract. */
static void listen_at_name(void)
{
	struct sockaddr_un address = {.sun_family = AF_UNIX};
	socklen_t length = (socklen_t)(offsetof(struct sockaddr_un, sun_path) + strlen(name));

	memcpy(address.sun_path, name, strlen(name));
	if (name[0] == '@')
		address.sun_path[0] = '\0';
	listener = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	assert_true(listener >= 0);
	assert_int_equal(bind(listener, (struct sockaddr *)&address, length), 0);
}

static void given_a_listener_at(const char *format)
{
	snprintf(name, sizeof(name), format, directory);
	listen_at_name();
	assert_int_equal(setenv("NOTIFY_SOCKET", name, 1), 0);
}

static void assert_nothing_arrives(void)
{
	char byte;

	assert_int_equal(recv(listener, &byte, 1, 0), -1);
	assert_int_equal(errno, EAGAIN);
}

static void assert_ready_arrives_once(void)
{
	char text[64] = "";

	assert_int_equal(recv(listener, text, sizeof(text) - 1, 0), strlen("READY=1"));
	assert_string_equal(text, "READY=1");
	assert_nothing_arrives();
}

static void a_path_socket_is_told(void **state)
{
	(void)state;
	given_a_listener_at("%s/notify");

	notify_ready();

	assert_ready_arrives_once();
}

static void an_abstract_socket_is_told(void **state)
{
	(void)state;
	given_a_listener_at("@%s/notify");

	notify_ready();

	assert_ready_arrives_once();
}

static void the_longest_path_is_told(void **state)
{
	(void)state;
	memset(name, 'x', sizeof(name) - 1);
	memcpy(name, directory, strlen(directory));
	name[strlen(directory)] = '/';
	listen_at_name();
	setenv("NOTIFY_SOCKET", name, 1);

	notify_ready();

	assert_ready_arrives_once();
}

static void nobody_is_told_where_nobody_asked(void **state)
{
	(void)state;
	given_a_listener_at("%s/notify");
	unsetenv("NOTIFY_SOCKET");
	notify_ready();
	setenv("NOTIFY_SOCKET", "", 1);
	notify_ready();

	assert_nothing_arrives();
}

/* Cut to what fits, each of them would reach the listener. */
static void an_overlong_path_is_nobodys(void **state)
{
	static const size_t beyond[] = {1, 2, 1000};
	char path[sizeof(name) + 1000];

	(void)state;
	memset(name, 'x', sizeof(name) - 1);
	memcpy(name, directory, strlen(directory));
	name[strlen(directory)] = '/';
	listen_at_name();
	for (size_t i = 0; i < sizeof(beyond) / sizeof(beyond[0]); i++) {
		memset(path, 'x', sizeof(path));
		memcpy(path, name, strlen(name));
		path[strlen(name) + beyond[i]] = '\0';
		setenv("NOTIFY_SOCKET", path, 1);
		notify_ready();
	}

	assert_nothing_arrives();
}

/* It neither blocks, nor dies of a signal, nor leaves a descriptor open. */
static void nobody_listening_is_no_harm(void **state)
{
	int before, after;

	(void)state;
	given_a_listener_at("%s/notify");
	close(listener);
	listener = -1;
	before = dup(STDERR_FILENO);
	close(before);

	notify_ready();
	unlink(name);
	notify_ready();
	setenv("NOTIFY_SOCKET", "@lbd-nobody-is-here", 1);
	notify_ready();

	after = dup(STDERR_FILENO);
	close(after);
	assert_int_equal(after, before);
}

#define WITH_DIRECTORY(test) cmocka_unit_test_setup_teardown(test, make_directory, remove_directory)

int main(void)
{
	const struct CMUnitTest tests[] = {
		WITH_DIRECTORY(a_path_socket_is_told),
		WITH_DIRECTORY(an_abstract_socket_is_told),
		WITH_DIRECTORY(the_longest_path_is_told),
		WITH_DIRECTORY(nobody_is_told_where_nobody_asked),
		WITH_DIRECTORY(an_overlong_path_is_nobodys),
		WITH_DIRECTORY(nobody_listening_is_no_harm),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
