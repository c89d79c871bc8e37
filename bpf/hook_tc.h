/*
 * tc as the hook, in the place of hook_xdp.h: a frame that comes in is an skb here. It may be many
 * segments in one (GSO), its checksum may be left to the device that sends it, and both stay so.
 *
 * The frame is as long as the skb, but only what is linear can be pointed into; a VLAN tag that it
 * had lies beside it.
 */
#pragma once

#include <linux/bpf.h>
#include <linux/pkt_cls.h>
#include <stdbool.h>
#include <bpf/bpf_helpers.h>

#define HOOK "tc" /* the programs' sections */
#define hook_context __sk_buff

/* What passes is asked of other programs behind ours, of tcx and of clsact. */
enum hook_action {
	HOOK_DROP = TC_ACT_SHOT,
	HOOK_PASS = TC_ACT_UNSPEC,
};

/* Whether its programs encapsulate packets for other nodes: segments to be would not fit. */
#define HOOK_TUNNELS false

/* Ports that frames cannot leave by (enum port_flag): they can by all of them. */
#define HOOK_LEFT_TO_STACK 0

#define HEADERS_MAX 256 /* bytes that are made linear; what begins behind them is not read */

/* Before anything of a frame is looked at: makes its headers linear, as they nearly always are. */
static __always_inline void hook_begin(struct hook_context *ctx)
{
	const __u32 linear = ctx->data_end - ctx->data;

	if (linear < HEADERS_MAX && linear < ctx->len)
		bpf_skb_pull_data(ctx, ctx->len < HEADERS_MAX ? ctx->len : HEADERS_MAX);
}

/*
 * Whether the kernel keeps a VLAN tag beside the frame, where parse does not see it. The interface
 * of that VLAN gets the frame without it.
 */
static __always_inline bool has_hidden_tag(const struct hook_context *ctx)
{
	return ctx->vlan_present;
}

static __always_inline __u64 frame_length(const struct hook_context *ctx)
{
	return ctx->len;
}

/* Of all of the frame; 0 or -errno. */
static __always_inline long frame_read(struct hook_context *ctx, __u32 offset, void *to,
				       __u32 length)
{
	return bpf_skb_load_bytes(ctx, offset, to, length);
}

static __always_inline __u32 first_length(const struct hook_context *ctx, bool is_rare)
{
	(void)is_rare;
	return ctx->len;
}
