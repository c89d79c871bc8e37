/*
 * What is written into a packet: new addresses and ports, and the checksums that cover them,
 * brought up to date as RFC 1624 (equation 3) has it, so that a wrong one stays as wrong as it was.
 */
#include <linux/if_ether.h>
#include <linux/in.h>
#include <string.h>
#include "test/model/walk.h"

/* What a checksum's words lose and gain, modulo 0xffff. */
struct change {
	uint64_t lost;
	uint64_t gained;
};

static uint32_t words_of(const uint8_t *bytes, size_t length)
{
	uint32_t sum = 0;

	for (size_t i = 0; i < length; i += 2)
		sum += (uint32_t)bytes[i] << 8 | bytes[i + 1];
	return sum;
}

/* Bytes at an even offset; a change may be NULL: no checksum covers them. */
static void put(struct frame *frame, size_t at, const void *bytes, size_t length,
		struct change *change)
{
	if (change) {
		change->lost += words_of(&frame->bytes[at], length);
		change->gained += words_of(bytes, length);
	}
	memcpy(&frame->bytes[at], bytes, length);
}

static uint32_t fold(uint64_t sum)
{
	while (sum >> 16)
		sum = (sum & 0xffff) + (sum >> 16);
	return (uint32_t)sum;
}

/*
 * HC' = ~(~HC + ~m + m'). The sum is of more than zeros, so it never folds to zero: a checksum
 * that comes to zero is written as zero, not as 0xffff.
 */
static uint16_t updated(uint16_t checksum, const struct change *change)
{
	const uint32_t lost = fold(change->lost), gained = fold(change->gained);

	return (uint16_t)~fold((uint64_t)(uint16_t)~checksum + (0xffff - lost) + gained);
}

/* The checksum at `at` is covered itself by another one where that is not NULL. */
static void update(struct frame *frame, size_t at, const struct change *change, bool is_udp,
		   struct change *cover)
{
	uint16_t checksum = get16(frame, at);
	uint8_t bytes[2];

	if (is_udp && !checksum)
		return; /* RFC 768: there is none */
	checksum = updated(checksum, change);
	if (is_udp && !checksum)
		checksum = 0xffff;
	bytes[0] = (uint8_t)(checksum >> 8);
	bytes[1] = (uint8_t)checksum;
	put(frame, at, bytes, 2, cover);
}

static const uint8_t *bytes_of(const struct address *address, const struct headers *headers)
{
	return (const uint8_t *)address + 16 - address_size(headers);
}

static void put_address(struct walk *walk, const struct headers *headers, size_t which,
			const struct address *address, struct change *change)
{
	put(walk->frame, address_at(headers, which), bytes_of(address, headers),
	    address_size(headers), change);
}

static void put_port(struct walk *walk, const struct headers *headers, size_t which, __be16 port,
		     struct change *change)
{
	put(walk->frame, headers->transport + 2 * which, &port, sizeof(port), change);
}

static size_t checksum_at(const struct headers *headers)
{
	return headers->transport +
	       (headers->protocol == IPPROTO_TCP ? TCP_CHECKSUM_AT : UDP_CHECKSUM_AT);
}

static struct change sum_of(const struct change *a, const struct change *b)
{
	return (struct change){.lost = a->lost + b->lost, .gained = a->gained + b->gained};
}

/* Its backend has another address for the client. */
static bool is_hidden(const struct walk *walk)
{
	return !same_address(&walk->client, &walk->known_as);
}

/*
 * One end of a packet gets what the connection has there, the backend or the service, and where a
 * the client is hidden from its backend the other end, too. What that changes of the packet's own
 * checksums is written; all that has changed, these as well, is returned: a packet may be quoted in
 * another.
 */
static struct change rewrite(struct walk *walk, const struct headers *headers, size_t which,
			     bool to_backend)
{
	const struct model_backend *backend = walk->backend;
	const struct service_key *service = &backend->service;
	const bool has_ports = headers->part != PART_LATER;
	struct change addresses = {}, ports = {}, both, sums = {};

	put_address(walk, headers, which, to_backend ? &backend->address : &service->address,
		    &addresses);
	if (has_ports) {
		put_port(walk, headers, which, to_backend ? backend->port : service->port, &ports);
		put_port(walk, headers, !which, to_backend ? walk->alias : walk->client_port,
			 &ports);
	}
	if (is_hidden(walk))
		put_address(walk, headers, !which, to_backend ? &walk->known_as : &walk->client,
			    &addresses);
	both = sum_of(&addresses, &ports);
	if (!headers->is_ipv6)
		update(walk->frame, headers->ip + 10, &addresses, false, &sums);
	/* SCTP's covers ports, which stay, and no addresses. */
	if (has_ports && headers->protocol != IPPROTO_SCTP &&
	    checksum_at(headers) + 2 <= headers->end)
		update(walk->frame, checksum_at(headers), &both, headers->protocol == IPPROTO_UDP,
		       &sums);
	return sum_of(&both, &sums);
}

/*
 * The sender of an error is hidden only where it is the backend or the client itself; a router on
 * the way keeps its address.
 */
static struct change rewrite_envelope(struct walk *walk)
{
	const struct model_backend *backend = walk->backend;
	const struct headers *packet = &walk->packet;
	const bool is_request = walk->direction == DIRECTION_REQUEST;
	const struct address *end = is_request ? &walk->client : &backend->address;
	const bool is_from_end = same_address(&packet->flow.src, end);
	struct change change = {};

	if (is_request) {
		put_address(walk, packet, DESTINATION, &backend->address, &change);
		if (is_hidden(walk) && is_from_end)
			put_address(walk, packet, SOURCE, &walk->known_as, &change);
		return change;
	}
	if (is_from_end)
		put_address(walk, packet, SOURCE, &backend->service.address, &change);
	if (is_hidden(walk))
		put_address(walk, packet, DESTINATION, &walk->client, &change);
	return change;
}

/*
 * What is quoted is given back the form in which it was sent: a request that had been translated
 * gets its service again, a reply its backend.
 */
static void translate_error(struct walk *walk)
{
	const bool is_reply = walk->direction == DIRECTION_REPLY;
	const struct headers *packet = &walk->packet;
	struct change quote =
		rewrite(walk, &walk->quoted, is_reply ? DESTINATION : SOURCE, !is_reply);
	const struct change envelope = rewrite_envelope(walk);

	if (packet->is_ipv6) /* RFC 4443, 2.3: its checksum covers the addresses */
		quote = sum_of(&quote, &envelope);
	else
		update(walk->frame, packet->ip + 10, &envelope, false, NULL);
	update(walk->frame, packet->transport + ICMP_CHECKSUM_AT, &quote, false, NULL);
}

/* Of its flags nothing is left but that it acknowledges something, if it did. */
static void become_reset(struct walk *walk)
{
	const size_t at = walk->packet.transport + 12;
	struct change change = {};
	uint8_t word[2];

	get_bytes(walk->frame, at, word, 2);
	word[1] = RST | (word[1] & ACK);
	put(walk->frame, at, word, 2, &change);
	update(walk->frame, walk->packet.transport + TCP_CHECKSUM_AT, &change, false, NULL);
}

void translate(struct walk *walk)
{
	const bool is_request = walk->direction == DIRECTION_REQUEST;

	if (walk->becomes_reset)
		become_reset(walk);
	if (walk->is_error)
		translate_error(walk);
	else
		rewrite(walk, &walk->packet, is_request ? DESTINATION : SOURCE, is_request);
}

/* A hop fewer, and new MAC addresses and tags. The hop limit of IPv4 is the upper half of a word.
 */
void send_out(struct walk *walk)
{
	const struct headers *packet = &walk->packet;
	const size_t at = packet->ip + (packet->is_ipv6 ? 6 : 8);
	struct change change = {};
	uint8_t word[2];

	get_bytes(walk->frame, at, word, 2);
	word[packet->is_ipv6 ? 1 : 0]--;
	put(walk->frame, at, word, 2, &change);
	if (!packet->is_ipv6)
		update(walk->frame, packet->ip + 10, &change, false, NULL);
	replace_tags(walk, &walk->next);
	memcpy(&walk->frame->bytes[0], walk->next.mac, ETH_ALEN);
	memcpy(&walk->frame->bytes[ETH_ALEN], walk->model->ports[walk->next.port].mac, ETH_ALEN);
}
