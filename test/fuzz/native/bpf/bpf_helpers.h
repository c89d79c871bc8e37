/*
 * In the place of libbpf's header of this name: the same words, and the kernel's helpers as
 * functions of this process (helpers.c, frame.c, maps.c).
 */
#pragma once

#include <linux/bpf.h>
#include <stdbool.h>
#include <stddef.h>
#include "test/fuzz/native/native.h"

#undef __always_inline
#define __always_inline inline
#define __noinline __attribute__((noinline))
#define SEC(name)

/* A map is declared by the types of pointers that are never used: datapath.c reads their sizes. */
#define __uint(name, value) int(*name)[value]
#define __type(name, value) __typeof__(value) *name

void *bpf_map_lookup_elem(const void *map, const void *key);
long bpf_map_update_elem(const void *map, const void *key, const void *value, __u64 flags);
long bpf_map_delete_elem(const void *map, const void *key);
long bpf_redirect_map(const void *map, __u64 key, __u64 flags);
void bpf_tail_call(struct xdp_md *ctx, const void *map, __u32 index);

long bpf_fib_lookup(struct xdp_md *ctx, struct bpf_fib_lookup *way, int size, __u32 flags);
__u64 bpf_jiffies64(void);
__u64 bpf_ktime_get_coarse_ns(void);
__u32 bpf_get_prandom_u32(void);
__u32 bpf_get_smp_processor_id(void);
__s64 bpf_csum_diff(const __be32 *from, __u32 from_size, const __be32 *to, __u32 to_size,
		    __wsum seed);

__u64 bpf_xdp_get_buff_len(struct xdp_md *ctx);
long bpf_xdp_load_bytes(struct xdp_md *ctx, __u32 offset, void *to, __u32 length);
long bpf_xdp_adjust_head(struct xdp_md *ctx, int bytes);
long bpf_xdp_adjust_tail(struct xdp_md *ctx, int bytes);
long bpf_xdp_adjust_meta(struct xdp_md *ctx, int bytes);

void *bpf_ringbuf_reserve(const void *map, __u64 size, __u64 flags);
void bpf_ringbuf_submit(void *record, __u64 flags);
void bpf_ringbuf_discard(void *record, __u64 flags);
