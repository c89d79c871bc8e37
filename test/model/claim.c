/*
 * Whose replies are whose: a reply is known by its backend and the port that this one knows the
 * client by, so one such port reaches a backend by one connection only. What is over gives way.
 */
#include <arpa/inet.h>
#include <linux/bpf.h>
#include <string.h>
#include "test/model/walk.h"

#define TRUSTED_PORTS 1024 /* some trust whoever comes from one below, or below half of it */

bool is_free_for(struct walk *walk, const struct model_backend *backend, __be16 port, bool clear)
{
	const struct flow *flow = &walk->packet.flow;
	struct model *model = walk->model;

	for (uint32_t i = 0; i < model->connection_count; i++) {
		struct model_connection *other = &model->connections[i];
		const struct model_backend *theirs = &model->backends[other->backend];

		if (!other->is_used || other == walk->old || other->is_masqueraded ||
		    backend_side_port(other) != port ||
		    protocol_of(model, other) != flow->protocol ||
		    !same_address(&other->client, &flow->src) || theirs->port != backend->port ||
		    !same_address(&theirs->address, &backend->address))
			continue;
		if (!is_over(model, other))
			return false;
		if (clear)
			other->is_used = false;
	}
	return true;
}

/* As netfilter has it (nf_nat_core.c): low ports stay low, and the others do not become so. */
static bool is_as_trusted(__be16 alias, __be16 port)
{
	const uint16_t a = ntohs(alias), b = ntohs(port);

	return a && (a < TRUSTED_PORTS) == (b < TRUSTED_PORTS) &&
	       (a < TRUSTED_PORTS / 2) == (b < TRUSTED_PORTS / 2);
}

/*
 * Which of the free ports is taken is the datapath's choice. Dropped: there was none, or no room;
 * left as it was for another reason: nobody can tell.
 */
bool take_alias(struct walk *walk, const struct model_backend *backend)
{
	const struct observed *observed = walk->observed;
	__be16 alias;

	if (!features[FEATURE_ALIASES] || !backend)
		return false;
	if (!was_sent_to(walk, backend, &alias)) {
		walk->model->is_uncertain |= observed->action != XDP_DROP;
		return false;
	}
	if (alias == walk->client_port || !is_as_trusted(alias, walk->client_port) ||
	    !is_free_for(walk, backend, alias, true))
		return false;
	walk->alias = alias;
	return true;
}
