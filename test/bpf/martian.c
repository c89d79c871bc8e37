/*
 * Sources that are no host's own address, or that stand for a pod which is sent to itself: what
 * would start a connection from one of them is dropped and makes none.
 */
#include <arpa/inet.h>
#include <linux/in.h>
#include <string.h>
#include "lb/address.h"
#include "test/bpf/icmp_story.h"
#include "test/bpf/scene.h"

static const char *const MARTIANS[_FAMILY_COUNT][11] = {
	[IPV4] = {"0.0.0.0", "0.255.255.255", "127.0.0.1", "127.255.255.255", "224.0.0.1",
		  "239.255.255.255", "240.0.0.1", "255.255.255.254", "255.255.255.255",
		  "169.254.42.1", NULL},
	[IPV6] = {"::", "::1", "ff00::", "ff02::1", "ff0e::5:6", "ffff:ffff::1", "fd6c:6264::1",
		  NULL},
};

/* Their neighbours, which are like any other address. */
static const char *const HOSTS[_FAMILY_COUNT][10] = {
	[IPV4] = {"1.0.0.0", "10.0.0.1", "126.255.255.255", "128.0.0.0", "169.254.1.1",
		  "223.255.255.255", NULL},
	[IPV6] = {"::2", "::1:0:1", "0:0:1::1", "1::", "fe80::1", "feff:ffff::1", NULL},
};

static struct blueprint request_from(const struct kind *kind, const char *source)
{
	struct blueprint request = request_of(kind);

	assert_int_equal(address_parse(source, &request.src), 0);
	return request;
}

static void a_martian_source_starts_no_connection(void **state)
{
	static const uint8_t FLAGS[] = {SYN, ACK, FIN | ACK, RST};
	struct scene *scene = *state;

	scene_offer_all(scene, &ONLY_A);
	for (int i = 0; i < KIND_COUNT; i++) {
		for (const char *const *source = MARTIANS[KINDS[i].family]; *source; source++) {
			for (size_t row = 0; row < sizeof(FLAGS); row++) {
				struct blueprint request = request_from(&KINDS[i], *source);

				request.tcp_flags = FLAGS[row];

				expect(scene, UPLINK, &request, VERDICT_DROP_MARTIAN, NULL);
			}
		}
	}
	assert_int_equal(scene_count_connections(scene), 0);
}

static void a_martian_source_is_counted_by_its_service(void **state)
{
	struct scene *scene = *state;

	scene_offer_all(scene, &ONLY_A);
	for (int i = 0; i < KIND_COUNT; i++) {
		struct blueprint request = request_from(&KINDS[i], MARTIANS[KINDS[i].family][0]);

		expect(scene, UPLINK, &request, VERDICT_DROP_MARTIAN, NULL);

		assert_int_equal(scene_traffic(scene, &KINDS[i]).request.packets, 1);
		assert_int_equal(scene_traffic(scene, &KINDS[i]).connections, 0);
	}
}

static void the_neighbours_of_martians_are_served(void **state)
{
	struct scene *scene = *state;

	scene_offer_all(scene, &ONLY_A);
	for (int i = 0; i < KIND_COUNT; i++) {
		for (const char *const *source = HOSTS[KINDS[i].family]; *source; source++) {
			struct blueprint request = request_from(&KINDS[i], *source);
			struct blueprint forwarded = forwarded_to(&request, BACKEND_A, POD);

			expect(scene, UPLINK, &request, VERDICT_REDIRECT, &forwarded);
		}
	}
}

/* The stack has its own rules for them, and frames to others are others'. */
static void what_starts_no_connection_here_passes_untouched(void **state)
{
	struct scene *scene = *state;

	scene_offer_all(scene, &ONLY_A);
	scene_own_service(scene);
	for (int i = 0; i < KIND_COUNT; i++) {
		for (const char *const *source = MARTIANS[KINDS[i].family]; *source; source++) {
			struct blueprint other = request_from(&KINDS[i], *source);
			struct blueprint flooded = request_from(&KINDS[i], *source);

			other.dst_port = htons(SERVICE_PORT + 1);
			memcpy(flooded.to_mac, role_mac(STRANGER), ETH_ALEN);

			expect(scene, UPLINK, &other, VERDICT_PASS_NO_SERVICE, NULL);
			expect(scene, UPLINK, &flooded, VERDICT_PASS_OTHER_HOST, NULL);
		}
	}
}

/* The kernel forwards none of them, as test/model/oracle has seen. */
static void an_error_from_a_martian_goes_nowhere(void **state)
{
	struct scene *scene = *state;

	connect_all(scene);
	for (int i = 0; i < KIND_COUNT; i++) {
		for (const char *const *source = MARTIANS[KINDS[i].family]; *source; source++) {
			struct story there = from_client_side(&KINDS[i], STRANGER, 0);

			assert_int_equal(address_parse(*source, &there.comes.envelope.src), 0);
			expect_icmp(scene, UPLINK, &there.comes, VERDICT_DROP_MARTIAN, NULL);
		}
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		scene_test(a_martian_source_starts_no_connection),
		scene_test(a_martian_source_is_counted_by_its_service),
		scene_test(the_neighbours_of_martians_are_served),
		scene_test(what_starts_no_connection_here_passes_untouched),
		scene_test(an_error_from_a_martian_goes_nowhere),
	};

	return cmocka_run_group_tests(tests, network_make, NULL);
}
