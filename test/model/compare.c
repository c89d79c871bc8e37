/*
 * The datapath's frame beside the kernel's: see compare.h.
 */
#include "test/model/compare.h"

#include <linux/icmp.h>
#include <linux/in.h>
#include <string.h>
#include "test/bpf/frame_diff.h"
#include "test/model/restrict.h"

#define IP ETH_HLEN /* tags are not sent */

const char *likeness_text(enum likeness likeness)
{
	static const char *const TEXTS[_LIKENESS_COUNT] = {
#define LIKENESS_TEXT(name, text) text,
		LIKENESSES(LIKENESS_TEXT)
#undef LIKENESS_TEXT
	};

	return TEXTS[likeness];
}

static bool is_ipv6(const struct frame *frame)
{
	return frame->bytes[IP] >> 4 == 6;
}

static size_t word_at(const struct frame *frame, size_t at)
{
	return (size_t)frame->bytes[at] << 8 | frame->bytes[at + 1];
}

/* Source and destination of an IP header lie one behind the other. */
static size_t addresses_at(const struct frame *frame)
{
	return IP + (is_ipv6(frame) ? 8 : 12);
}

static size_t address_length(const struct frame *frame)
{
	return is_ipv6(frame) ? 16 : 4;
}

/*
 * What conntrack calls invalid leaves as it came but for its hop limit and what covers that, all of
 * which lies before the addresses.
 */
static bool is_translated(const struct frame *sent, const struct frame *theirs)
{
	const size_t at = addresses_at(sent);

	return theirs && memcmp(&sent->bytes[at], &theirs->bytes[at], theirs->length - at) != 0;
}

/* Bytes behind the IP packet, as short Ethernet frames have them: the kernel cuts them off. */
static void cut_padding(struct frame *frame)
{
	frame->length =
		IP + (is_ipv6(frame) ? 40 + word_at(frame, IP + 4) : word_at(frame, IP + 2));
}

static void write_checksum(struct frame *frame, size_t at, size_t from, uint32_t start)
{
	const size_t length =
		at == IP + 10 ? (size_t)(frame->bytes[IP] & 0xf) * 4 : frame->length - from;
	uint16_t checksum;

	memset(&frame->bytes[at], 0, 2);
	checksum = checksum_of(&frame->bytes[from], length, start);
	frame->bytes[at] = (uint8_t)(checksum >> 8);
	frame->bytes[at + 1] = (uint8_t)checksum;
}

static size_t transport_of(const struct op_segment *segment)
{
	size_t at = IP + (segment->family == IPV6 ? 40u : 20u + segment->options);

	for (uint8_t i = 0; i < segment->extension_count; i++)
		at += segment->extensions[i].units * 8u;
	return at;
}

uint16_t transport_checksum(const struct op_segment *segment, const struct frame *frame)
{
	return (uint16_t)word_at(frame, transport_of(segment) +
						(segment->protocol == IPPROTO_TCP ? 16 : 6));
}

/* Whom a quoted packet went to. */
static size_t quoted_destination_of(const struct op_segment *segment)
{
	return transport_of(segment) + 8 + (segment->family == IPV6 ? 24 : 16);
}

/*
 * The kernel writes a connection's address, to which the quoted packet went, over the source of
 * each error about it, whoever sent that; we leave a router its own. The rest of such a frame is
 * compared, with checksums for the kernel's source. False: that is not what is different.
 */
static bool take_source(const struct op_segment *segment, struct frame *got,
			const struct frame *wanted)
{
	const size_t at = addresses_at(got), length = address_length(got);
	const size_t transport = transport_of(segment);
	uint32_t start;

	if (!memcmp(&got->bytes[at], &wanted->bytes[at], length) ||
	    memcmp(&wanted->bytes[quoted_destination_of(segment)], &wanted->bytes[at], length) != 0)
		return false;
	memcpy(&got->bytes[at], &wanted->bytes[at], length);
	if (segment->family == IPV4) {
		write_checksum(got, IP + 10, IP, 0);
		return true;
	}
	start = (uint16_t)~checksum_of(&got->bytes[at], 2 * length, 0);
	start += IPPROTO_ICMPV6 + (uint32_t)(got->length - transport);
	write_checksum(got, transport + 2, transport, start);
	return true;
}

static bool is_forwarded(enum verdict verdict)
{
	return verdict == VERDICT_TX || verdict == VERDICT_REDIRECT;
}

/*
 * To the kernel a source quench (RFC 6633: not to be heeded) and each ICMPv6 type below 128 is an
 * error about a connection; to us what RFC 4443 and RFC 792 define and routers do send.
 */
static bool is_no_error(const struct op_packet *packet)
{
	return packet->is_error && packet->icmp_type == (packet->segment.family == IPV6 ? 5 : 4);
}

static bool is_left_by_us(const struct op_packet *packet)
{
	return has_left_header(&packet->segment) ||
	       (packet->is_error && packet->quoted.extension_count);
}

/* Not those that conntrack takes from a connection that has been answered (restrict.c). */
static bool has_odd_flags(const struct op_segment *segment)
{
	static const uint8_t USUAL[] = {ACK, PSH | ACK, FIN | ACK, RST, RST | ACK};

	return segment->protocol == IPPROTO_TCP &&
	       !memchr(USUAL, segment->tcp_flags, sizeof(USUAL)) &&
	       segment->tcp_flags != (is_request(segment) ? SYN : SYN | ACK);
}

/* The kernel puts IPv6 fragments together, and gives those that it makes of the packet a number. */
static void renumber(const struct frame *sent, struct frame *theirs)
{
	memcpy(&theirs->bytes[IP + 44], &sent->bytes[IP + 44], 4);
}

static enum likeness compare_frames(const struct op_packet *packet, const struct frame *theirs,
				    struct frame *ours, const char **text)
{
	bool has_other_source;

	cut_padding(ours);
	has_other_source = packet->is_error && take_source(&packet->segment, ours, theirs);
	*text = "another frame leaves";
	if (!frame_equal(ours, theirs))
		return LIKENESS_DIFFERENT;
	return has_other_source ? LIKENESS_SAME_BUT_SOURCE : LIKENESS_SAME;
}

static bool is_martian(const struct op_packet *packet)
{
	return packet->segment.src >= STATION_LOOPBACK;
}

/* We translate it. *theirs: as it came, because it is invalid; NULL: nothing leaves. */
static enum likeness excuse_kernel(const struct op_packet *packet, const struct frame *theirs)
{
	if (theirs)
		return has_odd_flags(&packet->segment) ? LIKENESS_INVALID : LIKENESS_DIFFERENT;
	return packet->to != _STATION_COUNT && !packet->is_error && !is_request(&packet->segment)
		       ? LIKENESS_OTHER_HOST
		       : LIKENESS_DIFFERENT;
}

/* The kernel translates it. The verdict is that of the first part, as is our reason. */
static enum likeness excuse_us(const struct op_packet *packet, enum verdict verdict)
{
	if (verdict == VERDICT_DROP_MARTIAN &&
	    (is_martian(packet) || packet->segment.src == STATION_H))
		return LIKENESS_UNSPECIFIED;
	if (is_left_by_us(packet))
		return LIKENESS_EXTENSION;
	return is_no_error(packet) ? LIKENESS_NO_ERROR : LIKENESS_DIFFERENT;
}

/* Of one part. *theirs: NULL where nothing leaves. */
static enum likeness compare_part(struct sent *sent, uint32_t i, struct frame *theirs,
				  const char **text)
{
	const struct op_packet *packet = &sent->packets[i];
	const bool is_ours = is_forwarded(sent->verdicts[i]);
	bool is_theirs;

	if (theirs && sent->count > 1 && packet->segment.family == IPV6)
		renumber(&sent->sent[i], theirs);
	is_theirs = is_translated(&sent->sent[i], theirs);
	if (is_ours && is_theirs)
		return compare_frames(packet, theirs, &sent->left[i], text);
	if (is_ours) {
		*text = "the kernel does not translate it";
		return excuse_kernel(packet, theirs);
	}
	*text = "the kernel translates it";
	return is_theirs ? excuse_us(packet, sent->verdicts[0]) : LIKENESS_NEITHER;
}

enum likeness compare(struct sent *sent, struct outcome *outcome, uint32_t *which,
		      const char **text)
{
	enum likeness likeness = _LIKENESS_COUNT;

	*which = 0;
	*text = "the kernel sends more frames, or fewer";
	if (outcome->count && outcome->count != sent->count)
		return LIKENESS_DIFFERENT;
	for (uint32_t i = 0; i < sent->count; i++) {
		const enum likeness of_part =
			compare_part(sent, i, outcome->count ? &outcome->frames[i] : NULL, text);

		*which = i;
		if (i && of_part != likeness)
			return LIKENESS_DIFFERENT;
		likeness = of_part;
	}
	return likeness;
}
