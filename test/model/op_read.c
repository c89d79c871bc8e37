/*
 * Sequences from text: see op.h. A word that is not understood spoils its line.
 */
#include <linux/in.h>
#include <stdlib.h>
#include <string.h>
#include "lb/service.h"
#include "test/model/op_words.h"

#define LINE_MAX_BYTES 1024
#define REMOTE "+remote"

static const char *const OP_WORDS[_OP_KIND_COUNT] = {
	[OP_OFFER] = "offer",   [OP_WITHDRAW] = "withdraw", [OP_DENY] = "deny",
	[OP_ALLOW] = "allow",   [OP_NETWORK] = "network",   [OP_SOURCE] = "source",
	[OP_MOVE] = "move",     [OP_PORT] = "port",         [OP_PASS] = "pass",
	[OP_PACKET] = "packet",
};

static bool read_family(const char *text, enum family *family)
{
	*family = *text == '6' ? IPV6 : IPV4;
	return (*text == '4' || *text == '6') && !text[1];
}

static bool read_service(char *text, struct op_service *service)
{
	char *rest, *family, *scope;

	if (!text || !op_read_end(text, &service->station, &service->port, &rest))
		return false;
	scope = *rest ? strchr(rest + 1, '/') : NULL;
	if (scope && strcmp(scope, "/inside") != 0)
		return false;
	service->scope = scope ? SCOPE_INSIDE : SCOPE_ANY;
	if (scope)
		*scope = 0;
	family = rest + strcspn(rest, "46");
	if (*rest != '/' || !read_family(family, &service->family))
		return false;
	*family = 0;
	return !protocol_parse(rest + 1, &service->protocol);
}

static bool read_prefix(char *text, struct op_prefix *prefix)
{
	char *slash = text ? strchr(text, '/') : NULL, *rest;

	if (!slash)
		return false;
	*slash = 0;
	prefix->length = (uint8_t)strtoul(slash + 1, &rest, 10);
	return *rest == '/' && read_family(rest + 1, &prefix->family) &&
	       op_read_station(text, &prefix->station);
}

static bool read_backend(char *text, struct op_backend *backend)
{
	char *rest;
	size_t state;

	*backend = (struct op_backend){.weight = 1, .state = BACKEND_ACTIVE};
	if (!op_read_end(text, &backend->station, &backend->port, &rest))
		return false;
	if (*rest == '*')
		backend->weight = (uint16_t)strtoul(rest + 1, &rest, 10);
	backend->is_remote = !strncmp(rest, REMOTE, strlen(REMOTE));
	rest += backend->is_remote ? strlen(REMOTE) : 0;
	if (*rest != '/')
		return !*rest;
	state = op_index_of(OP_STATES, _BACKEND_STATE_COUNT, rest + 1);
	backend->state = (enum backend_state)state;
	return state != _BACKEND_STATE_COUNT && state != BACKEND_NONE;
}

/* What an offer has beside its backends. */
static bool read_flag(const char *word, struct op_offer *offer)
{
	if (!strcmp(word, "has-inside"))
		return offer->has_inside = true;
	if (!strcmp(word, "unserved=drop"))
		return offer->drops_unserved = true;
	return !strncmp(word, "masquerade=", 11) &&
	       !masquerade_parse(word + 11, &offer->masquerade);
}

static bool read_offer(struct op_offer *offer)
{
	char *word;

	if (!read_service(strtok(NULL, SPACE), &offer->service))
		return false;
	word = strtok(NULL, SPACE);
	if (!word || algorithm_parse(word, &offer->algorithm))
		return false;
	while ((word = strtok(NULL, SPACE))) {
		if (!strncmp(word, "only=", 5)) {
			if (offer->range_count == OP_RANGES ||
			    !read_prefix(word + 5, &offer->ranges[offer->range_count++]))
				return false;
		} else if (!strncmp(word, "affinity=", 9)) {
			if (!op_read_number(word + 9, 10, &offer->affinity_seconds))
				return false;
		} else if (read_flag(word, offer)) {
			continue;
		} else if (offer->backend_count == OP_BACKENDS ||
			   !read_backend(word, &offer->backends[offer->backend_count++])) {
			return false;
		}
	}
	return true;
}

static bool read_port(struct op *op)
{
	const char *name = strtok(NULL, SPACE), *mtu = strtok(NULL, SPACE);
	const char *flags = strtok(NULL, SPACE);
	uint32_t value;

	op->port.interface =
		(enum interface)op_index_of(OP_INTERFACES, OP_PORT_COUNT, name ? name : "");
	if (op->port.interface == OP_PORT_COUNT || !flags || strncmp(mtu, "mtu=", 4) ||
	    strncmp(flags, "flags=", 6) || !op_read_number(mtu + 4, 10, &op->port.mtu) ||
	    !op_read_number(flags + 6, 10, &value))
		return false;
	op->port.flags = (uint16_t)value;
	return true;
}

static bool read_network(struct op *op)
{
	const char *network;

	if (!read_prefix(strtok(NULL, SPACE), &op->network.prefix))
		return false;
	network = strtok(NULL, SPACE);
	op->network.network =
		(enum network)op_index_of(OP_NETWORKS, _NETWORK_COUNT, network ? network : "");
	return op->network.network != _NETWORK_COUNT;
}

static bool read_source(struct op *op)
{
	const char *interface = strtok(NULL, SPACE), *station = strtok(NULL, SPACE);

	if (!station)
		return false;
	op->source.interface = (enum interface)op_index_of(OP_INTERFACES, OP_PORT_COUNT, interface);
	op->source.station = station_named(station);
	return op->source.interface != OP_PORT_COUNT &&
	       (op->source.station != _STATION_COUNT || !strcmp(station, "none"));
}

static bool read_move(struct op *op)
{
	const char *station = strtok(NULL, SPACE), *interface = strtok(NULL, SPACE);

	if (!interface || !op_read_station(station, &op->move.station))
		return false;
	op->move.interface = (enum interface)op_index_of(OP_INTERFACES, OP_PORT_COUNT, interface);
	return op->move.interface != OP_PORT_COUNT;
}

static bool read_rest(struct op *op)
{
	const char *seconds;

	switch (op->kind) {
	case OP_OFFER:
		return read_offer(&op->offer);
	case OP_WITHDRAW:
		return read_service(strtok(NULL, SPACE), &op->service);
	case OP_DENY:
		return read_prefix(strtok(NULL, SPACE), &op->prefix);
	case OP_ALLOW:
		return true;
	case OP_NETWORK:
		return read_network(op);
	case OP_SOURCE:
		return read_source(op);
	case OP_MOVE:
		return read_move(op);
	case OP_PORT:
		return read_port(op);
	case OP_PASS:
		seconds = strtok(NULL, SPACE);
		return seconds && op_read_number(seconds, 10, &op->seconds);
	case OP_PACKET:
		return op_read_packet(&op->packet);
	case _OP_KIND_COUNT:
		break;
	}
	return false;
}

bool op_read(const char *line, struct op *op)
{
	char copy[LINE_MAX_BYTES];
	const char *word;

	snprintf(copy, sizeof(copy), "%s", line);
	*op = (struct op){};
	word = strtok(copy, SPACE);
	op->kind = (enum op_kind)op_index_of(OP_WORDS, _OP_KIND_COUNT, word ? word : "");
	return read_rest(op) && !strtok(NULL, SPACE);
}

int sequence_read(const char *path, struct sequence *sequence)
{
	FILE *file = fopen(path, "re");
	char line[LINE_MAX_BYTES];
	int number = 0, wrong = 0;

	if (!file)
		return -1;
	sequence->count = 0;
	while (!wrong && fgets(line, sizeof(line), file)) {
		number++;
		if (line[0] == '#' || !line[strspn(line, SPACE)])
			continue;
		if (sequence->count == MAX_OPS || !op_read(line, &sequence->ops[sequence->count]))
			wrong = number;
		else
			sequence->count++;
	}
	fclose(file);
	return wrong;
}
