/*
 * The datapath for XDP: the walk of bpf/walk.h, and what XDP alone has.
 *
 * Sections are plain "xdp": whether programs take frames in fragments (xdp.frags) is lbd's to say.
 */
#include "bpf/hook_xdp.h"
#include "bpf/frame_xdp.h"
#include "bpf/act_xdp.h"
#include "bpf/walk.h"

/* What time it is, as the table of connections tells it: for lbd, which cannot read jiffies. */
SEC("syscall")
int clock(void *ctx)
{
	(void)ctx;
	return (int)bpf_jiffies64();
}

char _license[] SEC("license") = "GPL";
