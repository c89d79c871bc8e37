/*
 * The control socket: who finds it where, and who may come in.
 */
#include <grp.h>
#include <sys/wait.h>
#include "test/unit/server_fixture.h"

#define MAX_SESSIONS 64
#define NOBODY 65534
#define GROUP 61000 /* nobody has it */

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

/* Who asks, and what the answer begins with; NULL: it cannot even connect. */
struct asker {
	uid_t user;
	gid_t group;
	gid_t other_group; /* a supplementary one */
	const char *answer;
};

#define ECHOED "{\"result\":"
#define ONLY_READ "{\"error\":\"only read"
#define DENIED "{\"error\":\"permission denied"

/* In a process of its own, which tells by its exit status whether that was the answer. */
static int ask_as(const struct asker *asker)
{
	const struct sockaddr_un address = socket_address();
	int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
	char answer[256] = "";

	if (setgroups(1, &asker->other_group) ||
	    setresgid(asker->group, asker->group, asker->group) ||
	    setresuid(asker->user, asker->user, asker->user))
		return 2;
	if (connect(fd, (const struct sockaddr *)&address, sizeof(address)))
		return asker->answer || errno != EACCES;
	if (!asker->answer)
		return 3;
	if (send(fd, "{}\n", 3, MSG_NOSIGNAL) < 0 || recv(fd, answer, sizeof(answer) - 1, 0) < 0)
		return 4;
	return !!strncmp(answer, asker->answer, strlen(asker->answer));
}

static void assert_asked_as(const struct asker *asker)
{
	pid_t child = fork();
	int status;

	if (!child)
		_exit(ask_as(asker));
	assert_int_equal(waitpid(child, &status, 0), child);
	if (status)
		print_error("user %u, groups %u and %u: status %x\n", asker->user, asker->group,
			    asker->other_group, (unsigned int)status);
	assert_int_equal(status, 0);
}

static void let_group_in(bool changes)
{
	const struct admission admission = {
		.has_group = true, .group_changes = changes, .group = GROUP};

	assert_int_equal(chmod(base, 0755), 0);
	assert_int_equal(server_admit(server, &admission, &refusal), 0);
}

static void members_of_the_group_may_read_and_no_more(void **state)
{
	const struct asker askers[] = {
		{0, 0, 0, ECHOED},
		{NOBODY, GROUP, NOBODY, ONLY_READ},
		{NOBODY, NOBODY, GROUP, ONLY_READ},
		{NOBODY, NOBODY, NOBODY, NULL},
	};
	struct stat found;

	(void)state;
	if (geteuid())
		skip();
	let_group_in(false);

	assert_int_equal(stat(path, &found), 0);
	assert_int_equal(found.st_mode & 07777, 0660);
	assert_int_equal(found.st_gid, GROUP);
	for (size_t i = 0; i < sizeof(askers) / sizeof(askers[0]); i++)
		assert_asked_as(&askers[i]);
}

static void members_may_change_where_that_is_said(void **state)
{
	const struct asker member = {NOBODY, NOBODY, GROUP, ECHOED};

	(void)state;
	if (geteuid())
		skip();
	let_group_in(true);
	assert_asked_as(&member);
}

static void a_group_is_found_by_name_or_number(void **state)
{
	struct admission admission = {};

	(void)state;
	assert_int_equal(admission_find_group("root", &admission, &refusal), 0);
	assert_true(admission.has_group);
	assert_int_equal(admission.group, 0);
	assert_int_equal(admission_find_group("61234", &admission, &refusal), 0);
	assert_int_equal(admission.group, 61234);
	assert_int_equal(admission_find_group("no-such-group", &admission, &refusal), -ENOENT);
	assert_string_equal(refusal.text, "--socket-group no-such-group: no such group");
	assert_true(admission_find_group("4294967295", &admission, &refusal) < 0);
	assert_true(admission_find_group("-1", &admission, &refusal) < 0);
}

static void a_stranger_is_refused_though_the_socket_were_open(void **state)
{
	const struct asker stranger = {NOBODY, NOBODY, NOBODY, DENIED};
	int fd;

	(void)state;
	if (geteuid())
		skip();
	assert_int_equal(chmod(base, 0755), 0);
	assert_int_equal(chmod(path, 0666), 0);

	assert_asked_as(&stranger);
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
		WITH_SERVER(members_of_the_group_may_read_and_no_more),
		WITH_SERVER(members_may_change_where_that_is_said),
		cmocka_unit_test(a_group_is_found_by_name_or_number),
		WITH_SERVER(a_stranger_is_refused_though_the_socket_were_open),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
