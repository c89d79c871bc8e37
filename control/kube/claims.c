/*
 * Claims: see claims.h.
 */
#include "control/kube/claims.h"

#include <stdlib.h>
#include <utlist.h>
#include "control/kube/leaving.h"

static struct claim *find_claim(const struct claims *claims, const struct service_key *key)
{
	struct claim *found;

	HASH_FIND(hh, claims->table, key, sizeof(*key), found);
	return found;
}

struct claim *claims_get(struct claims *claims, const struct service_key *key)
{
	struct claim *claim = find_claim(claims, key);

	if (claim)
		return claim;
	claim = calloc(1, sizeof(*claim));
	if (!claim)
		return NULL;
	claim->key = *key;
	HASH_ADD(hh, claims->table, key, sizeof(claim->key), claim);
	if (claim->hh.tbl)
		return claim;
	free(claim);
	return NULL;
}

void claim_give(struct claim *claim, struct kube_group *owner, struct claim **first)
{
	claim->owner = owner;
	DL_APPEND(*first, claim);
}

void claim_take_away(struct claim *claim, struct claim **first)
{
	DL_DELETE(*first, claim);
	claim->owner = NULL;
}

static void set_blocked(struct claims *claims, struct claim *claim, bool blocked)
{
	claims->blocked += blocked;
	claims->blocked -= claim->is_blocked;
	claim->is_blocked = blocked;
}

static void set_leaving(struct claims *claims, struct claim *claim, bool leaving)
{
	if (leaving && !claim->is_leaving)
		DL_APPEND2(claims->leaving, claim, leaving_prev, leaving_next);
	if (!leaving && claim->is_leaving)
		DL_DELETE2(claims->leaving, claim, leaving_prev, leaving_next);
	claim->is_leaving = leaving;
}

static void clean(struct claims *claims, struct claim *claim)
{
	if (claim->is_dirty)
		DL_DELETE2(claims->dirty, claim, dirty_prev, dirty_next);
	claim->is_dirty = false;
	service_free(claim->wanted);
	claim->wanted = NULL;
}

void claims_want(struct claims *claims, struct claim *claim, struct service *wanted)
{
	clean(claims, claim);
	claim->wanted = wanted;
	DL_APPEND2(claims->dirty, claim, dirty_prev, dirty_next);
	claim->is_dirty = true;
}

void claims_settle(struct claims *claims, struct claim *claim, const struct service *in_force,
		   uint32_t pass)
{
	clean(claims, claim);
	set_blocked(claims, claim, false);
	set_leaving(claims, claim, in_force && leaving_any(in_force));
	if (claim->begins)
		claim->pass = pass;
	claim->begins = false;
}

void claims_block(struct claims *claims, struct claim *claim)
{
	clean(claims, claim);
	set_blocked(claims, claim, true);
}

void claims_note_change(struct claims *claims, struct claim *claim, const struct service *in_force)
{
	set_leaving(claims, claim, in_force && leaving_any(in_force));
}

void claims_remove(struct claims *claims, struct claim *claim)
{
	clean(claims, claim);
	set_blocked(claims, claim, false);
	set_leaving(claims, claim, false);
	HASH_DEL(claims->table, claim);
	free(claim);
}

void claims_finish(struct claims *claims)
{
	struct claim *claim, *next;

	HASH_ITER (hh, claims->table, claim, next)
		claims_remove(claims, claim);
}
