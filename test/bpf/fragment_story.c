/*
 * Datagrams in pieces: see fragment_story.h.
 */
#include "test/bpf/fragment_story.h"

void cross(const struct blueprint *comes, enum interface in, const struct blueprint *leaves,
	   struct crossing *crossing)
{
	crossing->in = in;
	frame_build(comes, &crossing->comes);
	frame_build(leaves, &crossing->leaves);
}

void cross_request(const struct kind *kind, uint8_t tcp_flags, struct crossing *crossing)
{
	struct blueprint request = request_of(kind), forwarded;

	request.tcp_flags = tcp_flags;
	request.payload_length = DATAGRAM_BYTES;
	forwarded = forwarded_to(&request, BACKEND_A, POD);
	cross(&request, UPLINK, &forwarded, crossing);
}

void cross_reply(const struct kind *kind, uint8_t tcp_flags, struct crossing *crossing)
{
	struct blueprint reply = reply_of(kind, BACKEND_A), returned;

	reply.tcp_flags = tcp_flags;
	reply.payload_length = DATAGRAM_BYTES;
	returned = returned_from_service(&reply, UPLINK);
	cross(&reply, POD, &returned, crossing);
}

struct cut piece_of(size_t number, uint32_t identification)
{
	return (struct cut){
		.offset = number * PIECE_BYTES,
		.length = number + 1 == PIECE_COUNT ? CUT_REST : PIECE_BYTES,
		.identification = identification,
	};
}

void send_piece(struct scene *scene, const struct crossing *crossing, const struct cut *cut,
		enum verdict verdict)
{
	const bool leaves = verdict == VERDICT_REDIRECT || verdict == VERDICT_TX;
	static struct frame frame, wanted;

	frame_cut(&crossing->comes, cut, &frame);
	if (leaves)
		frame_cut(&crossing->leaves, cut, &wanted);
	expect_frame(scene, crossing->in, &frame, verdict, leaves ? &wanted : NULL);
}
