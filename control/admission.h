/*
 * Who may come in by the control socket, by what the kernel says of a peer (SO_PEERCRED,
 * SO_PEERGROUPS): root and the user of lbd may change it, one group may read, or change it too.
 */
#pragma once

#include <stdbool.h>
#include <sys/socket.h>
#include <sys/types.h>
#include "lb/refusal.h"

struct admission {
	bool has_group;
	bool group_changes; /* else its members may only read */
	gid_t group;
};

enum level {
	LEVEL_NONE,
	LEVEL_READ,
	LEVEL_CHANGE,
};

/* A group by its name or number. 0 or a refusal. */
int admission_find_group(const char *name, struct admission *admission, struct refusal *refusal);

/* Lets the group connect to a socket that was for its owner alone. 0, or -errno with a refusal. */
int admission_open(const struct admission *admission, const char *path, struct refusal *refusal);

/* Of the peer at the other end; *peer is who that is. */
enum level admission_level(const struct admission *admission, int fd, struct ucred *peer);
