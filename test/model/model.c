/*
 * The walk of a packet, and what is counted of it: see model.h.
 */
#include "test/model/model.h"

#include <linux/bpf.h>
#include <linux/in.h>
#include <linux/in6.h>
#include <string.h>
#include "test/model/walk.h"

const bool features[_FEATURE_COUNT] = {
	[FEATURE_EXTENSION_HEADERS] = true,
	[FEATURE_RESET] = true,
	[FEATURE_UNREACHABLE] = true,
	[FEATURE_AFFINITY] = true,
	[FEATURE_TOO_BIG] = true,
	[FEATURE_TAGS] = true,
	[FEATURE_PREVIOUS_RING] = true,
	[FEATURE_FRAGMENTS] = true,
	[FEATURE_ECHO] = true,
	[FEATURE_REFUSAL] = true,
	[FEATURE_ALIASES] = true,
};

const bool mended[_FLAW_COUNT] = {
	[FLAW_FLOODED_IS_COUNTED] = true,
	[FLAW_AFFINITY_IGNORES_WEIGHT] = true,
};

bool model_is_strict;

bool has_flaw(enum model_flaw flaw)
{
	return !mended[flaw] && !model_is_strict;
}

void model_reset(struct model *model)
{
	model->neighbour_count = 0;
	model->denied_count = 0;
	model->network_count = 0;
	model->claim_count = 0;
	memset(model->sources, 0, sizeof(model->sources));
	model->backend_count = 0;
	model->connection_count = 0;
	model->note_count = 0;
	model->fragment_count = 0;
	model->is_uncertain = false;
	for (uint32_t i = 0; i < MODEL_SERVICES; i++)
		model->services[i].is_used = false;
	memset(model->verdicts, 0, sizeof(model->verdicts));
}

struct model_service *model_find_service(struct model *model, const struct service_key *key)
{
	for (uint32_t i = 0; i < MODEL_SERVICES; i++)
		if (model->services[i].is_used &&
		    !memcmp(&model->services[i].key, key, sizeof(*key)))
			return &model->services[i];
	return NULL;
}

static bool is_icmp(const struct headers *packet)
{
	return packet->protocol == (packet->is_ipv6 ? IPPROTO_ICMPV6 : IPPROTO_ICMP);
}

/* Another protocol than services have, for an address that is only theirs. */
static bool is_nobodys(const struct walk *walk)
{
	return features[FEATURE_REFUSAL] && is_virtual(walk->model, &walk->packet.flow.dst) &&
	       is_to_us(walk);
}

/* Up to where the packet's connection is known and the packet may go on to its other end. */
static enum verdict recognise(struct walk *walk)
{
	enum verdict verdict = parse_ethernet(walk);

	if (!verdict)
		verdict = check_denied(walk);
	if (verdict)
		return verdict;
	verdict = parse_network(walk);
	if (verdict == VERDICT_PASS_PROTOCOL && is_nobodys(walk))
		return late(LATE_DROP_NOT_SERVED);
	if (!is_icmp(&walk->packet)) {
		if (!verdict)
			verdict = parse_transport(walk);
		verdict = meet_part(walk, verdict);
		return verdict ? verdict : find_connection(walk);
	}
	if (verdict)
		return verdict;
	verdict = parse_icmp(walk);
	return verdict ? verdict : find_connection_of_error(walk);
}

static bool is_translated(enum verdict verdict)
{
	return verdict == VERDICT_TX || verdict == VERDICT_REDIRECT ||
	       verdict == VERDICT_PASS_UNRESOLVED || verdict == VERDICT_PASS_BY_STACK;
}

static void add(struct counter *counter, size_t bytes)
{
	counter->packets++;
	counter->bytes += bytes;
}

static bool is_refused(enum verdict verdict)
{
	return verdict == VERDICT_DROP_MARTIAN || verdict == VERDICT_DROP_SOURCE_RANGE ||
	       verdict == VERDICT_DROP_NO_BACKEND || verdict == VERDICT_DROP_COLLISION ||
	       verdict == VERDICT_DROP_UNSERVED || verdict == VERDICT_DROP_MASQUERADE;
}

static bool is_flooded_counted(const struct walk *walk)
{
	return has_flaw(FLAW_FLOODED_IS_COUNTED) && !walk->connection;
}

/* Each packet once by its verdict, and once by its backend, or by the service that refused it. */
static void count(struct walk *walk, enum verdict verdict, size_t bytes)
{
	add(&walk->model->verdicts[verdict], bytes);
	if (walk->is_error)
		return;
	if (walk->backend)
		add(walk->direction == DIRECTION_REPLY ? &walk->backend->traffic.reply
						       : &walk->backend->traffic.request,
		    bytes);
	else if (walk->service && (verdict != VERDICT_PASS_OTHER_HOST || is_flooded_counted(walk)))
		add(&walk->service->refused, bytes);
}

enum verdict model_judge(struct model *model, uint32_t in, const struct observed *observed,
			 struct frame *frame)
{
	struct walk walk = {
		.model = model,
		.in = model->ports[in].ifindex ? in : 0,
		.observed = observed,
		.frame = frame,
	};
	const size_t bytes = frame->length;
	enum verdict verdict = recognise(&walk);

	if (!verdict)
		verdict = forward(&walk);
	verdict = settle_part(&walk, verdict);
	if (is_answer(verdict))
		answer(&walk, verdict);
	if (is_translated(verdict))
		translate(&walk);
	if (verdict == VERDICT_TX || verdict == VERDICT_REDIRECT)
		send_out(&walk);
	count(&walk, verdict, bytes);
	return verdict;
}

uint32_t model_action(const struct model *model, uint32_t in, enum verdict verdict)
{
	if (verdict == VERDICT_TX || is_answer(verdict))
		return in && model->ports[in].flags & PORT_TX_BY_REDIRECT ? XDP_REDIRECT : XDP_TX;
	if (verdict == VERDICT_REDIRECT)
		return XDP_REDIRECT;
	if (is_refused(verdict) || verdict == VERDICT_DROP_BACKEND_GONE ||
	    verdict == VERDICT_DROP_TABLE || verdict == VERDICT_DROP_DENIED ||
	    verdict == VERDICT_DROP_FRAGMENT || verdict == VERDICT_DROP_FRAGMENT_HELD ||
	    verdict == VERDICT_DROP_FRAGMENT_EARLY || is_late(verdict, LATE_DROP_NOT_SERVED))
		return XDP_DROP;
	return XDP_PASS;
}
