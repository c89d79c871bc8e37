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
static bool is_translated(const struct frame *sent, const struct outcome *outcome)
{
	const size_t at = addresses_at(sent);

	return outcome->count &&
	       memcmp(&sent->bytes[at], &outcome->frame.bytes[at], outcome->frame.length - at) != 0;
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

static enum likeness compare_frames(const struct op_packet *packet, const struct outcome *outcome,
				    struct frame *got, const char **text)
{
	const bool has_other_source =
		packet->is_error && take_source(&packet->segment, got, &outcome->frame);

	*text = "another frame leaves";
	if (!frame_equal(got, &outcome->frame))
		return LIKENESS_DIFFERENT;
	return has_other_source ? LIKENESS_SAME_BUT_SOURCE : LIKENESS_SAME;
}

static bool is_martian(const struct op_packet *packet)
{
	return packet->segment.src >= STATION_LOOPBACK;
}

enum likeness compare(const struct world_last *last, const struct op_packet *packet,
		      const struct outcome *outcome, struct frame *got, const char **text)
{
	const bool is_ours = is_forwarded(last->verdict);
	const bool is_theirs = is_translated(last->sent, outcome);

	got->length = last->observed.frame->length;
	memcpy(got->bytes, last->observed.frame->bytes, got->length);
	*text = "the kernel sends more than one frame";
	if (outcome->count > 1)
		return LIKENESS_DIFFERENT;
	if (!is_ours && !is_theirs)
		return LIKENESS_NEITHER;
	if (is_ours && is_theirs) {
		cut_padding(got);
		return compare_frames(packet, outcome, got, text);
	}
	*text = is_theirs ? "the kernel translates it" : "the kernel does not translate it";
	if (is_ours && outcome->count && has_odd_flags(&packet->segment))
		return LIKENESS_INVALID;
	if (is_ours && !outcome->count && packet->to != _STATION_COUNT && !packet->is_error &&
	    !is_request(&packet->segment))
		return LIKENESS_OTHER_HOST;
	if (is_ours && !outcome->count && packet->is_error && is_martian(packet))
		return LIKENESS_MARTIAN;
	if (is_theirs && last->verdict == VERDICT_DROP_MARTIAN && is_martian(packet))
		return LIKENESS_UNSPECIFIED;
	if (is_theirs && is_left_by_us(packet))
		return LIKENESS_EXTENSION;
	if (is_theirs && is_no_error(packet))
		return LIKENESS_NO_ERROR;
	return LIKENESS_DIFFERENT;
}
