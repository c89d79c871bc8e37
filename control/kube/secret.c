/*
 * Secrets: see secret.h. Their bytes are wiped before the memory is given back.
 */
#include "control/kube/secret.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include "control/file.h"
#include "control/log.h"

static void wipe(char *bytes, size_t size)
{
	if (bytes)
		explicit_bzero(bytes, size);
	free(bytes);
}

static bool is_blank(char byte)
{
	return byte == ' ' || byte == '\t' || byte == '\r' || byte == '\n';
}

static void trim(const char **bytes, size_t *size)
{
	while (*size && is_blank((*bytes)[*size - 1]))
		--*size;
	while (*size && is_blank(**bytes)) {
		++*bytes;
		--*size;
	}
}

/* Of characters that may stand in a header: a line break there would begin another header. */
static bool is_word(const char *bytes, size_t size)
{
	for (size_t i = 0; i < size; i++)
		if (bytes[i] <= ' ' || bytes[i] > '~')
			return false;
	return size;
}

int kube_secret_set(struct kube_secret *secret, const char *bytes, size_t size,
		    struct refusal *refusal)
{
	char *copy;

	if (secret->is_word)
		trim(&bytes, &size);
	if (secret->is_word && !is_word(bytes, size))
		return refuse(refusal, "%s",
			      size ? "not a token: it holds blanks or control characters"
				   : "not a token: there is nothing");
	copy = malloc(size + 1);
	if (!copy)
		return refuse_with(refusal, ENOMEM, "out of memory");
	memcpy(copy, bytes, size);
	copy[size] = '\0';
	wipe(secret->bytes, secret->size);
	secret->bytes = copy;
	secret->size = size;
	return 0;
}

static bool is_same_file(const struct kube_secret *secret, const struct stat *file)
{
	return secret->device == file->st_dev && secret->inode == file->st_ino &&
	       secret->file_size == file->st_size &&
	       secret->modified.tv_sec == file->st_mtim.tv_sec &&
	       secret->modified.tv_nsec == file->st_mtim.tv_nsec &&
	       secret->changed.tv_sec == file->st_ctim.tv_sec &&
	       secret->changed.tv_nsec == file->st_ctim.tv_nsec;
}

static void remember_file(struct kube_secret *secret, const struct stat *file)
{
	secret->device = file->st_dev;
	secret->inode = file->st_ino;
	secret->file_size = file->st_size;
	secret->modified = file->st_mtim;
	secret->changed = file->st_ctim;
}

int kube_secret_read(struct kube_secret *secret, struct refusal *refusal)
{
	struct refusal reason;
	struct stat file;
	char *bytes;
	size_t size;
	int error;

	if (!secret->path)
		return 0;
	if (stat(secret->path, &file))
		return refuse_with(refusal, errno, "%s: %s", secret->path, strerror(errno));
	if (!S_ISREG(file.st_mode))
		return refuse(refusal, "%s: not a file", secret->path);
	if (file.st_size > KUBE_SECRET_BYTES_MAX)
		return refuse(refusal, "%s: larger than %u bytes", secret->path,
			      KUBE_SECRET_BYTES_MAX);
	error = file_read(secret->path, &bytes, &size);
	if (error)
		return refuse_with(refusal, -error, "%s: %s", secret->path, strerror(-error));
	error = kube_secret_set(secret, bytes, size, &reason);
	wipe(bytes, size);
	if (error)
		return refuse_with(refusal, -error, "%s: %s", secret->path, reason.text);
	remember_file(secret, &file);
	return 0;
}

static void tell_failure(struct kube_secret *secret, const char *reason)
{
	if (!secret->failing)
		log_warning("kube-file-unread", "reason=%s means=%s", log_quote(reason),
			    log_quote("what it held before stays in use"));
	secret->failing = true;
}

bool kube_secret_refresh(struct kube_secret *secret, bool anyway)
{
	struct kube_secret before = *secret;
	struct refusal refusal;
	struct stat file;
	bool changed;

	if (!secret->path || (!anyway && !stat(secret->path, &file) && is_same_file(secret, &file)))
		return false;
	secret->bytes = NULL;
	if (kube_secret_read(secret, &refusal)) {
		*secret = before;
		tell_failure(secret, refusal.text);
		return false;
	}
	changed = secret->size != before.size || memcmp(secret->bytes, before.bytes, before.size);
	wipe(before.bytes, before.size);
	secret->failing = false;
	if (changed)
		log_info("kube-file-read", "path=%s", log_quote(secret->path));
	return changed;
}

void kube_secret_finish(struct kube_secret *secret)
{
	wipe(secret->bytes, secret->size);
	free(secret->path);
	*secret = (struct kube_secret){0};
}
