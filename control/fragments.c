/*
 * Held fragments are a queue in the order they came in, looked through at each turn: there are few,
 * and hardly ever any.
 */
#include "control/fragments.h"

#include <stdlib.h>
#include <string.h>

struct held {
	struct held *next;
	struct fragment_key key;
	uint64_t time_ns;
	uint32_t ifindex;
	uint32_t length;
	uint8_t frame[];
};

struct fragments {
	struct fragment_hooks hooks;
	struct held *oldest;
	struct held **end; /* where the next one is linked to */
	struct fragment_counts counts;
};

struct fragments *fragments_new(const struct fragment_hooks *hooks)
{
	struct fragments *fragments = calloc(1, sizeof(*fragments));

	if (!fragments)
		return NULL;
	fragments->hooks = *hooks;
	fragments->end = &fragments->oldest;
	return fragments;
}

/* Takes the one that `link` leads to out of the queue. */
static void drop(struct fragments *fragments, struct held **link)
{
	struct held *held = *link;

	*link = held->next;
	if (!held->next)
		fragments->end = link;
	fragments->counts.held--;
	fragments->counts.bytes -= held->length;
	free(held);
}

void fragments_free(struct fragments *fragments)
{
	if (!fragments)
		return;
	while (fragments->oldest)
		drop(fragments, &fragments->oldest);
	free(fragments);
}

static void give_up_oldest(struct fragments *fragments)
{
	drop(fragments, &fragments->oldest);
	fragments->counts.given_up++;
}

/* In a flood the new ones are those whose first may still be on its way. */
static void make_room(struct fragments *fragments, uint32_t bytes)
{
	const struct fragment_counts *counts = &fragments->counts;

	while (counts->held &&
	       (counts->held >= MAX_HELD_FRAGMENTS || counts->bytes + bytes > MAX_HELD_BYTES))
		give_up_oldest(fragments);
}

static void hold(struct fragments *fragments, const struct early_fragment *early)
{
	struct held *held;

	make_room(fragments, early->length);
	held = malloc(sizeof(*held) + early->length);
	if (!held) {
		fragments->counts.given_up++;
		return;
	}
	*held = (struct held){
		.key = early->key,
		.time_ns = early->time_ns,
		.ifindex = early->ifindex,
		.length = early->length,
	};
	memcpy(held->frame, early->frame, early->length);
	*fragments->end = held;
	fragments->end = &held->next;
	fragments->counts.held++;
	fragments->counts.bytes += held->length;
}

static void send_again(struct fragments *fragments, uint32_t ifindex, const void *frame,
		       uint32_t length)
{
	if (fragments->hooks.send_again(fragments->hooks.context, ifindex, frame, length))
		fragments->counts.given_up++; /* its interface has gone */
	else
		fragments->counts.sent++;
}

static bool is_too_old(uint64_t time_ns, uint64_t now_ns)
{
	return now_ns > time_ns && now_ns - time_ns > MAX_HELD_NS;
}

/* What waited while there was no lbd is told by its age. */
void fragments_take(struct fragments *fragments, const struct early_fragment *early,
		    uint64_t now_ns)
{
	if (is_too_old(early->time_ns, now_ns))
		fragments->counts.given_up++;
	else if (fragments->hooks.has_first(fragments->hooks.context, &early->key))
		send_again(fragments, early->ifindex, early->frame, early->length);
	else
		hold(fragments, early);
}

bool fragments_turn(struct fragments *fragments, uint64_t now_ns)
{
	struct held **link = &fragments->oldest;

	while (fragments->oldest && is_too_old(fragments->oldest->time_ns, now_ns))
		give_up_oldest(fragments);
	while (*link) {
		struct held *held = *link;

		if (!fragments->hooks.has_first(fragments->hooks.context, &held->key)) {
			link = &held->next;
			continue;
		}
		send_again(fragments, held->ifindex, held->frame, held->length);
		drop(fragments, link);
	}
	return fragments->oldest;
}

struct fragment_counts fragments_count(const struct fragments *fragments)
{
	return fragments->counts;
}
