/*
 * IPv6 extension headers: a packet is balanced behind those that leave open where it goes and what
 * it carries, and keeps them as they are.
 */
#include <linux/in.h>
#include <linux/in6.h>
#include <string.h>
#include "test/bpf/scene.h"

#define NEXT_HEADER_AT (ETH_HLEN + 6)
#define EXTENSIONS_AT (ETH_HLEN + 40)
#define MAX_CHAIN 7

/* Types in the order of the packet, ended by 0xff; each header is `length` bytes long. */
struct chain {
	uint8_t types[MAX_CHAIN + 1];
	uint8_t length;
};

#define END 0xff

/* Puts the headers between IPv6 and the transport; `fourth` is their fourth byte. */
static void insert(struct frame *frame, const struct chain *chain, uint8_t fourth)
{
	size_t count = 0, total;
	uint8_t *at = &frame->bytes[EXTENSIONS_AT];

	while (chain->types[count] != END)
		count++;
	total = count * chain->length;
	memmove(at + total, at, frame->length - EXTENSIONS_AT);
	memset(at, 0, total);
	frame->length += total;
	for (size_t i = 0; i < count; i++, at += chain->length) {
		at[0] = i + 1 < count ? chain->types[i + 1] : frame->bytes[NEXT_HEADER_AT];
		at[1] = (uint8_t)(chain->length / 8 - 1);
		at[3] = fourth;
	}
	if (count)
		frame->bytes[NEXT_HEADER_AT] = chain->types[0];
	frame_fit_length(frame);
}

static const struct chain CHAINS[] = {
	{{IPPROTO_HOPOPTS, END}, 8},
	{{IPPROTO_DSTOPTS, END}, 24},
	{{IPPROTO_ROUTING, END}, 8}, /* no segments left: it has come all the way */
	{{IPPROTO_HOPOPTS, IPPROTO_DSTOPTS, IPPROTO_ROUTING, IPPROTO_DSTOPTS, END}, 8},
	{{IPPROTO_DSTOPTS, IPPROTO_DSTOPTS, IPPROTO_DSTOPTS, IPPROTO_DSTOPTS, IPPROTO_DSTOPTS,
	  IPPROTO_DSTOPTS, END},
	 16},
};

static void a_packet_is_balanced_behind_its_extension_headers(void **state)
{
	struct scene *scene = *state;
	struct frame frame, becomes;

	scene_offer_all(scene, &ONLY_A);
	for (int i = 0; i < KIND_COUNT; i++) {
		for (size_t row = 0; row < sizeof(CHAINS) / sizeof(CHAINS[0]); row++) {
			struct blueprint request = request_of(&KINDS[i]), forwarded;
			struct blueprint reply = reply_of(&KINDS[i], BACKEND_A), returned;

			if (KINDS[i].family != IPV6)
				continue;
			forwarded = forwarded_to(&request, BACKEND_A, POD);
			frame_build(&request, &frame);
			frame_build(&forwarded, &becomes);
			insert(&frame, &CHAINS[row], 0);
			insert(&becomes, &CHAINS[row], 0);
			expect_bytes(scene, UPLINK, &frame, VERDICT_REDIRECT, &becomes);

			returned = returned_from_service(&reply, UPLINK);
			frame_build(&reply, &frame);
			frame_build(&returned, &becomes);
			insert(&frame, &CHAINS[row], 0);
			insert(&becomes, &CHAINS[row], 0);
			expect_bytes(scene, POD, &frame, VERDICT_REDIRECT, &becomes);
		}
	}
}

static void expect_passed(struct scene *scene, const struct kind *kind, const struct chain *chain,
			  uint8_t fourth)
{
	struct blueprint request = request_of(kind);
	struct frame frame;

	frame_build(&request, &frame);
	insert(&frame, chain, fourth);
	expect_bytes(scene, UPLINK, &frame, VERDICT_PASS_PROTOCOL, NULL);
}

static void what_cannot_be_told_or_changed_passes_untouched(void **state)
{
	static const struct chain ON_ITS_WAY = {{IPPROTO_ROUTING, END}, 24};
	static const struct chain SIGNED = {{51, END}, 24}; /* authentication */
	static const struct chain TOO_MANY = {{IPPROTO_DSTOPTS, IPPROTO_DSTOPTS, IPPROTO_DSTOPTS,
					       IPPROTO_DSTOPTS, IPPROTO_DSTOPTS, IPPROTO_DSTOPTS,
					       IPPROTO_DSTOPTS, END},
					      8};
	struct scene *scene = *state;

	scene_offer_all(scene, &ONLY_A);
	scene_own_service(scene);
	for (int i = 0; i < KIND_COUNT; i++) {
		if (KINDS[i].family != IPV6)
			continue;
		expect_passed(scene, &KINDS[i], &ON_ITS_WAY, 1);
		expect_passed(scene, &KINDS[i], &SIGNED, 0);
		expect_passed(scene, &KINDS[i], &TOO_MANY, 0);
	}
}

static void a_chain_that_is_cut_short_passes_untouched(void **state)
{
	static const struct chain LONG = {{IPPROTO_HOPOPTS, IPPROTO_DSTOPTS, END}, 16};
	struct scene *scene = *state;
	struct frame frame;

	scene_offer_all(scene, &ONLY_A);
	for (int i = 0; i < KIND_COUNT; i++) {
		struct blueprint request = request_of(&KINDS[i]);

		if (KINDS[i].family != IPV6)
			continue;
		for (size_t length = EXTENSIONS_AT; length < EXTENSIONS_AT + 32 + 8; length++) {
			frame_build(&request, &frame);
			insert(&frame, &LONG, 0);
			frame.length = length;
			frame_fit_length(&frame);
			expect_bytes(scene, UPLINK, &frame, VERDICT_PASS_MALFORMED, NULL);
		}
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		scene_test(a_packet_is_balanced_behind_its_extension_headers),
		scene_test(what_cannot_be_told_or_changed_passes_untouched),
		scene_test(a_chain_that_is_cut_short_passes_untouched),
	};

	return cmocka_run_group_tests(tests, network_make, NULL);
}
