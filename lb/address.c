/*
 * Text to addresses and back. Strict, so that one thing has one notation: no leading zeros, no
 * scope ids, no IPv4-mapped notation (its 128-bit form is ours alone), lower-case protocols.
 */
#include "lb/address.h"

#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define IPV4_PREFIX_BITS 96 /* of the 128-bit form, before the IPv4 address */
#define PORT_DIGITS 5
#define PROTOCOL_TEXT_MAX 8
#define INSIDE "/inside" /* behind the protocol: of SCOPE_INSIDE */

bool address_is_ipv4(const struct address *address)
{
	return !address->word[0] && !address->word[1] && address->word[2] == htonl(0xffff);
}

bool address_equal(const struct address *a, const struct address *b)
{
	return !memcmp(a, b, sizeof(*a));
}

bool address_is_unspecified(const struct address *address)
{
	const __be32 *word = address->word;

	return !word[0] && !word[1] && !word[3] && (!word[2] || address_is_ipv4(address));
}

bool address_is_loopback(const struct address *address)
{
	const __be32 *word = address->word;

	if (address_is_ipv4(address))
		return ntohl(word[3]) >> 24 == 127;
	return !word[0] && !word[1] && !word[2] && word[3] == htonl(1);
}

bool address_is_link_local(const struct address *address)
{
	if (address_is_ipv4(address))
		return ntohl(address->word[3]) >> 16 == 0xa9fe;
	return ntohl(address->word[0]) >> 22 == 0xfe80 >> 6;
}

int address_parse(const char *text, struct address *address)
{
	struct address parsed = {.word = {0, 0, htonl(0xffff), 0}};

	if (inet_pton(AF_INET, text, &parsed.word[3]) == 1) {
		*address = parsed;
		return 0;
	}
	if (inet_pton(AF_INET6, text, &parsed) != 1 || address_is_ipv4(&parsed))
		return -EINVAL;
	*address = parsed;
	return 0;
}

char *address_format(const struct address *address, char text[ADDRESS_TEXT_MAX])
{
	/* Neither can fail: the families are known and the text is large enough. */
	if (address_is_ipv4(address))
		inet_ntop(AF_INET, &address->word[3], text, ADDRESS_TEXT_MAX);
	else
		inet_ntop(AF_INET6, address, text, ADDRESS_TEXT_MAX);
	return text;
}

/* Decimal digits without sign, blank or leading zero, which strtoul alone would let pass. */
static int parse_number(const char *text, unsigned long maximum, unsigned long *number)
{
	size_t digits = strspn(text, "0123456789");
	unsigned long parsed;

	if (!digits || digits > PORT_DIGITS || text[digits] || (text[0] == '0' && digits > 1))
		return -EINVAL;
	parsed = strtoul(text, NULL, 10);
	if (parsed > maximum)
		return -EINVAL;
	*number = parsed;
	return 0;
}

/* Copies the part of an endpoint that should be an address; *port points into `text`. */
static int split_endpoint(const char *text, char host[ENDPOINT_TEXT_MAX], const char **port,
			  struct refusal *refusal)
{
	bool in_brackets = text[0] == '[';
	const char *start = text + in_brackets;
	size_t length = strcspn(start, in_brackets ? "]" : ":");
	const char *end = start + length + in_brackets;

	if (!start[length] || *end != ':')
		return refuse(refusal, "\"%s\" has no port; write ADDR:PORT, as in 10.96.0.10:80",
			      text);
	if (!in_brackets && strchr(end + 1, ':'))
		return refuse(refusal,
			      "\"%s\" is not ADDR:PORT; an IPv6 address goes in brackets, "
			      "as in [fd00::10]:80",
			      text);
	if (length >= ENDPOINT_TEXT_MAX || (in_brackets && !memchr(start, ':', length)))
		return refuse(refusal, "\"%.*s\" in \"%s\" is not an %s address", (int)length,
			      start, text, in_brackets ? "IPv6" : "IPv4");
	memcpy(host, start, length);
	host[length] = '\0';
	*port = end + 1;
	return 0;
}

int endpoint_parse(const char *text, struct address *address, __be16 *port, struct refusal *refusal)
{
	char host[ENDPOINT_TEXT_MAX];
	struct address parsed;
	const char *port_text = NULL;
	unsigned long number;
	int error = split_endpoint(text, host, &port_text, refusal);

	if (error)
		return error;
	if (address_parse(host, &parsed))
		return refuse(refusal, "\"%s\" in \"%s\" is not an IPv4 or IPv6 address", host,
			      text);
	if (parse_number(port_text, UINT16_MAX, &number) || !number)
		return refuse(refusal, "port \"%s\" in \"%s\" is not 1–65535", port_text, text);
	*address = parsed;
	*port = htons(number);
	return 0;
}

char *endpoint_format(const struct address *address, __be16 port, char text[ENDPOINT_TEXT_MAX])
{
	const char *format = address_is_ipv4(address) ? "%s:%u" : "[%s]:%u";
	char host[ADDRESS_TEXT_MAX];

	snprintf(text, ENDPOINT_TEXT_MAX, format, address_format(address, host), ntohs(port));
	return text;
}

/* `PROTO[/inside]`, of `text`. */
static int parse_rest(const char *text, const char *rest, struct service_key *key,
		      struct refusal *refusal)
{
	size_t length = strcspn(rest, "/");
	char protocol[PROTOCOL_TEXT_MAX] = "";

	if (length < sizeof(protocol))
		memcpy(protocol, rest, length);
	if (protocol_parse(protocol, &key->protocol))
		return refuse(refusal, "protocol \"%.*s\" in \"%s\" is not tcp, udp or sctp",
			      (int)length, rest, text);
	if (!rest[length])
		return 0;
	if (strcmp(rest + length, INSIDE))
		return refuse(refusal, "\"%s\" in \"%s\" is not " INSIDE, rest + length, text);
	key->scope = SCOPE_INSIDE;
	return 0;
}

int service_key_parse(const char *text, struct service_key *key, struct refusal *refusal)
{
	struct service_key parsed = {.protocol = IPPROTO_TCP};
	size_t length = strcspn(text, "/");
	char endpoint[ENDPOINT_TEXT_MAX];
	int error = text[length] ? parse_rest(text, text + length + 1, &parsed, refusal) : 0;

	if (error)
		return error;
	if (length >= sizeof(endpoint))
		return refuse(refusal, "\"%s\" is not ADDR:PORT[/PROTO]", text);
	memcpy(endpoint, text, length);
	endpoint[length] = '\0';
	error = endpoint_parse(endpoint, &parsed.address, &parsed.port, refusal);
	if (error)
		return error;
	*key = parsed;
	return 0;
}

char *service_key_format(const struct service_key *key, char text[ENDPOINT_TEXT_MAX])
{
	const char *protocol = protocol_name(key->protocol);
	size_t length;

	endpoint_format(&key->address, key->port, text);
	length = strlen(text);
	snprintf(text + length, ENDPOINT_TEXT_MAX - length, "/%s%s", protocol ? protocol : "?",
		 key->scope == SCOPE_INSIDE ? INSIDE : "");
	return text;
}

int protocol_parse(const char *text, __u8 *protocol)
{
	if (!strcmp(text, "tcp"))
		*protocol = IPPROTO_TCP;
	else if (!strcmp(text, "udp"))
		*protocol = IPPROTO_UDP;
	else if (!strcmp(text, "sctp"))
		*protocol = IPPROTO_SCTP;
	else
		return -EINVAL;
	return 0;
}

const char *protocol_name(__u8 protocol)
{
	if (protocol == IPPROTO_TCP)
		return "tcp";
	if (protocol == IPPROTO_UDP)
		return "udp";
	return protocol == IPPROTO_SCTP ? "sctp" : NULL;
}

/* The network part. */
static struct address mask_address(const struct address *address, unsigned int length)
{
	struct address network = {0};

	for (unsigned int word = 0; word < 4 && length > 32 * word; word++) {
		unsigned int bits = length - 32 * word < 32 ? length - 32 * word : 32;

		network.word[word] = address->word[word] & htonl(UINT32_MAX << (32 - bits));
	}
	return network;
}

/* The address before the slash, and the length after it or the whole address without one. */
static int split_prefix(const char *text, struct address *address, unsigned long *length,
			struct refusal *refusal)
{
	size_t host_length = strcspn(text, "/");
	char host[ADDRESS_TEXT_MAX];
	unsigned long bits;

	if (host_length >= sizeof(host))
		return refuse(refusal, "\"%s\" is not ADDR/LENGTH", text);
	memcpy(host, text, host_length);
	host[host_length] = '\0';
	if (address_parse(host, address))
		return refuse(refusal, "\"%s\" in \"%s\" is not an IPv4 or IPv6 address", host,
			      text);
	bits = address_is_ipv4(address) ? 32 : 128;
	*length = bits;
	if (text[host_length] && parse_number(text + host_length + 1, bits, length))
		return refuse(refusal, "length \"%s\" in \"%s\" is not 0–%lu",
			      text + host_length + 1, text, bits);
	return 0;
}

int prefix_parse(const char *text, struct prefix *prefix, struct refusal *refusal)
{
	char right[ENDPOINT_TEXT_MAX];
	struct prefix network;
	struct address address;
	unsigned long length = 0;
	int error = split_prefix(text, &address, &length, refusal);

	if (error)
		return error;
	network.length = address_is_ipv4(&address) ? IPV4_PREFIX_BITS + length : length;
	network.address = mask_address(&address, network.length);
	if (!address_equal(&network.address, &address))
		return refuse(refusal, "\"%s\" has bits set beyond its length; the range is %s",
			      text, prefix_format(&network, right));
	*prefix = network;
	return 0;
}

struct prefix prefix_around(const struct address *address, __u8 length)
{
	return (struct prefix){.address = mask_address(address, length), .length = length};
}

bool prefix_covers(const struct prefix *prefix, const struct address *address)
{
	const struct address network = mask_address(address, prefix->length);

	return prefix_is_ipv4(prefix) == address_is_ipv4(address) &&
	       address_equal(&network, &prefix->address);
}

bool prefix_is_ipv4(const struct prefix *prefix)
{
	return address_is_ipv4(&prefix->address) && prefix->length >= IPV4_PREFIX_BITS;
}

bool prefix_equal(const struct prefix *a, const struct prefix *b)
{
	return a->length == b->length && address_equal(&a->address, &b->address);
}

char *prefix_format(const struct prefix *prefix, char text[ENDPOINT_TEXT_MAX])
{
	bool is_ipv4 = prefix_is_ipv4(prefix);
	unsigned int length = is_ipv4 ? prefix->length - IPV4_PREFIX_BITS : prefix->length;
	char host[ADDRESS_TEXT_MAX];

	snprintf(text, ENDPOINT_TEXT_MAX, "%s/%u", address_format(&prefix->address, host), length);
	return text;
}
