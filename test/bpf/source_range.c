/*
 * Services for some sources only: who is outside of their ranges starts no connection, whatever
 * happens to the ranges meanwhile.
 */
#include <arpa/inet.h>
#include <linux/in.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include "lb/address.h"
#include "test/bpf/scene.h"

static const struct offer RANGED = {
	.backends = {[BACKEND_A] = BACKEND_ACTIVE},
	.source_ranges = {"192.0.2.0/24", "203.0.113.128/25", "10.9.8.7", "2001:db8::/48",
			  "2001:db8:2:8000::/49", "fd00:9::7"},
};

static const char *const INSIDE[_FAMILY_COUNT][8] = {
	[IPV4] = {"192.0.2.0", "192.0.2.255", "203.0.113.128", "203.0.113.255", "10.9.8.7", NULL},
	[IPV6] = {"2001:db8::", "2001:db8:0:ffff:ffff:ffff:ffff:ffff",
		  "2001:db8:2:8000::", "2001:db8:2:ffff::1", "fd00:9::7", NULL},
};

static const char *const OUTSIDE[_FAMILY_COUNT][8] = {
	[IPV4] = {"192.0.1.255", "192.0.3.0", "203.0.113.127", "203.0.114.128", "10.9.8.6",
		  "10.9.8.8", NULL},
	[IPV6] = {"2001:db7:ffff::1", "2001:db8:1::", "2001:db8:2:7fff::1",
		  "2001:db8:3:8000::", "fd00:9::6", "fd00:9::8", NULL},
};

static struct blueprint request_from(const struct kind *kind, const char *source)
{
	struct blueprint request = request_of(kind);

	assert_int_equal(address_parse(source, &request.src), 0);
	return request;
}

static void sources_inside_of_a_range_are_served(void **state)
{
	struct scene *scene = *state;

	scene_offer_all(scene, &RANGED);
	for (int i = 0; i < KIND_COUNT; i++) {
		for (const char *const *source = INSIDE[KINDS[i].family]; *source; source++) {
			struct blueprint request = request_from(&KINDS[i], *source);
			struct blueprint forwarded = forwarded_to(&request, BACKEND_A, POD);

			expect(scene, UPLINK, &request, VERDICT_REDIRECT, &forwarded);
		}
	}
}

static void sources_outside_of_all_ranges_start_no_connection(void **state)
{
	static const uint8_t FLAGS[] = {SYN, ACK, FIN | ACK, RST};
	struct scene *scene = *state;

	scene_offer_all(scene, &RANGED);
	for (int i = 0; i < KIND_COUNT; i++) {
		for (const char *const *source = OUTSIDE[KINDS[i].family]; *source; source++) {
			for (size_t row = 0; row < sizeof(FLAGS); row++) {
				struct blueprint request = request_from(&KINDS[i], *source);

				request.tcp_flags = FLAGS[row];

				expect(scene, UPLINK, &request, VERDICT_DROP_SOURCE_RANGE, NULL);
			}
		}
	}
	assert_int_equal(scene_count_connections(scene), 0);
}

static void frames_to_another_host_pass_whatever_their_source(void **state)
{
	struct scene *scene = *state;

	scene_offer_all(scene, &RANGED);
	for (int i = 0; i < KIND_COUNT; i++) {
		struct blueprint request = request_from(&KINDS[i], OUTSIDE[KINDS[i].family][0]);

		memcpy(request.to_mac, role_mac(STRANGER), ETH_ALEN);

		expect(scene, UPLINK, &request, VERDICT_PASS_OTHER_HOST, NULL);
	}
}

static void a_service_without_ranges_beside_one_with_them_serves_everybody(void **state)
{
	struct offer open = ONLY_B;
	struct scene *scene = *state;

	open.port = 81;
	for (int i = 0; i < KIND_COUNT; i++) {
		struct blueprint request = request_from(&KINDS[i], OUTSIDE[KINDS[i].family][0]);
		struct blueprint other = request;
		struct blueprint forwarded;

		scene_offer(scene, &KINDS[i], &RANGED);
		scene_offer(scene, &KINDS[i], &open);
		other.dst_port = htons(81);
		forwarded = forwarded_to(&other, BACKEND_B, POD);

		expect(scene, UPLINK, &request, VERDICT_DROP_SOURCE_RANGE, NULL);
		expect(scene, UPLINK, &other, VERDICT_REDIRECT, &forwarded);
	}
}

static void ranges_of_one_service_say_nothing_of_another(void **state)
{
	struct offer other = ONLY_B;
	struct scene *scene = *state;

	other.port = 81;
	other.source_ranges[0] = "198.18.0.0/15";
	other.source_ranges[1] = "2001:db8:7::/48";
	for (int i = 0; i < KIND_COUNT; i++) {
		struct blueprint request = request_from(&KINDS[i], INSIDE[KINDS[i].family][0]);

		scene_offer(scene, &KINDS[i], &RANGED);
		scene_offer(scene, &KINDS[i], &other);
		request.dst_port = htons(81);

		expect(scene, UPLINK, &request, VERDICT_DROP_SOURCE_RANGE, NULL);
	}
}

static void a_connection_outlives_the_range_of_its_client(void **state)
{
	struct scene *scene = *state;

	scene_offer_all(scene, &ONLY_A);
	for (int i = 0; i < KIND_COUNT; i++) {
		struct blueprint request = request_from(&KINDS[i], OUTSIDE[KINDS[i].family][0]);
		struct blueprint forwarded = forwarded_to(&request, BACKEND_A, POD);

		expect(scene, UPLINK, &request, VERDICT_REDIRECT, &forwarded);
		scene_offer(scene, &KINDS[i], &RANGED);
		request.tcp_flags = forwarded.tcp_flags = ACK;
		expect(scene, UPLINK, &request, VERDICT_REDIRECT, &forwarded);

		scene_forget(scene, &request);
		expect(scene, UPLINK, &request, VERDICT_DROP_SOURCE_RANGE, NULL);
	}
}

/* The ranges are gone with the service: its id may be another's by then. */
static void changed_ranges_hold_at_once(void **state)
{
	struct offer wide = ONLY_A;
	struct scene *scene = *state;
	struct source_range *ranges = NULL;
	uint32_t count;

	wide.source_ranges[0] = "0.0.0.0/0";
	wide.source_ranges[1] = "::/0";
	for (int i = 0; i < KIND_COUNT; i++) {
		struct blueprint request = request_from(&KINDS[i], OUTSIDE[KINDS[i].family][0]);
		struct blueprint forwarded = forwarded_to(&request, BACKEND_A, POD);

		scene_offer(scene, &KINDS[i], &RANGED);
		expect(scene, UPLINK, &request, VERDICT_DROP_SOURCE_RANGE, NULL);
		scene_offer(scene, &KINDS[i], &wide);
		expect(scene, UPLINK, &request, VERDICT_REDIRECT, &forwarded);
		scene_forget(scene, &request);
		scene_offer(scene, &KINDS[i], &RANGED);
		expect(scene, UPLINK, &request, VERDICT_DROP_SOURCE_RANGE, NULL);
		scene_offer(scene, &KINDS[i], &ONLY_A);
		expect(scene, UPLINK, &request, VERDICT_REDIRECT, &forwarded);
		scene_withdraw(scene, &KINDS[i]);
	}
	assert_int_equal(datapath_list_source_ranges(scene->datapath, &ranges, &count), 0);
	assert_int_equal(count, 0);
	free(ranges);
}

static void the_table_is_listed_whole(void **state)
{
	struct scene *scene = *state;
	struct source_range *ranges = NULL;
	uint32_t count, wanted = 0;
	struct refusal refusal;
	struct prefix range;
	char text[64];

	for (uint32_t service = 1; service < 4; service++) {
		for (int i = 0; i < 200; i++) {
			snprintf(text, sizeof(text), i % 2 ? "10.%d.0.0/16" : "fd00:%d::/32", i);
			assert_int_equal(prefix_parse(text, &range, &refusal), 0);
			assert_int_equal(
				datapath_add_source_range(scene->datapath, service, &range), 0);
			wanted++;
		}
	}

	assert_int_equal(datapath_list_source_ranges(scene->datapath, &ranges, &count), 0);

	assert_int_equal(count, wanted);
	for (uint32_t i = 0; i < count; i++)
		assert_int_equal(datapath_remove_source_range(scene->datapath, ranges[i].service,
							      &ranges[i].range),
				 0);
	free(ranges);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		scene_test(sources_inside_of_a_range_are_served),
		scene_test(sources_outside_of_all_ranges_start_no_connection),
		scene_test(frames_to_another_host_pass_whatever_their_source),
		scene_test(a_service_without_ranges_beside_one_with_them_serves_everybody),
		scene_test(ranges_of_one_service_say_nothing_of_another),
		scene_test(a_connection_outlives_the_range_of_its_client),
		scene_test(changed_ranges_hold_at_once),
		scene_test(the_table_is_listed_whole),
	};

	return cmocka_run_group_tests(tests, network_make, NULL);
}
