/*
 * Addresses, ports, prefixes and services as people write them. The only place where text becomes
 * network byte order and back.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include "include/abi.h"
#include "lb/refusal.h"

#define ADDRESS_TEXT_MAX 46  /* an IPv6 address and its NUL (INET6_ADDRSTRLEN) */
#define ENDPOINT_TEXT_MAX 64 /* [address]:port/protocol/inside and its NUL */

/* A range of addresses, in the 128-bit form: 10.0.0.0/8 has length 104. Host bits are zero. */
struct prefix {
	struct address address;
	__u8 length; /* 0 … 128; of IPv4 96 … 128 */
};

bool address_is_ipv4(const struct address *address);
bool address_equal(const struct address *a, const struct address *b);
bool address_is_unspecified(const struct address *address); /* 0.0.0.0, :: */
bool address_is_loopback(const struct address *address);    /* 127.0.0.0/8, ::1 */
bool address_is_link_local(const struct address *address);  /* 169.254.0.0/16, fe80::/10 */

/* Text without port or brackets. 0, or -EINVAL with *address untouched. */
int address_parse(const char *text, struct address *address);

/* Writes at most ADDRESS_TEXT_MAX bytes (RFC 5952 for IPv6) and returns `text`. */
char *address_format(const struct address *address, char text[ADDRESS_TEXT_MAX]);

/* `ADDR:PORT` with IPv6 in brackets; port 1–65535. 0, or -EINVAL with a refusal naming the word. */
int endpoint_parse(const char *text, struct address *address, __be16 *port,
		   struct refusal *refusal);

/* Writes `ADDR:PORT` or `[ADDR]:PORT` and returns `text`. */
char *endpoint_format(const struct address *address, __be16 port, char text[ENDPOINT_TEXT_MAX]);

/*
 * `ADDR:PORT[/PROTO[/inside]]`, tcp where none is given; padding is zeroed. 0, or -EINVAL with a
 * refusal.
 */
int service_key_parse(const char *text, struct service_key *key, struct refusal *refusal);

/* Writes `ADDR:PORT/PROTO`, of SCOPE_INSIDE with `/inside` behind, and returns `text`. */
char *service_key_format(const struct service_key *key, char text[ENDPOINT_TEXT_MAX]);

/* `tcp` or `udp` and back; -EINVAL, or NULL for what is neither. */
int protocol_parse(const char *text, __u8 *protocol);
const char *protocol_name(__u8 protocol);

/* `ADDR/LENGTH`, or an address alone for a host; set host bits are refused. 0, or -EINVAL. */
int prefix_parse(const char *text, struct prefix *prefix, struct refusal *refusal);
/* The range of that length (of the 128-bit form) that the address is in. */
struct prefix prefix_around(const struct address *address, __u8 length);
/* Whether the address is in it; of one family, as prefix_is_ipv4 has it. */
bool prefix_covers(const struct prefix *prefix, const struct address *address);
/* Whether it holds IPv4 addresses; ::/0 does not, though it holds their mapped form. */
bool prefix_is_ipv4(const struct prefix *prefix);
bool prefix_equal(const struct prefix *a, const struct prefix *b);
char *prefix_format(const struct prefix *prefix, char text[ENDPOINT_TEXT_MAX]);
