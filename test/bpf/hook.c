/*
 * Runs programs for tc: see hook.h.
 */
#include "test/bpf/hook.h"

#include <bpf/bpf.h>
#include <bpf/libbpf.h>
#include <linux/bpf.h>
#include <linux/pkt_cls.h>
#include <stdlib.h>
#include <string.h>
#include "lb/datapath_internal.h"

bool hook_is_tc(void)
{
	const char *hook = getenv("LBT_HOOK");

	return hook && !strcmp(hook, "tc");
}

uint16_t hook_port_flags(uint16_t flags)
{
	const uint16_t of_xdp = PORT_BY_STACK | PORT_GENERIC | PORT_TX_BY_REDIRECT;

	return hook_is_tc() ? flags & (uint16_t)~of_xdp : flags;
}

uint32_t hook_action(uint32_t action)
{
	return hook_is_tc() && action == XDP_TX ? XDP_REDIRECT : action;
}

static uint32_t action_of(uint32_t answer)
{
	if (answer == (uint32_t)TC_ACT_UNSPEC)
		return XDP_PASS;
	if (answer == TC_ACT_REDIRECT)
		return XDP_REDIRECT;
	return answer == TC_ACT_SHOT ? XDP_DROP : XDP_ABORTED;
}

int hook_run_tc(const struct datapath *datapath, enum interface in, const struct frame *sent,
		struct frame *left, uint32_t *action)
{
	struct __sk_buff context = {.ingress_ifindex = network_ifindex(in)};
	LIBBPF_OPTS(bpf_test_run_opts, options, .data_in = sent->bytes,
		    .data_size_in = (__u32)sent->length, .data_out = left->bytes,
		    .data_size_out = sizeof(left->bytes), .ctx_in = &context,
		    .ctx_size_in = sizeof(context));
	const int program = bpf_program__fd(datapath->tc.side[TC_INGRESS].program);
	const int error = bpf_prog_test_run_opts(program, &options);

	if (error)
		return error;
	left->length = options.data_size_out;
	*action = action_of(options.retval);
	return 0;
}
