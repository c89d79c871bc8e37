/*
 * Opens and closes scenes and sends packets through them: see scene.h.
 */
#include "test/bpf/scene.h"

#include <arpa/inet.h>
#include <bpf/bpf.h>
#include <bpf/libbpf.h>
#include <errno.h>
#include <linux/bpf.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mount.h>
#include <unistd.h>
#include "test/bpf/frame_diff.h"
#include "test/bpf/hook.h"
#include "test/bpf/kept.h"
#include "test/bpf/scene_internal.h"

#define BPFFS "/sys/fs/bpf"
#define MAX_SERVICES 32
#define MAX_BACKENDS 64

static const char *const VERDICT_NAMES[] = {
#define VERDICT_NAME(name, text, meaning) [VERDICT_##name] = text,
	VERDICTS(VERDICT_NAME)
#undef VERDICT_NAME
};

typedef void (*options_change)(struct datapath_options *options);

static int open_datapath(struct scene *scene, uint32_t connections, options_change change)
{
	struct datapath_options options = {
		.max_services = MAX_SERVICES,
		.max_backends = MAX_BACKENDS,
		.max_connections = connections,
		.max_affinity = MAX_SCENE_AFFINITY,
		.max_masquerades = MAX_SCENE_MASQUERADES,
		.max_fragments = MAX_SCENE_FRAGMENTS,
		.tcp_opening_seconds = TCP_OPENING_SECONDS,
		.tcp_established_seconds = TCP_ESTABLISHED_SECONDS,
		.tcp_closing_seconds = TCP_CLOSING_SECONDS,
		.tcp_closed_seconds = TCP_CLOSED_SECONDS,
		.udp_seconds = UDP_SECONDS,
		.tc = hook_is_tc(),
	};
	struct refusal refusal;
	char path[64];
	int error;

	options.hairpin.ipv4 = hairpin_address(IPV4);
	options.hairpin.ipv6 = hairpin_address(IPV6);
	snprintf(path, sizeof(path), BPFFS "/lbt-bpf-%d", getpid());
	options.pin_path = path;
	if (change)
		change(&options);
	if (mount("bpf", BPFFS, "bpf", 0, NULL))
		return -errno;
	error = kept_datapath_open(&options, &scene->datapath, &refusal);
	if (error)
		print_error("%s\n", refusal.text);
	else
		error = mapping_open(&scene->connections,
				     scene->datapath->skeleton->maps.connections);
	return error;
}

static void open_port(struct scene *scene, enum interface interface)
{
	struct port port = {.ifindex = network_ifindex(interface), .mtu = SCENE_MTU};

	memcpy(port.mac, interface_mac(interface), sizeof(port.mac));
	assert_int_equal(datapath_set_port(scene->datapath, interface, &port), 0);
}

void scene_flag_port(struct scene *scene, enum interface interface, uint16_t flags)
{
	struct port port;

	datapath_get_port(scene->datapath, interface, &port);
	port.flags = flags;
	assert_int_equal(datapath_set_port(scene->datapath, interface, &port), 0);
}

void scene_set_mtu(struct scene *scene, enum interface interface, uint32_t mtu)
{
	struct port port;

	datapath_get_port(scene->datapath, interface, &port);
	port.mtu = mtu;
	assert_int_equal(datapath_set_port(scene->datapath, interface, &port), 0);
}

int scene_open_changed(void **state, options_change change)
{
	const uint32_t *connections = *state; /* NULL: as most tests want it */
	struct scene *scene = calloc(1, sizeof(*scene));

	if (!scene)
		return -1;
	*state = scene;
	if (open_datapath(scene, connections ? *connections : MAX_SCENE_CONNECTIONS, change) ||
	    scene_open_room(scene))
		return -1;
	scene->location[CLIENT] = UPLINK;
	scene->location[STRANGER] = UPLINK;
	scene->location[BACKEND_A] = POD;
	scene->location[BACKEND_B] = POD;
	open_port(scene, UPLINK);
	open_port(scene, POD);
	return 0;
}

int scene_open(void **state)
{
	return scene_open_changed(state, NULL);
}

/* The pins go with the bpffs, so that the next scene adopts nothing. */
int scene_close(void **state)
{
	struct scene *scene = *state;

	scene_close_room(scene);
	mapping_close(&scene->connections);
	kept_datapath_close(scene->datapath);
	free(scene);
	return umount2(BPFFS, MNT_DETACH);
}

struct outcome {
	uint32_t action;
	struct frame frame;
};

/* What lies in front of the packet comes out as its first bytes. */
static void take_metadata(struct scene *scene, struct frame *frame, size_t length)
{
	scene->metadata = (struct metadata){};
	if (!length)
		return;
	if (length != sizeof(scene->metadata) || frame->length < length)
		fail_msg("line %d: %zu bytes in front of the packet", scene->line, length);
	memcpy(&scene->metadata, frame->bytes, length);
	frame->length -= length;
	memmove(frame->bytes, frame->bytes + length, frame->length);
}

/* Data that does not fit a page goes on in fragments, as the program says it takes them. */
static void run_xdp(struct scene *scene, enum interface in, const struct frame *frame,
		    struct outcome *outcome)
{
	struct xdp_md context = {
		.data_end = (__u32)(scene->linear ? scene->linear : frame->length),
		.ingress_ifindex = network_ifindex(in),
	};
	LIBBPF_OPTS(bpf_test_run_opts, options, .data_in = frame->bytes,
		    .data_size_in = (__u32)frame->length, .data_out = outcome->frame.bytes,
		    .data_size_out = sizeof(outcome->frame.bytes), .ctx_in = &context,
		    .ctx_size_in = sizeof(context), .ctx_out = &context,
		    .ctx_size_out = sizeof(context));
	int program = bpf_program__fd(scene->datapath->skeleton->progs.lb);
	int error = bpf_prog_test_run_opts(program, &options);

	if (error)
		fail_msg("line %d: a frame of %zu bytes does not run: %s", scene->line,
			 frame->length, strerror(-error));
	outcome->action = options.retval;
	outcome->frame.length = options.data_size_out;
	take_metadata(scene, &outcome->frame, context.data);
}

static void run(struct scene *scene, enum interface in, const struct frame *frame,
		struct outcome *outcome)
{
	int error;

	if (!hook_is_tc()) {
		run_xdp(scene, in, frame, outcome);
		return;
	}
	error = hook_run_tc(scene->datapath, in, frame, &outcome->frame, &outcome->action);
	if (error)
		fail_msg("line %d: a frame of %zu bytes does not run: %s", scene->line,
			 frame->length, strerror(-error));
}

void scene_send(struct scene *scene, enum interface in, const struct frame *frame)
{
	struct xdp_md context = {
		.data_end = (__u32)frame->length,
		.ingress_ifindex = network_ifindex(in),
	};
	LIBBPF_OPTS(bpf_test_run_opts, options, .data_in = frame->bytes,
		    .data_size_in = (__u32)frame->length, .ctx_in = &context,
		    .ctx_size_in = sizeof(context), .repeat = 1,
		    .flags = BPF_F_TEST_XDP_LIVE_FRAMES);
	int program = bpf_program__fd(scene->datapath->skeleton->progs.lb);

	assert_int_equal(bpf_prog_test_run_opts(program, &options), 0);
}

/* The one that moved, by one packet of so many bytes; the test fails where others did, or none. */
static enum verdict verdict_counted(struct scene *scene, size_t bytes)
{
	struct counter now[_VERDICT_COUNT];
	enum verdict found = _VERDICT_COUNT;

	assert_int_equal(datapath_read_verdicts(scene->datapath, now), 0);
	for (int i = 0; i < _VERDICT_COUNT; i++) {
		const __u64 packets = now[i].packets - scene->counters[i].packets;

		if (!packets && now[i].bytes == scene->counters[i].bytes)
			continue;
		if (found != _VERDICT_COUNT)
			fail_msg("line %d: counted as %s and as %s", scene->line,
				 VERDICT_NAMES[found], VERDICT_NAMES[i]);
		if (packets != 1 || now[i].bytes - scene->counters[i].bytes != bytes)
			fail_msg("line %d: %s counts %llu packets, %llu bytes; sent was one of %zu",
				 scene->line, VERDICT_NAMES[i], packets,
				 now[i].bytes - scene->counters[i].bytes, bytes);
		found = (enum verdict)i;
	}
	memcpy(scene->counters, now, sizeof(now));
	if (found == _VERDICT_COUNT)
		fail_msg("line %d: a packet of no verdict", scene->line);
	return found;
}

static uint32_t action_of(const struct scene *scene, enum verdict verdict, enum interface in)
{
	struct port port;

	if (!strncmp(VERDICT_NAMES[verdict], "pass-", 5))
		return XDP_PASS;
	if (!strncmp(VERDICT_NAMES[verdict], "drop-", 5))
		return XDP_DROP;
	datapath_get_port(scene->datapath, in, &port);
	if (verdict == VERDICT_REDIRECT || (port.flags & PORT_TX_BY_REDIRECT))
		return XDP_REDIRECT;
	return hook_action(XDP_TX);
}

void expect_frame(struct scene *scene, enum interface in, const struct frame *frame,
		  enum verdict verdict, const struct frame *becomes)
{
	static struct outcome outcome; /* too long for comfort on the stack */
	enum verdict got;

	run(scene, in, frame, &outcome);
	got = verdict_counted(scene, frame->length - scene->uncounted);
	if (got != verdict)
		fail_msg("line %d: %zu bytes of IP protocol %u: %s, wanted %s", scene->line,
			 frame->length,
			 frame->bytes[12] == 0x86 ? frame->bytes[20] : frame->bytes[23],
			 VERDICT_NAMES[got], VERDICT_NAMES[verdict]);
	if (outcome.action != action_of(scene, verdict, in))
		fail_msg("line %d: %s does %u, wanted %u (enum xdp_action)", scene->line,
			 VERDICT_NAMES[got], outcome.action, action_of(scene, verdict, in));
	if (!becomes)
		becomes = frame;
	if (frame_equal(&outcome.frame, becomes))
		return;
	frame_print_difference(&outcome.frame, becomes);
	fail_msg("line %d: %s leaves another packet than wanted", scene->line, VERDICT_NAMES[got]);
}

void expect_packet(struct scene *scene, enum interface in, const struct blueprint *packet,
		   enum verdict verdict, const struct blueprint *becomes)
{
	static struct frame frame, wanted;

	frame_build(packet, &frame);
	if (becomes)
		frame_build(becomes, &wanted);
	expect_frame(scene, in, &frame, verdict, becomes ? &wanted : NULL);
}

void scene_take(struct scene *scene, enum interface in, const struct blueprint *packet)
{
	static struct outcome outcome;
	static struct frame frame;

	frame_build(packet, &frame);
	run(scene, in, &frame, &outcome);
	verdict_counted(scene, frame.length);
}

/* By the MAC it is sent to; the packet itself must be right for that backend. */
enum role request_lands_from(struct scene *scene, const struct blueprint *request, __be16 *port)
{
	const size_t ports =
		ETH_HLEN + (blueprint_is_ipv6(request) ? 40 : 20 + request->options_length);
	static struct frame frame, wanted;
	static struct outcome outcome;
	struct blueprint forwarded;
	enum role backend;

	frame_build(request, &frame);
	run(scene, UPLINK, &frame, &outcome);
	if (verdict_counted(scene, frame.length) != VERDICT_REDIRECT)
		fail_msg("line %d: a request is not redirected", scene->line);
	backend =
		memcmp(outcome.frame.bytes, role_mac(BACKEND_A), ETH_ALEN) ? BACKEND_B : BACKEND_A;
	memcpy(port, outcome.frame.bytes + ports, sizeof(*port));
	forwarded = forwarded_to(request, backend, scene->location[backend]);
	forwarded.src_port = *port;
	frame_build(&forwarded, &wanted);
	if (frame_equal(&outcome.frame, &wanted))
		return backend;
	frame_print_difference(&outcome.frame, &wanted);
	fail_msg("line %d: a request leaves as another packet than wanted", scene->line);
	return backend;
}

enum role request_lands(struct scene *scene, const struct blueprint *request)
{
	__be16 port;
	const enum role backend = request_lands_from(scene, request, &port);

	if (port != request->src_port)
		fail_msg("line %d: a request leaves from port %u", scene->line, ntohs(port));
	return backend;
}
