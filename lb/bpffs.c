/*
 * The BPF file system that holds the pins. Where there is none at its usual place one is mounted;
 * any other place without one is refused, because pins on a plain file system cannot exist.
 */
#include "lb/bpffs.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/magic.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/vfs.h>
#include <sys/wait.h>
#include <unistd.h>
#include "lb/datapath_internal.h"

#define BPFFS_USUAL "/sys/fs/bpf"
#define PIN_DIRECTORY_MODE 0700

/* The file system that `path`, or the nearest of its parents that exists, lies on. */
static bool is_on_bpffs(const char *path)
{
	char parent[PIN_PATH_MAX];
	struct statfs status;
	char *slash;

	snprintf(parent, sizeof(parent), "%s", path);
	while (statfs(parent, &status)) {
		slash = strrchr(parent, '/');
		if (!slash || slash == parent)
			return false;
		*slash = '\0';
	}
	return status.f_type == BPF_FS_MAGIC;
}

static bool is_below_usual(const char *path)
{
	const size_t length = strlen(BPFFS_USUAL);

	return !strncmp(path, BPFFS_USUAL, length) && (path[length] == '/' || !path[length]);
}

static int make_directories(const char *path)
{
	char part[PIN_PATH_MAX];

	snprintf(part, sizeof(part), "%s", path);
	for (char *slash = strchr(part + 1, '/'); slash; slash = strchr(slash + 1, '/')) {
		*slash = '\0';
		if (mkdir(part, PIN_DIRECTORY_MODE) && errno != EEXIST)
			return -errno;
		*slash = '/';
	}
	return mkdir(part, PIN_DIRECTORY_MODE) && errno != EEXIST ? -errno : 0;
}

static pid_t parent_of(pid_t process)
{
	char path[64];
	pid_t parent = 0;
	FILE *file;

	snprintf(path, sizeof(path), "/proc/%d/stat", (int)process);
	file = fopen(path, "re");
	if (!file)
		return 0;
	/* The name, in parentheses, may hold anything but lbd's ancestors' hold no parenthesis. */
	if (fscanf(file, "%*d (%*[^)]) %*c %d", &parent) != 1)
		parent = 0;
	fclose(file);
	return parent;
}

static bool is_same(const char *one, const char *other)
{
	struct stat a, b;

	return !stat(one, &a) && !stat(other, &b) && a.st_dev == b.st_dev && a.st_ino == b.st_ino;
}

/*
 * `ip netns exec` runs us in a mount namespace of our own that differs from the machine's in /sys
 * alone; what is mounted there ends with us. The nearest ancestor in another mount namespace with
 * our root directory (a container has its own) still sees the machine's. 0: there is none.
 */
static pid_t find_outside(void)
{
	char root[64], namespace[64];

	for (pid_t process = getppid(); process > 0; process = parent_of(process)) {
		snprintf(root, sizeof(root), "/proc/%d/root/", (int)process);
		snprintf(namespace, sizeof(namespace), "/proc/%d/ns/mnt", (int)process);
		if (is_same("/", root) && !is_same("/proc/self/ns/mnt", namespace))
			return process;
	}
	return 0;
}

/* In a child: a process can only mount where it lives. Entering a namespace undoes a chroot. */
static int mount_outside(pid_t outside)
{
	char path[64];
	int status, namespace, root;
	pid_t child = fork();

	if (child < 0)
		return -errno;
	if (!child) {
		snprintf(path, sizeof(path), "/proc/%d/ns/mnt", (int)outside);
		namespace = open(path, O_RDONLY | O_CLOEXEC);
		snprintf(path, sizeof(path), "/proc/%d/root", (int)outside);
		root = open(path, O_PATH | O_DIRECTORY | O_CLOEXEC);
		_exit(namespace < 0 || root < 0 || setns(namespace, CLONE_NEWNS) || fchdir(root) ||
		      chroot(".") || mount("bpf", BPFFS_USUAL, "bpf", 0, NULL));
	}
	return waitpid(child, &status, 0) == child && !status ? 0 : -EPERM;
}

/* An fd of the machine's bpffs, which stays open: a way to it that needs no ancestor. -1: none. */
static int open_outside(void)
{
	pid_t outside = find_outside();
	char path[64];

	if (!outside)
		return -1;
	snprintf(path, sizeof(path), "/proc/%d/root" BPFFS_USUAL, (int)outside);
	if (!is_on_bpffs(path) && mount_outside(outside))
		return -1;
	return is_on_bpffs(path) ? open(path, O_PATH | O_DIRECTORY | O_CLOEXEC) : -1;
}

/* Finds or makes a bpffs for a path below the usual place. */
static int provide_bpffs(const char *path, char **pin_path, enum bpffs_made *made)
{
	int outside = open_outside();

	if (outside >= 0) {
		*made = BPFFS_OUTSIDE;
		return asprintf(pin_path, "/proc/self/fd/%d%s", outside,
				path + strlen(BPFFS_USUAL)) < 0
			       ? -ENOMEM
			       : 0;
	}
	if (mount("bpf", BPFFS_USUAL, "bpf", 0, NULL))
		return -errno;
	*made = BPFFS_MOUNTED;
	*pin_path = strdup(path);
	return *pin_path ? 0 : -ENOMEM;
}

int bpffs_prepare(const char *path, char **pin_path, enum bpffs_made *made, struct refusal *refusal)
{
	int error;

	*made = BPFFS_FOUND;
	if (path[0] != '/' || strlen(path) >= PIN_PATH_MAX / 2)
		return refuse(refusal, "--pin %s: not an absolute path on a bpffs", path);
	if (is_on_bpffs(path)) {
		*pin_path = strdup(path);
		error = *pin_path ? 0 : -ENOMEM;
	} else if (is_below_usual(path)) {
		error = provide_bpffs(path, pin_path, made);
	} else {
		return refuse(refusal,
			      "--pin %s: not on a bpffs; choose a path under " BPFFS_USUAL
			      " or mount one (`mount -t bpf bpf DIR`)",
			      path);
	}
	if (error)
		return refuse_with(refusal, -error,
				   "--pin %s: cannot mount a bpffs at " BPFFS_USUAL ": %s%s", path,
				   strerror(-error),
				   error == -EPERM ? " (that takes CAP_SYS_ADMIN)" : "");
	error = make_directories(*pin_path);
	if (error)
		return refuse_with(refusal, -error, "--pin %s: cannot make the directory: %s", path,
				   strerror(-error));
	return 0;
}

int bpffs_lock(const char *pin_path, struct refusal *refusal)
{
	const int directory = open(pin_path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	int error;

	if (directory < 0)
		return refuse_with(refusal, errno, "%s: %s", pin_path, strerror(errno));
	if (!flock(directory, LOCK_EX | LOCK_NB))
		return directory;
	error = errno == EWOULDBLOCK ? EBUSY : errno;
	close(directory);
	return refuse_with(refusal, error, "%s: %s", pin_path,
			   error == EBUSY ? "another lbd has pinned there and runs; give this one "
					    "a --pin of its own, or end that one"
					  : strerror(error));
}
