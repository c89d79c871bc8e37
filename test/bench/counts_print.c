/*
 * JSON: see counts.h.
 */
#include "test/bench/counts.h"

#include <bpf/bpf.h>
#include <bpf/libbpf.h>
#include <stdio.h>
#include <string.h>
#include <sys/utsname.h>
#include "lb/address.h"
#include "lb/datapath_internal.h"

static const char *const PACKETS[_TRAFFIC_COUNT] = {
	[TRAFFIC_ESTABLISHED] = "established",
	[TRAFFIC_REPLY] = "reply",
	[TRAFFIC_NEW] = "new",
	[TRAFFIC_MID_FLOW] = "mid-flow, no entry",
	[TRAFFIC_STATELESS] = "new without an entry",
	[TRAFFIC_RESET] = "RST, no entry",
	[TRAFFIC_NO_SERVICE] = "of no service",
	[TRAFFIC_NO_BACKEND] = "no backend",
	[TRAFFIC_ANSWER_RESET] = "no backend, reset sent",
	[TRAFFIC_ANSWER_UNREACHABLE] = "no backend, unreachable sent",
	[TRAFFIC_GONE] = "backend gone, reset sent",
	[TRAFFIC_NOT_SERVED] = "port not served",
	[TRAFFIC_NOT_SERVED_RESET] = "port not served, reset sent",
	[TRAFFIC_NOT_SERVED_UNREACHABLE] = "port not served, unreachable sent",
	[TRAFFIC_OUT_OF_RANGE] = "outside of the source ranges",
	[TRAFFIC_DENIED] = "denied",
	[TRAFFIC_NOT_IP] = "not IP",
	[TRAFFIC_ONE_FLOW] = "established",
	[TRAFFIC_ALIASED] = "established, alias",
	[TRAFFIC_TAGGED] = "established, VLAN tag",
	[TRAFFIC_EXTENSION] = "established, extension header",
	[TRAFFIC_FRAGMENT] = "first fragment",
	[TRAFFIC_FRAGMENT_OF_OTHERS] = "fragment of no service",
	[TRAFFIC_ECHO] = "ICMP echo",
	[TRAFFIC_ICMP_ERROR] = "ICMP error",
};

/* What is more than the plainest packet of its kind. */
static void print_particulars(const struct row *row)
{
	if (row->options)
		printf(", IPv4 options");
	if (*world_shape_name(row->shape))
		printf(", %s", world_shape_name(row->shape));
	if (row->clients == CLIENTS_BESIDE_DENIED)
		printf(", others are denied");
}

void counts_print_packet(const struct row *row, const struct tally *tally, bool first)
{
	const char *separator = "";

	printf("%s\n    \"%s", first ? "" : ",", PACKETS[row->traffic]);
	print_particulars(row);
	printf(", %s %s\": {\"instructions\": %llu, \"helpers\": {",
	       row_kind(row)->family == IPV6 ? "ipv6" : "ipv4",
	       protocol_name(row_kind(row)->protocol), (unsigned long long)tally->instructions);
	for (uint32_t i = 0; i < MAX_HELPERS; i++) {
		if (!tally->calls[i])
			continue;
		printf("%s\"%s\": %u", separator, helper_name(i), tally->calls[i]);
		separator = ", ";
	}
	printf("}}");
}

/* Sizes depend on the compiler; what the kernel makes of a program, on the kernel too. */
static int print_program(const struct bpf_program *program, bool first)
{
	struct bpf_prog_info loaded = {};
	__u32 size = sizeof(loaded);

	if (bpf_obj_get_info_by_fd(bpf_program__fd(program), &loaded, &size))
		return -1;
	printf("%s\n    \"%s\": {\"instructions\": %zu, \"xlated instructions\": %zu, "
	       "\"jited bytes\": %u, \"verified instructions\": %u}",
	       first ? "" : ",", bpf_program__name(program), bpf_program__insn_cnt(program),
	       loaded.xlated_prog_len / sizeof(struct bpf_insn), loaded.jited_prog_len,
	       loaded.verified_insns);
	return 0;
}

int counts_print_programs(const struct datapath *datapath)
{
	struct utsname kernel;
	int error = 0;

	if (uname(&kernel))
		return -1;
	kernel.release[strcspn(kernel.release, "-")] = '\0';
	*strrchr(kernel.release, '.') = '\0';
	printf("  \"compiler\": \"clang %s\",\n  \"kernel\": \"Linux %s\",\n", BENCH_CLANG,
	       kernel.release);
	printf("  \"programs\": {");
	for (int i = 0; !error && i < _PROGRAM_COUNT; i++)
		error = print_program(datapath->parts[i], !i);
	if (!error)
		error = print_program(datapath->skeleton->progs.lb, false);
	printf("\n  },\n");
	return error;
}
