/*
 * The filter of system calls: plain ones by name, those that could do much by name and argument.
 * What is not here fails with EPERM rather than end lbd: a C library that calls something new then
 * costs one function, and an intruder gains no more. Names that an architecture lacks are skipped.
 */
#include "control/syscalls.h"

#include <errno.h>
#include <linux/bpf.h>
#include <linux/sockios.h>
#include <sched.h>
#include <seccomp.h>
#include <stddef.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <unistd.h>

static const char *const PLAIN[] = {
	/* memory and threads; a new thread is none of them */
	"brk",
	"exit",
	"exit_group",
	"futex",
	"madvise",
	"membarrier",
	"mremap",
	"munmap",
	"restart_syscall",
	"rseq",
	"sched_getaffinity",
	"sched_yield",
	"set_robust_list",
	/* signals and time */
	"clock_getres",
	"clock_gettime",
	"clock_nanosleep",
	"gettimeofday",
	"nanosleep",
	"rt_sigaction",
	"rt_sigprocmask",
	"rt_sigreturn",
	"sigaltstack",
	"signalfd4",
	"time",
	"timerfd_create",
	"timerfd_settime",
	/* the loop */
	"epoll_create1",
	"epoll_ctl",
	"epoll_pwait",
	"epoll_wait",
	"eventfd2",
	"poll",
	"ppoll",
	/* files: state, journal, tables, pins, /proc, /sys */
	"access",
	"close",
	"faccessat",
	"faccessat2",
	"fcntl",
	"fdatasync",
	"flock",
	"fstat",
	"fstatfs",
	"fsync",
	"ftruncate",
	"getcwd",
	"getdents64",
	"link",
	"linkat",
	"lseek",
	"lstat",
	"mkdir",
	"mkdirat",
	"newfstatat",
	"open",
	"openat",
	"pread64",
	"pwrite64",
	"read",
	"readlink",
	"readlinkat",
	"readv",
	"rename",
	"renameat",
	"renameat2",
	"rmdir",
	"stat",
	"statfs",
	"statx",
	"umask",
	"unlink",
	"unlinkat",
	"write",
	"writev",
	/* sockets that are open */
	"accept4",
	"bind",
	"getpeername",
	"getsockname",
	"getsockopt",
	"listen",
	"recvfrom",
	"recvmsg",
	"sendmsg",
	"sendto",
	"setsockopt",
	"shutdown",
	/* who it is, and what it may do: raising what is permitted for a moment */
	"capget",
	"capset",
	"getegid",
	"geteuid",
	"getgid",
	"getpid",
	"getppid",
	"getrandom",
	"gettid",
	"getuid",
	"uname",
};

/* One with an argument of this value only. */
struct allowed {
	const char *name;
	unsigned int argument;
	scmp_datum_t mask;
	scmp_datum_t value;
};

#define WHOLE (~(scmp_datum_t)0)
#define BPF_ARGUMENT(command)                                                                      \
	{                                                                                          \
		"bpf", 0, WHOLE, command                                                           \
	}

static const struct allowed ALLOWED[] = {
	/* Maps and links that there are: nothing is loaded or made any more. */
	BPF_ARGUMENT(BPF_MAP_LOOKUP_ELEM),
	BPF_ARGUMENT(BPF_MAP_UPDATE_ELEM),
	BPF_ARGUMENT(BPF_MAP_DELETE_ELEM),
	BPF_ARGUMENT(BPF_MAP_GET_NEXT_KEY),
	BPF_ARGUMENT(BPF_MAP_LOOKUP_AND_DELETE_ELEM),
	BPF_ARGUMENT(BPF_MAP_LOOKUP_BATCH),
	BPF_ARGUMENT(BPF_MAP_LOOKUP_AND_DELETE_BATCH),
	BPF_ARGUMENT(BPF_MAP_UPDATE_BATCH),
	BPF_ARGUMENT(BPF_MAP_DELETE_BATCH),
	BPF_ARGUMENT(BPF_OBJ_PIN),
	BPF_ARGUMENT(BPF_OBJ_GET),
	BPF_ARGUMENT(BPF_OBJ_GET_INFO_BY_FD),
	BPF_ARGUMENT(BPF_PROG_GET_FD_BY_ID), /* the name of a program in the way */
	BPF_ARGUMENT(BPF_PROG_TEST_RUN),     /* fragments that waited */
	BPF_ARGUMENT(BPF_LINK_CREATE),
	BPF_ARGUMENT(BPF_LINK_UPDATE),
	BPF_ARGUMENT(BPF_LINK_DETACH),
	/* Memory that is data. */
	{"mmap", 2, PROT_EXEC, 0},
	{"mprotect", 2, PROT_EXEC, 0},
	/* rtnetlink; READY=1; of the internet's see allow_datagrams. */
	{"socket", 0, WHOLE, AF_NETLINK},
	{"socket", 0, WHOLE, AF_UNIX},
	{"ioctl", 1, WHOLE, SIOCETHTOOL},
	{"ioctl", 1, WHOLE, SIOCGIFNAME},
	{"ioctl", 1, WHOLE, SIOCGIFINDEX},
	{"ioctl", 1, WHOLE, TCGETS}, /* stdio asks what it writes to */
	/* A pod's network, and no other kind of namespace. */
	{"setns", 1, WHOLE, CLONE_NEWNET},
	/* libcap-ng reads the bounding set. */
	{"prctl", 0, WHOLE, PR_CAPBSET_READ},
};

/* 0 as well where this architecture has no such call. */
static int allow(scmp_filter_ctx filter, const char *name, unsigned int count,
		 const struct scmp_arg_cmp *comparisons)
{
	const int number = seccomp_syscall_resolve_name(name);
	int error;

	if (number == __NR_SCMP_ERROR)
		return 0;
	error = seccomp_rule_add_array(filter, SCMP_ACT_ALLOW, number, count, comparisons);
	return error == -EDOM ? 0 : error;
}

static int allow_with(scmp_filter_ctx filter, const struct allowed *allowed)
{
	const struct scmp_arg_cmp comparison =
		SCMP_CMP64(allowed->argument, SCMP_CMP_MASKED_EQ, allowed->mask, allowed->value);

	return allow(filter, allowed->name, 1, &comparison);
}

/* A socket of the internet's protocols takes ioctls and no more: datagrams, and nowhere to. */
static int allow_datagrams(scmp_filter_ctx filter)
{
	const struct scmp_arg_cmp comparisons[] = {
		SCMP_CMP64(0, SCMP_CMP_EQ, AF_INET, 0),
		SCMP_CMP64(1, SCMP_CMP_EQ, SOCK_DGRAM | SOCK_CLOEXEC, 0),
	};

	return allow(filter, "socket", 2, comparisons);
}

/* Connections to an API server: libcurl, and the C library's way from a name to addresses. */
static const char *const PLAIN_OF_CALLS[] = {
	"connect",
	"sendmmsg",
};

static const struct allowed ALLOWED_OF_CALLS[] = {
	{"socket", 0, WHOLE, AF_INET},
	{"socket", 0, WHOLE, AF_INET6},
	{"socketpair", 0, WHOLE, AF_UNIX},
	{"ioctl", 1, WHOLE, FIONREAD},
	/* A thread of this process, never another one. */
	{"clone", 0, CLONE_THREAD | CLONE_VM, CLONE_THREAD | CLONE_VM},
};

/* What clone3 is to do lies in memory, where no filter sees it; without it clone is called. */
static int allow_calls(scmp_filter_ctx filter)
{
	int error = 0;

	for (size_t i = 0; !error && i < sizeof(PLAIN_OF_CALLS) / sizeof(PLAIN_OF_CALLS[0]); i++)
		error = allow(filter, PLAIN_OF_CALLS[i], 0, NULL);
	for (size_t i = 0; !error && i < sizeof(ALLOWED_OF_CALLS) / sizeof(ALLOWED_OF_CALLS[0]);
	     i++)
		error = allow_with(filter, &ALLOWED_OF_CALLS[i]);
	if (!error)
		error = seccomp_rule_add(filter, SCMP_ACT_ERRNO(ENOSYS), SCMP_SYS(clone3), 0);
	return error;
}

/* abort() signals a thread of this process, which is all that is to be signalled. */
static int allow_abort(scmp_filter_ctx filter)
{
	const struct scmp_arg_cmp comparison =
		SCMP_CMP64(0, SCMP_CMP_EQ, (scmp_datum_t)getpid(), 0);

	return allow(filter, "tgkill", 1, &comparison);
}

static int fill(scmp_filter_ctx filter, bool calls)
{
	int error;

	error = seccomp_attr_set(filter, SCMP_FLTATR_CTL_TSYNC, 1);
	/* What is refused is in the kernel's log; where the kernel is too old for that it is not.
	 */
	if (!error)
		seccomp_attr_set(filter, SCMP_FLTATR_CTL_LOG, 1);
	for (size_t i = 0; !error && i < sizeof(PLAIN) / sizeof(PLAIN[0]); i++)
		error = allow(filter, PLAIN[i], 0, NULL);
	for (size_t i = 0; !error && i < sizeof(ALLOWED) / sizeof(ALLOWED[0]); i++)
		error = allow_with(filter, &ALLOWED[i]);
	if (!error)
		error = allow_datagrams(filter);
	if (!error)
		error = allow_abort(filter);
	if (!error && calls)
		error = allow_calls(filter);
	return error;
}

int syscalls_restrict(bool calls, struct refusal *refusal)
{
	scmp_filter_ctx filter = seccomp_init(SCMP_ACT_ERRNO(EPERM));
	int error;

	if (!filter)
		return refuse_with(refusal, ENOMEM, "out of memory");
	error = fill(filter, calls);
	if (!error)
		error = seccomp_load(filter);
	seccomp_release(filter);
	return error ? refuse_with(refusal, -error,
				   "cannot restrict system calls: %s; \"seccomp\": false in the "
				   "file of --config does without",
				   strerror(-error))
		     : 0;
}
