/* The limit: a node that does nothing but redirect what comes in on one side to the other. */
#include <linux/bpf.h>
#include <bpf/bpf_helpers.h>

__u32 other_side;

SEC("xdp")
int wire(struct xdp_md *ctx)
{
	(void)ctx;
	return bpf_redirect(other_side, 0);
}

char _license[] SEC("license") = "GPL";
