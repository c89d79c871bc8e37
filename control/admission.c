/*
 * Admission: the mode of the socket keeps strangers out, and what the kernel says of a peer is
 * asked all the same, since a mode may be changed and an fd handed on.
 */
#include "control/admission.h"

#include <errno.h>
#include <fcntl.h>
#include <grp.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define GROUP_ENTRY_BYTES 65536 /* of a group's line with all its members */
#define PEER_GROUPS_MAX 65536   /* as many as a process can be in (NGROUPS_MAX) */

static bool read_number(const char *text, gid_t *group)
{
	unsigned long number;
	char *end;

	errno = 0;
	number = strtoul(text, &end, 10);
	if (errno || *end || text[0] < '0' || text[0] > '9' || number >= (gid_t)-1)
		return false;
	*group = (gid_t)number;
	return true;
}

int admission_find_group(const char *name, struct admission *admission, struct refusal *refusal)
{
	struct group entry, *found = NULL;
	char *text;
	int error;

	text = malloc(GROUP_ENTRY_BYTES);
	if (!text)
		return refuse_with(refusal, ENOMEM, "out of memory");
	error = getgrnam_r(name, &entry, text, GROUP_ENTRY_BYTES, &found);
	if (found)
		admission->group = entry.gr_gid;
	free(text);
	if (!found && !read_number(name, &admission->group))
		return refuse_with(refusal, error ? error : ENOENT, "--socket-group %.64s: %s",
				   name, error ? strerror(error) : "no such group");
	admission->has_group = true;
	return 0;
}

int admission_open(const struct admission *admission, const char *path, struct refusal *refusal)
{
	if (!admission->has_group)
		return 0;
	if (lchown(path, (uid_t)-1, admission->group))
		return refuse_with(refusal, errno,
				   "--socket-group: cannot give %s to group %u: %s%s", path,
				   admission->group, strerror(errno),
				   errno == EPERM ? " (lbd is not in it)" : "");
	if (chmod(path, 0660))
		return refuse_with(refusal, errno, "--socket %s: %s", path, strerror(errno));
	return 0;
}

static bool is_member(int fd, gid_t group)
{
	socklen_t size = PEER_GROUPS_MAX * sizeof(gid_t);
	bool found = false;
	gid_t *groups = malloc(size);

	if (!groups)
		return false;
	if (!getsockopt(fd, SOL_SOCKET, SO_PEERGROUPS, groups, &size))
		for (size_t i = 0; !found && i < size / sizeof(*groups); i++)
			found = groups[i] == group;
	free(groups);
	return found;
}

enum level admission_level(const struct admission *admission, int fd, struct ucred *peer)
{
	socklen_t size = sizeof(*peer);

	if (getsockopt(fd, SOL_SOCKET, SO_PEERCRED, peer, &size))
		return LEVEL_NONE;
	if (peer->uid == 0 || peer->uid == geteuid())
		return LEVEL_CHANGE;
	if (!admission->has_group ||
	    (peer->gid != admission->group && !is_member(fd, admission->group)))
		return LEVEL_NONE;
	return admission->group_changes ? LEVEL_CHANGE : LEVEL_READ;
}
