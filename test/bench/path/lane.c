/* One contender's network: its programs loaded, put in place and told what to do. */
#include <errno.h>
#include <net/if.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include <bpf/bpf.h>
#include <bpf/libbpf.h>

#include "test/bench/path/bench_path.h"
#include "test/bench/path/generator.skel.h"
#include "test/bench/path/sink.skel.h"
#include "test/bench/path/wire.skel.h"

#define FIELDS 6

int lane_parse(char *text, struct lane *lane)
{
	char *field[FIELDS];

	for (int i = 0; i < FIELDS; i++) {
		field[i] = strsep(&text, ",");
		if (!field[i])
			return -EINVAL;
	}
	*lane = (struct lane){.name = field[0], .prefix = field[1], .client_ns = -1};
	lane->services = strtoul(field[2], NULL, 10);
	lane->kind = !strcmp(field[3], "wire")      ? LANE_WIRE
		     : !strcmp(field[3], "forward") ? LANE_FORWARD
						    : LANE_BALANCER;
	lane->skb_sink = !strcmp(field[4], "skb");
	lane->two_cores = !strcmp(field[5], "2");
	return lane->services ? 0 : -EINVAL;
}

static int open_node(struct lane *lane)
{
	int fd, error = 0;

	if (lane->kind != LANE_WIRE)
		return 0;
	fd = enter_namespace(lane->prefix, "node");
	if (fd < 0)
		return fd;
	close(fd);
	for (int i = 0; i < 2 && !error; i++) {
		lane->wire[i] = wire_bpf__open_and_load();
		if (!lane->wire[i])
			return -errno;
		error = attach_wire(lane->wire[i], i ? "n1" : "n0", i ? "n0" : "n1");
	}
	return error;
}

static int open_backend(struct lane *lane)
{
	int error, fd = enter_namespace(lane->prefix, "backend");

	if (fd < 0)
		return fd;
	close(fd);
	lane->backend = sink_bpf__open_and_load();
	if (!lane->backend)
		return -errno;
	lane->backend->bss->settings.expect =
		lane->kind == LANE_BALANCER ? EXPECT_BACKEND : EXPECT_SERVICE;
	error = attach_sink(lane->backend, "b0", lane->skb_sink);
	return error || !lane->skb_sink ? error : lane_open_sockets(lane);
}

static int open_generator(struct lane *lane, uint32_t number, const uint8_t node_mac[6])
{
	struct generator_settings *settings;
	struct generator_bpf *generator = generator_bpf__open_and_load();

	if (!generator)
		return -errno;
	lane->generator[number] = generator;
	settings = &generator->bss->settings;
	settings->next = (uint64_t)number << 33; /* flows of its own */
	settings->services = lane->services;
	settings->frame_bytes = FRAME_BYTES;
	settings->ifindex = if_nametoindex("c0");
	memcpy(settings->dst_mac, node_mac, 6);
	return read_mac("c0", settings->src_mac);
}

static int open_client(struct lane *lane)
{
	uint8_t node_mac[6];
	int error, fd = enter_namespace(lane->prefix, "node");

	if (fd < 0)
		return fd;
	close(fd);
	error = read_mac("n0", node_mac);
	lane->client_ns = enter_namespace(lane->prefix, "client");
	if (error || lane->client_ns < 0)
		return error ? error : lane->client_ns;
	lane->client = sink_bpf__open_and_load();
	if (!lane->client)
		return -errno;
	lane->client->bss->settings.expect =
		lane->kind == LANE_BALANCER ? EXPECT_REPLY : EXPECT_SERVICE;
	error = attach_sink(lane->client, "c0", lane->skb_sink);
	for (uint32_t i = 0; i < MAX_CPUS && !error; i++)
		error = open_generator(lane, i, node_mac);
	return error;
}

int lane_open(struct lane *lane)
{
	int error = open_node(lane);

	error = error ? error : open_backend(lane);
	error = error ? error : open_client(lane);
	if (error)
		fprintf(stderr, "lane %s: cannot be set up: %s\n", lane->name, strerror(-error));
	return error;
}

void lane_close(struct lane *lane)
{
	for (uint32_t i = 0; i < MAX_CPUS; i++)
		generator_bpf__destroy(lane->generator[i]);
	sink_bpf__destroy(lane->client);
	sink_bpf__destroy(lane->backend);
	for (int i = 0; i < 2; i++)
		wire_bpf__destroy(lane->wire[i]);
	lane_close_sockets(lane);
	if (lane->client_ns >= 0)
		close(lane->client_ns);
}

void read_tally(struct sink_bpf *sink, struct tally *sum)
{
	const int cpus = libbpf_num_possible_cpus();
	const int map = bpf_map__fd(sink->maps.tallies);
	struct tally *each = calloc(cpus, sizeof(*each));
	const uint32_t zero = 0;

	*sum = (struct tally){0};
	if (!each || bpf_map_lookup_elem(map, &zero, each))
		return;
	for (int cpu = 0; cpu < cpus; cpu++) {
		sum->delivered += each[cpu].delivered;
		sum->wrong += each[cpu].wrong;
		sum->bad_checksum += each[cpu].bad_checksum;
		for (int i = 0; i < BACKENDS; i++)
			sum->backend[i] += each[cpu].backend[i];
	}
	memset(each, 0, cpus * sizeof(*each));
	bpf_map_update_elem(map, &zero, each, BPF_ANY);
	free(each);
}
