/*
 * The control socket: who finds it where, and who may come in.
 */
#include <sys/wait.h>
#include "test/unit/server_fixture.h"

#define MAX_SESSIONS 64
#define NOBODY 65534

static void make_directory_of_the_socket(void)
{
	char directory[64];

	snprintf(directory, sizeof(directory), "%s/lbd", base);
	assert_int_equal(mkdir(directory, 0755), 0);
}

static void assert_refused(const char *at, const char *words)
{
	assert_null(server_open(loop, at, &HOOKS, &refusal));
	if (!strstr(refusal.text, words))
		fail_msg("\"%s\" does not say \"%s\"", refusal.text, words);
}

static void only_the_owner_may_open_the_socket(void **state)
{
	mode_t mask = umask(0);
	struct stat found;

	(void)state;
	server = server_open(loop, path, &HOOKS, &refusal);
	assert_int_equal(umask(mask), 0);

	assert_non_null(server);
	assert_int_equal(stat(path, &found), 0);
	assert_true(S_ISSOCK(found.st_mode));
	assert_int_equal(found.st_mode & 07777, 0600);
	server_close(server);
}

static void closing_removes_the_socket_and_ends_its_clients(void **state)
{
	int fd;

	(void)state;
	server = server_open(loop, path, &HOOKS, &refusal);
	assert_non_null(server);
	fd = connect_client();
	server_close(server);

	assert_int_equal(access(path, F_OK), -1);
	assert_true(recv(fd, (char[1]){}, 1, 0) <= 0);
	close(fd);
	server_close(NULL);
}

/* As a killed lbd leaves it. */
static void a_stale_socket_is_replaced(void **state)
{
	const struct sockaddr_un address = socket_address();
	int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);

	(void)state;
	make_directory_of_the_socket();
	assert_int_equal(bind(fd, (const struct sockaddr *)&address, sizeof(address)), 0);
	assert_int_equal(listen(fd, 1), 0);
	close(fd);

	server = server_open(loop, path, &HOOKS, &refusal);

	assert_non_null(server);
	close(connect_client());
	server_close(server);
}

static void a_live_socket_is_refused_and_lives_on(void **state)
{
	struct loop *other = loop_new();

	(void)state;
	assert_null(server_open(other, path, &HOOKS, &refusal));
	assert_string_equal(strstr(refusal.text, ": another"), ": another lbd answers there");
	assert_non_null(strstr(refusal.text, path));

	int fd = connect_client();

	assert_answered(fd);
	close(fd);
	loop_free(other);
}

static void a_file_that_is_no_socket_is_refused_and_kept(void **state)
{
	FILE *file;

	(void)state;
	make_directory_of_the_socket();
	file = fopen(path, "w");
	assert_non_null(file);
	fclose(file);

	assert_refused(path, path);

	assert_int_equal(access(path, F_OK), 0);
}

static void a_path_that_cannot_be_is_refused(void **state)
{
	char long_path[sizeof(((struct sockaddr_un *)NULL)->sun_path) + 1];
	char deep_path[96];

	(void)state;
	memset(long_path, 'x', sizeof(long_path));
	long_path[sizeof(long_path) - 1] = '\0';
	assert_refused(long_path, "longer than 107 characters");

	snprintf(deep_path, sizeof(deep_path), "%s/not/there/lbd.sock", base);
	assert_refused(deep_path, "No such file or directory");
}

/* The first one is the idlest, because all others have asked something after it. */
static void one_client_too_many_takes_the_place_of_the_idlest(void **state)
{
	int fds[MAX_SESSIONS + 1];

	(void)state;
	for (int i = 0; i < MAX_SESSIONS; i++) {
		fds[i] = connect_client();
		assert_answered(fds[i]);
		pause_ms(i ? 0 : 5);
	}

	fds[MAX_SESSIONS] = connect_client();
	assert_answered(fds[MAX_SESSIONS]);

	assert_answer(fds[0], "");
	for (int i = 1; i <= MAX_SESSIONS; i++)
		assert_answered(fds[i]);
	for (int i = 0; i <= MAX_SESSIONS; i++)
		close(fds[i]);
}

/* In a process of its own, which tells by its exit status whether it was refused by word. */
static int ask_as_nobody(void)
{
	const struct sockaddr_un address = socket_address();
	int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
	char answer[256] = "";

	if (setresuid(NOBODY, NOBODY, NOBODY) ||
	    connect(fd, (const struct sockaddr *)&address, sizeof(address)) ||
	    recv(fd, answer, sizeof(answer) - 1, 0) < 0)
		return 2;
	return !strstr(answer, "{\"error\":\"permission denied");
}

static void a_stranger_is_refused_though_the_socket_were_open(void **state)
{
	pid_t child;
	int status, fd;

	(void)state;
	if (geteuid())
		skip();
	assert_int_equal(chmod(base, 0755), 0);
	assert_int_equal(chmod(path, 0666), 0);
	child = fork();
	if (!child)
		_exit(ask_as_nobody());
	assert_int_equal(waitpid(child, &status, 0), child);

	assert_true(WIFEXITED(status));
	assert_int_equal(WEXITSTATUS(status), 0);
	fd = connect_client();
	assert_answered(fd);
	close(fd);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		WITH_LOOP(only_the_owner_may_open_the_socket),
		WITH_LOOP(closing_removes_the_socket_and_ends_its_clients),
		WITH_LOOP(a_stale_socket_is_replaced),
		WITH_SERVER(a_live_socket_is_refused_and_lives_on),
		WITH_LOOP(a_file_that_is_no_socket_is_refused_and_kept),
		WITH_LOOP(a_path_that_cannot_be_is_refused),
		WITH_SERVER(one_client_too_many_takes_the_place_of_the_idlest),
		WITH_SERVER(a_stranger_is_refused_though_the_socket_were_open),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
