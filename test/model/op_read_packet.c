/*
 * Packets and words from text: see op.h.
 */
#include <linux/in.h>
#include <linux/in6.h>
#include <stdlib.h>
#include <string.h>
#include "test/model/op_words.h"

/* The index of a word; `count` where it is none of them. */
size_t op_index_of(const char *const *words, size_t count, const char *word)
{
	size_t i = 0;

	while (i < count && strcmp(words[i], word) != 0)
		i++;
	return i;
}

bool op_read_number(const char *text, int base, uint32_t *value)
{
	char *end;

	*value = (uint32_t)strtoul(text, &end, base);
	return end != text && !*end;
}

bool op_read_station(const char *text, enum station *station)
{
	*station = station_named(text);
	return *station != _STATION_COUNT;
}

/* `station:port`; what follows the port is left in *rest. */
bool op_read_end(char *text, enum station *station, uint16_t *port, char **rest)
{
	char *colon = strchr(text, ':');

	if (!colon)
		return false;
	*colon = 0;
	*port = (uint16_t)strtoul(colon + 1, rest, 10);
	return *rest != colon + 1 && op_read_station(text, station);
}

static bool read_protocol(const char *word, struct op_segment *segment)
{
	const size_t length = strcspn(word, "46");
	uint32_t number = 0;

	if (!word[length])
		return false;
	segment->family = word[length] == '6' ? IPV6 : IPV4;
	if (!strncmp(word, "tcp", length))
		number = IPPROTO_TCP;
	else if (!strncmp(word, "udp", length))
		number = IPPROTO_UDP;
	else if (!strncmp(word, "sctp", length))
		number = IPPROTO_SCTP;
	else if (!strncmp(word, "icmp", length))
		number = segment->family == IPV6 ? IPPROTO_ICMPV6 : IPPROTO_ICMP;
	else if (word[length + 1] != '.' || !op_read_number(word + length + 2, 10, &number))
		return false;
	segment->protocol = (uint8_t)number;
	return true;
}

static bool read_party(char *word, enum station *station, uint16_t *port)
{
	char *rest;

	if (!word)
		return false;
	if (strchr(word, ':'))
		return op_read_end(word, station, port, &rest) && !*rest;
	return op_read_station(word, station);
}

/* `protocol` is its first word: the others follow. */
static bool read_segment(const char *protocol, struct op_segment *segment)
{
	char *arrow;

	segment->hop_limit = HOP_LIMIT;
	segment->id = OP_ID;
	if (!protocol || !read_protocol(protocol, segment) ||
	    !read_party(strtok(NULL, SPACE), &segment->src, &segment->src_port))
		return false;
	arrow = strtok(NULL, SPACE);
	return arrow && !strcmp(arrow, ">") &&
	       read_party(strtok(NULL, SPACE), &segment->dst, &segment->dst_port);
}

static bool read_flags(const char *letters, struct op_segment *segment)
{
	for (segment->tcp_flags = 0; *letters; letters++) {
		const char *found = strchr(OP_FLAGS, *letters);

		if (!found)
			return false;
		segment->tcp_flags |= (uint8_t)(1 << (found - OP_FLAGS));
	}
	return true;
}

static bool read_edit(const char *text, struct op_packet *packet)
{
	char *rest;
	struct op_edit edit = {.at = (uint16_t)strtoul(text, &rest, 10)};

	if (*rest != ':' || packet->edit_count == OP_EDITS)
		return false;
	edit.value = (uint8_t)strtoul(rest + 1, &rest, 16);
	packet->edits[packet->edit_count++] = edit;
	return !*rest;
}

static bool read_extension(const char *text, struct op_segment *segment)
{
	unsigned int type, units, word;

	if (segment->extension_count == OP_EXTENSIONS ||
	    sscanf(text, "%u.%u.%x", &type, &units, &word) != 3 || !units)
		return false;
	segment->extensions[segment->extension_count++] = (struct op_extension){
		.type = (uint8_t)type, .units = (uint8_t)units, .word = (uint16_t)word};
	return true;
}

static bool read_tag(const char *text, struct op_packet *packet)
{
	return packet->tag_count < OP_TAGS &&
	       op_read_number(text, 16, &packet->tags[packet->tag_count++]);
}

static bool read_key(const char *key, const char *text, struct op_packet *packet,
		     struct op_segment *segment)
{
	uint32_t value;

	if (!strcmp(key, "to"))
		return op_read_station(text, &packet->to);
	if (!strcmp(key, "from"))
		return op_read_station(text, &packet->from);
	if (!strcmp(key, "flags"))
		return read_flags(text, segment);
	if (!strcmp(key, "set"))
		return read_edit(text, packet);
	if (!strcmp(key, "ext"))
		return read_extension(text, segment);
	if (!strcmp(key, "tag"))
		return read_tag(text, packet);
	for (size_t i = 0; i < OP_NUMBER_COUNT; i++) {
		const struct op_number *number = &OP_NUMBERS[i];

		if (strcmp(number->key, key) != 0)
			continue;
		if (!op_read_number(text, number->base, &value))
			return false;
		op_set(number, number->owner == OWNER_PACKET ? (void *)packet : segment, value);
		return true;
	}
	return false;
}

/* Keys are the packet's or the segment's that was named last. */
bool op_read_packet(struct op_packet *packet)
{
	char *word = strtok(NULL, SPACE), *equals;
	struct op_segment *segment = &packet->segment;
	bool is_named = false;

	packet->in = (enum interface)op_index_of(OP_INTERFACES, _INTERFACE_COUNT, word ? word : "");
	packet->to = packet->from = _STATION_COUNT;
	packet->quote = OP_QUOTE_ALL;
	if (packet->in == _INTERFACE_COUNT)
		return false;
	while ((word = strtok(NULL, SPACE))) {
		equals = strchr(word, '=');
		if (equals) {
			*equals = 0;
			if (!read_key(word, equals + 1, packet, segment))
				return false;
			continue;
		}
		if (!strcmp(word, "about")) {
			packet->is_error = true;
			segment = &packet->quoted;
			word = strtok(NULL, SPACE);
		}
		if (!read_segment(word, segment))
			return false;
		is_named = true;
	}
	if (packet->from == _STATION_COUNT)
		packet->from = packet->segment.src;
	return is_named;
}
