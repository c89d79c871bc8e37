/*
 * The helpers that an interpreted program may call. One more is a function and a line in HELPERS.
 */
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include "test/interpreter/interpreter_internal.h"

#define NOW_NS 1000000000000ull /* since boot; never another time */

typedef uint64_t (*helper)(struct interpreter *interpreter, const uint64_t *arguments);

static void *pointer(uint64_t value)
{
	return (void *)(uintptr_t)value;
}

static uint64_t lookup(struct interpreter *interpreter, const uint64_t *arguments)
{
	return (uintptr_t)map_value(interpreter, (int)arguments[0], pointer(arguments[1]));
}

static uint64_t update(struct interpreter *interpreter, const uint64_t *arguments)
{
	return (uint64_t)map_update(interpreter, (int)arguments[0], pointer(arguments[1]),
				    pointer(arguments[2]), arguments[3]);
}

static uint64_t remove_element(struct interpreter *interpreter, const uint64_t *arguments)
{
	return (uint64_t)map_delete(interpreter, (int)arguments[0], pointer(arguments[1]));
}

static uint64_t now_ns(struct interpreter *interpreter, const uint64_t *arguments)
{
	(void)interpreter;
	(void)arguments;
	return NOW_NS;
}

static uint64_t now_jiffies(struct interpreter *interpreter, const uint64_t *arguments)
{
	(void)arguments;
	return interpreter->jiffies;
}

/* The first CPU; and as random numbers go, as good as any. */
static uint64_t zero(struct interpreter *interpreter, const uint64_t *arguments)
{
	(void)interpreter;
	(void)arguments;
	return 0;
}

static uint64_t redirect(struct interpreter *interpreter, const uint64_t *arguments)
{
	(void)interpreter;
	(void)arguments;
	return XDP_REDIRECT;
}

static uint64_t buffer_length(struct interpreter *interpreter, const uint64_t *arguments)
{
	(void)arguments;
	return interpreter->context.data_end - interpreter->context.data;
}

static uint64_t adjust_head(struct interpreter *interpreter, const uint64_t *arguments)
{
	struct xdp_md *context = &interpreter->context;
	const uint32_t first = (uint32_t)(uintptr_t)interpreter->packet;
	const int64_t start = (int64_t)context->data + (int32_t)arguments[1];

	if (start < first || start > (int64_t)context->data_end - ETH_HLEN)
		return (uint64_t)-EINVAL;
	context->data = context->data_meta = (uint32_t)start;
	return 0;
}

/* A sum of 32-bit words, carries wrapped around: folded it is what the kernel's is. */
static uint64_t checksum_difference(struct interpreter *interpreter, const uint64_t *arguments)
{
	const uint32_t *from = pointer(arguments[0]), *to = pointer(arguments[2]);
	uint64_t sum = (uint32_t)arguments[4];

	(void)interpreter;
	for (uint32_t i = 0; i < (uint32_t)arguments[1] / sizeof(*from); i++)
		sum += (uint32_t)~from[i];
	for (uint32_t i = 0; i < (uint32_t)arguments[3] / sizeof(*to); i++)
		sum += to[i];
	sum = (uint32_t)sum + (sum >> 32);
	return (uint32_t)(sum + (sum >> 32));
}

/* Shorter, or as long as a frame may be. */
static uint64_t adjust_tail(struct interpreter *interpreter, const uint64_t *arguments)
{
	struct xdp_md *context = &interpreter->context;
	const int64_t end = (int64_t)context->data_end + (int32_t)arguments[1];

	if (end < (int64_t)context->data + ETH_HLEN || end > (int64_t)context->data + FRAME_MAX)
		return (uint64_t)-EINVAL;
	context->data_end = (uint32_t)end;
	return 0;
}

/* Of a main function alone: elsewhere the kernel would come back to its caller. */
static uint64_t tail_call(struct interpreter *interpreter, const uint64_t *arguments)
{
	const uint64_t index = arguments[2];

	if (index >= MAX_PARTS || !interpreter->parts[index].first)
		return (uint64_t)-ENOENT;
	if (interpreter->depth > 1) {
		fprintf(stderr, "the interpreter knows no tail calls of functions\n");
		interpreter->error = -ENOSYS;
	}
	interpreter->code = interpreter->parts[index];
	interpreter->has_parted = true;
	return 0;
}

struct entry {
	const char *name;
	helper call;
};

static const struct entry HELPERS[MAX_HELPERS] = {
	[BPF_FUNC_map_lookup_elem] = {"map_lookup_elem", lookup},
	[BPF_FUNC_map_update_elem] = {"map_update_elem", update},
	[BPF_FUNC_map_delete_elem] = {"map_delete_elem", remove_element},
	[BPF_FUNC_tail_call] = {"tail_call", tail_call},
	[BPF_FUNC_ktime_get_ns] = {"ktime_get_ns", now_ns},
	[BPF_FUNC_ktime_get_boot_ns] = {"ktime_get_boot_ns", now_ns},
	[BPF_FUNC_ktime_get_coarse_ns] = {"ktime_get_coarse_ns", now_ns},
	[BPF_FUNC_jiffies64] = {"jiffies64", now_jiffies},
	[BPF_FUNC_get_prandom_u32] = {"get_prandom_u32", zero},
	[BPF_FUNC_get_smp_processor_id] = {"get_smp_processor_id", zero},
	[BPF_FUNC_csum_diff] = {"csum_diff", checksum_difference},
	[BPF_FUNC_redirect] = {"redirect", redirect},
	[BPF_FUNC_redirect_map] = {"redirect_map", redirect},
	[BPF_FUNC_xdp_adjust_head] = {"xdp_adjust_head", adjust_head},
	[BPF_FUNC_xdp_adjust_tail] = {"xdp_adjust_tail", adjust_tail},
	[BPF_FUNC_xdp_get_buff_len] = {"xdp_get_buff_len", buffer_length},
};

const char *helper_name(uint32_t number)
{
	return number < MAX_HELPERS ? HELPERS[number].name : NULL;
}

uint64_t helper_call(struct interpreter *interpreter, uint32_t number, const uint64_t *arguments)
{
	if (number >= MAX_HELPERS || !HELPERS[number].call) {
		fprintf(stderr, "the interpreter does not know the helper %u\n", number);
		interpreter->error = -ENOSYS;
		return 0;
	}
	interpreter->tally->calls[number]++;
	return HELPERS[number].call(interpreter, arguments);
}
