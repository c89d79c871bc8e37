/*
 * Connections with an alias in the model of a bucket: see bucket_model.h.
 */
#include <linux/in.h>
#include "include/hash.h"
#include "test/bpf/bucket_model_internal.h"

__be16 model_other_port(const struct model *model, __be16 port, uint8_t alias)
{
	return connection_other_port(model->scene->datapath->seed, alias, port);
}

struct model_entry model_turned(const struct model *model, const struct model_entry *entry)
{
	struct model_entry other = *entry;

	other.port = model_other_port(model, entry->port, entry->alias);
	other.alias ^= ALIAS_REPLY_END;
	return other;
}

/* NULL: it is not there. */
static struct model_entry *find_end(struct model *model, const struct model_entry *end)
{
	for (uint32_t way = 0; way < CONNECTION_WAYS; way++) {
		struct model_entry *entry = &model->way[way];

		if (is_of_client(entry, &end->client, end->port, end->protocol) &&
		    entry->handle == end->handle && entry->alias == end->alias)
			return entry;
	}
	return NULL;
}

void model_forget_end(struct model *model, const struct model_entry *end)
{
	struct model_entry *entry = find_end(model, end);

	if (entry)
		entry->used = false;
}

static bool record_replies(struct model *model, struct model_entry *end, uint32_t now, bool begins)
{
	const struct backend_record backend = model_record_of(model, end->handle);
	struct model_entry *known = find_end(model, end);

	if (known && !begins && !model_is_expired(model, known, now))
		end->seen = known->seen;
	if (!model_claim(model, end, now, &backend))
		return false;
	if (!known)
		known = model_choose(model, end, now);
	if (known)
		*known = *end;
	return known;
}

bool model_track_other(struct model *model, struct model_entry *entry, uint32_t now, bool reply)
{
	struct model_entry end = model_turned(model, entry);
	struct model_entry *other = find_end(model, &end);

	if (!other)
		return reply || record_replies(model, &end, now, true);
	other->seen |= entry->seen;
	if (!reply)
		other->hop = entry->hop;
	if (idle_of(entry, now) < idle_of(other, now))
		other->last_seen = entry->last_seen;
	return true;
}

static struct model_entry *take_alias(struct model *model, struct model_entry *wanted,
				      struct model_packet *packet, uint8_t alias)
{
	static struct model_entry replies;
	bool taken;

	wanted->alias = alias;
	wanted->seen = 0;
	replies = model_turned(model, wanted);
	if (!replies.port)
		return NULL;
	if (model_is_lone_end(&packet->blueprint))
		taken = model_claim(model, &replies, packet->now, &packet->backend);
	else
		taken = record_replies(model, &replies, packet->now,
				       packet->blueprint.protocol == IPPROTO_TCP &&
					       packet->blueprint.tcp_flags & SYN);
	wanted->seen = replies.seen;
	return taken ? &replies : NULL;
}

void model_start_aliased(struct model *model, struct model_entry *wanted,
			 struct model_packet *packet, struct model_entry *known,
			 const struct model_entry *as_known)
{
	const uint64_t hash = model_hash_of(model, &wanted->client, wanted->port, wanted->protocol);
	const uint32_t first = hash_mix(hash, packet->backend.handle) % ALIASES;
	const struct model_entry *replies = NULL;

	for (uint32_t try = 0; try < ALIASES && !replies; try++)
		replies = take_alias(model, wanted, packet, (uint8_t)(1 + (first + try) % ALIASES));
	if (!replies)
		return;
	packet->client_port = replies->port;
	packet->verdict = VERDICT_REDIRECT;
	if (model_is_lone_end(&packet->blueprint))
		return;
	if (model_record(model, wanted, packet->now, known, as_known) && find_end(model, replies))
		return;
	model_forget_end(model, replies);
	model_forget_end(model, wanted);
	packet->verdict = VERDICT_DROP_TABLE;
}
