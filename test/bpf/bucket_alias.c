/*
 * Connections with an alias in the model of a bucket: see bucket_model.h.
 */
#include "include/connection.h"
#include "test/bpf/bucket_model_internal.h"

__be16 model_other_port(const struct model *model, __be16 port, uint8_t alias)
{
	return connection_other_port(model->scene->datapath->seed, alias, port);
}

struct model_entry *model_find_aliased(struct model *model, const struct model_packet *packet)
{
	const struct blueprint *request = &packet->blueprint;

	for (uint8_t alias = 1; alias <= ALIASES; alias++) {
		const __be16 port = model_other_port(model, request->src_port, alias);
		struct model_entry *entry = port ? model_find(model, request, port, alias) : NULL;

		if (entry)
			return entry;
	}
	return NULL;
}

void model_forget_aliased(struct model *model, const struct model_packet *packet)
{
	struct model_entry *entry = model_find_aliased(model, packet);

	if (entry &&
	    (!model_is_alive(model, entry, packet->now) || model_starts_afresh(packet, entry)))
		entry->used = false;
}

static bool take_alias(struct model *model, const struct model_entry *wanted,
		       const struct model_packet *packet)
{
	struct model_entry *there =
		model_find(model, &packet->blueprint, wanted->port, wanted->alias);

	if (model_is_lone_end(&packet->blueprint))
		return model_claim(model, wanted, packet->now, &packet->backend);
	if (there) {
		if (model_is_alive(model, there, packet->now) &&
		    !model_starts_afresh(packet, there))
			return false;
		there->used = false;
	}
	if (!model_claim(model, wanted, packet->now, &packet->backend))
		return false;
	there = model_choose(model, wanted, packet->now);
	if (there)
		*there = *wanted;
	return there;
}

void model_start_aliased(struct model *model, struct model_entry *wanted,
			 struct model_packet *packet)
{
	for (uint8_t alias = 1; alias <= ALIASES; alias++) {
		wanted->alias = alias;
		wanted->port = model_other_port(model, packet->blueprint.src_port, alias);
		if (!wanted->port || !take_alias(model, wanted, packet))
			continue;
		packet->client_port = wanted->port;
		packet->verdict = VERDICT_REDIRECT;
		return;
	}
}
