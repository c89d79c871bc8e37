/*
 * Fragments: the first one has the ports, the others find them by addresses, identification and, of
 * IPv4, protocol (RFC 791, 2.3; RFC 8200, 4.5), and come to the same end. Those that come before it
 * are held until it has come.
 */
#include <linux/bpf.h>
#include <linux/in.h>
#include <string.h>
#include "test/model/walk.h"

static struct model_fragment fragment_of(const struct walk *walk)
{
	const struct headers *packet = &walk->packet;

	return (struct model_fragment){
		.src = packet->flow.src,
		.dst = packet->flow.dst,
		.id = packet->id,
		.protocol = packet->is_ipv6 ? 0 : packet->protocol,
		.flow = packet->flow,
		.tcp_flags = walk->tcp_flags,
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
	return service_of_address(walk->model, &walk->packet.flow.dst) ||
	       is_backend(walk->model, &walk->packet.flow.src);
}

/* RFC 3128: over the header that the first one has shown. */
static bool lies_over_header(const struct headers *packet)
{
	return packet->protocol == IPPROTO_TCP && packet->offset && packet->offset < TCP_HEADER;
}

static void note(struct walk *walk, bool is_ours, bool is_dropped)
{
	struct model_fragment fragment = fragment_of(walk);
	struct model *model = walk->model;
	struct model_fragment *found = find(model, &fragment);

	if (!found && model->fragment_count == MODEL_FRAGMENTS) {
		model->is_uncertain = true;
		return;
	}
	if (!found)
		found = &model->fragments[model->fragment_count++];
	fragment.was_ours = is_ours;
	fragment.was_dropped = is_dropped;
	*found = fragment;
}

/* It came before the first. There is room for frames of so many bytes. */
static enum verdict hold(const struct walk *walk)
{
	if (!is_to_us(walk))
		return VERDICT_PASS_FRAGMENT;
	return walk->frame->length > EVENT_FRAME_MAX ? VERDICT_DROP_FRAGMENT_EARLY
						     : VERDICT_DROP_FRAGMENT_HELD;
}

static enum verdict recall(struct walk *walk)
{
	const struct model_fragment like = fragment_of(walk);
	const struct model_fragment *found = find(walk->model, &like);

	if (!found)
		return hold(walk);
	if (!found->was_ours) {
		walk->model->is_uncertain = true; /* whether it was looked at */
		return VERDICT_PASS_FRAGMENT;
	}
	if (found->was_dropped)
		return VERDICT_DROP_FRAGMENT;
	walk->packet.flow = found->flow;
	walk->packet.protocol = found->flow.protocol;
	walk->tcp_flags = found->tcp_flags;
	return VERDICT_CONTINUE;
}

/*
 * The datapath tells by hashes whose addresses are ours; what it takes for ours by chance is passed
 * all the same, but for what nobody should send.
 */
static enum verdict pass_stranger(struct walk *walk)
{
	if (walk->packet.part == PART_FIRST)
		note(walk, false, false);
	walk->model->is_uncertain |= walk->observed->action == XDP_DROP;
	return VERDICT_PASS_FRAGMENT;
}

enum verdict meet_part(struct walk *walk, enum verdict parsed)
{
	struct headers *packet = &walk->packet;

	if (packet->part == PART_WHOLE || (parsed && parsed != VERDICT_PASS_MALFORMED))
		return parsed;
	if (!may_be_ours(walk))
		return pass_stranger(walk);
	if (parsed || lies_over_header(packet)) {
		if (packet->part == PART_FIRST)
			note(walk, true, true);
		return VERDICT_DROP_FRAGMENT;
	}
	walk->is_known_part = true;
	return packet->part == PART_LATER ? recall(walk) : VERDICT_CONTINUE;
}

enum verdict settle_part(struct walk *walk, enum verdict verdict)
{
	if (!walk->is_known_part)
		return verdict;
	if (walk->packet.part == PART_FIRST)
		note(walk, true,
		     is_answer(verdict) ||
			     model_action(walk->model, walk->in, verdict) == XDP_DROP);
	return verdict == VERDICT_PASS_NO_SERVICE ? VERDICT_PASS_FRAGMENT : verdict;
}
