/*
 * XDP as the hook of the programs: the first thing that an object includes says which one it is
 * for, and steps find these names whichever it is. Here the kernel's context and how to get at a
 * frame; bpf/frame_xdp.h has what needs to know of a packet, bpf/act_xdp.h how one leaves.
 *
 * A frame lies in one buffer, or in several (xdp.frags), of which only the first can be pointed
 * into.
 */
#pragma once

#include <linux/bpf.h>
#include <stdbool.h>
#include <bpf/bpf_helpers.h>

#define HOOK "xdp" /* the programs' sections */
#define hook_context xdp_md

enum hook_action {
	HOOK_DROP = XDP_DROP,
	HOOK_PASS = XDP_PASS,
};

/* Whether its programs encapsulate packets for other nodes, and take them out again. */
#define HOOK_TUNNELS true

/* Ports that frames cannot leave by: enum port_flag. */
#define HOOK_LEFT_TO_STACK PORT_BY_STACK

/* Before anything of a frame is looked at. */
static __always_inline void hook_begin(struct hook_context *ctx)
{
	(void)ctx;
}

/* Whether the kernel keeps a VLAN tag beside the frame, where parse does not see it. */
static __always_inline bool has_hidden_tag(const struct hook_context *ctx)
{
	(void)ctx;
	return false;
}

static __always_inline __u64 frame_length(struct hook_context *ctx)
{
	return bpf_xdp_get_buff_len(ctx);
}

/* Of all of the frame; 0 or -errno. */
static __always_inline long frame_read(struct hook_context *ctx, __u32 offset, void *to,
				       __u32 length)
{
	return bpf_xdp_load_bytes(ctx, offset, to, length);
}

/* Of a frame in several buffers that of the first, unless what is rare is asked of. */
static __always_inline __u32 first_length(struct hook_context *ctx, bool is_rare)
{
	return is_rare ? frame_length(ctx) : ctx->data_end - ctx->data;
}
