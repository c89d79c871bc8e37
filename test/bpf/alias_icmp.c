/*
 * ICMP errors about packets of connections with an alias: what the backend's side quotes has the
 * alias port, what the client's side quotes has the client's, and each gets back what it sent.
 */
#include <arpa/inet.h>
#include <string.h>
#include "test/bpf/alias_story.h"
#include "test/bpf/icmp_story.h"

/* The same about the connection that has an alias. */
static void turn_to_backend_side(const struct scene *scene, const struct kind *kind,
				 struct story *story)
{
	const struct blueprint other = request_to_other(kind);

	story->comes.quoted.src_port = scene_source_port(scene, &other);
	story->leaves.quoted.dst_port = other.dst_port;
	if (!memcmp(&story->comes.envelope.src, &story->comes.quoted.dst, sizeof(other.src)))
		story->leaves.envelope.src = other.dst;
}

static void turn_to_client_side(const struct scene *scene, const struct kind *kind,
				struct story *story)
{
	const struct blueprint other = request_to_other(kind);

	story->comes.quoted.src_port = other.dst_port;
	story->leaves.quoted.dst_port = scene_source_port(scene, &other);
}

static void connect_all_kinds(struct scene *scene)
{
	offer_one_backend(scene);
	for (int i = 0; i < KIND_COUNT; i++)
		connect_both(scene, &KINDS[i]);
}

static void an_error_about_a_request_is_about_the_clients_port(void **state)
{
	static const enum role SENDERS[] = {BACKEND_A, STRANGER};
	struct scene *scene = *state;

	connect_all_kinds(scene);
	for (int i = 0; i < KIND_COUNT * 2 * ERROR_COUNT; i++) {
		const struct kind *kind = &KINDS[i / 2 / ERROR_COUNT];
		struct story story =
			from_backend_side(kind, SENDERS[i / ERROR_COUNT % 2], i % ERROR_COUNT);

		expect_icmp(scene, POD, &story.comes, VERDICT_REDIRECT, &story.leaves);
		turn_to_backend_side(scene, kind, &story);
		expect_icmp(scene, POD, &story.comes, VERDICT_REDIRECT, &story.leaves);
	}
}

static void an_error_about_a_reply_is_about_the_alias_port(void **state)
{
	static const enum role SENDERS[] = {CLIENT, STRANGER};
	struct scene *scene = *state;

	connect_all_kinds(scene);
	for (int i = 0; i < KIND_COUNT * 2 * ERROR_COUNT; i++) {
		const struct kind *kind = &KINDS[i / 2 / ERROR_COUNT];
		struct story story =
			from_client_side(kind, SENDERS[i / ERROR_COUNT % 2], i % ERROR_COUNT);

		expect_icmp(scene, UPLINK, &story.comes, VERDICT_REDIRECT, &story.leaves);
		turn_to_client_side(scene, kind, &story);
		expect_icmp(scene, UPLINK, &story.comes, VERDICT_REDIRECT, &story.leaves);
	}
}

static void quote_so_much(struct story *story, size_t length)
{
	story->comes.quote_length = story->leaves.quote_length = length;
}

/* Of TCP without its checksum, and of UDP without any. */
static void checksums_that_are_not_quoted_are_not_missed(void **state)
{
	struct scene *scene = *state;

	connect_all_kinds(scene);
	for (int i = 0; i < KIND_COUNT; i++) {
		struct story there = from_client_side(&KINDS[i], CLIENT, 0);
		struct story back = from_backend_side(&KINDS[i], BACKEND_A, 0);

		turn_to_client_side(scene, &KINDS[i], &there);
		turn_to_backend_side(scene, &KINDS[i], &back);
		there.comes.quoted.udp_checksum = there.leaves.quoted.udp_checksum = CHECKSUM_NONE;
		back.comes.quoted.udp_checksum = back.leaves.quoted.udp_checksum = CHECKSUM_NONE;
		quote_so_much(&there, quote_ip_header(&KINDS[i]) + PORTS_END);
		quote_so_much(&back, quote_ip_header(&KINDS[i]) + PORTS_END);

		expect_icmp(scene, UPLINK, &there.comes, VERDICT_REDIRECT, &there.leaves);
		expect_icmp(scene, POD, &back.comes, VERDICT_REDIRECT, &back.leaves);
	}
}

/* The client's end is not where its replies go, and the alias is not where its requests come from.
 */
static void an_error_that_takes_one_port_for_the_other_is_about_nothing(void **state)
{
	struct scene *scene = *state;

	offer_one_backend(scene);
	for (int i = 0; i < KIND_COUNT; i++) {
		const struct blueprint request = request_of(&KINDS[i]);
		const struct blueprint other = request_to_other(&KINDS[i]);
		struct story there = from_client_side(&KINDS[i], CLIENT, 0);
		struct story back = from_backend_side(&KINDS[i], BACKEND_A, 0);

		connect_both(scene, &KINDS[i]);
		scene_forget(scene, &request);
		turn_to_client_side(scene, &KINDS[i], &there);
		there.comes.quoted.dst_port = scene_source_port(scene, &other);

		expect_icmp(scene, UPLINK, &there.comes, VERDICT_PASS_NO_SERVICE, NULL);
		expect_icmp(scene, POD, &back.comes, VERDICT_PASS_NO_SERVICE, NULL);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		scene_test(an_error_about_a_request_is_about_the_clients_port),
		scene_test(an_error_about_a_reply_is_about_the_alias_port),
		scene_test(checksums_that_are_not_quoted_are_not_missed),
		scene_test(an_error_that_takes_one_port_for_the_other_is_about_nothing),
	};

	return cmocka_run_group_tests(tests, network_make, NULL);
}
