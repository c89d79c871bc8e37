/*
 * Counts what the oracle has compared: see tally.h.
 */
#include "test/model/tally.h"

#include <linux/in.h>
#include <stdio.h>

/* RFC 768 has it written as 0xffff. */
static bool is_zero(const struct op_segment *segment, const struct frame *frame)
{
	const uint16_t checksum = transport_checksum(segment, frame);

	return (segment->protocol == IPPROTO_TCP || segment->protocol == IPPROTO_UDP) &&
	       !segment->no_checksum && (!checksum || checksum == 0xffff);
}

void tally_add(struct tally *tally, const struct sent *sent, enum likeness likeness)
{
	const struct op_packet *packet = &sent->packets[0];
	const struct frame *left = &sent->left[0];
	const struct op_segment *segment = &packet->segment;
	const bool is_of_kind[] = {
#define IS_OF_KIND(text, is_of_it) is_of_it,
		KINDS(IS_OF_KIND)
#undef IS_OF_KIND
	};

	tally->likenesses[likeness]++;
	if (likeness != LIKENESS_SAME)
		return;
	for (int i = 0; i < KIND_COUNT_OF_TALLY; i++)
		tally->kinds[i] += is_of_kind[i];
}

static void print(const char *title, uint64_t count, const char *text)
{
	printf("# %s %6llu %s\n", title, (unsigned long long)count, text);
}

void tally_print(const struct tally *tally)
{
	static const char *const KIND_TEXTS[] = {
#define KIND_TEXT(text, is_of_it) text,
		KINDS(KIND_TEXT)
#undef KIND_TEXT
	};

	for (int i = 0; i < _LIKENESS_COUNT; i++)
		print("sent    ", tally->likenesses[i], likeness_text((enum likeness)i));
	for (int i = 0; i < KIND_COUNT_OF_TALLY; i++)
		print("the same", tally->kinds[i], KIND_TEXTS[i]);
	for (int i = OMIT_NOTHING + 1; i < _OMISSION_COUNT; i++)
		print("not sent", tally->omitted[i], omission_text((enum omission)i));
	fflush(stdout);
}

bool tally_is_complete(const struct tally *tally)
{
	for (int i = 0; i < KIND_COUNT_OF_TALLY; i++)
		if (!tally->kinds[i])
			return false;
	return true;
}
