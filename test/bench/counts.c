/*
 * bench_counts: what can be told of the program without a clock. How many instructions each kind of
 * packet takes and which helpers it calls, by the interpreter; how large the program is, by the
 * kernel that loaded it. JSON on stdout; counts.py compares.
 *
 * A row of rows.c is one packet here: those that differ in nothing but how many flows follow each
 * other are the same packet.
 */
#include <arpa/inet.h>
#include <bpf/bpf.h>
#include <bpf/libbpf.h>
#include <stdio.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/utsname.h>
#include "lb/address.h"
#include "lb/datapath_internal.h"
#include "test/interpreter/interpreter.h"
#include "test/bench/traffic.h"
#include "test/bench/world.h"
#include "test/bench/wrapper.h"
#include "test/bpf/network.h"

#define CONNECTIONS 1024

static const char *const PACKETS[_TRAFFIC_COUNT] = {
	[TRAFFIC_ESTABLISHED] = "established",
	[TRAFFIC_REPLY] = "reply",
	[TRAFFIC_NEW] = "new",
	[TRAFFIC_NO_SERVICE] = "of no service",
	[TRAFFIC_NO_BACKEND] = "no backend",
	[TRAFFIC_NOT_IP] = "not IP",
};

struct counting {
	struct world *world;
	struct interpreter *interpreter;
	const struct row *row;
	struct tally tally; /* of the last packet */
	struct frame frame; /* as it left */
	uint32_t action;
};

/* The client of each row has a port of its own. */
static void set_client(const struct row *row, struct address *address, __be16 *port)
{
	address->word[3] = htonl(FIRST_CLIENT);
	*port = htons((uint16_t)(FIRST_CLIENT_PORT + (row - ROWS)));
}

static int send_packet(struct counting *counting, const struct blueprint *packet, enum interface in)
{
	frame_build(packet, &counting->frame);
	if (counting->row->traffic == TRAFFIC_NOT_IP) {
		counting->frame.bytes[12] = ETHERTYPE_NOT_IP >> 8;
		counting->frame.bytes[13] = ETHERTYPE_NOT_IP & 0xff;
	}
	return interpreter_run(counting->interpreter, &counting->frame, network_ifindex(in),
			       &counting->action, &counting->tally);
}

static int send_request(struct counting *counting, uint8_t tcp_flags, struct blueprint *request)
{
	*request = traffic_request(counting->row, tcp_flags);
	set_client(counting->row, &request->src, &request->src_port);
	return send_packet(counting, request, UPLINK);
}

static int send_reply(struct counting *counting, uint32_t backend, uint8_t tcp_flags,
		      struct blueprint *reply)
{
	*reply = traffic_reply(counting->row, backend, tcp_flags);
	set_client(counting->row, &reply->dst, &reply->dst_port);
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

static int count(struct counting *counting)
{
	const struct row *row = counting->row;
	struct blueprint packet;
	int error = 0;

	if (row->traffic == TRAFFIC_ESTABLISHED || row->traffic == TRAFFIC_REPLY)
		error = shake_hands(counting);
	if (!error && row->traffic == TRAFFIC_REPLY)
		error = send_reply(counting, 0, ACK, &packet);
	else if (!error)
		error = send_request(counting, row->traffic == TRAFFIC_NEW ? SYN : ACK, &packet);
	if (error)
		return error;
	if (counting->action == traffic_outcome(row).action &&
	    traffic_is_right(row, &packet, &counting->frame))
		return 0;
	fprintf(stderr, "%s: the interpreted program does action %u, wanted %u\n", row->name,
		counting->action, traffic_outcome(row).action);
	return -1;
}

static void print_tally(const struct row *row, const struct tally *tally, bool first)
{
	const char *separator = "";

	printf("%s\n    \"%s, %s %s\": {\"instructions\": %llu, \"helpers\": {", first ? "" : ",",
	       PACKETS[row->traffic], row_kind(row)->family == IPV6 ? "ipv6" : "ipv4",
	       protocol_name(row_kind(row)->protocol), (unsigned long long)tally->instructions);
	for (uint32_t i = 0; i < MAX_HELPERS; i++) {
		if (!tally->calls[i])
			continue;
		printf("%s\"%s\": %u", separator, helper_name(i), tally->calls[i]);
		separator = ", ";
	}
	printf("}}");
}

static bool is_counted_before(const struct row *row)
{
	for (const struct row *other = ROWS; other < row; other++)
		if (other->subject == SUBJECT_OURS && other->traffic == row->traffic &&
		    other->kind == row->kind)
			return true;
	return false;
}

static int count_rows(struct counting *counting)
{
	bool first = true;
	int error = 0;

	printf("  \"packets\": {");
	for (size_t i = 0; !error && i < ROW_COUNT; i++) {
		if (ROWS[i].subject != SUBJECT_OURS || is_counted_before(&ROWS[i]))
			continue;
		counting->row = &ROWS[i];
		error = count(counting);
		if (!error)
			print_tally(&ROWS[i], &counting->tally, first);
		first = false;
	}
	printf("\n  }\n");
	return error;
}

/* Sizes depend on the compiler; what the kernel makes of the program, on the kernel too. */
static int print_program(const struct bpf_program *program)
{
	struct bpf_prog_info loaded = {};
	__u32 size = sizeof(loaded);
	struct utsname kernel;

	if (uname(&kernel) || bpf_obj_get_info_by_fd(bpf_program__fd(program), &loaded, &size))
		return -1;
	kernel.release[strcspn(kernel.release, "-")] = '\0';
	*strrchr(kernel.release, '.') = '\0';
	printf("  \"compiler\": \"clang %s\",\n  \"kernel\": \"Linux %s\",\n", BENCH_CLANG,
	       kernel.release);
	printf("  \"program\": {\"instructions\": %zu},\n", bpf_program__insn_cnt(program));
	printf("  \"loaded\": {\"xlated instructions\": %zu, \"verified instructions\": %u},\n",
	       loaded.xlated_prog_len / sizeof(struct bpf_insn), loaded.verified_insns);
	return 0;
}

static int count_world(struct counting *counting)
{
	const struct bpf_program *program = world_datapath(counting->world)->skeleton->progs.lb;
	int error;

	counting->interpreter =
		interpreter_new(bpf_program__insns(program), bpf_program__insn_cnt(program));
	if (!counting->interpreter)
		return -1;
	printf("{\n");
	error = print_program(program);
	if (!error)
		error = count_rows(counting);
	printf("}\n");
	interpreter_free(counting->interpreter);
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
