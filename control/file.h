/*
 * Files that must survive a crash: reading whole, writing whole, and what a directory needs so that
 * the names in it are on disk too. It knows nothing of what is in them.
 */
#pragma once

#include <stddef.h>

/* The whole file in memory the caller frees; the text is followed by a NUL. 0 or -errno. */
int file_read(const char *path, char **text, size_t *size);

/* Writes all of it or fails; a part may be written then. 0 or -errno. */
int file_write(int fd, const char *bytes, size_t size);

/* Creates the directories (0700) that lead to `path`, durably, where missing. 0 or -errno. */
int directory_create(const char *path);

/* Waits until the names in the directory that holds `path` are on disk. 0 or -errno. */
int directory_sync(const char *path);
