/*
 * Makes a call of the C library fail, by LD_PRELOAD: see fault.h. Here is what counts and decides;
 * the calls are in the files beside it. What runs in a process without LBT_FAULT is untouched.
 */
#include "test/fault/fault.h"

#include <errno.h>
#include <execinfo.h>
#include <fcntl.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <unistd.h>

#define CALLERS 8     /* how many make a call site */
#define OWN_CALLERS 2 /* the shim's own among them */
#define TOTAL 31

static struct fault_control *control;
static __thread bool busy; /* finding callers may need memory */

static const int ERRORS[_FAULT_COUNT] = {
	[FAULT_BPF] = ENOMEM,     [FAULT_NETLINK] = ENOBUFS, [FAULT_STREAM] = ECONNRESET,
	[FAULT_SOCKET] = ENOBUFS, [FAULT_ACCEPT] = EMFILE,   [FAULT_EPOLL] = ENOMEM,
	[FAULT_TIMER] = EMFILE,   [FAULT_OPEN] = EMFILE,     [FAULT_READ] = EIO,
	[FAULT_WRITE] = ENOSPC,   [FAULT_SYNC] = EIO,        [FAULT_RENAME] = EIO,
	[FAULT_TRUNCATE] = EIO,   [FAULT_DIRECTORY] = EIO,   [FAULT_STAT] = EIO,
	[FAULT_LOCK] = ENOLCK,    [FAULT_IOCTL] = ENOMEM,    [FAULT_MMAP] = ENOMEM,
	[FAULT_MEMORY] = ENOMEM,  [FAULT_PROCESS] = EPERM,
};

static __attribute__((constructor)) void map_control(void)
{
	const char *path = getenv("LBT_FAULT");
	void *callers[CALLERS];
	void *memory;
	int fd;

	if (!path)
		return;
	fd = open(path, O_RDWR | O_CLOEXEC);
	if (fd < 0)
		return;
	memory = mmap(NULL, sizeof(*control), PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
	close(fd);
	backtrace(callers,
		  CALLERS); /* loads a library once, which a filter might not allow later */
	if (memory != MAP_FAILED)
		control = memory;
}

struct fault_control *fault_control(void)
{
	return control;
}

static void record_site(uint64_t nth)
{
	void *callers[CALLERS + OWN_CALLERS];
	uint64_t hash = 0;
	int count;

	if (nth >= FAULT_SITES)
		return;
	count = backtrace(callers, CALLERS + OWN_CALLERS);
	for (int i = OWN_CALLERS; i < count; i++)
		hash = (hash ^ (uintptr_t)callers[i]) * 0x9E3779B97F4A7C15ull;
	control->sites[nth] = hash | 1;
}

static bool is_armed(enum fault_class class, uint64_t nth, uint64_t total)
{
	if (control->action == FAULT_DIE)
		return control->nth && total == control->nth;
	return control->armed == class && nth >= control->nth && nth <= control->last;
}

/* For who looks for a mistake: LBT_FAULT_TRACE=1 shows in lbd's log who called. */
static void show_callers(void)
{
	void *callers[4 * CALLERS];

	if (!getenv("LBT_FAULT_TRACE"))
		return;
	busy = true;
	backtrace_symbols_fd(callers, backtrace(callers, 4 * CALLERS), STDERR_FILENO);
	busy = false;
}

int fault_fails(enum fault_class class, const char *name)
{
	uint64_t nth, total = 0;

	if (!control || busy)
		return false;
	nth = __atomic_add_fetch(&control->reached[class], 1, __ATOMIC_RELAXED);
	if (class != FAULT_MEMORY)
		total = __atomic_add_fetch(&control->reached[TOTAL], 1, __ATOMIC_RELAXED);
	if (control->recorded == class) {
		busy = true;
		record_site(nth - control->recorded_from);
		busy = false;
	}
	if (!is_armed(class, nth, total))
		return false;
	strncpy(control->where, name, sizeof(control->where) - 1);
	__atomic_add_fetch(&control->failed, 1, __ATOMIC_RELAXED);
	if (control->action == FAULT_DIE)
		_exit(137);
	show_callers();
	errno = control->error ? (int)control->error : ERRORS[class];
	return true;
}
