/*
 * A connection begins: may it, and what is remembered of it?
 */
#include <linux/in.h>
#include <string.h>
#include "test/model/walk.h"

static bool is_martian_ipv4(const uint8_t *ipv4)
{
	/* RFC 1122, 3.2.1.3; RFC 1812, 5.3.7. */
	return ipv4[0] == 0 || ipv4[0] == 127 || ipv4[0] >= 224;
}

static bool is_martian(const struct address *address)
{
	static const uint8_t LOOPBACK[16] = {[15] = 1}, UNSPECIFIED[16] = {};
	const uint8_t *bytes = (const uint8_t *)address;

	if (is_ipv4_mapped(address))
		return is_martian_ipv4(bytes + 12);
	return bytes[0] == 0xff || !memcmp(bytes, LOOPBACK, 16) || !memcmp(bytes, UNSPECIFIED, 16);
}

/* A pod that is its own backend sees itself as the hairpin address; others must not. */
bool is_from_nobody(const struct walk *walk)
{
	const struct hairpin *hairpin = &walk->model->hairpin;
	const struct address *source = &walk->packet.flow.src;

	return is_martian(source) || same_address(source, &hairpin->ipv4) ||
	       same_address(source, &hairpin->ipv6);
}

static bool is_in_range(const struct model_service *service, const struct address *source)
{
	for (uint32_t i = 0; i < service->range_count; i++)
		if (prefix_holds(&service->ranges[i], source))
			return true;
	return !service->range_count;
}

/* "Never a silent new connection state from a lone RST or FIN." */
static bool is_remembered(const struct walk *walk)
{
	return walk->packet.protocol != IPPROTO_TCP || !(walk->tcp_flags & (FIN | RST));
}

/* Other nodes may have somebody, so the sender is to try again, or is told that nobody is there. */
static enum verdict leave_unserved(const struct walk *walk)
{
	return walk->service->drops_unserved ? VERDICT_DROP_UNSERVED
					     : turn_away(walk, VERDICT_DROP_NO_BACKEND);
}

/* SCTP's checksum covers the ports, and no difference brings it up to date. */
static bool may_change_port(const struct walk *walk)
{
	return walk->packet.protocol != IPPROTO_SCTP && walk->client_port;
}

/* By the client's own port, or by one of ours. */
static enum verdict settle(struct walk *walk)
{
	is_free_for(walk, walk->backend, walk->client_port, true);
	if (is_to_be_masqueraded(walk, walk->backend))
		return masquerade(walk, is_remembered(walk));
	return VERDICT_CONTINUE;
}

/*
 * Where the client belongs, be it by another port; where the ring before led, where this one leads;
 * or by another port.
 */
static enum verdict choose(struct walk *walk, struct model_backend *home)
{
	struct model_backend *first = NULL;

	walk->backend = masqueraded_backend(walk, walk->is_lost ? walk->old->backend : MODEL_NONE);
	if (walk->backend)
		return settle(walk);
	if (home && is_free_for(walk, home, walk->client_port, false))
		walk->backend = home;
	else if (!home)
		walk->backend = pick_previous(walk);
	else if (is_to_be_masqueraded(walk, home) && may_change_port(walk))
		walk->backend = home;
	else if (take_alias(walk, home)) {
		walk->backend = home;
		return VERDICT_CONTINUE;
	}
	if (!walk->backend && !walk->service->ring_length && !home)
		return leave_unserved(walk);
	if (!walk->backend)
		walk->backend = pick(walk, &first);
	if (!walk->backend && first && is_to_be_masqueraded(walk, first))
		walk->backend = first;
	if (walk->backend)
		return settle(walk);
	if (!take_alias(walk, first))
		return VERDICT_DROP_COLLISION;
	walk->backend = first;
	return VERDICT_CONTINUE;
}

enum verdict begin_connection(struct walk *walk, struct model_connection *old)
{
	struct model_service *service = walk->service;
	const struct address *client = &walk->packet.flow.src;
	struct model_backend *home; /* where affinity leads: one that goes elsewhere leaves it so */
	enum verdict verdict;

	if (is_from_nobody(walk))
		return VERDICT_DROP_MARTIAN;
	if (!is_in_range(service, client))
		return VERDICT_DROP_SOURCE_RANGE;
	walk->old = old;
	walk->client_port = walk->alias = walk->packet.flow.src_port;
	home = recall_backend(walk);
	verdict = choose(walk, home);
	if (verdict) {
		walk->backend = NULL; /* it carries nothing of it */
		return verdict;
	}
	if (!is_to_be_masqueraded(walk, walk->backend))
		leave_as_own(walk, client, walk->alias);
	if (is_remembered(walk)) {
		walk->connection = add_connection(walk, old);
		walk->backend->traffic.connections++;
		if (!home || walk->backend == home)
			note_backend(walk);
	}
	return VERDICT_CONTINUE;
}
