/*
 * Packets cut and changed everywhere: see everywhere.h. Each is the last of a sequence in which the
 * connection that it is of, or about, was established.
 */
#include "test/model/everywhere.h"

#include <stdlib.h>

#define HEADERS_LENGTH 160

/* Protocol, family, a type of ICMP errors, that of echo requests. */
static const char *const SETUP[] = {
	"offer s1:80/%1$s%2$c maglev a:8080",
	"packet uplink %1$s%2$c c1:40000 > s1:80 flags=S",
	"packet pod %1$s%2$c a:8080 > c1:40000 flags=SA",
	"packet uplink %1$s%2$c c1:40000 > s1:80 flags=A",
	"packet pod %1$s%2$c a:1024 > s1:80 flags=S",
	"packet uplink length=24 id=77 %1$s%2$c c1:40000 > s1:80 flags=A data=40",
};

static const char *const KINDS_OF_PACKETS[] = {
	"packet uplink %1$s%2$c c1:40000 > s1:80 flags=PA data=11",
	"packet uplink %1$s%2$c c2:40000 > s1:80 flags=S data=3",
	"packet uplink %1$s%2$c c2:40000 > s1:80 flags=S opt=12 pad=7",
	"packet pod %1$s%2$c a:8080 > c1:40000 flags=PA data=11",
	"packet pod %1$s%2$c a:1024 > s1:80 flags=A data=5",
	"packet pod %1$s%2$c a:8080 > h:1024 flags=A data=5",
	"packet uplink nosum=1 %1$s%2$c c1:40000 > s1:80 flags=A data=5",
	"packet uplink ext=0.1.0 ext=60.2.0 %1$s%2$c c1:40000 > s1:80 flags=PA data=4",
	"packet uplink tag=81000064 %1$s%2$c c1:40000 > s1:80 flags=A data=4",
	"packet uplink tag=88a80064 tag=81000065 %1$s%2$c c1:40000 > s1:80 flags=S data=4",
	"packet uplink frag=2000 %1$s%2$c c1:40000 > s1:80 flags=A data=4",
	"packet uplink length=32 %1$s%2$c c1:40000 > s1:80 flags=A data=40",
	"packet uplink part=24 id=77 %1$s%2$c c1:40000 > s1:80 data=40",
	"packet uplink ext=60.2.0 part=24 id=77 %1$s%2$c c1:40000 > s1:80 data=40",
	"packet uplink %1$s%2$c c1:40000 > x:9 flags=S data=4",
	"packet pod type=%3$d code=1 icmp%2$c r > c1 "
	"about %1$s%2$c c1:40000 > a:8080 flags=A data=9",
	"packet pod type=%3$d code=1 icmp%2$c a > c1 quote=60 about %1$s%2$c c1:40000 > a:8080 "
	"flags=A data=9",
	"packet uplink type=%3$d code=1 icmp%2$c c1 > s1 opt=8 about %1$s%2$c s1:80 > c1:40000 "
	"flags=A data=9",
	"packet uplink type=%3$d icmp%2$c r > s1 about %1$s%2$c s1:80 > c1:40000 opt=4 flags=A",
	"packet uplink type=%4$d rest=10001 icmp%2$c c1 > s1 data=9",
};

struct search {
	struct world *world;
	everywhere_finding found;
	void *context;
	bool is_enough;
	uint32_t tried;
};

static void read_line(const char *form, const char *protocol, char family, struct op *op)
{
	const int error = family == '6' ? 1 : 3, echo = family == '6' ? 128 : 8;
	char line[256];

	snprintf(line, sizeof(line), form, protocol, family, error, echo);
	if (!op_read(line, op)) {
		fprintf(stderr, "no operation: %s\n", line);
		abort();
	}
}

static void try(struct search *search, struct sequence *sequence, const struct op_packet *packet)
{
	static struct difference difference;
	static struct sequence copy;

	if (search->is_enough)
		return;
	search->tried++;
	sequence->ops[sequence->count - 1].packet = *packet;
	if (!play(search->world, sequence, false, &difference))
		return;
	copy = *sequence;
	search->is_enough = !search->found(search->context, &copy);
}

static void cut_everywhere(struct search *search, struct sequence *sequence,
			   const struct op_packet *packet, size_t length)
{
	for (size_t left = ETH_HLEN; left < length; left++) {
		struct op_packet cut = *packet;

		cut.cut = (uint16_t)left;
		try(search, sequence, &cut);
	}
}

/* Each bit, and all of them. */
static void change_everywhere(struct search *search, struct sequence *sequence,
			      const struct op_packet *packet, const struct frame *frame)
{
	for (size_t at = 0; at < frame->length && at < HEADERS_LENGTH; at++) {
		for (int bit = 0; bit <= 8; bit++) {
			struct op_packet changed = *packet;

			changed.edits[changed.edit_count++] = (struct op_edit){
				.at = (uint16_t)at,
				.value = frame->bytes[at] ^ (uint8_t)(bit == 8 ? 0xff : 1 << bit),
			};
			try(search, sequence, &changed);
		}
	}
}

static void try_kind(struct search *search, const char *protocol, char family, const char *form)
{
	static struct frame frame;
	struct sequence sequence = {};
	struct op_packet packet;

	for (size_t i = 0; i < sizeof(SETUP) / sizeof(SETUP[0]); i++)
		read_line(SETUP[i], protocol, family, &sequence.ops[sequence.count++]);
	read_line(form, protocol, family, &sequence.ops[sequence.count++]);
	packet = sequence.ops[sequence.count - 1].packet;
	op_build(&packet, &frame);
	try(search, &sequence, &packet);
	cut_everywhere(search, &sequence, &packet, frame.length);
	change_everywhere(search, &sequence, &packet, &frame);
}

uint32_t everywhere_play(struct world *world, everywhere_finding found, void *context)
{
	static const char *const PROTOCOLS[] = {"tcp", "udp"};
	struct search search = {.world = world, .found = found, .context = context};

	for (size_t kind = 0; kind < sizeof(KINDS_OF_PACKETS) / sizeof(KINDS_OF_PACKETS[0]); kind++)
		for (size_t i = 0; i < 2; i++)
			for (const char *family = "46"; *family; family++)
				try_kind(&search, PROTOCOLS[i], *family, KINDS_OF_PACKETS[kind]);
	return search.tried;
}
