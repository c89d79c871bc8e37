/*
 * Services at an address that the node has itself (node ports): what is for it and no service of it
 * is the kernel's, as long as the node has it.
 */
#include <string.h>
#include "test/bpf/answer_builder.h"
#include "test/bpf/icmp_builder.h"
#include "test/bpf/scene.h"

static const struct kind *const OF_FAMILY[_FAMILY_COUNT] = {&KINDS[0], &KINDS[KIND_COUNT - 1]};

/* Of a ping: whether the kernel has it as it came. */
static void expect_left(struct scene *scene, enum family family, bool is_left)
{
	static struct frame frame, reply;
	const struct icmp_echo echo = {
		.envelope = request_of(OF_FAMILY[family]),
		.type = family == IPV6 ? 128 : 8,
	};
	const struct refused_frame asked = {
		.frame = &frame,
		.network = ETH_HLEN,
		.transport = ETH_HLEN + (family == IPV6 ? 40 : 20),
	};

	frame_build_echo(&echo, &frame);
	frame_build_echo_reply(&asked, &reply);
	if (is_left)
		expect_frame(scene, UPLINK, &frame, VERDICT_PASS_PROTOCOL, NULL);
	else
		expect_frame(scene, UPLINK, &frame, VERDICT_ANSWER_ECHO, &reply);
}

static void own(struct scene *scene, const struct address *addresses, size_t count)
{
	assert_int_equal(datapath_set_own_addresses(scene->datapath, addresses, count), 0);
}

static void an_address_is_left_to_the_node_that_has_it(void **state)
{
	struct scene *scene = *state;

	for (int i = 0; i < _FAMILY_COUNT; i++) {
		const enum family family = (enum family)i;
		const struct address addresses[] = {role_address(STRANGER, family),
						    role_address(SERVICE, family)};

		scene->line = __LINE__;
		scene_offer(scene, OF_FAMILY[i], &ONLY_A);
		expect_left(scene, family, false);
		assert_int_equal(datapath_add_own_address(scene->datapath, &addresses[1]), 0);
		expect_left(scene, family, true);

		own(scene, addresses, 1);
		expect_left(scene, family, false);
		own(scene, addresses, 2);
		expect_left(scene, family, true);
	}
}

static void services_that_come_and_go_make_no_difference_to_it(void **state)
{
	struct scene *scene = *state;

	for (int i = 0; i < _FAMILY_COUNT; i++) {
		const enum family family = (enum family)i;
		const struct address address = role_address(SERVICE, family);

		scene->line = __LINE__;
		own(scene, &address, 1);
		scene_offer(scene, OF_FAMILY[i], &ONLY_A);
		expect_left(scene, family, true);
		scene_withdraw(scene, OF_FAMILY[i]);
		scene_offer(scene, OF_FAMILY[i], &ONLY_B);
		expect_left(scene, family, true);
		own(scene, NULL, 0);
		expect_left(scene, family, false);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		scene_test(an_address_is_left_to_the_node_that_has_it),
		scene_test(services_that_come_and_go_make_no_difference_to_it),
	};

	return cmocka_run_group_tests(tests, network_make, NULL);
}
