/*
 * The audit goes round in parts of a few milliseconds each. What a round has put right is counted
 * (`status`) and logged when it ends, what cannot be put right when that begins.
 */
#include "control/audit.h"

#include <inttypes.h>
#include <string.h>
#include "control/log.h"
#include "control/upkeep.h"
#include "lb/datapath_audit.h"

#define INTERVAL_MS 100
#define PARTS 30          /* all of it in 3 seconds */
#define INTERFACE_PARTS 5 /* without its program an interface lets packets past */

struct look {
	struct daemon *daemon;
	struct repairs *repairs;
};

static void audit_denied(void *context, const struct deny_entry *entry)
{
	const struct look *look = context;

	repairs_note(look->repairs, REPAIR_DENY,
		     datapath_audit_denied(look->daemon->datapath, &entry->prefix, entry->index));
}

static void audit_deny_list(struct daemon *daemon, struct look *look)
{
	const uint32_t count = (uint32_t)deny_list_count_all(daemon->deny);

	repairs_note(look->repairs, REPAIR_DENY,
		     datapath_audit_denied_count(daemon->datapath, count));
	deny_list_walk(daemon->deny, PARTS, audit_denied, look);
}

static void audit_nexthop(void *context, uint32_t slot, const struct nexthop *told)
{
	const struct look *look = context;
	struct nexthop found;

	datapath_get_nexthop(look->daemon->datapath, slot, &found);
	if (!memcmp(&found, told, sizeof(found)))
		return;
	datapath_set_nexthop(look->daemon->datapath, slot, told);
	repairs_note(look->repairs, REPAIR_NEXTHOPS, 1);
}

static void tell(struct daemon *daemon)
{
	struct repairs *told = &daemon->told_repairs;
	const struct repairs *now = &daemon->repairs;

	for (enum repair what = 0; what < _REPAIR_COUNT; what++)
		if (now->done[what] != told->done[what])
			log_warning("repaired", "what=%s count=%" PRIu64 " why=%s",
				    repair_name(what), now->done[what] - told->done[what],
				    log_quote("it was not as lbd had left it"));
	*told = *now;
}

/* Failures of a round; the next one that has the same kind says nothing new. */
static void tell_failures(struct daemon *daemon)
{
	struct repairs *repairs = &daemon->repairs;

	for (enum repair what = 0; what < _REPAIR_COUNT; what++) {
		if (repairs->failed[what] && !daemon->failing[what])
			log_error("not-repaired", "what=%s count=%" PRIu64, repair_name(what),
				  repairs->failed[what]);
		daemon->failing[what] = repairs->failed[what];
		repairs->failed[what] = 0;
	}
}

static void begin_round(struct daemon *daemon)
{
	tell(daemon);
	tell_failures(daemon);
	daemon->audited = 0;
	datapath_audit_programs(daemon->datapath, &daemon->repairs);
}

static void audit_attached(struct daemon *daemon)
{
	if (daemon->audited % INTERFACE_PARTS == 0) {
		datapath_audit_pins(daemon->datapath, &daemon->repairs);
		datapath_audit_sockets(daemon->datapath, &daemon->repairs);
	}
	interfaces_audit(daemon->interfaces, INTERFACE_PARTS, &daemon->repairs);
}

static void audit_part(void *context, uint32_t expirations)
{
	struct daemon *daemon = context;
	struct look look = {daemon, &daemon->repairs};

	(void)expirations;
	if (++daemon->audited >= PARTS)
		begin_round(daemon);
	audit_attached(daemon);
	reconcile_audit(daemon->reconcile, PARTS, look.repairs);
	neighbours_walk(daemon->neighbours, PARTS, audit_nexthop, &look);
	audit_deny_list(daemon, &look);
	networks_audit(daemon->networks, PARTS, look.repairs);
	datapath_audit_addresses(daemon->datapath, PARTS, look.repairs);
	datapath_audit_filters(daemon->datapath, PARTS, look.repairs);
}

int audit_start(struct daemon *daemon)
{
	return upkeep_add_timer(daemon, audit_part, INTERVAL_MS);
}
