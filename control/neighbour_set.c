/*
 * The neighbours that destinations need. One that the kernel does not manage, because it is too
 * old or because somebody replaced the entry, is found by its `managed` and settled again by the
 * caller.
 */
#include "control/neighbour_set.h"

#include <errno.h>
#include <linux/neighbour.h>
#include <linux/rtnetlink.h>
#include <netlink/msg.h>
#include <stdlib.h>
#include <string.h>
#include "control/log.h"
#include "lb/address.h"

#define NUD_FIXED (NUD_PERMANENT | NUD_NOARP)
#define NUD_VALID (NUD_FIXED | NUD_REACHABLE | NUD_PROBE | NUD_STALE | NUD_DELAY)

const char *neighbour_state_name(enum neighbour_state state)
{
	static const char *const NAMES[] = {
		[NEIGHBOUR_RESOLVING] = "resolving", [NEIGHBOUR_RESOLVED] = "resolved",
		[NEIGHBOUR_FAILED] = "failed",       [NEIGHBOUR_NO_ROUTE] = "no-route",
		[NEIGHBOUR_LOCAL] = "local",
	};

	return NAMES[state];
}

struct neighbour *neighbour_set_find(const struct neighbour_set *set,
				     const struct neighbour_key *key)
{
	struct neighbour *neighbour;

	HASH_FIND(hh, set->all, key, sizeof(*key), neighbour);
	return neighbour;
}

struct neighbour *neighbour_set_find_or_add(struct neighbour_set *set,
					    const struct neighbour_key *key)
{
	struct neighbour *neighbour = neighbour_set_find(set, key);

	if (neighbour)
		return neighbour;
	neighbour = calloc(1, sizeof(*neighbour));
	if (!neighbour)
		return NULL;
	neighbour->key = *key;
	neighbour->state = NEIGHBOUR_RESOLVING;
	HASH_ADD(hh, set->all, key, sizeof(*key), neighbour);
	if (neighbour->hh.tbl)
		return neighbour;
	free(neighbour);
	return NULL;
}

/* An error means that the entry is gone already, or its interface. */
static void remove_entry(const struct neighbour_set *set, const struct neighbour *neighbour)
{
	if (neighbour->ours && !neighbour->fixed)
		kernel_neighbour_remove(set->question, &neighbour->key);
}

void neighbour_set_remove(struct neighbour_set *set, struct neighbour *neighbour)
{
	remove_entry(set, neighbour);
	HASH_DEL(set->all, neighbour);
	free(neighbour);
}

void neighbour_set_finish(struct neighbour_set *set)
{
	struct neighbour *neighbour, *next;

	HASH_ITER (hh, set->all, neighbour, next) {
		HASH_DEL(set->all, neighbour);
		free(neighbour);
	}
}

struct sweep {
	const struct neighbour_set *set;
	struct netlink *question; /* the set's own is busy with the dump */
};

static void sweep_entry(void *context, const struct nlmsghdr *message)
{
	const struct sweep *sweep = context;
	struct kernel_neighbour entry;

	if (kernel_neighbour_parse(message, &entry) && entry.ours && !(entry.state & NUD_FIXED) &&
	    !neighbour_set_find(sweep->set, &entry.key))
		kernel_neighbour_remove(sweep->question, &entry.key);
}

void neighbour_set_sweep(struct neighbour_set *set)
{
	struct sweep sweep = {.set = set, .question = netlink_open()};
	struct ndmsg header = {.ndm_family = AF_UNSPEC};
	struct nl_msg *message;
	int error = -ENOMEM;

	message = nlmsg_alloc_simple(RTM_GETNEIGH, NLM_F_DUMP);
	if (sweep.question && message &&
	    !nlmsg_append(message, &header, sizeof(header), NLMSG_ALIGNTO))
		error = netlink_ask(set->question, message, sweep_entry, &sweep);
	if (error)
		log_warning("neighbour-sweep", "error=%s", log_quote(strerror(-error)));
	nlmsg_free(message);
	netlink_close(sweep.question);
}

void neighbour_take(struct neighbour *neighbour, const struct kernel_neighbour *entry)
{
	neighbour->fixed = entry->state & NUD_FIXED;
	neighbour->managed = entry->managed;
	neighbour->ours = entry->ours;
	if (entry->state & NUD_VALID && entry->has_mac) {
		neighbour->state = NEIGHBOUR_RESOLVED;
		neighbour->has_mac = true;
		memcpy(neighbour->mac, entry->mac, sizeof(neighbour->mac));
	} else if (entry->state & (NUD_FAILED | NUD_VALID)) {
		/* A valid entry without a MAC address is one of a link that has none. */
		neighbour->state = NEIGHBOUR_FAILED;
	} else if (entry->state == NUD_NONE || neighbour->state != NEIGHBOUR_FAILED) {
		/* The kernel goes on asking after a failure: only an answer ends that state. */
		neighbour->state = NEIGHBOUR_RESOLVING;
	}
}

static int read_entry(const struct neighbour_set *set, struct neighbour *neighbour)
{
	struct kernel_neighbour entry;
	int error;

	error = kernel_neighbour_read(set->question, &neighbour->key, &entry);
	if (error)
		return error;
	/*
	 * Whatever this node sends there makes the kernel ask anew at once. While the entry is
	 * still the managed one, it is the one that failed.
	 */
	if (neighbour->failed && entry.managed && entry.state & NUD_INCOMPLETE)
		entry.state = NUD_FAILED;
	neighbour->failed = false;
	neighbour_take(neighbour, &entry);
	return 0;
}

/* The kernel announces no new entry until it has an answer, so it is read once more. */
static int manage_entry(const struct neighbour_set *set, struct neighbour *neighbour)
{
	int error;

	error = read_entry(set, neighbour);
	if (error || neighbour->fixed || neighbour->managed)
		return error;
	error = kernel_neighbour_manage(set->question, &neighbour->key);
	if (error)
		return error;
	return read_entry(set, neighbour);
}

void neighbour_ask_anew(const struct neighbour_set *set, struct neighbour *neighbour)
{
	remove_entry(set, neighbour);
	neighbour->read = false;
}

void neighbour_settle(const struct neighbour_set *set, struct neighbour *neighbour)
{
	char text[ADDRESS_TEXT_MAX];
	int error;

	neighbour->read = true;
	error = manage_entry(set, neighbour);
	if (!error)
		return;
	neighbour->state = NEIGHBOUR_FAILED;
	log_warning("neighbour-failed", "address=%s interface=%u error=%s",
		    address_format(&neighbour->key.address, text), neighbour->key.ifindex,
		    log_quote(strerror(-error)));
}
