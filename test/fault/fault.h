/*
 * What the shim and the test that leads it share: a file of this layout, mapped by both. The test
 * says which call is to fail, or to be the process's last; the shim counts the calls that it saw.
 * faults.py reads and writes it by offsets: it knows this order.
 */
#pragma once

#include <stdint.h>

/* What fails together. Each has the error that the kernel would most likely give. */
enum fault_class {
	FAULT_NONE,
	FAULT_BPF,
	FAULT_NETLINK, /* what is sent and received on AF_NETLINK */
	FAULT_STREAM,  /* the same on other sockets */
	FAULT_SOCKET,  /* making and preparing one */
	FAULT_ACCEPT,
	FAULT_EPOLL,
	FAULT_TIMER, /* timerfd, signalfd, eventfd */
	FAULT_OPEN,  /* open, opendir, fopen */
	FAULT_READ,
	FAULT_WRITE,
	FAULT_SYNC,
	FAULT_RENAME,
	FAULT_TRUNCATE,
	FAULT_DIRECTORY, /* mkdir, rmdir, unlink */
	FAULT_STAT,
	FAULT_LOCK,
	FAULT_IOCTL,
	FAULT_MMAP,
	FAULT_MEMORY,
	FAULT_PROCESS, /* fork, threads, namespaces, privileges, mounts */
	_FAULT_COUNT
};

enum fault_action {
	FAULT_FAIL,
	FAULT_DIE,   /* instead of the call, as by kill -9; of any class but memory */
	FAULT_HALVE, /* FAULT_WRITE: half is written before it fails */
};

#define FAULT_SITES 65536
#define FAULT_WHERE_BYTES 64

struct fault_control {
	uint64_t reached[32]; /* calls so far, by class; the sum without memory is the last */
	uint64_t armed;       /* enum fault_class; FAULT_NONE: nothing fails */
	uint64_t nth;         /* which call of it, counted as in `reached` */
	uint64_t last;        /* they fail until this one; the same: one does */
	uint64_t action;      /* enum fault_action */
	uint64_t error;       /* errno; 0: that of the class */
	uint64_t failed;      /* calls that did */
	uint64_t recorded;    /* class of which `sites` tells the callers; FAULT_NONE: none */
	int64_t clock_ms;     /* added to CLOCK_REALTIME */
	int64_t blocks;       /* of memory, not freed */
	uint64_t seed;        /* what getrandom fills in; 0: chance */
	char where[FAULT_WHERE_BYTES]; /* the function that failed last */
	uint64_t sites[FAULT_SITES];   /* of the nth call since recording: a hash of who called */
	uint64_t recorded_from;
};

/* Counts a call. True: it is to fail, and errno is set. */
int fault_fails(enum fault_class class, const char *name);

/* The control file, NULL where LBT_FAULT names none. */
struct fault_control *fault_control(void);
