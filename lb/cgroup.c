/*
 * Finds cgroups: see cgroup.h.
 */
#include "lb/cgroup.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/magic.h>
#include <mntent.h>
#include <stdio.h>
#include <string.h>
#include <sys/vfs.h>
#include <unistd.h>

#define MOUNT_MAX 4096

/* Beside version 1 there is one more (/sys/fs/cgroup/unified), so all mounts are looked at. */
static int open_mounted(struct refusal *refusal)
{
	FILE *mounts = setmntent("/proc/self/mounts", "re");
	char text[MOUNT_MAX];
	struct mntent mount;
	int fd = -ENOENT;

	if (!mounts)
		return refuse_with(refusal, errno, "/proc/self/mounts: %s", strerror(errno));
	while (fd < 0 && getmntent_r(mounts, &mount, text, sizeof(text)))
		if (!strcmp(mount.mnt_type, "cgroup2"))
			fd = open(mount.mnt_dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	endmntent(mounts);
	return fd < 0 ? refuse_with(refusal, ENOENT,
				    "no cgroup of version 2 is mounted here, which --socket-lb "
				    "needs; name one by --cgroup")
		      : fd;
}

static int open_named(const char *path, struct refusal *refusal)
{
	const int fd = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	struct statfs status;

	if (fd < 0)
		return refuse_with(refusal, errno, "--cgroup %s: %s", path, strerror(errno));
	if (!fstatfs(fd, &status) && status.f_type == CGROUP2_SUPER_MAGIC)
		return fd;
	close(fd);
	return refuse(refusal, "--cgroup %s: not a directory of cgroup version 2", path);
}

int cgroup_open(const char *path, struct refusal *refusal)
{
	return path ? open_named(path, refusal) : open_mounted(refusal);
}
