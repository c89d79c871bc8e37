/*
 * A token, a certificate or a key: given in the kubeconfig itself, or in a file that others may
 * replace while lbd runs (projected tokens are, every hour or so), which is then read again.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <sys/types.h>
#include <time.h>
#include "lb/refusal.h"

#define KUBE_SECRET_BYTES_MAX (1u << 20)

/* Zero is none. */
struct kube_secret {
	char *path;   /* NULL: it was given itself */
	char *bytes;  /* followed by a NUL; NULL: there is none, or it was not read yet */
	size_t size;  /* without the NUL */
	bool is_word; /* a token: one word, in a line of its own */
	bool failing; /* to be read again, which is in the log */
	/* Of the file that was read last. */
	dev_t device;
	ino_t inode;
	off_t file_size;
	struct timespec modified, changed;
};

/* Copies `size` bytes; what is no word where one is needed is refused. 0 or a refusal. */
int kube_secret_set(struct kube_secret *secret, const char *bytes, size_t size,
		    struct refusal *refusal);

/* Reads its file, where it has one. 0 or a refusal that names the file; what was read stays then.
 */
int kube_secret_read(struct kube_secret *secret, struct refusal *refusal);

/*
 * Reads the file again where it is another than before, or anyway. A file that cannot be read is
 * told in the log, once, and what it held stays in use. Whether the bytes are others now.
 */
bool kube_secret_refresh(struct kube_secret *secret, bool anyway);

void kube_secret_finish(struct kube_secret *secret);
