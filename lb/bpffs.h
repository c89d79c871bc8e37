/*
 * The BPF file system that holds the pins. Mounting one takes CAP_SYS_ADMIN, which nothing that
 * comes after does, so lbd prepares it before it gives up what it does not need.
 */
#pragma once

#include "lb/refusal.h"

/* What had to be done for a bpffs at the pin path. */
enum bpffs_made {
	BPFFS_FOUND,
	BPFFS_OUTSIDE, /* ours is hidden (`ip netns exec`): the machine's */
	BPFFS_MOUNTED, /* in a private mount namespace pins end with it */
};

/*
 * Makes the directory and, where it would lie under /sys/fs/bpf with no bpffs mounted there, gets
 * one: the machine's where `ip netns exec` hides it, so that pins outlive us, else one mounted
 * here. *pin_path: the path to use, the caller's; prepared again it is found as it is. 0 or -errno
 * with a refusal.
 */
int bpffs_prepare(const char *path, char **pin_path, enum bpffs_made *made,
		  struct refusal *refusal);

/*
 * Nobody else may have this directory for as long as the fd that it answers, the caller's, is open:
 * each would set right what the other has pinned. -EBUSY: somebody has; or -errno; with a refusal.
 */
int bpffs_lock(const char *pin_path, struct refusal *refusal);
