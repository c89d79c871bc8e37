/*
 * The filter of system calls, put on a child: what lbd never does fails with EPERM, what it does
 * still works. Each row is tried by a child of its own, which tells by its exit status.
 */
#include <errno.h>
#include <fcntl.h>
#include <linux/bpf.h>
#include <netinet/in.h>
#include <pthread.h>
#include <sched.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/mount.h>
#include <sys/prctl.h>
#include <sys/ptrace.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>
#include <cmocka.h>
#include "control/syscalls.h"

#define UNRESTRICTED 250 /* an exit status that no errno is */

struct trial {
	const char *name;
	int (*make)(void); /* 0 or -1 with errno, as system calls do */
	int error;
	int error_with_calls; /* where lbd may open connections */
};

static int execute(void)
{
	char *const words[] = {"/bin/true", NULL};

	return execv(words[0], words);
}

static int fork_one(void)
{
	return fork() < 0 ? -1 : 0;
}

static int trace_itself(void)
{
	return (int)ptrace(PTRACE_TRACEME, 0, NULL, NULL);
}

static int mount_somewhere(void)
{
	return mount("none", "/mnt", "tmpfs", 0, NULL);
}

static int signal_another(void)
{
	return kill(getppid(), 0);
}

static int call_the_internet(void)
{
	return socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0) < 0 ? -1 : 0;
}

static int connect_nowhere(void)
{
	return connect(-1, NULL, 0);
}

static int make_a_pair(void)
{
	int fds[2];

	return socketpair(AF_UNIX, SOCK_STREAM, 0, fds);
}

static void *do_nothing(void *context)
{
	return context;
}

static int make_a_thread(void)
{
	pthread_t thread;

	errno = pthread_create(&thread, NULL, do_nothing, NULL);
	return errno || pthread_join(thread, NULL) ? -1 : 0;
}

static int read_all_packets(void)
{
	return socket(AF_PACKET, SOCK_RAW | SOCK_CLOEXEC, 0) < 0 ? -1 : 0;
}

static int call_bpf(enum bpf_cmd command)
{
	union bpf_attr attributes = {};

	return (int)syscall(SYS_bpf, command, &attributes, sizeof(attributes));
}

static int load_a_program(void)
{
	return call_bpf(BPF_PROG_LOAD);
}

static int make_a_map(void)
{
	return call_bpf(BPF_MAP_CREATE);
}

static int look_a_key_up(void)
{
	return call_bpf(BPF_MAP_LOOKUP_ELEM);
}

static int enter_a_mount_namespace(void)
{
	return setns(-1, CLONE_NEWNS);
}

static int enter_a_network_namespace(void)
{
	return setns(-1, CLONE_NEWNET);
}

static int make_data_code(void)
{
	return mmap(NULL, 4096, PROT_READ | PROT_EXEC, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0) ==
			       MAP_FAILED
		       ? -1
		       : 0;
}

static int take_memory(void)
{
	return mmap(NULL, 1 << 24, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0) ==
			       MAP_FAILED
		       ? -1
		       : 0;
}

static int ask_rtnetlink(void)
{
	return socket(AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC, 0) < 0 ? -1 : 0;
}

static int open_for_ethtool(void)
{
	return socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0) < 0 ? -1 : 0;
}

static int read_a_file(void)
{
	return open("/proc/self/status", O_RDONLY | O_CLOEXEC) < 0 ? -1 : 0;
}

static const struct trial TRIALS[] = {
	{"execute", execute, EPERM, EPERM},
	{"fork", fork_one, EPERM, EPERM},
	{"ptrace", trace_itself, EPERM, EPERM},
	{"mount", mount_somewhere, EPERM, EPERM},
	{"signal another process", signal_another, EPERM, EPERM},
	{"call the internet", call_the_internet, EPERM, 0},
	{"connect", connect_nowhere, EPERM, EBADF},
	{"make a pair of sockets", make_a_pair, EPERM, 0},
	{"make a thread", make_a_thread, EPERM, 0},
	{"read all packets", read_all_packets, EPERM, EPERM},
	{"load a program", load_a_program, EPERM, EPERM},
	{"make a map", make_a_map, EPERM, EPERM},
	{"enter a mount namespace", enter_a_mount_namespace, EPERM, EPERM},
	{"make data code", make_data_code, EPERM, EPERM},
	/* These get as far as to be told what is wrong with them, or work. */
	{"look a key up", look_a_key_up, EINVAL, EINVAL},
	{"enter a network namespace", enter_a_network_namespace, EBADF, EBADF},
	{"take memory", take_memory, 0, 0},
	{"ask rtnetlink", ask_rtnetlink, 0, 0},
	{"open a socket for ethtool", open_for_ethtool, 0, 0},
	{"read a file", read_a_file, 0, 0},
};

/* In a child. */
static void try_restricted(const struct trial *trial, bool calls)
{
	struct refusal refusal;

	if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) || syscalls_restrict(calls, &refusal))
		_exit(UNRESTRICTED);
	_exit(trial->make() ? errno : 0);
}

static int exit_status_of(const struct trial *trial, bool calls)
{
	pid_t child = fork();
	int status;

	assert_true(child >= 0);
	if (!child)
		try_restricted(trial, calls);
	assert_int_equal(waitpid(child, &status, 0), child);
	return WIFEXITED(status) ? WEXITSTATUS(status) : -1;
}

static void assert_outcome(const struct trial *trial, bool calls, int expected)
{
	const int status = exit_status_of(trial, calls);

	if (status != expected)
		fail_msg("%s%s: status %d, not %d", trial->name, calls ? " with calls" : "", status,
			 expected);
}

static void what_lbd_never_does_is_refused_and_what_it_does_is_not(void **state)
{
	(void)state;
	for (size_t i = 0; i < sizeof(TRIALS) / sizeof(TRIALS[0]); i++) {
		assert_outcome(&TRIALS[i], false, TRIALS[i].error);
		assert_outcome(&TRIALS[i], true, TRIALS[i].error_with_calls);
	}
}

enum progress { CREATED, STARTED, RESTRICTED, REFUSED, NOT_REFUSED };

/* Sanitizers ask for a thread's stack when it starts, by calls that are refused later. */
static void *run_thread(void *context)
{
	volatile enum progress *progress = context;

	*progress = STARTED;
	while (*progress == STARTED)
		usleep(1000);
	*progress = load_a_program() && errno == EPERM ? REFUSED : NOT_REFUSED;
	return NULL;
}

/* In a child: a thread made before is restricted too, and none can be made after. */
static int restrict_threads(void)
{
	volatile enum progress progress = CREATED;
	struct refusal refusal;
	pthread_t thread, late;

	if (pthread_create(&thread, NULL, run_thread, (void *)&progress))
		return 1;
	while (progress == CREATED)
		usleep(1000);
	if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) || syscalls_restrict(false, &refusal))
		return 2;
	progress = RESTRICTED;
	pthread_join(thread, NULL);
	if (progress != REFUSED)
		return 3;
	return pthread_create(&late, NULL, run_thread, (void *)&progress) ? 0 : 4;
}

static void threads_are_restricted_too(void **state)
{
	pid_t child = fork();
	int status;

	(void)state;
	assert_true(child >= 0);
	if (!child)
		_exit(restrict_threads());
	assert_int_equal(waitpid(child, &status, 0), child);
	assert_int_equal(status, 0);
}

static void abort_ends_by_its_signal(void **state)
{
	pid_t child = fork();
	struct refusal refusal;
	int status;

	(void)state;
	assert_true(child >= 0);
	if (!child) {
		if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) || syscalls_restrict(false, &refusal))
			_exit(UNRESTRICTED);
		abort();
	}
	assert_int_equal(waitpid(child, &status, 0), child);
	assert_true(WIFSIGNALED(status));
	assert_int_equal(WTERMSIG(status), SIGABRT);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(what_lbd_never_does_is_refused_and_what_it_does_is_not),
		cmocka_unit_test(threads_are_restricted_too),
		cmocka_unit_test(abort_ends_by_its_signal),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
