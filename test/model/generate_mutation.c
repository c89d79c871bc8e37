/*
 * Packets that are not as they should be: see generate.h.
 */
#include <linux/if_ether.h>
#include <linux/in.h>
#include <linux/in6.h>
#include "test/model/generate.h"

#define HEADERS_LENGTH 140 /* bytes of a frame that are worth changing */

static struct op_segment *segment_of(struct generator *generator, struct op_packet *packet)
{
	return packet->is_error && chance_percent(&generator->chance, 60) ? &packet->quoted
									  : &packet->segment;
}

static void mutate_hop_limit(struct generator *generator, struct op_packet *packet)
{
	static const uint8_t HOPS[] = {0, 1, 2, 128, 255};

	segment_of(generator, packet)->hop_limit = ONE_OF(generator, HOPS);
}

static void mutate_options(struct generator *generator, struct op_packet *packet)
{
	segment_of(generator, packet)->options =
		(uint16_t)(4 * (1 + chance_below(&generator->chance, 10)));
}

static void mutate_fragment(struct generator *generator, struct op_packet *packet)
{
	static const uint16_t WORDS[] = {0x4000, 0x4000, 0x2000, 0x2001,
					 0x0001, 0x1fff, 0x8000, 0x6000};
	struct op_segment *segment = segment_of(generator, packet);

	segment->fragment = ONE_OF(generator, WORDS);
	if (segment->family == IPV6)
		segment->protocol = IPPROTO_FRAGMENT;
}

static void mutate_protocol(struct generator *generator, struct op_packet *packet)
{
	static const uint8_t PROTOCOLS[] = {IPPROTO_TCP, IPPROTO_UDP, IPPROTO_SCTP, IPPROTO_HOPOPTS,
					    IPPROTO_NONE};

	segment_of(generator, packet)->protocol = ONE_OF(generator, PROTOCOLS);
}

static void mutate_cut(struct generator *generator, struct op_packet *packet)
{
	packet->cut = (uint16_t)(ETH_HLEN + chance_below(&generator->chance, HEADERS_LENGTH));
}

/* A byte of the headers: any other value, or one of its bits. */
static void mutate_byte(struct generator *generator, struct op_packet *packet)
{
	static struct frame frame;
	struct op_edit edit = {.at = (uint16_t)chance_below(&generator->chance, HEADERS_LENGTH)};

	if (packet->edit_count == OP_EDITS)
		return;
	op_build(packet, &frame);
	if (edit.at >= frame.length)
		return;
	edit.value = chance_percent(&generator->chance, 50)
			     ? (uint8_t)chance_word(&generator->chance)
			     : frame.bytes[edit.at] ^
				       (uint8_t)(1 << chance_below(&generator->chance, 8));
	packet->edits[packet->edit_count++] = edit;
}

static void mutate_bytes(struct generator *generator, struct op_packet *packet)
{
	const uint32_t count = 1 + chance_below(&generator->chance, OP_EDITS);

	for (uint32_t i = 0; i < count; i++)
		mutate_byte(generator, packet);
}

static void mutate_padding(struct generator *generator, struct op_packet *packet)
{
	packet->padding = (uint16_t)(1 + chance_below(&generator->chance, 46));
}

static void mutate_target(struct generator *generator, struct op_packet *packet)
{
	static const enum station OTHERS[] = {STATION_X, STATION_MULTICAST, STATION_BROADCAST,
					      STATION_R};

	packet->to = ONE_OF(generator, OTHERS);
}

static void mutate_origin(struct generator *generator, struct op_packet *packet)
{
	static const enum station OTHERS[] = {STATION_R, STATION_R, STATION_C3, STATION_A};

	packet->from = ONE_OF(generator, OTHERS);
}

static void mutate_source(struct generator *generator, struct op_packet *packet)
{
	static const enum station OTHERS[] = {
		STATION_LOOPBACK, STATION_UNSPECIFIED, STATION_MULTICAST, STATION_BROADCAST,
		STATION_X,        STATION_H,           STATION_S1};

	segment_of(generator, packet)->src = ONE_OF(generator, OTHERS);
}

static void mutate_interface(struct generator *generator, struct op_packet *packet)
{
	packet->in = (enum interface)chance_below(&generator->chance, _INTERFACE_COUNT);
}

static void mutate_size(struct generator *generator, struct op_packet *packet)
{
	static const uint16_t SIZES[] = {1232, 1448, 1460, 1472, 1480, 2000, 3000, 5000, 8900};

	packet->segment.data =
		(uint16_t)(ONE_OF(generator, SIZES) + chance_below(&generator->chance, 3));
}

static void mutate_tags(struct generator *generator, struct op_packet *packet)
{
	static const uint32_t TAGS[] = {0x81000064, 0x81000065, 0x88a80064, 0x8100e064, 0x91000001};

	packet->tag_count = (uint8_t)(1 + chance_below(&generator->chance, OP_TAGS));
	for (uint8_t i = 0; i < packet->tag_count; i++)
		packet->tags[i] = ONE_OF(generator, TAGS);
}

/* RFC 8200, 4: mostly of what may be passed over. */
static void mutate_extensions(struct generator *generator, struct op_packet *packet)
{
	static const uint8_t TYPES[] = {IPPROTO_HOPOPTS, IPPROTO_DSTOPTS,  IPPROTO_DSTOPTS,
					IPPROTO_ROUTING, IPPROTO_DSTOPTS,  IPPROTO_HOPOPTS,
					IPPROTO_ROUTING, IPPROTO_FRAGMENT, 51 /* AH */};
	struct op_segment *segment = segment_of(generator, packet);
	struct chance *chance = &generator->chance;

	if (segment->family != IPV6)
		return;
	segment->extension_count =
		(uint8_t)(1 + chance_below(chance, chance_percent(chance, 80) ? 2 : OP_EXTENSIONS));
	for (uint8_t i = 0; i < segment->extension_count; i++)
		segment->extensions[i] = (struct op_extension){
			.type = ONE_OF(generator, TYPES),
			.units = (uint8_t)(1 + chance_below(chance, 3)),
			.word = chance_percent(chance, 85) ? 0 : (uint16_t)chance_word(chance),
		};
}

void mutate_packet(struct generator *generator, struct op_packet *packet)
{
	static void (*const MUTATIONS[])(struct generator *, struct op_packet *) = {
		mutate_hop_limit, mutate_options,   mutate_fragment,   mutate_protocol,
		mutate_cut,       mutate_bytes,     mutate_bytes,      mutate_padding,
		mutate_target,    mutate_origin,    mutate_source,     mutate_size,
		mutate_tags,      mutate_interface, mutate_extensions, mutate_extensions,
	};

	do
		ONE_OF(generator, MUTATIONS)(generator, packet);
	while (chance_percent(&generator->chance, 15));
}
