/*
 * Builds ICMP messages: see icmp_builder.h. The envelope is built as a packet of a protocol that
 * packet_builder.c does not know, then its payload is written.
 */
#include "test/bpf/icmp_builder.h"

#include <linux/in.h>
#include <linux/in6.h>
#include <string.h>

static void write16(uint8_t *at, uint16_t value)
{
	at[0] = (uint8_t)(value >> 8);
	at[1] = (uint8_t)value;
}

/* RFC 4443, 2.3: ICMPv6 alone sums a pseudo-header. */
static uint32_t sum_pseudo_header(const struct frame *frame, size_t network, size_t length)
{
	const uint8_t *addresses = &frame->bytes[network + 8];

	return (uint16_t)~checksum_of(addresses, 32, 0) + (uint32_t)length + IPPROTO_ICMPV6;
}

/* `message`: all but the first four bytes. */
static void build(const struct blueprint *envelope, uint16_t type_and_code, const uint8_t *message,
		  size_t length, struct frame *frame)
{
	const bool is_ipv6 = blueprint_is_ipv6(envelope);
	struct blueprint packet = *envelope;
	uint8_t *start;

	packet.protocol = is_ipv6 ? IPPROTO_ICMPV6 : IPPROTO_ICMP;
	packet.payload_length = 4 + length;
	frame_build(&packet, frame);
	start = &frame->bytes[frame->length - packet.padding_length - packet.payload_length];
	write16(start, type_and_code);
	write16(start + 2, 0);
	memcpy(start + 4, message, length);
	write16(start + 2,
		checksum_of(start, packet.payload_length,
			    is_ipv6 ? sum_pseudo_header(frame, blueprint_network(&packet),
							packet.payload_length)
				    : 0));
}

static void write_rest(uint8_t *message, uint32_t rest)
{
	write16(message, (uint16_t)(rest >> 16));
	write16(message + 2, (uint16_t)rest);
}

void frame_build_echo(const struct icmp_echo *echo, struct frame *frame)
{
	static uint8_t message[FRAME_MAX];

	write_rest(message, 0x1234000a);
	for (size_t i = 0; i < echo->data_length; i++)
		message[4 + i] = (uint8_t)(i * 5 + 3);
	build(&echo->envelope, (uint16_t)(echo->type << 8), message, 4 + echo->data_length, frame);
}

void frame_build_error(const struct icmp_error *error, struct frame *frame)
{
	static struct frame quoted;
	static uint8_t message[FRAME_MAX];
	size_t length;

	frame_build(&error->quoted, &quoted);
	length = quoted.length - ETH_HLEN;
	if (error->quote_length < length)
		length = error->quote_length;
	write_rest(message, error->rest);
	memcpy(message + 4, &quoted.bytes[ETH_HLEN], length);
	build(&error->envelope, (uint16_t)(error->type << 8 | error->code), message, 4 + length,
	      frame);
}
