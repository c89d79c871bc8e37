/*
 * What of the C library may fail beside system calls: memory, streams, directories, threads. And
 * the clock that is set, and chance that is none.
 */
#include <dirent.h>
#include <dlfcn.h>
#include <elf.h>
#include <errno.h>
#include <link.h>
#include <pthread.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>
#include <sys/types.h>
#include <time.h>
#include <unistd.h>
#include "test/fault/fault.h"

#define MS_PER_SECOND 1000
#define NS_PER_MS 1000000

extern void *__libc_malloc(size_t size);
extern void *__libc_calloc(size_t count, size_t size);
extern void *__libc_realloc(void *block, size_t size);
extern void __libc_free(void *block);

/*
 * libseccomp (2.5.4) reads what it has not got where it runs out of memory, and lbd has no say in
 * that: what it asks for is given. The span of its code.
 */
static uintptr_t spared_from, spared_to;

static int find_spared(struct dl_phdr_info *object, size_t size, void *context)
{
	(void)size;
	(void)context;
	if (!strstr(object->dlpi_name, "libseccomp"))
		return 0;
	for (int i = 0; i < object->dlpi_phnum; i++) {
		const ElfW(Phdr) *part = &object->dlpi_phdr[i];

		if (part->p_type != PT_LOAD || !(part->p_flags & PF_X))
			continue;
		spared_from = object->dlpi_addr + part->p_vaddr;
		spared_to = spared_from + part->p_memsz;
	}
	return 1;
}

__attribute__((constructor)) static void find_spared_library(void)
{
	dl_iterate_phdr(find_spared, NULL);
}

static bool memory_fails(const char *name, const void *caller)
{
	const uintptr_t from = (uintptr_t)caller;

	return (from < spared_from || from >= spared_to) && fault_fails(FAULT_MEMORY, name);
}

static void *count_block(void *block, int by)
{
	struct fault_control *control = fault_control();

	if (control && block)
		__atomic_add_fetch(&control->blocks, by, __ATOMIC_RELAXED);
	return block;
}

void *malloc(size_t size)
{
	return memory_fails("malloc", __builtin_return_address(0))
		       ? NULL
		       : count_block(__libc_malloc(size), 1);
}

void *calloc(size_t count, size_t size)
{
	return memory_fails("calloc", __builtin_return_address(0))
		       ? NULL
		       : count_block(__libc_calloc(count, size), 1);
}

void *realloc(void *block, size_t size)
{
	if (memory_fails("realloc", __builtin_return_address(0)))
		return NULL;
	return block ? __libc_realloc(block, size) : count_block(__libc_realloc(NULL, size), 1);
}

void free(void *block)
{
	count_block(block, -1);
	__libc_free(block);
}

FILE *fopen64(const char *path, const char *mode)
{
	static FILE *(*next)(const char *, const char *);

	if (!next)
		next = (FILE * (*)(const char *, const char *)) dlsym(RTLD_NEXT, "fopen64");
	return fault_fails(FAULT_OPEN, "fopen") ? NULL : next(path, mode);
}

DIR *opendir(const char *path)
{
	static DIR *(*next)(const char *);

	if (!next)
		next = (DIR * (*)(const char *)) dlsym(RTLD_NEXT, "opendir");
	return fault_fails(FAULT_OPEN, "opendir") ? NULL : next(path);
}

int pthread_create(pthread_t *thread, const pthread_attr_t *attributes, void *(*run)(void *),
		   void *context)
{
	static int (*next)(pthread_t *, const pthread_attr_t *, void *(*)(void *), void *);

	if (!next)
		next = (int (*)(pthread_t *, const pthread_attr_t *, void *(*)(void *),
				void *))dlsym(RTLD_NEXT, "pthread_create");
	return fault_fails(FAULT_PROCESS, "pthread_create")
		       ? EAGAIN
		       : next(thread, attributes, run, context);
}

int clock_gettime(clockid_t clock, struct timespec *time)
{
	static int (*next)(clockid_t, struct timespec *);
	const struct fault_control *control = fault_control();
	int64_t ms;
	int error;

	if (!next)
		next = (int (*)(clockid_t, struct timespec *))dlsym(RTLD_NEXT, "clock_gettime");
	error = next(clock, time);
	if (!error && control && clock == CLOCK_REALTIME && control->clock_ms) {
		ms = time->tv_sec * MS_PER_SECOND + time->tv_nsec / NS_PER_MS + control->clock_ms;
		time->tv_sec = ms / MS_PER_SECOND;
		time->tv_nsec = ms % MS_PER_SECOND * NS_PER_MS;
	}
	return error;
}

ssize_t getrandom(void *bytes, size_t size, unsigned int flags)
{
	static ssize_t (*next)(void *, size_t, unsigned int);
	const struct fault_control *control = fault_control();

	if (!next)
		next = (ssize_t(*)(void *, size_t, unsigned int))dlsym(RTLD_NEXT, "getrandom");
	if (!control || !control->seed || size != sizeof(control->seed))
		return next(bytes, size, flags);
	memcpy(bytes, &control->seed, size);
	return (ssize_t)size;
}
