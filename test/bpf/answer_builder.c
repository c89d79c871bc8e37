/*
 * Builds answers: see answer_builder.h.
 */
#include "test/bpf/answer_builder.h"

#include <linux/in.h>
#include <linux/in6.h>
#include <string.h>

#define TCP_HEADER 20
#define ICMP_HEADER 8
#define IPV4_MOST 576
#define IPV6_MOST 1280

static uint16_t read16(const uint8_t *at)
{
	return (uint16_t)(at[0] << 8 | at[1]);
}

static uint32_t read32(const uint8_t *at)
{
	return (uint32_t)read16(at) << 16 | read16(at + 2);
}

static void write16(uint8_t *at, uint16_t value)
{
	at[0] = (uint8_t)(value >> 8);
	at[1] = (uint8_t)value;
}

static void write32(uint8_t *at, uint32_t value)
{
	write16(at, (uint16_t)(value >> 16));
	write16(at + 2, (uint16_t)value);
}

static bool is_ipv6(const struct refused_frame *refused)
{
	return refused->frame->bytes[refused->network] >> 4 == 6;
}

static size_t ip_header(const struct refused_frame *refused)
{
	return is_ipv6(refused) ? 40 : 20;
}

/* Of the packet that was sent, from its IP header on: what follows is padding. */
static size_t ip_packet(const struct refused_frame *refused)
{
	const uint8_t *ip = &refused->frame->bytes[refused->network];

	return is_ipv6(refused) ? 40u + read16(ip + 4) : read16(ip + 2);
}

/* What lies before IP, turned round. */
static void put_link(const struct refused_frame *refused, struct frame *answer)
{
	const uint8_t *sent = refused->frame->bytes;

	memcpy(answer->bytes, sent, refused->network);
	memcpy(answer->bytes, sent + ETH_ALEN, ETH_ALEN);
	memcpy(answer->bytes + ETH_ALEN, sent, ETH_ALEN);
}

static void put_ipv4(const uint8_t *sent, uint8_t *ip, uint8_t protocol, size_t length)
{
	memset(ip, 0, 20);
	ip[0] = 0x45;
	write16(ip + 2, (uint16_t)(20 + length));
	write16(ip + 6, 0x4000); /* don't fragment */
	ip[8] = 64;
	ip[9] = protocol;
	memcpy(ip + 12, sent + 16, 4);
	memcpy(ip + 16, sent + 12, 4);
	write16(ip + 10, checksum_of(ip, 20, 0));
}

static void put_ipv6(const uint8_t *sent, uint8_t *ip, uint8_t protocol, size_t length)
{
	memset(ip, 0, 40);
	ip[0] = 0x60;
	write16(ip + 4, (uint16_t)length);
	ip[6] = protocol;
	ip[7] = 64;
	memcpy(ip + 8, sent + 24, 16);
	memcpy(ip + 24, sent + 8, 16);
}

/* The headers that go before `length` bytes of `protocol`; where those begin. */
static uint8_t *put_headers(const struct refused_frame *refused, uint8_t protocol, size_t length,
			    struct frame *answer)
{
	const uint8_t *sent = &refused->frame->bytes[refused->network];
	uint8_t *ip = &answer->bytes[refused->network];

	put_link(refused, answer);
	if (is_ipv6(refused))
		put_ipv6(sent, ip, protocol, length);
	else
		put_ipv4(sent, ip, protocol, length);
	answer->length = refused->network + ip_header(refused) + length;
	return ip + ip_header(refused);
}

/* Addresses, length, protocol: the end of an IPv4 header and of an IPv6 one hold those. */
static uint32_t sum_pseudo_header(const uint8_t *segment, bool ipv6, uint8_t protocol,
				  size_t length)
{
	const size_t addresses = ipv6 ? 32 : 8;

	return (uint16_t)~checksum_of(segment - addresses, addresses, 0) + protocol +
	       (uint32_t)length;
}

void frame_build_reset(const struct refused_frame *refused, struct frame *answer)
{
	const uint8_t *sent = &refused->frame->bytes[refused->transport];
	const size_t header = (size_t)(sent[12] >> 4) * 4;
	const size_t segment = refused->network + ip_packet(refused) - refused->transport;
	uint32_t length = segment > header ? (uint32_t)(segment - header) : 0;
	uint8_t *tcp = put_headers(refused, IPPROTO_TCP, TCP_HEADER, answer);

	length += (sent[13] & SYN ? 1 : 0) + (sent[13] & FIN ? 1 : 0);
	memset(tcp, 0, TCP_HEADER);
	memcpy(tcp, sent + 2, 2);
	memcpy(tcp + 2, sent, 2);
	if (sent[13] & ACK)
		memcpy(tcp + 4, sent + 8, 4);
	else
		write32(tcp + 8, read32(sent + 4) + length);
	tcp[12] = TCP_HEADER / 4 << 4;
	tcp[13] = sent[13] & ACK ? RST : RST | ACK;
	write16(tcp + 16,
		checksum_of(tcp, TCP_HEADER,
			    sum_pseudo_header(tcp, is_ipv6(refused), IPPROTO_TCP, TCP_HEADER)));
}

static size_t smaller(size_t a, size_t b)
{
	return a < b ? a : b;
}

void frame_build_complaint(const struct refused_frame *refused, const struct icmp_words *words,
			   struct frame *answer)
{
	const bool ipv6 = is_ipv6(refused);
	const size_t before = ip_header(refused) + ICMP_HEADER;
	const size_t room = (ipv6 ? IPV6_MOST : IPV4_MOST) - before;
	const size_t quote =
		smaller(smaller(room, ip_packet(refused)), refused->linear - refused->network);
	const uint8_t protocol = ipv6 ? IPPROTO_ICMPV6 : IPPROTO_ICMP;
	uint8_t *icmp = put_headers(refused, protocol, ICMP_HEADER + quote, answer);

	icmp[0] = words->type;
	icmp[1] = words->code;
	write16(icmp + 2, 0);
	write32(icmp + 4, words->rest);
	memcpy(icmp + ICMP_HEADER, &refused->frame->bytes[refused->network], quote);
	write16(icmp + 2,
		checksum_of(icmp, ICMP_HEADER + quote,
			    ipv6 ? sum_pseudo_header(icmp, true, protocol, ICMP_HEADER + quote)
				 : 0));
}

void frame_build_echo_reply(const struct refused_frame *asked, struct frame *answer)
{
	const size_t length = asked->network + ip_packet(asked) - asked->transport;
	const uint8_t protocol = is_ipv6(asked) ? IPPROTO_ICMPV6 : IPPROTO_ICMP;
	uint8_t *icmp = put_headers(asked, protocol, length, answer);

	memcpy(icmp, &asked->frame->bytes[asked->transport], length);
	icmp[0] = is_ipv6(asked) ? 129 : 0;
	write16(icmp + 2, 0);
	write16(icmp + 2,
		checksum_of(icmp, length,
			    is_ipv6(asked) ? sum_pseudo_header(icmp, true, protocol, length) : 0));
}
