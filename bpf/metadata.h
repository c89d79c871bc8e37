/*
 * Writes in front of a packet that goes to the stack why it does and of which service it is, for
 * programs behind ours: include/metadata.h. The last thing that is done with a packet, because it
 * may move, and so nothing that points into it is good any more.
 */
#pragma once

#include <linux/bpf.h>
#include <bpf/bpf_helpers.h>
#include "bpf/knobs.h"
#include "include/metadata.h"

/* A global function: out of the way of packets that carry none. */
__noinline int write_metadata(struct hook_context *ctx, __u32 verdict, __u32 service)
{
	struct metadata *metadata;

	if (bpf_xdp_adjust_meta(ctx, -(int)sizeof(*metadata))) {
		__sync_fetch_and_add(&metadata_missing, 1);
		return XDP_PASS;
	}
	metadata = (void *)(long)ctx->data_meta;
	if ((void *)(metadata + 1) > (void *)(long)ctx->data)
		return XDP_PASS; /* VERIFIER: does not know what adjust_meta has done (6.18) */
	*metadata = (struct metadata){
		.magic = METADATA_MAGIC,
		.class = (__u8)metadata_class_of(verdict),
		.verdict = (__u8)verdict,
		.service = service,
	};
	return XDP_PASS;
}
