/*
 * Above its limit of new connections a service is balanced by its ring, and remembers nothing.
 */
#include <arpa/inet.h>
#include <string.h>
#include "test/bpf/fragment_story.h"
#include "test/bpf/scene.h"

#define LIMIT 4
#define OTHER_PORT 81

static void limit_new_connections(struct datapath_options *options)
{
	options->max_new_connections = LIMIT;
}

static int limited_scene_open(void **state)
{
	return scene_open_changed(state, limit_new_connections);
}

/* As many connections as the service may start in this second. */
static void use_up(struct scene *scene, const struct kind *kind, uint16_t port)
{
	struct blueprint request = request_of(kind);

	request.dst_port = htons(port);
	for (uint16_t i = 0; i < LIMIT; i++) {
		request.src_port = htons((uint16_t)(1000 + i));
		request_goes_to(scene, &request);
	}
}

static struct blueprint reply_to(const struct blueprint *request, const struct kind *kind,
				 enum role backend)
{
	struct blueprint reply = reply_of(kind, backend);

	reply.dst_port = request->src_port;
	return reply;
}

static void what_is_one_too_many_makes_no_entry_and_is_answered(void **state)
{
	struct scene *scene = *state;

	scene_offer_all(scene, &BOTH);
	for (int i = 0; i < KIND_COUNT; i++) {
		struct blueprint request = request_of(&KINDS[i]), reply, returned;
		const uint32_t before = scene_count_connections(scene);
		enum role backend;

		use_up(scene, &KINDS[i], SERVICE_PORT);
		backend = request_goes_to(scene, &request);
		reply = reply_to(&request, &KINDS[i], backend);
		returned = returned_from_service(&reply, UPLINK);

		assert_int_equal(scene_count_connections(scene), before + LIMIT);
		expect(scene, POD, &reply, VERDICT_REDIRECT, &returned);
	}
}

static void a_flow_keeps_its_backend_without_an_entry(void **state)
{
	struct scene *scene = *state;

	scene_offer_all(scene, &BOTH);
	for (int i = 0; i < KIND_COUNT; i++) {
		struct blueprint request = request_of(&KINDS[i]);
		enum role first;

		use_up(scene, &KINDS[i], SERVICE_PORT);
		for (uint16_t flow = 0; flow < 20; flow++) {
			request.src_port = htons((uint16_t)(2000 + flow));
			request.tcp_flags = SYN;
			first = request_goes_to(scene, &request);
			request.tcp_flags = ACK;
			assert_int_equal(request_goes_to(scene, &request), first);
		}
	}
}

static void send_pieces(struct scene *scene, const struct crossing *crossing)
{
	for (size_t number = 0; number < PIECE_COUNT; number++) {
		const struct cut cut = piece_of(number, FIRST_IDENTIFICATION);

		expect_piece(scene, crossing, &cut, VERDICT_REDIRECT);
	}
}

static void pieces_of_a_datagram_need_no_entry(void **state)
{
	static struct crossing crossing;
	struct scene *scene = *state;

	scene_offer_all(scene, &ONLY_A);
	for (int i = 0; i < KIND_COUNT; i++) {
		const uint32_t before = scene_count_connections(scene);

		use_up(scene, &KINDS[i], SERVICE_PORT);
		cross_request(&KINDS[i], SYN, &crossing);
		send_pieces(scene, &crossing);
		cross_reply(&KINDS[i], SYN | ACK, &crossing);
		send_pieces(scene, &crossing);
		assert_int_equal(scene_count_connections(scene), before + LIMIT);
	}
}

static void expect_passed(struct scene *scene, const struct blueprint *reply)
{
	expect(scene, POD, reply, VERDICT_PASS_NO_SERVICE, NULL);
}

/* The pod's own business: nobody sent it there through the service. */
static void a_reply_to_nobody_that_was_balanced_passes(void **state)
{
	struct scene *scene = *state;

	scene_offer_all(scene, &ONLY_A);
	for (int i = 0; i < KIND_COUNT; i++) {
		struct blueprint request = request_of(&KINDS[i]), reply;

		use_up(scene, &KINDS[i], SERVICE_PORT);
		request_goes_to(scene, &request);

		reply = reply_to(&request, &KINDS[i], BACKEND_A);
		reply.dst_port = htons(CLIENT_PORT + 1);
		expect_passed(scene, &reply);
		reply = reply_to(&request, &KINDS[i], BACKEND_A);
		reply.dst = role_address(STRANGER, KINDS[i].family);
		expect_passed(scene, &reply);
		reply = reply_to(&request, &KINDS[i], BACKEND_B);
		expect_passed(scene, &reply);
	}
}

/* A reply of such a backend could be either service's, so connections to it are remembered. */
static void a_backend_of_two_services_gets_entries(void **state)
{
	struct scene *scene = *state;
	struct offer other = ONLY_A;

	other.port = OTHER_PORT;
	for (int i = 0; i < KIND_COUNT; i++) {
		struct blueprint request = request_of(&KINDS[i]);
		struct connection connection;

		scene_offer(scene, &KINDS[i], &ONLY_A);
		scene_offer(scene, &KINDS[i], &other);
		use_up(scene, &KINDS[i], SERVICE_PORT);
		request_goes_to(scene, &request);
		assert_true(scene_find(scene, &request, &connection));

		scene_withdraw_port(scene, &KINDS[i], OTHER_PORT);
		request.src_port = htons(CLIENT_PORT + 1);
		request_goes_to(scene, &request);
		assert_false(scene_find(scene, &request, &connection));
	}
}

/* Whose next packet would go elsewhere. */
static void algorithms_without_memory_of_a_flow_make_entries(void **state)
{
	static const enum algorithm ALGORITHMS[] = {ALGORITHM_RANDOM, ALGORITHM_ROUND_ROBIN};
	struct scene *scene = *state;
	struct connection connection;

	for (int i = 0; i < KIND_COUNT * 2; i++) {
		const struct kind *kind = &KINDS[i / 2];
		struct blueprint request = request_of(kind);
		struct offer both = BOTH;

		both.algorithm = ALGORITHMS[i % 2];
		scene_offer(scene, kind, &both);
		use_up(scene, kind, SERVICE_PORT);
		request.src_port = htons((uint16_t)(CLIENT_PORT + i % 2));
		request_goes_to(scene, &request);
		assert_true(scene_find(scene, &request, &connection));
	}
}

static void a_connection_that_is_known_is_no_new_one(void **state)
{
	struct scene *scene = *state;

	scene_offer_all(scene, &ONLY_A);
	for (int i = 0; i < KIND_COUNT; i++) {
		struct blueprint request = request_of(&KINDS[i]);
		struct connection connection;

		request_goes_to(scene, &request);
		use_up(scene, &KINDS[i], SERVICE_PORT);
		for (int packet = 0; packet < 3; packet++)
			request_goes_to(scene, &request);
		assert_true(scene_find(scene, &request, &connection));
	}
}

#define limited_scene_test(function)                                                               \
	cmocka_unit_test_setup_teardown(function, limited_scene_open, scene_close)

int main(void)
{
	const struct CMUnitTest tests[] = {
		limited_scene_test(what_is_one_too_many_makes_no_entry_and_is_answered),
		limited_scene_test(a_flow_keeps_its_backend_without_an_entry),
		limited_scene_test(pieces_of_a_datagram_need_no_entry),
		limited_scene_test(a_reply_to_nobody_that_was_balanced_passes),
		limited_scene_test(a_backend_of_two_services_gets_entries),
		limited_scene_test(algorithms_without_memory_of_a_flow_make_entries),
		limited_scene_test(a_connection_that_is_known_is_no_new_one),
	};

	return cmocka_run_group_tests(tests, network_make, NULL);
}
