/*
 * Fragments that come before the first of their datagram: handed to lbd as they came, and once that
 * one is there, sent through the datapath again like any other.
 */
#include <errno.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>
#include "test/bpf/fragment_story.h"
#include "test/bpf/frame_diff.h"

#define MAX_CAUGHT 64
#define RING_BYTES (1 << 20)

static struct crossing crossing; /* of the test that runs: too long for comfort on the stack */

/* What lbd would have been handed. */
static struct {
	size_t count;
	struct early_fragment early[MAX_CAUGHT];
} caught;

static void catch (void *context, const struct early_fragment *early)
{
	(void)context;
	assert_in_range(caught.count, 0, MAX_CAUGHT - 1);
	caught.early[caught.count++] = *early;
}

static size_t take(struct scene *scene, unsigned int most)
{
	caught.count = 0;
	assert_int_equal(datapath_take_events(scene->datapath, most, catch, NULL), 0);
	return caught.count;
}

static void listen_to_events(struct scene *scene)
{
	assert_true(datapath_open_events(scene->datapath) >= 0);
}

/* As the interface's driver would hand it in, its counters apart from those of the test. */
static void send_again(struct scene *scene, const struct early_fragment *early)
{
	assert_int_equal(
		datapath_send_again(scene->datapath, early->ifindex, early->frame, early->length),
		0);
	assert_int_equal(datapath_read_verdicts(scene->datapath, scene->counters), 0);
}

static void expect_arrival(int listener, const struct frame *wanted)
{
	static struct frame got;
	ssize_t length;

	do {
		length = recv(listener, got.bytes, sizeof(got.bytes), 0);
		if (length < 0)
			fail_msg("the frame does not arrive: %s", strerror(errno));
		got.length = (size_t)length;
	} while (memcmp(got.bytes, wanted->bytes, ETH_ALEN));
	if (frame_equal(&got, wanted))
		return;
	frame_print_difference(&got, wanted);
	fail_msg("another frame arrives than wanted");
}

static void expect_caught(const struct early_fragment *early, const struct cut *cut)
{
	static struct frame frame;

	frame_cut(&crossing.comes, cut, &frame);
	assert_int_equal(early->kind, EVENT_EARLY_FRAGMENT);
	assert_int_equal(early->ifindex, network_ifindex(crossing.in));
	assert_int_equal(early->length, frame.length);
	assert_memory_equal(early->frame, frame.bytes, frame.length);
}

/* The last first, the first last: all arrive, each as if it had come in its turn. */
static void play_backwards(struct scene *scene, uint32_t identification, int listener)
{
	const struct cut first = piece_of(0, identification);
	static struct frame wanted;
	struct cut cut;

	for (size_t number = PIECE_COUNT; --number;) {
		cut = piece_of(number, identification);
		expect_piece(scene, &crossing, &cut, VERDICT_DROP_FRAGMENT_HELD);
	}
	assert_int_equal(take(scene, MAX_CAUGHT), PIECE_COUNT - 1);
	assert_false(datapath_has_first_fragment(scene->datapath, &caught.early[0].key));
	expect_piece(scene, &crossing, &first, VERDICT_REDIRECT);
	for (size_t number = PIECE_COUNT; --number;) {
		const struct early_fragment *early = &caught.early[PIECE_COUNT - 1 - number];

		cut = piece_of(number, identification);
		expect_caught(early, &cut);
		assert_true(datapath_has_first_fragment(scene->datapath, &early->key));
		send_again(scene, early);
		frame_cut(&crossing.leaves, &cut, &wanted);
		expect_arrival(listener, &wanted);
	}
	assert_int_equal(take(scene, MAX_CAUGHT), 0);
}

static void pieces_before_their_first_follow_it(void **state)
{
	struct scene *scene = *state;
	int at_backend = network_listen(POD), at_client = network_listen(UPLINK);

	assert_true(at_backend >= 0 && at_client >= 0);
	listen_to_events(scene);
	scene_offer_all(scene, &ONLY_A);
	for (int i = 0; i < KIND_COUNT; i++) {
		cross_request(&KINDS[i], SYN, &crossing);
		play_backwards(scene, (uint32_t)i, at_backend);
		cross_reply(&KINDS[i], SYN | ACK, &crossing);
		play_backwards(scene, (uint32_t)i, at_client);
	}
	close(at_backend);
	close(at_client);
}

static void what_lies_in_later_buffers_is_handed_over_too(void **state)
{
	const struct cut cut = piece_of(1, 1);
	struct scene *scene = *state;

	listen_to_events(scene);
	scene_offer_all(scene, &ONLY_A);
	scene->linear = 128;
	for (int i = 0; i < KIND_COUNT; i++) {
		cross_request(&KINDS[i], SYN, &crossing);
		expect_piece(scene, &crossing, &cut, VERDICT_DROP_FRAGMENT_HELD);
		assert_int_equal(take(scene, MAX_CAUGHT), 1);
		expect_caught(&caught.early[0], &cut);
	}
}

static void a_piece_larger_than_a_record_is_dropped(void **state)
{
	const struct cut cut = {.offset = 8 * 10, .length = EVENT_FRAME_MAX, .identification = 1};
	struct scene *scene = *state;

	listen_to_events(scene);
	scene_offer_all(scene, &ONLY_A);
	for (int i = 0; i < KIND_COUNT; i++) {
		cross_request(&KINDS[i], SYN, &crossing);
		expect_piece(scene, &crossing, &cut, VERDICT_DROP_FRAGMENT_EARLY);
	}
	assert_int_equal(take(scene, MAX_CAUGHT), 0);
}

/* As many as fit without an lbd that takes them; those after that are dropped until one does. */
static void what_finds_no_room_is_dropped_and_counted(void **state)
{
	const uint32_t most = RING_BYTES / sizeof(struct early_fragment);
	struct counter counters[_VERDICT_COUNT];
	static struct frame frame;
	struct scene *scene = *state;

	listen_to_events(scene);
	scene_offer_all(scene, &ONLY_A);
	cross_request(&KINDS[1], SYN, &crossing);
	for (uint32_t i = 0; i < 2 * most; i++) {
		const struct cut cut = piece_of(1, i);

		frame_cut(&crossing.comes, &cut, &frame);
		scene_send(scene, UPLINK, &frame);
	}
	assert_int_equal(datapath_read_verdicts(scene->datapath, counters), 0);
	assert_int_equal(counters[VERDICT_DROP_FRAGMENT_HELD].packets +
				 counters[VERDICT_DROP_FRAGMENT_EARLY].packets,
			 2 * most);
	assert_in_range(counters[VERDICT_DROP_FRAGMENT_HELD].packets, most / 2, most);

	assert_int_equal(take(scene, 3), 3);
	assert_int_equal(take(scene, 1), 1);
	memcpy(scene->counters, counters, sizeof(counters));
	for (uint32_t i = 0; i < 3; i++) {
		const struct cut cut = piece_of(1, i);

		expect_piece(scene, &crossing, &cut, VERDICT_DROP_FRAGMENT_HELD);
	}
}

static void a_piece_to_another_host_is_not_held(void **state)
{
	const struct cut cut = piece_of(1, 1);
	struct scene *scene = *state;

	listen_to_events(scene);
	scene_offer_all(scene, &ONLY_A);
	for (int i = 0; i < KIND_COUNT; i++) {
		struct blueprint packet = request_of(&KINDS[i]);

		packet.payload_length = DATAGRAM_BYTES;
		memcpy(packet.to_mac, role_mac(STRANGER), ETH_ALEN);
		cross(&packet, UPLINK, &packet, &crossing);
		expect_piece(scene, &crossing, &cut, VERDICT_PASS_FRAGMENT);
	}
	assert_int_equal(take(scene, MAX_CAUGHT), 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		scene_test(pieces_before_their_first_follow_it),
		scene_test(what_lies_in_later_buffers_is_handed_over_too),
		scene_test(a_piece_larger_than_a_record_is_dropped),
		scene_test(what_finds_no_room_is_dropped_and_counted),
		scene_test(a_piece_to_another_host_is_not_held),
	};

	return cmocka_run_group_tests(tests, network_make, NULL);
}
