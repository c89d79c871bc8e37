/*
 * What must be true of a packet that went through the programs, whatever it was.
 */
#include <arpa/inet.h>
#include <linux/if_ether.h>
#include <string.h>
#include "include/metadata.h"
#include "include/verdict.h"
#include "test/bpf/packet_builder.h"
#include "test/fuzz/fuzz.h"
#include "test/fuzz/program.h"

/* cross, bring, lb, and from there at most four: rare, masquerade, encapsulate, answer */
#define MOST_TAIL_CALLS 7
#define IPV4_HEADER 20
#define IPV6_HEADER 40

static void read_counters(struct counter *counters)
{
	for (uint32_t i = 0; i < _VERDICT_COUNT; i++)
		counters[i] = *(const struct counter *)native_find("verdict_counters", &i);
}

/* What a packet has more in a tunnel. */
static bool is_outer_header(uint64_t length)
{
	return length == IPV4_HEADER || length == IPV6_HEADER;
}

/* The one verdict that has counted the packet. */
static enum verdict verdict_since(const struct counter *before, const struct native_packet *packet)
{
	struct counter after[_VERDICT_COUNT];
	enum verdict verdict = VERDICT_CONTINUE;
	uint64_t packets = 0, bytes = 0;

	read_counters(after);
	for (int i = 0; i < _VERDICT_COUNT; i++) {
		if (after[i].packets != before[i].packets)
			verdict = (enum verdict)i;
		packets += after[i].packets - before[i].packets;
		bytes += after[i].bytes - before[i].bytes;
	}
	must(packets == 1 && verdict != VERDICT_CONTINUE, "a packet is counted once");
	must(bytes == packet->length ||
		     (packet->later && bytes == packet->length - packet->later) ||
		     is_outer_header(packet->length - bytes), /* off before ICMP is counted */
	     "with its bytes");
	return verdict;
}

static bool is_sent(enum verdict verdict)
{
	return verdict == VERDICT_TX || verdict == VERDICT_REDIRECT;
}

static bool is_answer(enum verdict verdict)
{
	return verdict == VERDICT_ANSWER_RESET || verdict == VERDICT_ANSWER_UNREACHABLE ||
	       verdict == VERDICT_ANSWER_TOO_BIG || verdict == VERDICT_ANSWER_ECHO;
}

static void must_be_done(enum verdict verdict, int action)
{
	const bool leaves = action == XDP_TX || action == XDP_REDIRECT || action == XDP_ABORTED;

	must(action != XDP_REDIRECT || native_kernel.is_redirected, "a redirect has a port");
	must(action != XDP_ABORTED || !native_kernel.is_redirected, "or there was none");
	if (is_sent(verdict))
		must(leaves && (verdict == VERDICT_TX || action != XDP_TX), "what is sent leaves");
	else if (is_answer(verdict))
		must(leaves || action == XDP_DROP, "an answer leaves, if it could be written");
	else
		must(action == (metadata_class_of(verdict) ? XDP_PASS : XDP_DROP),
		     "what is not sent is passed or dropped, as its verdict says");
}

/* Where the network header begins, behind two tags at most; 0: it is not IPv4. */
static uint32_t ipv4_of(const struct native_packet *packet)
{
	uint32_t at = ETH_HLEN;
	uint16_t type = 0;

	for (int i = 0; i <= MAX_TAGS && at <= packet->length; i++, at += sizeof(struct tag)) {
		memcpy(&type, packet->bytes + at - sizeof(type), sizeof(type));
		if (type != htons(ETH_P_8021Q) && type != htons(ETH_P_8021AD))
			break;
	}
	return type == htons(ETH_P_IP) && at + IPV4_HEADER <= packet->length ? at : 0;
}

static bool has_right_header(const struct native_packet *packet, uint32_t at)
{
	const uint32_t length = (packet->bytes[at] & 0xfu) * 4;

	return at + length <= packet->length && !checksum_of(packet->bytes + at, length, 0);
}

static bool is_moved_by_headers(uint32_t before, uint32_t after)
{
	return before == after || is_outer_header(before - after) ||
	       is_outer_header(after - before);
}

/* Only what is translated or answered is written to. */
static void must_be_written_right(enum verdict verdict, const struct native_packet *before,
				  const struct native_packet *after)
{
	const uint32_t ipv4 = ipv4_of(before), ipv4_after = ipv4_of(after);
	const bool was_right = ipv4 && has_right_header(before, ipv4);

	must(!ipv4 == !ipv4_after, "a packet keeps its family");
	if (is_answer(verdict) || was_right)
		must(!ipv4 || has_right_header(after, ipv4_after), "and a right checksum");
	if (is_answer(verdict))
		return;
	must(!ipv4 || is_moved_by_headers(before->length - ipv4, after->length - ipv4_after),
	     "a translation adds and removes tags and an outer header only");
}

static void must_be_as_it_was(const struct native_packet *before, const struct native_packet *after)
{
	must(before->length == after->length && before->later == after->later &&
		     before->headroom == after->headroom,
	     "what is passed as it was sent is as long");
	must(!memcmp(before->bytes, after->bytes, before->length), "and the same");
}

static void must_tell(enum verdict verdict, const struct native_packet *packet)
{
	struct metadata metadata;

	if (!packet->metadata_length)
		return;
	must(packet->metadata_length == sizeof(metadata), "metadata is of its length");
	memcpy(&metadata, packet->metadata, sizeof(metadata));
	must(metadata.magic == METADATA_MAGIC && metadata.verdict == verdict &&
		     metadata.class == metadata_class_of(verdict),
	     "and says why the packet is passed");
}

void packet_play(native_program program, struct native_packet *packet)
{
	static struct native_packet before;
	struct counter counters[_VERDICT_COUNT];
	enum verdict verdict;
	int action;

	if (packet->length < ETH_HLEN)
		return;
	before = *packet;
	read_counters(counters);
	action = native_run(program, packet);
	verdict = verdict_since(counters, &before);
	must(native_kernel.tail_calls <= MOST_TAIL_CALLS, "programs do not go round");
	must_be_done(verdict, action);
	must_tell(verdict, packet);
	if (is_sent(verdict) || (is_answer(verdict) && action != XDP_DROP) ||
	    metadata_class_of(verdict) == METADATA_TRANSLATED)
		must_be_written_right(verdict, &before, packet);
	else if (action == XDP_PASS && !is_outer_header(before.length - packet->length))
		must_be_as_it_was(&before, packet);
}
