/*
 * Echo requests (ping) to an address of services: answered by us, whatever port is served there.
 */
#include <linux/in.h>
#include <linux/in6.h>
#include <string.h>
#include "test/bpf/answer_builder.h"
#include "test/bpf/icmp_builder.h"
#include "test/bpf/scene.h"
#include "test/bpf/tags.h"

static const struct kind *const OF_FAMILY[_FAMILY_COUNT] = {&KINDS[0], &KINDS[KIND_COUNT - 1]};

/* CLIENT pings SERVICE. */
static struct icmp_echo ping(enum family family)
{
	return (struct icmp_echo){
		.envelope = request_of(OF_FAMILY[family]),
		.type = family == IPV6 ? 128 : 8,
		.data_length = 56,
	};
}

/* What is sent for a ping, whose message begins at `transport`. */
static void expect_reply(struct scene *scene, enum interface in, const struct frame *asked,
			 size_t network, size_t transport)
{
	static struct frame reply;
	const struct refused_frame refused = {
		.frame = asked, .network = network, .transport = transport};

	frame_build_echo_reply(&refused, &reply);
	expect_frame(scene, in, asked, VERDICT_ANSWER_ECHO, &reply);
}

static void expect_echo(struct scene *scene, enum interface in, const struct icmp_echo *echo)
{
	static struct frame asked;
	const size_t network = blueprint_network(&echo->envelope);
	const size_t header =
		blueprint_is_ipv6(&echo->envelope) ? 40 : 20 + echo->envelope.options_length;

	frame_build_echo(echo, &asked);
	expect_reply(scene, in, &asked, network, network + header);
}

static void expect_untouched(struct scene *scene, const struct icmp_echo *echo,
			     enum verdict verdict)
{
	static struct frame frame;

	frame_build_echo(echo, &frame);
	expect_bytes(scene, UPLINK, &frame, verdict, NULL);
}

static void a_ping_of_a_services_address_is_answered(void **state)
{
	static const size_t LENGTHS[] = {0, 1, 7, 56, 1472, 3000, 8000};
	struct scene *scene = *state;

	scene_offer_all(scene, &ONLY_A);
	for (int family = 0; family < _FAMILY_COUNT; family++) {
		for (size_t row = 0; row < sizeof(LENGTHS) / sizeof(LENGTHS[0]); row++) {
			struct icmp_echo echo = ping((enum family)family);

			echo.data_length = LENGTHS[row];
			scene->line = __LINE__;
			expect_echo(scene, UPLINK, &echo);
			memcpy(echo.envelope.to_mac, interface_mac(POD), ETH_ALEN);
			expect_echo(scene, POD, &echo);
		}
	}
	assert_int_equal(scene_count_connections(scene), 0);
}

static void a_ping_is_answered_without_options_and_padding(void **state)
{
	struct scene *scene = *state;

	scene_offer_all(scene, &ONLY_A);
	for (size_t options = 0; options <= IPV4_OPTIONS_MAX; options += 4) {
		struct icmp_echo echo = ping(IPV4);

		echo.envelope.options_length = options;
		echo.envelope.padding_length = options + 3;
		scene->line = __LINE__;
		expect_echo(scene, UPLINK, &echo);
	}
	for (size_t length = 0; length < 20; length++) {
		struct icmp_echo echo = ping(IPV6);

		echo.data_length = length;
		echo.envelope.padding_length = length;
		scene->line = __LINE__;
		expect_echo(scene, UPLINK, &echo);
	}
}

/* Destination options of `length` bytes between IPv6 and the message. */
static void insert_options(struct frame *frame, size_t length)
{
	uint8_t *ip = &frame->bytes[ETH_HLEN], *at = ip + 40;

	memmove(at + length, at, frame->length - ETH_HLEN - 40);
	memset(at, 0, length);
	at[0] = ip[6];
	at[1] = (uint8_t)(length / 8 - 1);
	ip[6] = IPPROTO_DSTOPTS;
	frame->length += length;
	frame_fit_length(frame);
}

static void a_ping_is_answered_without_extension_headers(void **state)
{
	static struct frame frame;
	struct scene *scene = *state;

	scene_offer_all(scene, &ONLY_A);
	for (size_t length = 8; length <= 256; length *= 2) {
		const struct icmp_echo echo = ping(IPV6);

		frame_build_echo(&echo, &frame);
		insert_options(&frame, length);
		scene->line = __LINE__;
		expect_reply(scene, UPLINK, &frame, ETH_HLEN, ETH_HLEN + 40 + length);
	}
}

static void a_ping_is_answered_in_its_vlan(void **state)
{
	static const union tags TAGS[] = {
		{.tag = {TAG(CUSTOMER, 10)}},
		{.tag = {TAG(PROVIDER, 100), TAG(CUSTOMER, 10)}},
	};
	struct scene *scene = *state;

	scene_offer_all(scene, &ONLY_A);
	for (int row = 0; row < 2 * _FAMILY_COUNT; row++) {
		struct icmp_echo echo = ping((enum family)(row % 2));

		echo.envelope.tags = TAGS[row / 2];
		scene->line = __LINE__;
		expect_echo(scene, UPLINK, &echo);
	}
}

/* Its sender has to find out that what comes back is not what it has sent. */
static void a_wrong_checksum_stays_wrong(void **state)
{
	static struct frame asked, reply;
	struct scene *scene = *state;

	scene_offer_all(scene, &ONLY_A);
	for (int family = 0; family < _FAMILY_COUNT; family++) {
		const struct icmp_echo echo = ping((enum family)family);
		const struct refused_frame refused = {
			.frame = &asked,
			.network = ETH_HLEN,
			.transport = ETH_HLEN + (family == IPV6 ? 40 : 20),
		};

		frame_build_echo(&echo, &asked);
		frame_build_echo_reply(&refused, &reply);
		asked.bytes[asked.length - 1] ^= 0x40;
		reply.bytes[reply.length - 1] ^= 0x40;
		expect_bytes(scene, UPLINK, &asked, VERDICT_ANSWER_ECHO, &reply);
	}
}

static void other_addresses_are_not_answered_for(void **state)
{
	struct scene *scene = *state;

	scene_offer_all(scene, &ONLY_A);
	for (int family = 0; family < _FAMILY_COUNT; family++) {
		for (int role = 0; role < _ROLE_COUNT; role++) {
			struct icmp_echo echo = ping((enum family)family);

			echo.envelope.dst = role_address((enum role)role, (enum family)family);
			if (role != SERVICE)
				expect_untouched(scene, &echo, VERDICT_PASS_PROTOCOL);
		}
	}
}

static void an_address_is_answered_for_while_any_port_of_it_is_served(void **state)
{
	const struct offer on_81 = {.port = 81, .backends = {[BACKEND_A] = BACKEND_ACTIVE}};
	struct scene *scene = *state;

	for (int family = 0; family < _FAMILY_COUNT; family++) {
		const struct kind *kind = OF_FAMILY[family];
		const struct icmp_echo echo = ping((enum family)family);

		expect_untouched(scene, &echo, VERDICT_PASS_PROTOCOL);
		scene_offer(scene, kind, &ONLY_A);
		scene_offer(scene, kind, &on_81);
		scene_offer(scene, kind, &ONLY_B);
		scene_withdraw(scene, kind);
		expect_echo(scene, UPLINK, &echo);
		scene_withdraw_port(scene, kind, 81);
		expect_untouched(scene, &echo, VERDICT_PASS_PROTOCOL);
	}
}

/* RFC 1122, 3.2.2. */
static void nobody_else_is_answered_than_one_host_that_asks_us(void **state)
{
	struct scene *scene = *state;

	scene_offer_all(scene, &ONLY_A);
	for (int family = 0; family < _FAMILY_COUNT; family++) {
		struct icmp_echo echo = ping((enum family)family);

		memcpy(echo.envelope.to_mac, role_mac(STRANGER), ETH_ALEN);
		expect_untouched(scene, &echo, VERDICT_PASS_PROTOCOL);
		echo = ping((enum family)family);
		echo.envelope.from_mac[0] |= 1;
		expect_untouched(scene, &echo, VERDICT_PASS_PROTOCOL);
		echo = ping((enum family)family);
		memset(&echo.envelope.src.word[3], 0, sizeof(echo.envelope.src.word[3]));
		if (family == IPV6)
			memset(&echo.envelope.src, 0, sizeof(echo.envelope.src));
		expect_untouched(scene, &echo, VERDICT_PASS_PROTOCOL);
	}
}

static void other_messages_are_not_answered(void **state)
{
	static const uint8_t TYPES[_FAMILY_COUNT][6] = {
		[IPV4] = {0, 9, 10, 13, 17, 128},
		[IPV6] = {0, 8, 129, 133, 135, 139},
	};
	struct scene *scene = *state;

	scene_offer_all(scene, &ONLY_A);
	for (int row = 0; row < 6 * _FAMILY_COUNT; row++) {
		struct icmp_echo echo = ping((enum family)(row % 2));

		echo.type = TYPES[row % 2][row / 2];
		expect_untouched(scene, &echo, VERDICT_PASS_PROTOCOL);
	}
}

static void a_ping_in_several_buffers_is_answered_whole(void **state)
{
	struct scene *scene = *state;

	scene_offer_all(scene, &ONLY_A);
	scene->linear = 512;
	for (int family = 0; family < _FAMILY_COUNT; family++) {
		struct icmp_echo echo = ping((enum family)family);

		echo.data_length = 3000;
		scene->line = __LINE__;
		expect_echo(scene, UPLINK, &echo);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		scene_test(a_ping_of_a_services_address_is_answered),
		scene_test(a_ping_is_answered_without_options_and_padding),
		scene_test(a_ping_is_answered_without_extension_headers),
		scene_test(a_ping_is_answered_in_its_vlan),
		scene_test(a_wrong_checksum_stays_wrong),
		scene_test(other_addresses_are_not_answered_for),
		scene_test(an_address_is_answered_for_while_any_port_of_it_is_served),
		scene_test(nobody_else_is_answered_than_one_host_that_asks_us),
		scene_test(other_messages_are_not_answered),
		scene_test(a_ping_in_several_buffers_is_answered_whole),
	};

	return cmocka_run_group_tests(tests, network_make, NULL);
}
