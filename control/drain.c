/*
 * Ends of draining: see drain.h.
 */
#include "control/drain.h"

#include <stdlib.h>
#include <string.h>
#include "control/log.h"

static void log_over(const struct service *service, const struct backend *backend)
{
	char key[ENDPOINT_TEXT_MAX], text[ENDPOINT_TEXT_MAX];

	log_info("deadline-over", "service=%s backend=%s then=down",
		 service_key_format(&service->key, key),
		 endpoint_format(&backend->address, backend->port, text));
}

/* The service as it is from now on; NULL: out of memory. */
static struct service *end_draining(const struct service *service, int64_t now_ms)
{
	struct service *changed = service_clone(service);

	for (size_t i = 0; changed && i < changed->backend_count; i++) {
		struct backend *backend = &changed->backends[i];

		if (!backend->deadline_ms || backend->deadline_ms > now_ms)
			continue;
		backend->state = BACKEND_DOWN;
		backend->deadline_ms = 0;
		log_over(changed, backend);
	}
	return changed;
}

static int apply(struct reconcile *reconcile, enum source source, struct change *changes,
		 size_t count, struct refusal *refusal)
{
	struct transaction *transaction;
	int error;

	error = reconcile_prepare(reconcile, source, changes, count, &transaction, refusal);
	if (error)
		return error;
	error = reconcile_apply(reconcile, transaction);
	return error ? refuse_with(refusal, -error, "cannot write the tables: %s", strerror(-error))
		     : 0;
}

static bool is_over(const struct service *service, int64_t now_ms)
{
	const int64_t deadline = service_deadline(service);

	return deadline && deadline <= now_ms;
}

static void expire_source(struct reconcile *reconcile, enum source source, int64_t now_ms)
{
	const size_t most = reconcile_count_deadlines(reconcile);
	struct change *changes = calloc(most + 1, sizeof(*changes));
	const struct entry *entry = NULL;
	struct refusal refusal;
	size_t count = 0;

	while (changes && (entry = reconcile_next(reconcile, entry))) {
		if (entry->service->source != source || !is_over(entry->service, now_ms))
			continue;
		changes[count].key = entry->service->key;
		changes[count].service = end_draining(entry->service, now_ms);
		count += changes[count].service != NULL;
	}
	if (count && apply(reconcile, source, changes, count, &refusal))
		log_error("backends-not-down", "reason=%s", log_quote(refusal.text));
	free(changes);
}

int64_t drain_expire(struct reconcile *reconcile, int64_t now_ms)
{
	const struct entry *entry = NULL;
	int64_t next = DRAIN_NEVER;
	bool is_due = false;

	if (!reconcile_count_deadlines(reconcile))
		return DRAIN_NEVER;
	while ((entry = reconcile_next(reconcile, entry)))
		is_due = is_due || is_over(entry->service, now_ms);
	for (enum source source = 0; is_due && source < _SOURCE_COUNT; source++)
		expire_source(reconcile, source, now_ms);
	while ((entry = reconcile_next(reconcile, entry))) {
		const int64_t deadline = service_deadline(entry->service);

		if (deadline > now_ms && deadline < next)
			next = deadline;
	}
	return next;
}
