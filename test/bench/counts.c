/*
 * bench_counts: what can be told of the programs without a clock. How many instructions each kind
 * of packet takes and which helpers it calls, by the interpreter; how large the programs are, by
 * the kernel that loaded them. JSON on stdout; counts.py compares.
 *
 * A row of rows.c is one packet here: those that differ in nothing but how many flows follow each
 * other are the same packet.
 */
#include <arpa/inet.h>
#include <bpf/libbpf.h>
#include <stdio.h>
#include <string.h>
#include <sys/mount.h>
#include "include/hash.h"
#include "lb/datapath_internal.h"
#include "test/bench/counts.h"
#include "test/bench/traffic.h"
#include "test/bench/world.h"
#include "test/bench/wrapper.h"
#include "test/bpf/network.h"

#define CONNECTIONS 1024

struct counting {
	struct world *world;
	const struct row *row;
	struct tally tally; /* of the last packet */
	struct frame frame; /* as it left */
	uint32_t action;
};

static const struct lb_bpf *skeleton_of(const struct counting *counting)
{
	return world_datapath(counting->world)->skeleton;
}

/* A filter passes one client in some dozens, who is looked for as if there were such a backend. */
static bool passes_for_backend(const struct counting *counting, const struct address *address,
			       __be16 port)
{
	const struct datapath *datapath = world_datapath(counting->world);
	const struct filter *filter = &datapath->backend_filter;
	const uint64_t *words = filter->words.memory;
	const uint8_t protocol = row_kind(counting->row)->protocol;
	const uint32_t bit =
		hash_bit(hash_endpoint(datapath->seed, address, port, protocol), filter->mask);

	return words[bit / 64] >> bit % 64 & 1;
}

/*
 * The client of each row has a port of its own, but that a fixed frame is about flow 0. What is
 * counted must not hang on which row it is.
 */
static void set_client(const struct counting *counting, struct address *address, __be16 *port)
{
	const struct row *row = counting->row;
	const bool denied = row->clients == CLIENTS_DENIED;
	size_t flow = traffic_is_fixed(row) ? 0 : (size_t)(row - ROWS);

	address->word[3] = htonl(denied ? SUSPECT(0) : FIRST_CLIENT);
	do {
		*port = htons((uint16_t)(FIRST_CLIENT_PORT + flow));
		flow += ROW_COUNT;
	} while (!traffic_is_fixed(row) && passes_for_backend(counting, address, *port));
}

/* Runs the frame, which becomes what the program makes of it, in whatever parts it goes. */
static int run(struct counting *counting, enum interface in)
{
	const struct lb_bpf *skeleton = skeleton_of(counting);
	struct interpreter *interpreter = interpreter_new(
		bpf_program__insns(skeleton->progs.lb), bpf_program__insn_cnt(skeleton->progs.lb));
	int error;

	if (!interpreter)
		return -1;
	interpreter_add_parts(interpreter, world_datapath(counting->world)->parts, _PROGRAM_COUNT);
	error = interpreter_run(interpreter, &counting->frame, network_ifindex(in),
				&counting->action, &counting->tally);
	interpreter_free(interpreter);
	return error;
}

static int send_packet(struct counting *counting, const struct blueprint *packet, enum interface in)
{
	frame_build(packet, &counting->frame);
	return run(counting, in);
}

static int send_fixed(struct counting *counting)
{
	traffic_fixed(counting->row, &counting->frame);
	return run(counting, traffic_is_request(counting->row) ? UPLINK : POD);
}

/* Of a connection that is to be known: what begins it. */
static int begin_fixed(struct counting *counting)
{
	const struct row *row = counting->row;

	if (traffic_outcome(row).action != XDP_REDIRECT || !traffic_is_request(row))
		return 0;
	if (traffic_fixed_rival(row, &counting->frame) && run(counting, UPLINK))
		return -1;
	traffic_fixed_first(row, &counting->frame);
	return run(counting, UPLINK);
}

static int send_request(struct counting *counting, uint8_t tcp_flags, struct blueprint *request)
{
	*request = traffic_request(counting->row, tcp_flags);
	set_client(counting, &request->src, &request->src_port);
	return send_packet(counting, request, UPLINK);
}

static int send_reply(struct counting *counting, uint32_t backend, uint8_t tcp_flags,
		      struct blueprint *reply)
{
	*reply = traffic_reply(counting->row, backend, tcp_flags);
	set_client(counting, &reply->dst, &reply->dst_port);
	return send_packet(counting, reply, POD);
}

/* A SYN, the answer of whichever backend it went to, the answer to that. */
static int shake_hands(struct counting *counting)
{
	struct blueprint packet;
	int error = send_request(counting, SYN, &packet);

	for (uint32_t i = 0; !error && i < traffic_backends(counting->row); i++)
		error = send_reply(counting, i, SYN | ACK, &packet);
	return error ? error : send_request(counting, ACK, &packet);
}

/* Another client begins the one connection that may begin. */
static int use_up_limit(struct counting *counting)
{
	struct blueprint packet = traffic_request(counting->row, SYN);

	set_client(counting, &packet.src, &packet.src_port);
	packet.src.word[3] = htonl(FIRST_CLIENT + 1);
	return send_packet(counting, &packet, UPLINK);
}

static int count(struct counting *counting)
{
	const struct row *row = counting->row;
	struct blueprint packet = {};
	int error = traffic_is_answered(row) ? shake_hands(counting) : 0;

	if (row->traffic == TRAFFIC_STATELESS)
		error = use_up_limit(counting);
	if (!error && traffic_is_lost(row))
		error = world_set_backends(counting->world, row_kind(row), traffic_shape(row),
					   BACKEND_DOWN);
	if (!error && traffic_is_fixed(row))
		error = begin_fixed(counting);
	if (!error && traffic_is_fixed(row))
		error = send_fixed(counting);
	else if (!error && traffic_is_request(row))
		error = send_request(counting, traffic_flags(row), &packet);
	else if (!error)
		error = send_reply(counting, 0, traffic_flags(row), &packet);
	if (error)
		return error;
	if (counting->action == traffic_outcome(row).action &&
	    traffic_is_right(row, &packet, &counting->frame))
		return 0;
	fprintf(stderr, "%s: the interpreted program does action %u, wanted %u\n", row->name,
		counting->action, traffic_outcome(row).action);
	return -1;
}

static bool is_counted_before(const struct row *row)
{
	for (const struct row *other = ROWS; other < row; other++)
		if (other->subject == SUBJECT_OURS && other->traffic == row->traffic &&
		    other->kind == row->kind && other->shape == row->shape &&
		    other->clients == row->clients && other->options == row->options)
			return true;
	return false;
}

/* Whether it is one of those in a world of other tables or knobs; of WORLD_ROOMY: of all others. */
static bool is_to_count(const struct row *row, enum place place)
{
	const bool is_special = row->place >= WORLD_DENY;

	return row->subject == SUBJECT_OURS && !is_counted_before(row) &&
	       (is_special ? row->place : WORLD_ROOMY) == place;
}

static bool has_rows(enum place place)
{
	size_t i = 0;

	while (i < ROW_COUNT && !is_to_count(&ROWS[i], place))
		i++;
	return i < ROW_COUNT;
}

static int count_rows(struct counting *counting, enum place place)
{
	static bool first = true;
	int error = 0;

	for (size_t i = 0; !error && i < ROW_COUNT; i++) {
		const struct row *row = &ROWS[i];

		if (!is_to_count(row, place))
			continue;
		counting->row = row;
		error = count(counting);
		if (!error)
			counts_print_packet(row, &counting->tally, first);
		first = false;
	}
	return error;
}

static int count_place(struct counting *counting, enum place place)
{
	const struct world_options options = {
		.services = 1,
		.connections = CONNECTIONS,
		.denied = place == WORLD_DENY,
		.metadata = place == WORLD_METADATA,
		.max_new_connections = place == WORLD_STATELESS,
		.answers = place == WORLD_ANSWER,
	};
	int error;

	world_close(counting->world);
	counting->world = world_open(&options);
	error = counting->world ? 0 : -1;
	return error ? error : count_rows(counting, place);
}

static int count_packets(struct counting *counting)
{
	int error;

	printf("  \"packets\": {");
	error = count_rows(counting, WORLD_ROOMY);
	for (enum place place = WORLD_DENY; !error && place < _WORLD_COUNT; place++)
		if (has_rows(place))
			error = count_place(counting, place);
	printf("\n  }\n");
	return error;
}

static int count_world(struct counting *counting)
{
	int error;

	printf("{\n");
	error = counts_print_programs(world_datapath(counting->world));
	if (!error)
		error = count_packets(counting);
	printf("}\n");
	return error;
}

int main(void)
{
	const struct world_options options = {.services = 1, .connections = CONNECTIONS};
	static struct counting counting; /* too long for comfort on the stack */
	void *nothing = NULL;
	int error;

	if (network_make(&nothing) || mount("bpf", "/sys/fs/bpf", "bpf", 0, NULL)) {
		perror("cannot make a place to count in");
		return 1;
	}
	counting.world = world_open(&options);
	error = counting.world ? count_world(&counting) : -1;
	world_close(counting.world);
	return error ? 1 : 0;
}
