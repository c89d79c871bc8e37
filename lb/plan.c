/*
 * Plans: see plan.h for the order and why.
 */
#include "lb/plan.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include "lb/encode.h"
#include "lb/plan_sources.h"
#include "lb/slots.h"

#define STACK_SLOTS 256 /* of a ring: up to 25 backends; longer ones take memory from the heap */

void plan_init(struct plan *plan, struct room *room)
{
	*plan = (struct plan){.room = room};
}

int plan_add(struct plan *plan, const struct service *before, struct placement *before_placement,
	     const struct service *after, struct refusal *refusal)
{
	struct plan_step step = {
		.before = before, .before_placement = before_placement, .after = after};
	struct plan_step *steps;

	if (plan->count == plan->capacity) {
		plan->capacity = plan->capacity ? 2 * plan->capacity : 8;
		steps = realloc(plan->steps, plan->capacity * sizeof(*steps));
		if (!steps)
			return refuse_with(refusal, ENOMEM, "out of memory");
		plan->steps = steps;
	}
	if (after) {
		step.after_placement =
			placement_new(plan->room, after, before_placement, before, refusal);
		if (!step.after_placement)
			return -ENOSPC;
	}
	if (before_placement)
		placement_plan(before_placement, step.after_placement);
	plan->steps[plan->count++] = step;
	return 0;
}

void plan_make_do(struct plan *plan)
{
	for (size_t i = 0; i < plan->count; i++) {
		const struct plan_step *step = &plan->steps[i];

		if (step->before && step->after)
			placement_make_do(plan->room, step->after_placement,
					  step->before_placement);
	}
}

static bool is_kept(const struct plan_step *step, uint32_t backend)
{
	const struct placement *before = step->before_placement;

	for (size_t i = 0; before && i < before->count; i++)
		if (before->places[i].backend == backend)
			return true;
	return false;
}

static void write_backend(struct datapath *datapath, const struct plan_step *step, size_t i)
{
	const struct backend_record record = encode_backend(
		step->after, step->after_placement, i, step->after_placement->places[i].handle);

	datapath_set_backend(datapath, step->after_placement->places[i].backend, &record);
}

/*
 * An index gets a handle that nobody has seen: what remembers the backend that had it before finds
 * that one gone. Of an index that was never handed out nothing is counted.
 */
static void make_backend(struct datapath *datapath, const struct plan_step *step, size_t i)
{
	struct place *place = &step->after_placement->places[i];
	struct backend_record old;

	datapath_get_backend(datapath, place->backend, &old);
	if (old.handle)
		datapath_clear_backend(datapath, place->backend);
	place->handle = encode_next_handle(place->backend, old.handle);
	write_backend(datapath, step, i);
}

/* New backends, and those that come up again: packets may be sent to them from now on. */
static void make_backends(struct datapath *datapath, const struct plan_step *step)
{
	for (size_t i = 0; i < step->after_placement->count; i++) {
		if (!is_kept(step, step->after_placement->places[i].backend))
			make_backend(datapath, step, i);
		else if (step->after->backends[i].state != BACKEND_DOWN)
			write_backend(datapath, step, i);
	}
}

int plan_write_ring(struct datapath *datapath, const struct service *service,
		    struct placement *placement)
{
	const struct ring *ring = &placement->ring;
	uint32_t stack[STACK_SLOTS];
	uint32_t *slots = stack;
	int error;

	if (!ring->length)
		return 0;
	if (ring->length > STACK_SLOTS)
		slots = calloc(ring->length, sizeof(*slots));
	if (!slots)
		return -ENOMEM;
	error = encode_ring(service, placement, slots);
	if (!error)
		error = datapath_set_ring(datapath, ring->offset, slots, ring->length);
	if (!error)
		placement->ring_sum = encode_ring_sum(slots, ring->length);
	if (slots != stack)
		free(slots);
	return error;
}

/* A system call each, and 50,000 services at the first start have nothing to clear. */
static void clear_counters(const struct plan *plan, struct datapath *datapath,
			   const struct plan_step *step)
{
	const uint32_t service = step->after_placement->service;

	if (!step->before && slots_has_past(plan->room->services, service))
		datapath_clear_service(datapath, service);
}

static int make(struct plan *plan, struct datapath *datapath)
{
	int error = 0, failed;

	for (size_t i = 0; i < plan->count; i++) {
		struct plan_step *step = &plan->steps[i];

		if (!step->after)
			continue;
		if (!step->before)
			datapath_announce_service(datapath, &step->after->key);
		clear_counters(plan, datapath, step);
		failed = plan_write_ring(datapath, step->after, step->after_placement);
		step->wrote_ring = !failed;
		if (!failed)
			failed = plan_make_sources(datapath, step);
		step->failed = failed;
		if (failed && !error)
			error = failed;
		if (!failed)
			make_backends(datapath, step);
	}
	return error;
}

/* A record that would be written as it is already is left alone. */
static bool is_published(const struct plan_step *step)
{
	struct service_record before, after;

	if (!step->before)
		return false;
	before = encode_service(step->before, step->before_placement);
	after = encode_service(step->after, step->after_placement);
	return !memcmp(&before, &after, sizeof(before));
}

struct service_writes {
	struct service_key *keys;
	struct service_record *records;
	uint32_t count;
};

/* Which records of a batch that failed are not there; they are tried no more. */
static void mark_unpublished(struct plan *plan, struct datapath *datapath)
{
	struct service_record wanted, found;

	for (size_t i = 0; i < plan->count; i++) {
		struct plan_step *step = &plan->steps[i];

		if (!step->after || step->failed)
			continue;
		wanted = encode_service(step->after, step->after_placement);
		step->failed = datapath_find_service(datapath, &step->after->key, &found) ||
			       memcmp(&wanted, &found, sizeof(wanted));
	}
}

static int publish(struct plan *plan, struct datapath *datapath)
{
	struct service_writes writes = {
		.keys = calloc(plan->count, sizeof(*writes.keys)),
		.records = calloc(plan->count, sizeof(*writes.records)),
	};
	int error = -ENOMEM;

	if (!writes.keys || !writes.records)
		goto out;
	for (size_t i = 0; i < plan->count; i++) {
		const struct plan_step *step = &plan->steps[i];

		if (!step->after || step->failed || is_published(step))
			continue;
		writes.keys[writes.count] = step->after->key;
		writes.records[writes.count++] = encode_service(step->after, step->after_placement);
	}
	error = datapath_set_services(datapath, writes.keys, writes.records, writes.count);
out:
	if (error)
		mark_unpublished(plan, datapath);
	free(writes.keys);
	free(writes.records);
	return error;
}

void plan_retire_backend(struct datapath *datapath, uint32_t index)
{
	struct backend_record record;

	datapath_get_backend(datapath, index, &record);
	record.state = BACKEND_NONE;
	datapath_set_backend(datapath, index, &record);
}

/* What it carried stays with its service, if that stays. */
static void retire_backend(struct datapath *datapath, const struct plan_step *step, uint32_t index)
{
	plan_retire_backend(datapath, index);
	if (step->after)
		datapath_retire_counter(datapath, index, step->after_placement->service);
}

static bool has_place(const struct placement *placement, uint32_t backend)
{
	for (size_t i = 0; placement && i < placement->count; i++)
		if (placement->places[i].backend == backend)
			return true;
	return false;
}

/*
 * Of a step that failed and had written its ring over one of those before: the one in use is
 * written again; what was in the previous one nobody knows any more, so none is previous. Where
 * that fails the audit finds it.
 */
static int restore_rings(struct datapath *datapath, const struct plan_step *step)
{
	const struct ring *written = &step->after_placement->ring;
	struct placement *before = step->before_placement;
	struct service_record record;

	if (!before || !step->wrote_ring || !written->length)
		return 0;
	if (before->ring.length && before->ring.offset == written->offset)
		return encode_has_same_ring(step->before, step->after)
			       ? 0
			       : plan_write_ring(datapath, step->before, before);
	if (!before->previous.length || before->previous.offset != written->offset)
		return 0;
	/* Its range is that of the step, which plan_finish gives back. */
	before->previous = (struct ring){};
	record = encode_service(step->before, before);
	return datapath_set_services(datapath, &step->before->key, &record, 1);
}

/* Of a step that failed: new backends are gone again, the others are what they were. */
static void restore_backends(struct datapath *datapath, const struct plan_step *step)
{
	const struct placement *before = step->before_placement, *after = step->after_placement;
	struct backend_record record;

	for (size_t i = 0; i < after->count; i++)
		if (!is_kept(step, after->places[i].backend))
			plan_retire_backend(datapath, after->places[i].backend);
	for (size_t i = 0; before && i < before->count; i++) {
		datapath_get_backend(datapath, before->places[i].backend, &record);
		record = encode_backend(step->before, before, i, record.handle);
		datapath_set_backend(datapath, before->places[i].backend, &record);
	}
}

static void retire_backends(struct datapath *datapath, const struct plan_step *step)
{
	const struct placement *before = step->before_placement;

	for (size_t i = 0; before && i < before->count; i++)
		if (!has_place(step->after_placement, before->places[i].backend))
			retire_backend(datapath, step, before->places[i].backend);
	for (size_t i = 0; step->after && i < step->after->backend_count; i++)
		if (step->after->backends[i].state == BACKEND_DOWN)
			write_backend(datapath, step, i);
}

/* Where the datapath cannot be told, packets for its other ports pass: nothing is lost but that. */
static void serve_addresses(const struct plan *plan, struct datapath *datapath)
{
	for (size_t i = 0; i < plan->count; i++) {
		const struct plan_step *step = &plan->steps[i];

		if (!step->before && !step->failed)
			datapath_serve_address(datapath, &step->after->key.address);
	}
}

int plan_remove_service(struct datapath *datapath, const struct service_key *key)
{
	int error = datapath_remove_services(datapath, key, 1);

	if (error)
		return error;
	datapath_withdraw_service(datapath, key);
	datapath_leave_address(datapath, &key->address);
	return 0;
}

/* A packet that read a record with ranges must still find them. */
static void settle_sources(const struct plan *plan, struct datapath *datapath)
{
	for (size_t i = 0; i < plan->count; i++) {
		if (!plan_opens_sources(&plan->steps[i]))
			continue;
		datapath_settle(datapath);
		return;
	}
}

static int retire_step(struct plan *plan, struct datapath *datapath, struct plan_step *step)
{
	int error = 0, failed;

	if (!step->after)
		error = plan_remove_service(datapath, &step->before->key);
	if (error) {
		step->failed = true;
		return error;
	}
	if (step->failed && !step->before)
		datapath_withdraw_service(datapath, &step->after->key);
	error = plan_retire_sources(datapath, step);
	if (step->failed) {
		failed = restore_rings(datapath, step);
		restore_backends(datapath, step);
		return error ? error : failed;
	}
	retire_backends(datapath, step);
	placement_release(plan->room, step->before_placement, step->before, step->after_placement);
	step->before_placement = NULL;
	return error;
}

static int retire(struct plan *plan, struct datapath *datapath)
{
	int error = 0, failed;

	settle_sources(plan, datapath);
	for (size_t i = 0; i < plan->count; i++) {
		failed = retire_step(plan, datapath, &plan->steps[i]);
		if (failed && !error)
			error = failed;
	}
	return error;
}

int plan_apply(struct plan *plan, struct datapath *datapath)
{
	int made = make(plan, datapath);
	int published = plan->count ? publish(plan, datapath) : 0;
	int retired;

	serve_addresses(plan, datapath);
	retired = retire(plan, datapath);
	plan->applied = true;
	if (made)
		return made;
	return published ? published : retired;
}

void plan_take_back(struct plan_step *step, struct datapath *datapath)
{
	plan_remove_service(datapath, &step->after->key);
	step->failed = true;
	plan_retire_sources(datapath, step);
	restore_backends(datapath, step);
}

void plan_finish(struct plan *plan)
{
	for (size_t i = 0; i < plan->count; i++) {
		struct plan_step *step = &plan->steps[i];

		if (!plan->applied || step->failed)
			placement_release(plan->room, step->after_placement, step->after,
					  step->before_placement);
		if (step->before_placement)
			placement_plan(step->before_placement, NULL);
	}
	free(plan->steps);
	*plan = (struct plan){};
}
