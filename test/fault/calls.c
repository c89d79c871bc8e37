/*
 * The system calls that may fail, under the names that the C library gives them.
 */
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/file.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/signalfd.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/timerfd.h>
#include <sys/vfs.h>
#include <time.h>
#include <unistd.h>
#include "test/fault/fault.h"

typedef long (*syscall_function)(long number, ...);

static long call(long number, long a, long b, long c, long d, long e, long f)
{
	static syscall_function next;

	if (!next)
		next = (syscall_function)dlsym(RTLD_NEXT, "syscall");
	return next(number, a, b, c, d, e, f);
}

static long call3(long number, long a, long b, long c)
{
	return call(number, a, b, c, 0, 0, 0);
}

/* libbpf has no other way to the kernel, nor has libcap-ng. */
long syscall(long number, ...)
{
	enum fault_class class = FAULT_NONE;
	long argument[6];
	va_list list;

	va_start(list, number);
	for (size_t i = 0; i < 6; i++)
		argument[i] = va_arg(list, long);
	va_end(list);
	if (number == SYS_bpf)
		class = FAULT_BPF;
	if (number == SYS_capset || number == SYS_capget || number == SYS_seccomp)
		class = FAULT_PROCESS;
	if (class != FAULT_NONE && fault_fails(class, class == FAULT_BPF ? "bpf" : "privilege"))
		return -1;
	return call(number, argument[0], argument[1], argument[2], argument[3], argument[4],
		    argument[5]);
}

/* ---- sockets */

static enum fault_class class_of(int fd)
{
	int domain = 0;
	socklen_t size = sizeof(domain);

	getsockopt(fd, SOL_SOCKET, SO_DOMAIN, &domain, &size);
	return domain == AF_NETLINK ? FAULT_NETLINK : FAULT_STREAM;
}

ssize_t sendto(int fd, const void *bytes, size_t size, int flags, const struct sockaddr *address,
	       socklen_t length)
{
	if (fault_fails(class_of(fd), "send"))
		return -1;
	return call(SYS_sendto, fd, (long)bytes, (long)size, flags, (long)address, length);
}

ssize_t send(int fd, const void *bytes, size_t size, int flags)
{
	return sendto(fd, bytes, size, flags, NULL, 0);
}

ssize_t recvfrom(int fd, void *bytes, size_t size, int flags, struct sockaddr *address,
		 socklen_t *length)
{
	if (fault_fails(class_of(fd), "recv"))
		return -1;
	return call(SYS_recvfrom, fd, (long)bytes, (long)size, flags, (long)address, (long)length);
}

ssize_t recv(int fd, void *bytes, size_t size, int flags)
{
	return recvfrom(fd, bytes, size, flags, NULL, NULL);
}

ssize_t recvmsg(int fd, struct msghdr *message, int flags)
{
	if (fault_fails(class_of(fd), "recvmsg"))
		return -1;
	return call3(SYS_recvmsg, fd, (long)message, flags);
}

int socket(int domain, int type, int protocol)
{
	if (fault_fails(FAULT_SOCKET, "socket"))
		return -1;
	return (int)call3(SYS_socket, domain, type, protocol);
}

int bind(int fd, const struct sockaddr *address, socklen_t length)
{
	if (fault_fails(FAULT_SOCKET, "bind"))
		return -1;
	return (int)call3(SYS_bind, fd, (long)address, length);
}

int listen(int fd, int backlog)
{
	if (fault_fails(FAULT_SOCKET, "listen"))
		return -1;
	return (int)call3(SYS_listen, fd, backlog, 0);
}

int connect(int fd, const struct sockaddr *address, socklen_t length)
{
	if (fault_fails(FAULT_SOCKET, "connect"))
		return -1;
	return (int)call3(SYS_connect, fd, (long)address, length);
}

int setsockopt(int fd, int level, int name, const void *value, socklen_t length)
{
	if (fault_fails(FAULT_SOCKET, "setsockopt"))
		return -1;
	return (int)call(SYS_setsockopt, fd, level, name, (long)value, length, 0);
}

int accept4(int fd, struct sockaddr *address, socklen_t *length, int flags)
{
	if (fault_fails(FAULT_ACCEPT, "accept4"))
		return -1;
	return (int)call(SYS_accept4, fd, (long)address, (long)length, flags, 0, 0);
}

/* ---- the loop */

int epoll_create1(int flags)
{
	if (fault_fails(FAULT_EPOLL, "epoll_create1"))
		return -1;
	return (int)call3(SYS_epoll_create1, flags, 0, 0);
}

int epoll_ctl(int epoll, int operation, int fd, struct epoll_event *event)
{
	if (fault_fails(FAULT_EPOLL, "epoll_ctl"))
		return -1;
	return (int)call(SYS_epoll_ctl, epoll, operation, fd, (long)event, 0, 0);
}

/* Of a program without mistakes it fails by a signal only. */
int epoll_wait(int epoll, struct epoll_event *events, int count, int timeout)
{
	if (fault_fails(FAULT_EPOLL, "epoll_wait")) {
		errno = EINTR;
		return -1;
	}
	return (int)call(SYS_epoll_wait, epoll, (long)events, count, timeout, 0, 0);
}

int timerfd_create(clockid_t clock, int flags)
{
	if (fault_fails(FAULT_TIMER, "timerfd_create"))
		return -1;
	return (int)call3(SYS_timerfd_create, clock, flags, 0);
}

int signalfd(int fd, const sigset_t *signals, int flags)
{
	if (fault_fails(FAULT_TIMER, "signalfd"))
		return -1;
	return (int)call(SYS_signalfd4, fd, (long)signals, 8, flags, 0, 0);
}

int eventfd(unsigned int value, int flags)
{
	if (fault_fails(FAULT_TIMER, "eventfd"))
		return -1;
	return (int)call3(SYS_eventfd2, value, flags, 0);
}

/* ---- files */

static int open_at(int directory, const char *path, int flags, mode_t mode)
{
	if (fault_fails(FAULT_OPEN, "open"))
		return -1;
	return (int)call(SYS_openat, directory, (long)path, flags, mode, 0, 0);
}

int open64(const char *path, int flags, ...)
{
	va_list list;
	mode_t mode;

	va_start(list, flags);
	mode = va_arg(list, mode_t); /* means nothing where it was not given */
	va_end(list);
	return open_at(AT_FDCWD, path, flags, mode);
}

int open(const char *path, int flags, ...)
{
	va_list list;
	mode_t mode;

	va_start(list, flags);
	mode = va_arg(list, mode_t);
	va_end(list);
	return open_at(AT_FDCWD, path, flags, mode);
}

ssize_t read(int fd, void *bytes, size_t size)
{
	if (fault_fails(FAULT_READ, "read"))
		return -1;
	return call3(SYS_read, fd, (long)bytes, (long)size);
}

ssize_t write(int fd, const void *bytes, size_t size)
{
	const struct fault_control *control = fault_control();

	if (!fault_fails(FAULT_WRITE, "write"))
		return call3(SYS_write, fd, (long)bytes, (long)size);
	if (control->action == FAULT_HALVE) {
		call3(SYS_write, fd, (long)bytes, (long)(size / 2));
		errno = EIO;
	}
	return -1;
}

int fsync(int fd)
{
	return fault_fails(FAULT_SYNC, "fsync") ? -1 : (int)call3(SYS_fsync, fd, 0, 0);
}

int fdatasync(int fd)
{
	return fault_fails(FAULT_SYNC, "fdatasync") ? -1 : (int)call3(SYS_fdatasync, fd, 0, 0);
}

int ftruncate64(int fd, off_t length)
{
	return fault_fails(FAULT_TRUNCATE, "ftruncate") ? -1
							: (int)call3(SYS_ftruncate, fd, length, 0);
}

int rename(const char *from, const char *to)
{
	if (fault_fails(FAULT_RENAME, "rename"))
		return -1;
	return (int)call(SYS_renameat2, AT_FDCWD, (long)from, AT_FDCWD, (long)to, 0, 0);
}

int mkdir(const char *path, mode_t mode)
{
	if (fault_fails(FAULT_DIRECTORY, "mkdir"))
		return -1;
	return (int)call3(SYS_mkdirat, AT_FDCWD, (long)path, mode);
}

int unlink(const char *path)
{
	if (fault_fails(FAULT_DIRECTORY, "unlink"))
		return -1;
	return (int)call3(SYS_unlinkat, AT_FDCWD, (long)path, 0);
}

int rmdir(const char *path)
{
	if (fault_fails(FAULT_DIRECTORY, "rmdir"))
		return -1;
	return (int)call3(SYS_unlinkat, AT_FDCWD, (long)path, AT_REMOVEDIR);
}

static int stat_at(const char *path, struct stat *status, int flags)
{
	if (fault_fails(FAULT_STAT, "stat"))
		return -1;
	return (int)call(SYS_newfstatat, AT_FDCWD, (long)path, (long)status, flags, 0, 0);
}

int stat64(const char *path, struct stat64 *status)
{
	return stat_at(path, (struct stat *)status, 0);
}

int lstat64(const char *path, struct stat64 *status)
{
	return stat_at(path, (struct stat *)status, AT_SYMLINK_NOFOLLOW);
}

int statfs64(const char *path, struct statfs64 *status)
{
	if (fault_fails(FAULT_STAT, "statfs"))
		return -1;
	return (int)call3(SYS_statfs, (long)path, (long)status, 0);
}

int flock(int fd, int operation)
{
	return fault_fails(FAULT_LOCK, "flock") ? -1 : (int)call3(SYS_flock, fd, operation, 0);
}

int ioctl(int fd, unsigned long request, ...)
{
	va_list list;
	long argument;

	va_start(list, request);
	argument = va_arg(list, long);
	va_end(list);
	if (fault_fails(FAULT_IOCTL, "ioctl"))
		return -1;
	return (int)call3(SYS_ioctl, fd, (long)request, argument);
}

void *mmap64(void *address, size_t size, int protection, int flags, int fd, off_t offset)
{
	if (fault_fails(FAULT_MMAP, "mmap"))
		return MAP_FAILED;
	return (void *)call(SYS_mmap, (long)address, (long)size, protection, flags, fd, offset);
}

int setns(int fd, int kind)
{
	return fault_fails(FAULT_PROCESS, "setns") ? -1 : (int)call3(SYS_setns, fd, kind, 0);
}
