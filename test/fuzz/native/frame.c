/*
 * A packet in memory as a driver lays it out, in the lowest 2 GiB, because a program's context has
 * addresses of 32 bits. Its first buffer ends where nothing is mapped; all before its start is
 * poisoned. What bytes may lie in a second buffer no program can point at.
 */
#include <errno.h>
#include <sanitizer/asan_interface.h>
#include <string.h>
#include <sys/mman.h>
#include <bpf/bpf_helpers.h>
#include "test/fuzz/fuzz.h"
#include "test/fuzz/native/native.h"

#define PAGE 4096
#define AREA (NATIVE_FRAME_MAX + PAGE) /* headroom and frame */
#define LEAST ETH_HLEN                 /* what a program must leave of a frame */
#define ETH_HLEN 14
#define METADATA_MAX 32 /* bytes; a multiple of four */

static uint8_t *area;   /* AREA bytes, then a page that cannot be touched */
static uint8_t *lowest; /* that the frame or its metadata may begin at */
static uint8_t later[NATIVE_FRAME_MAX];
static uint32_t later_length;
static bool has_metadata; /* some was written */
static struct xdp_md context;

static uint8_t *at(__u32 address)
{
	return (uint8_t *)(uintptr_t)address;
}

static __u32 address_of(const uint8_t *place)
{
	return (__u32)(uintptr_t)place;
}

static uint32_t linear_length(void)
{
	return context.data_end - context.data;
}

/* Who may be read and written: the first buffer, and what lies in front of it that is ours. */
static void set_bounds(uint8_t *start, uint8_t *end)
{
	const uint8_t *first = has_metadata ? at(context.data_meta) : start;

	context.data = address_of(start);
	context.data_end = address_of(end);
	ASAN_UNPOISON_MEMORY_REGION(area, AREA);
	ASAN_POISON_MEMORY_REGION(area, first - area);
	ASAN_POISON_MEMORY_REGION(end, area + AREA - end);
}

static void map_area(void)
{
	if (area)
		return;
	area = mmap(NULL, AREA + PAGE, PROT_READ | PROT_WRITE,
		    MAP_PRIVATE | MAP_ANONYMOUS | MAP_32BIT, -1, 0);
	must(area != MAP_FAILED, "there is memory in the lowest 2 GiB");
	must(!mprotect(area + AREA, PAGE, PROT_NONE), "a page can be closed");
}

struct xdp_md *native_frame_open(const struct native_packet *packet)
{
	const uint32_t linear = packet->length - packet->later;
	uint8_t *start;

	must(packet->later <= packet->length && packet->later <= sizeof(later) &&
		     linear <= NATIVE_FRAME_MAX && packet->headroom <= NATIVE_HEADROOM,
	     "a packet fits");
	map_area();
	start = area + AREA - linear;
	lowest = start - packet->headroom;
	ASAN_UNPOISON_MEMORY_REGION(area, AREA);
	memset(lowest, 0xee, packet->headroom); /* of who was here before */
	memcpy(start, packet->bytes, linear);
	memcpy(later, packet->bytes + linear, packet->later);
	later_length = packet->later;
	has_metadata = false;
	context = (struct xdp_md){.ingress_ifindex = packet->ifindex};
	set_bounds(start, area + AREA);
	context.data_meta = native_kernel.has_metadata ? context.data : context.data + 1;
	return &context;
}

void native_frame_close(struct native_packet *packet)
{
	const uint32_t linear = linear_length();

	ASAN_UNPOISON_MEMORY_REGION(area, AREA);
	memcpy(packet->bytes, at(context.data), linear);
	memcpy(packet->bytes + linear, later, later_length);
	packet->length = linear + later_length;
	packet->later = later_length;
	packet->headroom = context.data - address_of(lowest);
	packet->metadata_length = has_metadata ? context.data - context.data_meta : 0;
	memcpy(packet->metadata, at(context.data) - packet->metadata_length,
	       packet->metadata_length);
}

__u64 bpf_xdp_get_buff_len(struct xdp_md *ctx)
{
	return ctx->data_end - ctx->data + later_length;
}

long bpf_xdp_load_bytes(struct xdp_md *ctx, __u32 offset, void *to, __u32 length)
{
	const __u32 linear = linear_length(), here = offset < linear ? linear - offset : 0;
	const __u32 first = length < here ? length : here;

	if ((__u64)offset + length > bpf_xdp_get_buff_len(ctx))
		return -EINVAL;
	memcpy(to, at(ctx->data) + offset, first);
	if (first < length)
		memcpy((uint8_t *)to + first, later + (offset + first - linear), length - first);
	return 0;
}

long bpf_xdp_adjust_head(struct xdp_md *ctx, int bytes)
{
	uint8_t *start = at(ctx->data) + bytes;

	must(!has_metadata, "metadata is the last that is written");
	if (start < lowest || start + LEAST > at(ctx->data_end))
		return -EINVAL;
	set_bounds(start, at(ctx->data_end));
	ctx->data_meta = native_kernel.has_metadata ? ctx->data : ctx->data + 1;
	return 0;
}

/* First what lies in the other buffer goes. No program of ours makes a packet longer. */
long bpf_xdp_adjust_tail(struct xdp_md *ctx, int bytes)
{
	const __u32 off = (__u32)-bytes, there = off < later_length ? off : later_length;

	must(bytes <= 0, "a packet is cut, never made longer");
	if (off + LEAST > bpf_xdp_get_buff_len(ctx))
		return -EINVAL;
	later_length -= there;
	if (at(ctx->data_end) - (off - there) < at(ctx->data) + LEAST)
		return -EINVAL;
	set_bounds(at(ctx->data), at(ctx->data_end) - (off - there));
	return 0;
}

long bpf_xdp_adjust_meta(struct xdp_md *ctx, int bytes)
{
	uint8_t *start = at(ctx->data_meta) + bytes, *data = at(ctx->data);

	if (ctx->data_meta > ctx->data)
		return -ENOTSUP;
	if (start < lowest || start > data || (data - start) % 4 || data - start > METADATA_MAX)
		return -EINVAL;
	ctx->data_meta = address_of(start);
	has_metadata = true;
	set_bounds(data, at(ctx->data_end));
	return 0;
}
