/*
 * Packets in tunnels: see tunnel_story.h.
 */
#include "test/bpf/tunnel_story.h"

#include <arpa/inet.h>
#include <linux/in.h>
#include <string.h>

#define IPV4_HEADER 20
#define IPV6_HEADER 40
#define ECN 3

static struct address address_of(const char *text)
{
	struct address address;

	assert_int_equal(address_parse(text, &address), 0);
	return address;
}

struct address entry_node(enum family family)
{
	return address_of(family == IPV6 ? "fd00:9::1" : "10.9.0.1");
}

struct address other_node(enum family family)
{
	return address_of(family == IPV6 ? "fd00:9::2" : "10.9.0.2");
}

struct tunnelled tunnel_of(const struct blueprint *request)
{
	const enum family family = blueprint_is_ipv6(request) ? IPV6 : IPV4;

	return (struct tunnelled){
		.inner = *request,
		.from = entry_node(family),
		.to = role_address(BACKEND_A, family),
		.hop_limit = HOP_LIMIT,
	};
}

static void mark(uint8_t *ip, uint8_t ecn)
{
	if (!ecn)
		return;
	if (ip[0] >> 4 == 6)
		ip[1] = (uint8_t)((ip[1] & ~(ECN << 4)) | ecn << 4);
	else
		ip[1] = (uint8_t)((ip[1] & ~ECN) | ecn);
}

static void fit_checksum(uint8_t *ip)
{
	uint16_t sum;

	ip[10] = ip[11] = 0;
	sum = checksum_of(ip, (size_t)(ip[0] & 0xf) * 4, 0);
	ip[10] = (uint8_t)(sum >> 8);
	ip[11] = (uint8_t)sum;
}

void tunnel_build_inner(const struct tunnelled *tunnelled, struct frame *frame)
{
	uint8_t *ip = &frame->bytes[blueprint_network(&tunnelled->inner)];

	frame_build(&tunnelled->inner, frame);
	mark(ip, tunnelled->inner_ecn);
	if (!blueprint_is_ipv6(&tunnelled->inner))
		fit_checksum(ip);
}

static void put_outer_ipv4(uint8_t *ip, const struct tunnelled *tunnelled, uint8_t tos,
			   size_t length)
{
	const uint8_t header[IPV4_HEADER] = {
		0x45,
		tos,
		(uint8_t)((length + IPV4_HEADER) >> 8),
		(uint8_t)(length + IPV4_HEADER),
		0,
		0,
		0x40 /* not to be fragmented */,
		0,
		tunnelled->hop_limit,
		IPPROTO_IPIP,
	};

	memcpy(ip, header, sizeof(header));
	memcpy(ip + 12, &tunnelled->from.word[3], 4);
	memcpy(ip + 16, &tunnelled->to.word[3], 4);
}

static void put_outer_ipv6(uint8_t *ip, const struct tunnelled *tunnelled, const uint8_t *inner,
			   size_t length)
{
	memcpy(ip, inner, 4); /* version, traffic class, flow label */
	ip[4] = (uint8_t)(length >> 8);
	ip[5] = (uint8_t)length;
	ip[6] = IPPROTO_IPV6;
	ip[7] = tunnelled->hop_limit;
	memcpy(ip + 8, &tunnelled->from, 16);
	memcpy(ip + 24, &tunnelled->to, 16);
}

void tunnel_build(const struct tunnelled *tunnelled, struct frame *frame)
{
	const size_t at = blueprint_network(&tunnelled->inner);
	const bool is_ipv6 = blueprint_is_ipv6(&tunnelled->inner);
	const size_t header = is_ipv6 ? IPV6_HEADER : IPV4_HEADER;
	size_t length;
	uint8_t *ip = &frame->bytes[at];

	tunnel_build_inner(tunnelled, frame);
	length = frame->length - at - tunnelled->inner.padding_length;
	memmove(ip + header, ip, frame->length - at);
	frame->length += header;
	if (is_ipv6)
		put_outer_ipv6(ip, tunnelled, ip + header, length);
	else
		put_outer_ipv4(ip, tunnelled, ip[header + 1], length);
	mark(ip, tunnelled->ecn);
	if (!is_ipv6)
		fit_checksum(ip);
}

void expect_encapsulated(struct scene *scene, const struct blueprint *request, enum verdict verdict,
			 const struct tunnelled *leaves)
{
	struct frame sent, left;

	frame_build(request, &sent);
	tunnel_build(leaves, &left);
	expect_frame(scene, UPLINK, &sent, verdict, &left);
}

void expect_decapsulated(struct scene *scene, const struct tunnelled *comes, enum verdict verdict,
			 const struct blueprint *leaves)
{
	struct tunnelled inside = *comes;
	struct frame sent, left;

	tunnel_build(comes, &sent);
	if (!leaves) {
		expect_frame(scene, UPLINK, &sent, verdict, NULL);
		return;
	}
	inside.inner = *leaves;
	inside.inner_ecn = comes->ecn ? comes->ecn : comes->inner_ecn;
	tunnel_build_inner(&inside, &left);
	expect_frame(scene, UPLINK, &sent, verdict, &left);
}
