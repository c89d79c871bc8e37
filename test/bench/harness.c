/*
 * Loads the wrapper and runs frames through it: see harness.h.
 */
#include "test/bench/harness.h"

#include <arpa/inet.h>
#include <bpf/bpf.h>
#include <bpf/libbpf.h>
#include <errno.h>
#include <linux/bpf.h>
#include <linux/in.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include "test/bench/wrapper.h"
#include "test/bench/wrapper.skel.h"

#define NETWORK 14
#define IPV4_CHECKSUM 24 /* byte of the frame */

#define CALIBRATIONS 5

static double fixed_ns; /* of a run: see harness_calibrate */

struct harness {
	struct wrapper_bpf *skeleton;
	struct bpf_program *wrapper;
	struct harness_options options;
	struct blueprint blueprint;
	bool client_is_src;
	struct frame frame; /* what test_run is given; the wrapper writes over it */
};

static int load(struct harness *harness)
{
	struct bpf_program *program;

	bpf_object__for_each_program(program, harness->skeleton->obj)
		bpf_program__set_autoload(program, program == harness->wrapper);
	harness->skeleton->rodata->service_count = harness->options.service_count;
	harness->skeleton->rodata->first_service = harness->options.first_service;
	harness->skeleton->rodata->first_suspect = harness->options.first_suspect;
	return wrapper_bpf__load(harness->skeleton);
}

static void number_flows(struct harness *harness)
{
	const struct harness_options *options = &harness->options;

	harness->skeleton->bss->first_flow = options->first_flow;
	harness->skeleton->bss->next_flow = options->first_flow;
	harness->skeleton->bss->end_flow =
		options->flows ? options->first_flow + options->flows : 0;
}

int harness_open(const struct harness_options *options, struct harness **harness)
{
	struct harness *opened = calloc(1, sizeof(*opened));
	const uint32_t index = 0;
	int error = -ENOMEM;

	if (!opened)
		return error;
	opened->options = *options;
	opened->skeleton = wrapper_bpf__open();
	if (!opened->skeleton)
		goto out;
	opened->wrapper = bpf_object__find_program_by_name(opened->skeleton->obj, options->wrapper);
	error = opened->wrapper ? load(opened) : -ENOENT;
	if (error)
		goto out;
	number_flows(opened);
	error = bpf_map_update_elem(bpf_map__fd(opened->skeleton->maps.subject), &index,
				    &options->subject, BPF_ANY);
out:
	if (error) {
		harness_close(opened);
		return error;
	}
	*harness = opened;
	return 0;
}

void harness_close(struct harness *harness)
{
	if (!harness)
		return;
	wrapper_bpf__destroy(harness->skeleton);
	free(harness);
}

/* The sum behind a checksum, as the wrapper adds to it; the field itself becomes zero. */
static uint32_t take_checksum(struct frame *frame, size_t at)
{
	uint16_t checksum;

	memcpy(&checksum, &frame->bytes[at], sizeof(checksum));
	memset(&frame->bytes[at], 0, sizeof(checksum));
	return (uint16_t)~checksum;
}

static void take_checksums(struct harness *harness, struct frame *frame)
{
	const bool is_ipv6 = blueprint_is_ipv6(&harness->blueprint);
	const size_t header = is_ipv6 ? 40 : 20 + harness->blueprint.options_length;
	const size_t field = harness->blueprint.protocol == IPPROTO_TCP ? 16 : 6;

	if (!is_ipv6)
		harness->skeleton->bss->network_sum = take_checksum(frame, IPV4_CHECKSUM);
	harness->skeleton->bss->transport_sum = take_checksum(frame, NETWORK + header + field);
}

static void set_words(struct harness *harness, size_t words)
{
	const uint8_t *bytes = harness->frame.bytes;

	memcpy(&harness->skeleton->bss->ethernet_words[0], &bytes[0], 8);
	memcpy(&harness->skeleton->bss->ethernet_words[1], &bytes[6], 8);
	memcpy(harness->skeleton->bss->words, &bytes[NETWORK], 8 * words);
}

void harness_set_packet(struct harness *harness, const struct blueprint *blueprint,
			bool client_is_src)
{
	struct blueprint plain = *blueprint;

	*(client_is_src ? &plain.src_port : &plain.dst_port) = 0;
	(client_is_src ? &plain.src : &plain.dst)->word[3] = 0;
	if (harness->options.service_count > 1)
		plain.dst.word[3] = 0;
	harness->blueprint = plain;
	harness->client_is_src = client_is_src;
	frame_build(&plain, &harness->frame);
	take_checksums(harness, &harness->frame);
	set_words(harness, FRAME_WORDS);
}

void harness_set_fixed(struct harness *harness, const struct frame *frame)
{
	harness->frame = *frame;
	set_words(harness, FIXED_WORDS);
}

static double thread_ns(void)
{
	struct timespec now;

	clock_gettime(CLOCK_THREAD_CPUTIME_ID, &now);
	return (double)now.tv_sec * 1e9 + (double)now.tv_nsec;
}

/*
 * Not by the duration that test_run tells: that is in whole nanoseconds a packet, and counts what
 * else ran on this CPU meanwhile.
 */
int harness_run(struct harness *harness, uint32_t packets, struct harness_result *result)
{
	struct xdp_md context = {
		.data_end = (__u32)harness->frame.length,
		.ingress_ifindex = harness->options.ifindex,
	};
	LIBBPF_OPTS(bpf_test_run_opts, options, .data_in = harness->frame.bytes,
		    .data_size_in = (__u32)harness->frame.length, .data_out = result->frame.bytes,
		    .data_size_out = sizeof(result->frame.bytes), .ctx_in = &context,
		    .ctx_size_in = sizeof(context), .repeat = (int)packets);
	double start = thread_ns();
	int error = bpf_prog_test_run_opts(bpf_program__fd(harness->wrapper), &options);

	if (error)
		return error;
	result->ns = (thread_ns() - start - fixed_ns) / packets;
	result->action = options.retval;
	result->frame.length = options.data_size_out;
	return 0;
}

int harness_calibrate(int subject)
{
	const struct harness_options options = {.wrapper = "as_it_is", .subject = subject};
	static const struct frame nothing = {.length = FIXED_BYTES};
	static struct harness_result result;
	struct harness *harness;
	double least = 0;
	int error = harness_open(&options, &harness);

	if (error)
		return error;
	harness_set_fixed(harness, &nothing);
	for (int i = 0; !error && i < CALIBRATIONS; i++) {
		error = harness_run(harness, 2, &result);
		if (!i || result.ns * 2 < least)
			least = result.ns * 2;
	}
	harness_close(harness);
	fixed_ns = error ? 0 : least;
	return error;
}

static uint32_t last_of(uint32_t next, uint32_t first, uint32_t end)
{
	return (next == first && end ? end : next) - 1;
}

static void set_client(const struct harness *harness, uint32_t flow, struct address *address,
		       __be16 *port)
{
	const uint32_t first_suspect = harness->options.first_suspect;

	if (first_suspect) {
		address->word[3] = htonl(first_suspect + (SUSPECT(1) - SUSPECT(0)) * flow);
		*port = htons(FIRST_CLIENT_PORT);
		return;
	}
	address->word[3] = htonl(FIRST_CLIENT + flow / PORTS_PER_CLIENT);
	*port = htons(FIRST_CLIENT_PORT + flow % PORTS_PER_CLIENT);
}

void harness_last_packet(const struct harness *harness, struct blueprint *blueprint)
{
	const struct wrapper_bpf__bss *bss = harness->skeleton->bss;
	const uint32_t flow = last_of(bss->next_flow, bss->first_flow, bss->end_flow);
	const uint32_t services = harness->options.service_count;

	*blueprint = harness->blueprint;
	if (harness->client_is_src)
		set_client(harness, flow, &blueprint->src, &blueprint->src_port);
	else
		set_client(harness, flow, &blueprint->dst, &blueprint->dst_port);
	if (services > 1)
		blueprint->dst.word[3] = htonl(harness->options.first_service +
					       last_of(bss->next_service, 0, services));
}
