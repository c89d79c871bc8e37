/*
 * Goes before the program under test. BPF_PROG_TEST_RUN gives each repetition the buffer as the
 * last one left it, translated; so this writes the headers anew, with the next flow's address and
 * port and right checksums, and tail-calls the program. The cost of that is measured with `nop` as
 * the program.
 *
 * The frame is written in words of eight bytes that begin with the network header: no field of
 * IPv4, IPv6, TCP or UDP, nor eight bytes of an address, lies across two of them. A program that
 * reads what two stores have written would wait for both to reach the cache, which no packet of a
 * network card's makes it do. For little-endian machines.
 */
#include <linux/bpf.h>
#include <stdbool.h>
#include <bpf/bpf_endian.h>
#include <bpf/bpf_helpers.h>
#include "include/metadata.h"
#include "test/bench/wrapper.h"

#define NETWORK 14 /* byte at which the network header begins */

/* One element, whose index is a constant: the JIT makes the tail call a direct jump. */
struct {
	__uint(type, BPF_MAP_TYPE_PROG_ARRAY);
	__uint(key_size, sizeof(__u32));
	__uint(value_size, sizeof(__u32));
	__uint(max_entries, 1);
} subject SEC(".maps");

/* The loader writes while no packet runs. Checksum fields and what a flow varies are zero. */
__u64 ethernet_words[2]; /* bytes 0 to 7 and 6 to 13 */
__u64 words[FIXED_WORDS];
__u32 network_sum;   /* of the IPv4 header without what varies */
__u32 transport_sum; /* the same with the pseudo header */

/* Flows first_flow … end_flow - 1, round and round. */
__u32 next_flow;
__u32 first_flow;
__u32 end_flow;
__u32 next_service;

/* Of more than one service, each packet goes to the next: so many addresses from the first on. */
const volatile __u32 service_count = 1;
const volatile __u32 first_service; /* last word of the address, in the host's order */
const volatile __u32 first_suspect; /* the same, of the client of flow 0: see wrapper.h */

/* Where the fields lie that vary, in bytes from the start of the frame; 0: there is no such. */
struct layout {
	__u32 address; /* the client's last word */
	__u32 port;    /* the client's */
	__u32 network_checksum;
	__u32 transport_checksum;
	__u32 service; /* last word of the service's address */
	bool suspects; /* each flow is of a client of its own */
	bool metadata; /* the program may write some, which must go before the next packet */
	bool resized;  /* it may leave the packet shorter, or longer at its front */
};

struct fields {
	__be32 address;
	__be32 service;
	__be16 port;
	__u16 network_checksum;
	__u16 transport_checksum;
};

static __always_inline __u16 fold(__u32 sum)
{
	sum = (sum & 0xffff) + (sum >> 16);
	sum = (sum & 0xffff) + (sum >> 16);
	return sum == 0xffff ? sum : (__u16)~sum; /* of UDP, zero would say that there is none */
}

static __always_inline void next(const struct layout *layout, struct fields *fields)
{
	const __u32 flow = next_flow;
	__u32 sum;

	next_flow = flow + 1 == end_flow ? first_flow : flow + 1;
	fields->address = bpf_htonl(FIRST_CLIENT + flow / PORTS_PER_CLIENT);
	fields->port = bpf_htons(FIRST_CLIENT_PORT + flow % PORTS_PER_CLIENT);
	if (layout->suspects) {
		fields->address = bpf_htonl(first_suspect + (SUSPECT(1) - SUSPECT(0)) * flow);
		fields->port = bpf_htons(FIRST_CLIENT_PORT);
	}
	sum = (fields->address & 0xffff) + (fields->address >> 16);
	if (service_count > 1) {
		fields->service = bpf_htonl(first_service + next_service);
		sum += (fields->service & 0xffff) + (fields->service >> 16);
		next_service = next_service + 1 == service_count ? 0 : next_service + 1;
	}
	fields->network_checksum = fold(network_sum + sum);
	fields->transport_checksum = fold(transport_sum + sum + fields->port);
}

/* `field` at its place where that is in the word that begins at byte `start`. */
static __always_inline __u64 place(__u32 start, __u32 at, __u64 field)
{
	return at >= start && at < start + 8 ? field << (at - start) * 8 : 0;
}

static __always_inline __u64 word_of(__u32 i, const struct layout *layout,
				     const struct fields *fields)
{
	const __u32 start = NETWORK + 8 * i;

	return words[i] | place(start, layout->address, fields->address) |
	       place(start, layout->port, fields->port) |
	       place(start, layout->network_checksum, fields->network_checksum) |
	       place(start, layout->transport_checksum, fields->transport_checksum) |
	       place(start, layout->service, fields->service);
}

/* Answers have grown in front or were cut at the end; a fixed frame has only lost its tags. */
static __always_inline void restore_length(struct xdp_md *ctx, bool is_fixed)
{
	const int wanted = is_fixed ? FIXED_BYTES : FRAME_BYTES;
	const int over = (int)(ctx->data_end - ctx->data) - wanted;

	if (over > 0 || (over && is_fixed))
		bpf_xdp_adjust_head(ctx, over);
	else if (over < 0)
		bpf_xdp_adjust_tail(ctx, -over);
}

static __always_inline int wrap(struct xdp_md *ctx, const struct layout *layout)
{
	const bool is_fixed = !layout->address;
	struct fields fields = {};
	void *frame;

	if (layout->metadata)
		bpf_xdp_adjust_meta(ctx, sizeof(struct metadata));
	if (layout->resized)
		restore_length(ctx, is_fixed);
	frame = (void *)(long)ctx->data;
	if (frame + (is_fixed ? FIXED_BYTES : FRAME_BYTES) > (void *)(long)ctx->data_end)
		return XDP_ABORTED;
	if (!is_fixed)
		next(layout, &fields);
	*(__u64 *)frame = ethernet_words[0];
	*(__u64 *)(frame + 6) = ethernet_words[1];
#pragma unroll
	for (__u32 i = 0; i < FIXED_WORDS; i++)
		if (is_fixed || i < FRAME_WORDS)
			*(__u64 *)(frame + NETWORK + 8 * i) = word_of(i, layout, &fields);
	bpf_tail_call_static(ctx, &subject, 0);
	return XDP_ABORTED;
}

#define WRAPPER(name, ...)                                                                         \
	SEC("xdp.frags")                                                                           \
	int name(struct xdp_md *ctx)                                                               \
	{                                                                                          \
		const struct layout layout = {__VA_ARGS__};                                        \
                                                                                                   \
		return wrap(ctx, &layout);                                                         \
	}

/* With the same but for clients: NAME_suspects. */
#define WRAPPERS(name, ...)                                                                        \
	WRAPPER(name, __VA_ARGS__, false, false, false)                                            \
	WRAPPER(name##_suspects, __VA_ARGS__, true, false, false)

/* Requests, which may also be answered: NAME_resized. */
#define REQUEST_WRAPPERS(name, ...)                                                                \
	WRAPPERS(name, __VA_ARGS__)                                                                \
	WRAPPER(name##_resized, __VA_ARGS__, false, false, true)

/* address, port, network checksum, transport checksum, service; replies go to one client each. */
REQUEST_WRAPPERS(ipv4_tcp_request, 26, 34, 24, 50, 30)
REQUEST_WRAPPERS(ipv4_udp_request, 26, 34, 24, 40, 30)
REQUEST_WRAPPERS(ipv6_tcp_request, 34, 54, 0, 70, 50)
REQUEST_WRAPPERS(ipv6_udp_request, 34, 54, 0, 60, 50)
WRAPPERS(ipv4_tcp_reply, 30, 36, 24, 50, 0)
WRAPPERS(ipv4_udp_reply, 30, 36, 24, 40, 0)
WRAPPERS(ipv6_tcp_reply, 50, 56, 0, 70, 0)
WRAPPERS(ipv6_udp_reply, 50, 56, 0, 60, 0)
/* Behind four bytes of options. */
WRAPPER(ipv4_tcp_request_options, 26, 38, 24, 54, 30, false, false, false)
WRAPPER(ipv4_tcp_request_metadata, 26, 34, 24, 50, 30, false, true, false)
WRAPPER(as_it_is, 0, 0, 0, 0, 0, false, false, false)
WRAPPER(as_it_is_resized, 0, 0, 0, 0, 0, false, false, true)

SEC("xdp.frags")
int nop(struct xdp_md *ctx)
{
	(void)ctx;
	return XDP_PASS;
}

char _license[] SEC("license") = "GPL";
