/*
 * Refused packets and their answers: see answer_story.h.
 */
#include "test/bpf/answer_story.h"

#include <linux/in.h>

enum verdict refusal_of(const struct kind *kind)
{
	return kind->protocol == IPPROTO_TCP ? VERDICT_ANSWER_RESET : VERDICT_ANSWER_UNREACHABLE;
}

static struct icmp_words words_of(enum verdict verdict, bool is_ipv6, uint32_t mtu)
{
	if (verdict == VERDICT_ANSWER_TOO_BIG)
		return is_ipv6 ? (struct icmp_words){2, 0, mtu} : (struct icmp_words){3, 4, mtu};
	return is_ipv6 ? (struct icmp_words){1, 4, 0} : (struct icmp_words){3, 3, 0};
}

void answer_frame(const struct refused_frame *refused, enum verdict verdict, struct frame *answer)
{
	const bool is_ipv6 = refused->frame->bytes[refused->network] >> 4 == 6;
	const struct icmp_words words = words_of(verdict, is_ipv6, refused->mtu);

	if (verdict == VERDICT_ANSWER_RESET)
		frame_build_reset(refused, answer);
	else
		frame_build_complaint(refused, &words, answer);
}

/* `frame`: where the packet is to be built. */
static struct refused_frame refuse_packet(const struct blueprint *packet, struct frame *frame)
{
	const size_t ip = blueprint_is_ipv6(packet) ? 40 : 20 + packet->options_length;

	frame_build(packet, frame);
	return (struct refused_frame){
		.frame = frame,
		.network = ETH_HLEN,
		.transport = ETH_HLEN + ip,
		.linear = frame->length,
	};
}

void answer_packet(const struct blueprint *packet, enum verdict verdict, struct frame *answer)
{
	static struct frame frame;
	const struct refused_frame refused = refuse_packet(packet, &frame);

	answer_frame(&refused, verdict, answer);
}

void expect_answered_frame(struct scene *scene, enum interface in,
			   const struct refused_frame *refused, enum verdict verdict)
{
	static struct frame answer;

	answer_frame(refused, verdict, &answer);
	expect_frame(scene, in, refused->frame, verdict, &answer);
}

void expect_answered(struct scene *scene, enum interface in, const struct blueprint *packet,
		     enum verdict verdict)
{
	static struct frame frame;
	struct refused_frame refused = refuse_packet(packet, &frame);

	if (scene->linear)
		refused.linear = scene->linear;
	expect_answered_frame(scene, in, &refused, verdict);
}

void expect_told_size(struct scene *scene, enum interface in, const struct blueprint *packet,
		      uint32_t mtu)
{
	static struct frame frame;
	struct refused_frame refused = refuse_packet(packet, &frame);

	refused.mtu = mtu;
	expect_answered_frame(scene, in, &refused, VERDICT_ANSWER_TOO_BIG);
}
