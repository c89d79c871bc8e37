/*
 * One port of a client, two services, one backend: the second connection gets an alias port, and
 * both work.
 */
#include <arpa/inet.h>
#include <linux/in.h>
#include <string.h>
#include "include/connection.h"
#include "test/bpf/alias_story.h"

#define SERVICES_OF_A_KIND 4 /* so many fit a scene */

static const uint32_t MANY_CONNECTIONS = 4096; /* no bucket is ever full */

static void one_port_reaches_two_services_through_one_backend(void **state)
{
	struct scene *scene = *state;

	offer_one_backend(scene);
	for (int i = 0; i < KIND_COUNT; i++) {
		connect_both(scene, &KINDS[i]);
		for (int turn = 0; turn < 10; turn++)
			talk(scene, &KINDS[i]);
	}
}

static void whichever_comes_second_has_the_alias(void **state)
{
	struct scene *scene = *state;

	offer_one_backend(scene);
	for (int i = 0; i < KIND_COUNT; i++) {
		const struct blueprint request = request_of(&KINDS[i]);
		const struct blueprint other = request_to_other(&KINDS[i]);

		scene_play(scene, &other, "S");
		scene_play(scene, &request, "S");
		assert_int_equal(scene_source_port(scene, &other), other.src_port);
		assert_int_not_equal(scene_source_port(scene, &request), request.src_port);
		scene_play(scene, &request, "sA");
		scene_play(scene, &other, "sA");
		talk(scene, &KINDS[i]);
	}
}

static void each_of_many_services_has_an_alias_of_its_own(void **state)
{
	struct scene *scene = *state;

	for (int i = 0; i < KIND_COUNT; i++) {
		struct blueprint requests[SERVICES_OF_A_KIND];

		for (int service = 0; service < SERVICES_OF_A_KIND; service++) {
			struct offer offer = ONLY_A;

			offer.port = (uint16_t)(SERVICE_PORT + service);
			scene_offer(scene, &KINDS[i], &offer);
			requests[service] = request_of(&KINDS[i]);
			requests[service].dst_port = htons(offer.port);
			scene_play(scene, &requests[service], "SsA");
			for (int before = 0; before < service; before++)
				assert_int_not_equal(scene_source_port(scene, &requests[service]),
						     scene_source_port(scene, &requests[before]));
		}
		for (int service = 0; service < SERVICES_OF_A_KIND; service++)
			scene_play(scene, &requests[service], "AaAa");
	}
}

static void another_backend_is_better_than_an_alias(void **state)
{
	struct scene *scene = *state;
	struct offer both = BOTH;

	both.port = OTHER_PORT;
	scene_offer_all(scene, &ONLY_A);
	scene_offer_all(scene, &both);
	for (int i = 0; i < KIND_COUNT; i++) {
		const struct blueprint request = request_of(&KINDS[i]);
		const struct blueprint other = request_to_other(&KINDS[i]);

		scene_play(scene, &request, "SsA");
		assert_int_equal(request_goes_to(scene, &other), BACKEND_B);
	}
}

/* As netfilter does it, so that who trusts low ports trusts nobody else than before. */
static void an_alias_port_is_as_low_as_the_clients(void **state)
{
	static const uint16_t FIRST[] = {1, 512, 1024, 16384}, LAST[] = {511, 1023, 16383, 65535};
	struct scene *scene = *state;

	offer_one_backend(scene);
	for (int i = 0; i < KIND_COUNT * 4; i++) {
		for (uint32_t port = FIRST[i % 4]; port <= LAST[i % 4]; port += 1 + port / 3) {
			struct blueprint request = request_of(&KINDS[i / 4]);
			struct blueprint other = request_to_other(&KINDS[i / 4]);
			__be16 alias;

			request.src_port = other.src_port = htons((uint16_t)port);
			scene_play(scene, &request, "S");
			request_goes_from(scene, &other, &alias);
			assert_int_not_equal(alias, other.src_port);
			assert_in_range(ntohs(alias), port < 1024 ? FIRST[i % 4] : 1024,
					port < 1024 ? LAST[i % 4] : 65535);
			scene_play(scene, &other, "s");
		}
	}
}

static void checksums_are_right_for_any_payload(void **state)
{
	struct scene *scene = *state;

	offer_one_backend(scene);
	for (int i = 0; i < KIND_COUNT; i++) {
		struct blueprint other = request_to_other(&KINDS[i]), forwarded;
		struct blueprint reply = reply_of(&KINDS[i], BACKEND_A), returned;

		connect_both(scene, &KINDS[i]);
		other.tcp_flags = reply.tcp_flags = ACK;
		reply.dst_port = scene_source_port(scene, &other);
		for (uint32_t word = 1; word < 0x10000; word += 97) {
			other.first_payload_word = reply.first_payload_word = (uint16_t)word;
			other.payload_length = reply.payload_length = 2 + word % 1400;
			forwarded = forwarded_to(&other, BACKEND_A, POD);
			forwarded.src_port = reply.dst_port;
			returned = returned_from_service(&reply, UPLINK);
			returned.src_port = other.dst_port;
			returned.dst_port = other.src_port;

			expect(scene, UPLINK, &other, VERDICT_REDIRECT, &forwarded);
			expect(scene, POD, &reply, VERDICT_REDIRECT, &returned);
		}
	}
}

/* RFC 768: zero says that there is none, and stays. */
static void udp_without_a_checksum_stays_without(void **state)
{
	struct scene *scene = *state;

	offer_one_backend(scene);
	for (int i = 0; i < KIND_COUNT; i++) {
		struct blueprint other = request_to_other(&KINDS[i]), forwarded;
		struct blueprint reply = reply_of(&KINDS[i], BACKEND_A), returned;

		connect_both(scene, &KINDS[i]);
		other.tcp_flags = reply.tcp_flags = ACK;
		other.udp_checksum = reply.udp_checksum = CHECKSUM_NONE;
		reply.dst_port = scene_source_port(scene, &other);
		forwarded = forwarded_to(&other, BACKEND_A, POD);
		forwarded.src_port = reply.dst_port;
		returned = returned_from_service(&reply, UPLINK);
		returned.src_port = other.dst_port;
		returned.dst_port = other.src_port;

		expect(scene, UPLINK, &other, VERDICT_REDIRECT, &forwarded);
		expect(scene, POD, &reply, VERDICT_REDIRECT, &returned);
	}
}

/* Whoever comes from the alias port itself collides with it, and gets an alias in turn. */
static void a_client_may_use_the_alias_port_itself(void **state)
{
	struct scene *scene = *state;

	offer_one_backend(scene);
	for (int i = 0; i < KIND_COUNT; i++) {
		struct blueprint own = request_of(&KINDS[i]),
				 own_other = request_to_other(&KINDS[i]);
		const struct blueprint other = request_to_other(&KINDS[i]);
		__be16 ports[4];

		connect_both(scene, &KINDS[i]);
		own.src_port = own_other.src_port = scene_source_port(scene, &other);
		scene_play(scene, &own_other, "SsA");
		scene_play(scene, &own, "SsA");

		ports[0] = htons(CLIENT_PORT);
		ports[1] = scene_source_port(scene, &other);
		ports[2] = scene_source_port(scene, &own_other);
		ports[3] = scene_source_port(scene, &own);
		for (int a = 0; a < 4; a++)
			for (int b = 0; b < a; b++)
				assert_int_not_equal(ports[a], ports[b]);
		for (int turn = 0; turn < 3; turn++) {
			talk(scene, &KINDS[i]);
			scene_play(scene, &own, "AaA");
			scene_play(scene, &own_other, "AaA");
		}
	}
}

static void occupy(struct scene *scene, const struct kind *kind, __be16 port)
{
	struct blueprint request = request_of(kind);

	request.src_port = port;
	scene_play(scene, &request, "SsA");
}

static void without_a_free_alias_port_a_connection_is_refused(void **state)
{
	struct scene *scene = *state;

	offer_one_backend(scene);
	for (int i = 0; i < KIND_COUNT; i++) {
		struct blueprint last = request_of(&KINDS[i]);
		const struct blueprint other = request_to_other(&KINDS[i]);
		uint32_t entries;

		occupy(scene, &KINDS[i], last.src_port);
		for (uint8_t number = 1; number <= ALIASES; number++)
			if (alias_port(scene, other.src_port, number))
				occupy(scene, &KINDS[i], alias_port(scene, other.src_port, number));
		entries = scene_count_connections(scene);
		expect(scene, UPLINK, &other, VERDICT_DROP_COLLISION, NULL);
		assert_int_equal(scene_count_connections(scene), entries);

		last.src_port = alias_port(scene, other.src_port, 1);
		scene_play(scene, &last, KINDS[i].protocol == IPPROTO_TCP ? "Ff" : "A");
		if (KINDS[i].protocol == IPPROTO_UDP)
			scene_let_pass(scene, &last, UDP_SECONDS + 1);
		scene_play(scene, &other, "SsA");
		assert_int_equal(scene_source_port(scene, &other), last.src_port);
	}
}

static void it_is_one_connection_for_whoever_counts(void **state)
{
	struct scene *scene = *state;

	offer_one_backend(scene);
	for (int i = 0; i < KIND_COUNT; i++) {
		const struct blueprint request = request_of(&KINDS[i]);

		scene_play(scene, &request, "S");
		assert_int_equal(scene_traffic(scene, &KINDS[i]).connections, 1);
		assert_int_equal(scene_count_connections(scene), 2 * i + 1);
		connect_both(scene, &KINDS[i]);
		talk(scene, &KINDS[i]);
		assert_int_equal(scene_count_connections(scene), 2 * i + 2);
	}
}

static void a_lone_fin_or_rst_makes_no_state(void **state)
{
	static const uint8_t FLAGS[] = {FIN | ACK, RST, RST | ACK};
	struct scene *scene = *state;

	offer_one_backend(scene);
	for (int i = 0; i < KIND_COUNT * 3; i++) {
		const struct kind *kind = &KINDS[i / 3];
		struct blueprint request = request_of(kind), other = request_to_other(kind);
		uint32_t entries;
		__be16 port;

		if (kind->protocol == IPPROTO_UDP)
			continue;
		scene_play(scene, &request, "S");
		entries = scene_count_connections(scene);
		other.tcp_flags = FLAGS[i % 3];
		assert_int_equal(request_goes_from(scene, &other, &port), BACKEND_A);
		assert_int_not_equal(port, other.src_port);
		assert_int_equal(scene_count_connections(scene), entries);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		scene_test(one_port_reaches_two_services_through_one_backend),
		scene_test(whichever_comes_second_has_the_alias),
		scene_test(each_of_many_services_has_an_alias_of_its_own),
		scene_test(another_backend_is_better_than_an_alias),
		scene_test(checksums_are_right_for_any_payload),
		scene_test(udp_without_a_checksum_stays_without),
		scene_test(a_client_may_use_the_alias_port_itself),
		scene_test(without_a_free_alias_port_a_connection_is_refused),
		scene_test(it_is_one_connection_for_whoever_counts),
		scene_test(a_lone_fin_or_rst_makes_no_state),
		sized_scene_test(an_alias_port_is_as_low_as_the_clients, &MANY_CONNECTIONS),
	};

	return cmocka_run_group_tests(tests, network_make, NULL);
}
