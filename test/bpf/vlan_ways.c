/*
 * Ways back with tags, in one place of client_hops: at whatever instruction the packet that learns
 * the one is stopped, nobody gets half of it, nor the tags of the other.
 */
#include <arpa/inet.h>
#include <linux/in.h>
#include <string.h>
#include <linux/bpf.h>
#include "include/hash.h"
#include "test/bpf/frame_diff.h"
#include "test/bpf/interleave.h"
#include "test/bpf/tags.h"

/* Two clients of one MAC address, in VLANs whose ways meet. */
struct meeting {
	struct interleaving *interleaving;
	struct blueprint requests[_SIDE_COUNT];
	struct blueprint replies[_SIDE_COUNT];
};

static uint32_t place_of(const struct scene *scene, union tags tags)
{
	struct nexthop hop = {.port = UPLINK | (tags.word ? CLIENT_HOP_TAGGED : 0)};

	memcpy(hop.mac, role_mac(CLIENT), sizeof(hop.mac));
	return (uint32_t)hash_mix(scene->datapath->seed ^ hash_mix(0, tags.word), hop.word) %
	       CLIENT_HOPS;
}

/* Tags whose way leads to the same place as those of `other`. */
static union tags find_tags(const struct scene *scene, union tags other)
{
	union tags tags = VLAN_IN_VLAN(1, 1);

	for (uint32_t i = 0; i < 1 << 24; i++) {
		tags.tag[0].control = htons((uint16_t)(i >> 12));
		tags.tag[1].control = htons((uint16_t)(i & 0xfff));
		if (tags.word != other.word && place_of(scene, tags) == place_of(scene, other))
			return tags;
	}
	fail_msg("no two VLANs meet");
	return tags;
}

static struct meeting open_meeting(struct scene *scene, const struct kind *kind,
				   const union tags tags[_SIDE_COUNT])
{
	struct meeting meeting = {.interleaving = interleaving_new(scene)};

	scene_offer(scene, kind, &ONLY_A);
	for (int side = 0; side < _SIDE_COUNT; side++) {
		meeting.requests[side] = request_of(kind);
		meeting.requests[side].src_port = htons((uint16_t)(CLIENT_PORT + side));
		meeting.requests[side].tags = tags[side];
		meeting.replies[side] = reply_of(kind, BACKEND_A);
		meeting.replies[side].dst_port = meeting.requests[side].src_port;
		meeting.interleaving->in[side] = UPLINK;
	}
	return meeting;
}

static void clear(const struct meeting *meeting)
{
	interleaving_clear(meeting->interleaving);
	memset(meeting->interleaving->client_hops.memory, 0,
	       meeting->interleaving->client_hops.size);
}

static void expect_own_tags(const struct meeting *meeting, enum side side, uint64_t stop)
{
	struct blueprint wanted = returned_from_service(&meeting->replies[side], UPLINK);
	static struct frame frame;

	wanted.tags = meeting->requests[side].tags;
	frame_build(&wanted, &frame);
	interleaving_send(meeting->interleaving, POD, &meeting->replies[side]);
	if (frame_equal(&meeting->interleaving->frames[MEANWHILE], &frame))
		return;
	frame_print_difference(&meeting->interleaving->frames[MEANWHILE], &frame);
	fail_msg("stopped before instruction %llu, packet %d gets another reply",
		 (unsigned long long)stop, (int)side);
}

static void meet(struct scene *scene, const union tags tags[_SIDE_COUNT])
{
	for (int kind = 0; kind < KIND_COUNT; kind += KIND_COUNT - 1) {
		struct meeting meeting = open_meeting(scene, &KINDS[kind], tags);
		bool has_stopped = true;

		for (uint64_t stop = 0; has_stopped; stop++) {
			clear(&meeting);
			meeting.interleaving->in[MEANWHILE] = UPLINK;
			has_stopped = interleave(meeting.interleaving, &meeting.requests[STOPPED],
						 &meeting.requests[MEANWHILE], stop);
			if (!has_stopped)
				break;
			expect_own_tags(&meeting, STOPPED, stop);
			expect_own_tags(&meeting, MEANWHILE, stop);
		}
		interleaving_free(meeting.interleaving);
	}
}

static void two_ways_that_meet_keep_their_tags(void **state)
{
	struct scene *scene = *state;
	union tags tags[_SIDE_COUNT] = {[STOPPED] = VLAN(10)};

	tags[MEANWHILE] = find_tags(scene, tags[STOPPED]);
	meet(scene, tags);
}

static void one_way_learnt_twice_at_once_keeps_its_tags(void **state)
{
	const union tags tags[_SIDE_COUNT] = {VLAN_IN_VLAN(100, 10), VLAN_IN_VLAN(100, 10)};

	meet(*state, tags);
}

static void a_way_without_tags_gets_none_of_another(void **state)
{
	struct scene *scene = *state;
	union tags tags[_SIDE_COUNT] = {[MEANWHILE] = NO_TAGS};

	tags[STOPPED] = find_tags(scene, tags[MEANWHILE]);
	meet(scene, tags);
	tags[MEANWHILE] = tags[STOPPED];
	tags[STOPPED] = NO_TAGS;
	meet(scene, tags);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		scene_test(two_ways_that_meet_keep_their_tags),
		scene_test(one_way_learnt_twice_at_once_keeps_its_tags),
		scene_test(a_way_without_tags_gets_none_of_another),
	};

	return cmocka_run_group_tests(tests, network_make, NULL);
}
