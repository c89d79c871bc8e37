/*
 * Fragments: the first one has the ports, the others find them by addresses, identification and
 * protocol (RFC 791, 2.3; RFC 8200, 4.5).
 */
#include <string.h>
#include "test/model/walk.h"

static struct model_fragment fragment_of(const struct walk *walk)
{
	const struct headers *packet = &walk->packet;

	return (struct model_fragment){
		.src = packet->flow.src,
		.dst = packet->flow.dst,
		.id = packet->id,
		.protocol = packet->protocol,
		.src_port = packet->flow.src_port,
		.dst_port = packet->flow.dst_port,
	};
}

static struct model_fragment *find(struct model *model, const struct model_fragment *like)
{
	for (uint32_t i = 0; i < model->fragment_count; i++) {
		struct model_fragment *found = &model->fragments[i];

		if (found->id == like->id && found->protocol == like->protocol &&
		    same_address(&found->src, &like->src) && same_address(&found->dst, &like->dst))
			return found;
	}
	return NULL;
}

static bool is_backend(const struct model *model, const struct address *address)
{
	for (uint32_t i = 0; i < model->backend_count; i++)
		if (same_address(&model->backends[i].address, address))
			return true;
	return false;
}

static bool may_be_ours(const struct walk *walk)
{
	return is_virtual(walk->model, &walk->packet.flow.dst) ||
	       is_backend(walk->model, &walk->packet.flow.src);
}

void note_ports(struct walk *walk)
{
	const struct model_fragment note = fragment_of(walk);
	struct model *model = walk->model;
	struct model_fragment *found = find(model, &note);

	if (!may_be_ours(walk))
		return;
	if (!found && model->fragment_count == MODEL_FRAGMENTS) {
		model->is_uncertain = true;
		return;
	}
	if (!found)
		found = &model->fragments[model->fragment_count++];
	*found = note;
}

enum verdict recall_ports(struct walk *walk)
{
	const struct model_fragment like = fragment_of(walk);
	const struct model_fragment *found = find(walk->model, &like);

	if (!found)
		return may_be_ours(walk) ? late(LATE_DROP_FRAGMENT_EARLY) : VERDICT_PASS_FRAGMENT;
	walk->packet.flow.src_port = found->src_port;
	walk->packet.flow.dst_port = found->dst_port;
	walk->packet.flow.protocol = found->protocol;
	return VERDICT_CONTINUE;
}
