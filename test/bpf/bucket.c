/*
 * A table of one bucket against its model, packet by packet: verdict, backend, the frame that
 * leaves and every entry. Time is set back and backends change at random. $LBT_SEED: another run;
 * $LBT_STEPS: a longer one.
 */
#include <arpa/inet.h>
#include <bpf/bpf.h>
#include <linux/bpf.h>
#include <linux/in.h>
#include <string.h>
#include "test/bpf/answer_story.h"
#include "test/bpf/bucket_model.h"
#include "test/bpf/chance.h"
#include "test/bpf/frame_diff.h"

#define STEPS 40000
#define CALLERS 24
#define SERVICES 3

static const uint32_t BUCKET_CONNECTIONS = 2; /* eight entries */

static const enum role BACKENDS[] = {BACKEND_A, BACKEND_B};

struct play {
	struct scene *scene;
	struct model model;
	struct chance chance;
	uint32_t step;
	uint64_t verdicts[_VERDICT_COUNT];
	uint64_t aliased; /* packets that left with another port of the client's */
};

struct ran {
	enum verdict verdict;
	struct frame frame;
};

static uint32_t read_clock(const struct scene *scene)
{
	LIBBPF_OPTS(bpf_test_run_opts, options);

	bpf_prog_test_run_opts(bpf_program__fd(scene->datapath->skeleton->progs.clock), &options);
	return options.retval;
}

static void run(struct scene *scene, const struct model_packet *packet, struct ran *ran)
{
	struct xdp_md context = {.ingress_ifindex = network_ifindex(packet->in)};
	struct counter counters[_VERDICT_COUNT];
	static struct frame frame;
	LIBBPF_OPTS(bpf_test_run_opts, options, .data_in = frame.bytes,
		    .data_out = ran->frame.bytes, .data_size_out = FRAME_MAX, .ctx_in = &context,
		    .ctx_size_in = sizeof(context));

	frame_build(&packet->blueprint, &frame);
	context.data_end = options.data_size_in = (__u32)frame.length;
	assert_int_equal(bpf_prog_test_run_opts(
				 bpf_program__fd(scene->datapath->skeleton->progs.lb), &options),
			 0);
	ran->frame.length = options.data_size_out;
	assert_int_equal(datapath_read_verdicts(scene->datapath, counters), 0);
	ran->verdict = VERDICT_CONTINUE;
	for (int i = 0; i < _VERDICT_COUNT; i++)
		if (counters[i].packets != scene->counters[i].packets)
			ran->verdict = (enum verdict)i;
	memcpy(scene->counters, counters, sizeof(counters));
}

static struct blueprint forwarded(const struct model_packet *sent,
				  const struct model_packet *judged)
{
	struct blueprint leaves = sent->blueprint;

	if (sent->in == UPLINK) {
		leaves.src_port = judged->client_port;
		return forwarded_to(&leaves, role_of_address(&judged->backend.address), POD);
	}
	if (judged->becomes_reset)
		leaves.tcp_flags = RST | (leaves.tcp_flags & ACK);
	leaves = returned_from_service(&leaves, UPLINK);
	leaves.dst_port = judged->client_port;
	leaves.src_port = judged->backend.service_port;
	memcpy(leaves.to_mac, judged->blueprint.to_mac, ETH_ALEN);
	return leaves;
}

/* What leaves by the model's word. */
static void build_leaving(const struct model_packet *sent, const struct model_packet *judged,
			  struct frame *frame)
{
	struct blueprint leaves = sent->blueprint;

	if (judged->verdict == VERDICT_ANSWER_RESET ||
	    judged->verdict == VERDICT_ANSWER_UNREACHABLE) {
		answer_packet(&leaves, judged->verdict, frame);
		return;
	}
	if (judged->verdict == VERDICT_REDIRECT)
		leaves = forwarded(sent, judged);
	frame_build(&leaves, frame);
}

/* Whether it went as the model says it goes at that time; then the model has gone along. */
static bool went_as_at(struct play *play, const struct model_packet *packet, uint32_t now,
		       const struct ran *ran)
{
	static struct frame wanted;
	struct model model = play->model;
	struct model_packet judged = *packet;

	judged.now = now;
	if (packet->in == UPLINK)
		model_request(&model, &judged);
	else
		model_reply(&model, &judged);
	build_leaving(packet, &judged, &wanted);
	if (judged.verdict != ran->verdict || !frame_equal(&ran->frame, &wanted) ||
	    !model_is_table(&model))
		return false;
	play->model = model;
	play->aliased += judged.verdict == VERDICT_REDIRECT &&
			 judged.client_port != (packet->in == UPLINK ? packet->blueprint.src_port
								     : packet->blueprint.dst_port);
	return true;
}

/* The tick may have come while the packet was on its way. */
static void play_packet(struct play *play, const struct model_packet *packet)
{
	static struct ran ran;
	const uint32_t before = read_clock(play->scene);

	run(play->scene, packet, &ran);
	play->verdicts[ran.verdict]++;
	for (uint32_t now = before; now <= read_clock(play->scene); now++)
		if (went_as_at(play, packet, now, &ran))
			return;
	fail_msg("seed %llu, step %u: a %s from port %u with flags %u is verdict %d, which is not "
		 "what the model says, or not with these entries",
		 (unsigned long long)chance_seed(), play->step,
		 packet->in == UPLINK ? "request" : "reply", ntohs(packet->blueprint.src_port),
		 packet->blueprint.tcp_flags, (int)ran.verdict);
}

static uint8_t choose_flags(struct chance *chance)
{
	const uint32_t draw = chance_below(chance, 100);

	if (draw < 40)
		return SYN;
	if (draw < 94)
		return ACK;
	return draw < 98 ? FIN | ACK : RST | ACK;
}

static struct blueprint request_by(uint32_t caller, uint32_t service)
{
	struct blueprint request = request_of(&KINDS[caller % KIND_COUNT]);

	request.src.word[3] ^= htonl(caller / KIND_COUNT % 2 << 9);
	request.src_port = htons((uint16_t)(5000 + caller / KIND_COUNT / 2));
	request.dst_port = htons((uint16_t)(SERVICE_PORT + service));
	return request;
}

static struct model_packet request_by_chance(struct play *play, uint32_t caller)
{
	return (struct model_packet){
		.blueprint = request_by(caller, chance_below(&play->chance, SERVICES)),
		.in = UPLINK,
	};
}

static struct model_packet reply_by_chance(struct play *play, uint32_t caller)
{
	const struct blueprint request = request_by(caller, 0);
	struct model_packet packet = {.in = POD};

	packet.blueprint =
		reply_of(&KINDS[caller % KIND_COUNT], BACKENDS[chance_below(&play->chance, 2)]);
	packet.blueprint.dst = request.src;
	packet.blueprint.dst_port = request.src_port;
	return packet;
}

/* Of a connection that is in the table: so that some are established. */
static struct model_packet known_by_chance(struct play *play, const struct model_entry *entry)
{
	struct model_packet packet = {.in = UPLINK};
	struct backend_record record;
	__be16 port = entry->port;
	uint32_t caller = 0;

	if (entry->alias)
		port = model_other_port(&play->model, port, entry->alias);
	datapath_get_backend(play->scene->datapath, entry->handle & BACKEND_INDEX_MASK, &record);
	for (; caller < CALLERS; caller++) {
		packet.blueprint = request_by(caller, ntohs(record.service_port) - SERVICE_PORT);
		if (port == packet.blueprint.src_port &&
		    entry->protocol == packet.blueprint.protocol &&
		    !memcmp(&entry->client, &packet.blueprint.src, sizeof(entry->client)))
			break;
	}
	if (chance_percent(&play->chance, 50))
		return packet;
	packet = reply_by_chance(play, caller);
	packet.blueprint.src = record.address;
	packet.blueprint.dst_port = entry->port;
	return packet;
}

static void send_something(struct play *play)
{
	struct chance *chance = &play->chance;
	const struct model_entry *entry = &play->model.way[chance_below(chance, CONNECTION_WAYS)];
	const uint32_t caller = chance_below(chance, CALLERS);
	struct model_packet packet;

	if (entry->used && chance_percent(chance, 75))
		packet = known_by_chance(play, entry);
	else if (chance_percent(chance, 70))
		packet = request_by_chance(play, caller);
	else
		packet = reply_by_chance(play, caller);
	if (packet.in == UPLINK && chance_percent(chance, 20))
		memcpy(packet.blueprint.from_mac, role_mac(STRANGER), ETH_ALEN);
	packet.blueprint.tcp_flags = choose_flags(chance);
	play_packet(play, &packet);
}

/* As if nothing had been seen of a connection for a while; near every timeout, too. */
static void set_back(struct play *play)
{
	static const uint32_t SECONDS[] = {0,
					   1,
					   TCP_CLOSED_SECONDS,
					   TCP_OPENING_SECONDS - 1,
					   TCP_OPENING_SECONDS,
					   UDP_SECONDS,
					   TCP_CLOSING_SECONDS,
					   TCP_ESTABLISHED_SECONDS};
	const uint32_t way = chance_below(&play->chance, CONNECTION_WAYS);
	const uint32_t jiffies = SECONDS[chance_below(&play->chance, 8)] *
					 play->scene->datapath->jiffies_per_second +
				 chance_below(&play->chance, 40);
	struct connection *entries = play->scene->connections.memory;

	entries[way].state.last_seen -= jiffies;
	play->model.way[way].last_seen -= jiffies;
}

static void change_backends(struct play *play)
{
	struct offer offer = {
		.port = (uint16_t)(SERVICE_PORT + chance_below(&play->chance, SERVICES))};

	for (int i = 0; i < 2; i++)
		offer.backends[BACKENDS[i]] =
			chance_percent(&play->chance, 60)
				? BACKEND_ACTIVE
				: chance_below(&play->chance, _BACKEND_STATE_COUNT);
	scene_offer(play->scene, &KINDS[chance_below(&play->chance, KIND_COUNT)], &offer);
}

static void step(struct play *play)
{
	const uint32_t draw = chance_below(&play->chance, 100);

	if (draw < 1)
		change_backends(play);
	else if (draw < 6)
		set_back(play);
	else
		send_something(play);
}

static void a_bucket_is_what_its_model_says_after_every_packet(void **state)
{
	const uint32_t steps = chance_setting("LBT_STEPS", STEPS);
	static struct play play;

	play = (struct play){.scene = *state, .chance = chance_of(4)};
	play.model.scene = play.scene;
	for (uint32_t service = 0; service < SERVICES; service++) {
		struct offer offer = BOTH;

		offer.port = (uint16_t)(SERVICE_PORT + service);
		scene_offer_all(play.scene, &offer);
	}
	for (; play.step < steps; play.step++)
		step(&play);
	print_message("# seed %llu, %u steps:", (unsigned long long)chance_seed(), steps);
	for (int i = 0; i < _VERDICT_COUNT; i++)
		if (play.verdicts[i])
			print_message(" %llu of verdict %d", (unsigned long long)play.verdicts[i],
				      i);
	print_message("; %llu with an alias\n", (unsigned long long)play.aliased);
	assert_true(play.aliased);
	assert_true(play.verdicts[VERDICT_DROP_TABLE] && play.verdicts[VERDICT_DROP_COLLISION] &&
		    play.verdicts[VERDICT_DROP_BACKEND_GONE]);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		sized_scene_test(a_bucket_is_what_its_model_says_after_every_packet,
				 &BUCKET_CONNECTIONS),
	};

	return cmocka_run_group_tests(tests, network_make, NULL);
}
