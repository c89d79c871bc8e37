/*
 * Capabilities, by libcap-ng at the start. CAP_SYS_ADMIN stands for CAP_BPF and CAP_PERFMON in the
 * kernel, but is not effective here most of the time, so it stands for nothing.
 */
#include "lb/privilege.h"

#include <cap-ng.h>
#include <errno.h>
#include <linux/capability.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <unistd.h>

#define CAPABILITIES_PER_WORD 32

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

/*
 * While lbd runs it asks the kernel itself: libcap-ng, once it had no memory, says no for ever.
 */
struct capabilities {
	struct __user_cap_header_struct header;
	struct __user_cap_data_struct words[_LINUX_CAPABILITY_U32S_3];
};

static int read_own(struct capabilities *own)
{
	*own = (struct capabilities){.header = {.version = _LINUX_CAPABILITY_VERSION_3}};
	return (int)syscall(SYS_capget, &own->header, own->words);
}

static uint32_t bit_of(int capability)
{
	return 1u << (capability % CAPABILITIES_PER_WORD);
}

bool privilege_is_held(int capability)
{
	const size_t word = (size_t)capability / CAPABILITIES_PER_WORD;
	struct capabilities own;

	return !read_own(&own) && (own.words[word].permitted & bit_of(capability));
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

/* Whether it is effective then. */
static bool set_effective(int capability, bool wanted)
{
	struct capabilities own;
	struct __user_cap_data_struct *word = &own.words[capability / CAPABILITIES_PER_WORD];

	if (read_own(&own))
		return false;
	if (wanted)
		word->effective |= bit_of(capability);
	else
		word->effective &= ~bit_of(capability);
	return !syscall(SYS_capset, &own.header, own.words) && wanted;
}

bool privilege_raise(int capability)
{
	const size_t word = (size_t)capability / CAPABILITIES_PER_WORD;
	struct capabilities own;

	if (read_own(&own) || !(own.words[word].permitted & bit_of(capability)) ||
	    (own.words[word].effective & bit_of(capability)))
		return false;
	return set_effective(capability, true);
}

void privilege_lower(int capability)
{
	set_effective(capability, false);
}
