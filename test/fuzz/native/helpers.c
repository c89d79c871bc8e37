/*
 * The kernel around a program: tail calls, time, chance, sums, redirects and the ring buffer.
 */
#include <setjmp.h>
#include <stdlib.h>
#include <string.h>
#include <bpf/bpf_helpers.h>
#include "test/fuzz/fuzz.h"
#include "test/fuzz/native/native.h"

#define NS_PER_JIFFY 4000000
#define MAX_TAIL_CALLS 33 /* as in the kernel */

struct native_kernel native_kernel;

static jmp_buf leave;
static native_program next; /* after the one that has left; NULL: none */
static int left_with;
static void *reserved; /* of the ring buffer */

void native_must(bool holds, const char *what)
{
	must(holds, what);
}

int native_run(native_program program, struct native_packet *packet)
{
	struct xdp_md *ctx = native_frame_open(packet);

	native_kernel.tail_calls = 0;
	native_kernel.is_redirected = false;
	next = program;
	while (next) {
		if (setjmp(leave))
			continue;
		program = next;
		next = NULL;
		left_with = program(ctx);
	}
	native_frame_close(packet);
	must(!reserved, "what was reserved is submitted or discarded");
	return left_with;
}

void native_end_program(int action)
{
	left_with = action;
	longjmp(leave, 1);
}

/* The caller ends where another program begins; comes back where there is none. */
void bpf_tail_call(struct xdp_md *ctx, const void *map, __u32 index)
{
	const native_program *program = bpf_map_lookup_elem(map, &index);

	(void)ctx;
	if (!program || native_kernel.tail_calls == MAX_TAIL_CALLS)
		return;
	native_kernel.tail_calls++;
	next = *program;
	longjmp(leave, 1);
}

long bpf_redirect_map(const void *map, __u64 key, __u64 flags)
{
	const __u32 ifindex = (__u32)key;

	native_kernel.is_redirected = bpf_map_lookup_elem(map, &ifindex);
	return native_kernel.is_redirected ? XDP_REDIRECT : (long)flags;
}

/* Of every third address no way is known. */
long bpf_fib_lookup(struct xdp_md *ctx, struct bpf_fib_lookup *way, int size, __u32 flags)
{
	must(size == sizeof(*way) && !flags && way->ifindex == ctx->ingress_ifindex,
	     "a way is asked for as packets come in");
	memset(way->dmac, 0x2c, sizeof(way->dmac));
	return ((const uint8_t *)&way->ipv4_dst)[3] % 3 ? BPF_FIB_LKUP_RET_SUCCESS
							: BPF_FIB_LKUP_RET_NO_NEIGH;
}

__u64 bpf_jiffies64(void)
{
	return native_kernel.jiffies;
}

__u64 bpf_ktime_get_coarse_ns(void)
{
	return native_kernel.jiffies * NS_PER_JIFFY;
}

__u32 bpf_get_prandom_u32(void)
{
	native_kernel.chance = native_kernel.chance * 1103515245 + 12345;
	return native_kernel.chance;
}

__u32 bpf_get_smp_processor_id(void)
{
	return native_kernel.cpu;
}

static uint64_t sum_words(const void *bytes, __u32 size, bool is_taken_off)
{
	uint64_t sum = 0;
	__u32 word;

	must(size % 4 == 0, "sums are of whole words");
	for (__u32 i = 0; i < size; i += 4) {
		memcpy(&word, (const uint8_t *)bytes + i, sizeof(word));
		sum += is_taken_off ? ~word : word;
	}
	return sum;
}

__s64 bpf_csum_diff(const __be32 *from, __u32 from_size, const __be32 *to, __u32 to_size,
		    __wsum seed)
{
	uint64_t sum = seed + sum_words(from, from_size, true) + sum_words(to, to_size, false);

	while (sum >> 32)
		sum = (sum & UINT32_MAX) + (sum >> 32);
	return (__s64)sum;
}

void *bpf_ringbuf_reserve(const void *map, __u64 size, __u64 flags)
{
	(void)map;
	must(!reserved && !flags, "one record at a time is reserved");
	if (native_kernel.is_ringbuf_full)
		return NULL;
	reserved = malloc(size);
	must(reserved, "there is memory");
	return reserved;
}

void bpf_ringbuf_discard(void *record, __u64 flags)
{
	must(record && record == reserved && !flags, "what is given back was reserved");
	free(reserved);
	reserved = NULL;
}

void bpf_ringbuf_submit(void *record, __u64 flags)
{
	const struct early_fragment *early = record;

	must(early->kind == EVENT_EARLY_FRAGMENT && early->length <= EVENT_FRAME_MAX,
	     "what is handed over is a frame of a length that lbd can read");
	native_kernel.handed_over++;
	bpf_ringbuf_discard(record, flags);
}
