/*
 * Reading and writing whole files, and durable names. A file system that cannot sync a directory
 * (EINVAL) has nothing to wait for, so that is no error.
 */
#include "control/file.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define GROWTH_BYTES 65536

/* Reads until the end, whatever stat says: the size may change, or be 0 as in /proc. */
static int read_rest(int fd, char **text, size_t *size)
{
	size_t capacity = 0;
	ssize_t count;

	*size = 0;
	do {
		if (capacity - *size <= 1) {
			char *larger = realloc(*text, capacity * 2 + GROWTH_BYTES);

			if (!larger)
				return -ENOMEM;
			*text = larger;
			capacity = capacity * 2 + GROWTH_BYTES;
		}
		count = read(fd, *text + *size, capacity - *size - 1);
		if (count < 0 && errno != EINTR)
			return -errno;
		if (count > 0)
			*size += (size_t)count;
	} while (count);
	(*text)[*size] = '\0';
	return 0;
}

int file_read(const char *path, char **text, size_t *size)
{
	int fd = open(path, O_RDONLY | O_CLOEXEC);
	char *bytes = NULL;
	size_t count;
	int error;

	if (fd < 0)
		return -errno;
	error = read_rest(fd, &bytes, &count);
	close(fd);
	if (error) {
		free(bytes);
		return error;
	}
	*text = bytes;
	*size = count;
	return 0;
}

int file_write(int fd, const char *bytes, size_t size)
{
	while (size) {
		ssize_t count = write(fd, bytes, size);

		if (count < 0 && errno != EINTR)
			return -errno;
		if (count > 0) {
			bytes += count;
			size -= (size_t)count;
		}
	}
	return 0;
}

/* The first `length` bytes of `path` are an absolute or relative directory, or nothing. */
static int create_one(const char *path, size_t length)
{
	char *directory = strndup(path, length);
	int error = 0;

	if (!directory)
		return -ENOMEM;
	if (!mkdir(directory, 0700))
		error = directory_sync(directory);
	else if (errno != EEXIST)
		error = -errno;
	free(directory);
	return error;
}

int directory_create(const char *path)
{
	const char *slash = path + strspn(path, "/");
	int error = 0;

	while (!error && (slash = strchr(slash, '/'))) {
		error = create_one(path, (size_t)(slash - path));
		slash += strspn(slash, "/");
	}
	return error;
}

int directory_sync(const char *path)
{
	const char *slash = strrchr(path, '/');
	char *directory = slash ? strndup(path, (size_t)(slash - path) + 1) : strdup(".");
	int error = 0;
	int fd;

	if (!directory)
		return -ENOMEM;
	fd = open(directory, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	free(directory);
	if (fd < 0)
		return -errno;
	if (fsync(fd) && errno != EINVAL)
		error = -errno;
	close(fd);
	return error;
}
