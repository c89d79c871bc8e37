/*
 * Capabilities, by libcap-ng. CAP_SYS_ADMIN stands for CAP_BPF and CAP_PERFMON in the kernel, but
 * is not effective here most of the time, so it stands for nothing.
 */
#include "lb/privilege.h"

#include <cap-ng.h>
#include <errno.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>
#include <sys/prctl.h>

static const struct {
	int capability;
	const char *name;
	const char *purpose;
	bool for_loading; /* and no longer */
} NEEDED[] = {
	{CAP_BPF, "CAP_BPF", "to make maps and load programs", true},
	{CAP_NET_ADMIN, "CAP_NET_ADMIN",
	 "to load and attach XDP programs and to have neighbours resolved", false},
	/* Without it the verifier refuses what copies a part of a pointer (allow_ptr_leaks). */
	{CAP_PERFMON, "CAP_PERFMON", "for the verifier to allow the programs' use of pointers",
	 true},
};
#define NEEDED_COUNT (sizeof(NEEDED) / sizeof(NEEDED[0]))

const struct spare_privilege SPARE_PRIVILEGES[2] = {
	{CAP_SYS_ADMIN, "CAP_SYS_ADMIN",
	 "veths whose other end is in another network namespace cannot be attached, and XDP "
	 "programs that are in the way have no name"},
	{CAP_SYS_PTRACE, "CAP_SYS_PTRACE",
	 "network namespaces that have no file in /run/netns are not found"},
};
#define SPARE_COUNT (sizeof(SPARE_PRIVILEGES) / sizeof(SPARE_PRIVILEGES[0]))

int privilege_check(struct refusal *refusal)
{
	char missing[REFUSAL_MAX / 2] = "";
	size_t used = 0;

	if (capng_get_caps_process())
		return refuse_with(refusal, EIO, "cannot read this process's capabilities");
	for (size_t i = 0; i < NEEDED_COUNT; i++) {
		if (!capng_have_capability(CAPNG_EFFECTIVE, (unsigned int)NEEDED[i].capability))
			used += (size_t)snprintf(missing + used, sizeof(missing) - used, "%s%s %s",
						 used ? ", " : "", NEEDED[i].name,
						 NEEDED[i].purpose);
	}
	return used ? refuse_with(refusal, EPERM,
				  "not privileged: lbd needs %s; start it as root, or as "
				  "docs/security.md says",
				  missing)
		    : 0;
}

bool privilege_is_held(int capability)
{
	return !capng_get_caps_process() &&
	       capng_have_capability(CAPNG_PERMITTED, (unsigned int)capability);
}

static void choose(void)
{
	bool spare[SPARE_COUNT];

	for (size_t i = 0; i < SPARE_COUNT; i++)
		spare[i] = privilege_is_held(SPARE_PRIVILEGES[i].capability);
	capng_clear(CAPNG_SELECT_ALL);
	for (size_t i = 0; i < NEEDED_COUNT; i++)
		capng_update(CAPNG_ADD, CAPNG_EFFECTIVE | CAPNG_PERMITTED,
			     (unsigned int)NEEDED[i].capability);
	for (size_t i = 0; i < SPARE_COUNT; i++)
		if (spare[i])
			capng_update(CAPNG_ADD, CAPNG_PERMITTED,
				     (unsigned int)SPARE_PRIVILEGES[i].capability);
}

int privilege_drop(struct refusal *refusal)
{
	bool may_bound;
	int failed;

	if (capng_get_caps_process())
		return refuse_with(refusal, EIO, "cannot read this process's capabilities");
	may_bound = capng_have_capability(CAPNG_EFFECTIVE, CAP_SETPCAP);
	choose();
	/* The bounding set matters to what is executed alone, which no_new_privs keeps as it is. */
	failed = may_bound ? capng_apply(CAPNG_SELECT_BOUNDS) : 0;
	if (!failed)
		failed = capng_apply(CAPNG_SELECT_CAPS);
	if (!failed)
		failed = capng_apply(CAPNG_SELECT_AMBIENT);
	if (failed)
		return refuse_with(refusal, EPERM,
				   "cannot give up capabilities that lbd does not need (libcap-ng: "
				   "%d)",
				   failed);
	if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0))
		return refuse_with(refusal, errno, "cannot give up new privileges: %s",
				   strerror(errno));
	return 0;
}

int privilege_drop_loading(struct refusal *refusal)
{
	if (capng_get_caps_process())
		return refuse_with(refusal, EIO, "cannot read this process's capabilities");
	for (size_t i = 0; i < NEEDED_COUNT; i++)
		if (NEEDED[i].for_loading)
			capng_update(CAPNG_DROP, CAPNG_EFFECTIVE | CAPNG_PERMITTED,
				     (unsigned int)NEEDED[i].capability);
	return capng_apply(CAPNG_SELECT_CAPS)
		       ? refuse_with(refusal, errno, "cannot give up capabilities: %s",
				     strerror(errno))
		       : 0;
}

void privilege_drop_all(void)
{
	capng_clear(CAPNG_SELECT_CAPS);
	capng_apply(CAPNG_SELECT_CAPS);
}

bool privilege_raise(int capability)
{
	if (!privilege_is_held(capability) ||
	    capng_have_capability(CAPNG_EFFECTIVE, (unsigned int)capability))
		return false;
	capng_update(CAPNG_ADD, CAPNG_EFFECTIVE, (unsigned int)capability);
	return !capng_apply(CAPNG_SELECT_CAPS);
}

void privilege_lower(int capability)
{
	capng_get_caps_process();
	capng_update(CAPNG_DROP, CAPNG_EFFECTIVE, (unsigned int)capability);
	capng_apply(CAPNG_SELECT_CAPS);
}
