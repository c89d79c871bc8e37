/*
 * Who appears in the tests, with MAC and addresses of both families, and what they say to each
 * other: blueprints of the packets of a conversation, on each of its sides.
 *
 *   CLIENT ─┐                          ┌─ BACKEND_A
 *           ├─ UPLINK  (node)  POD ────┤
 * STRANGER ─┘                          └─ BACKEND_B
 *
 * SERVICE is an address that nobody has. Another placement than the drawn one is up to a test.
 */
#pragma once

#include "test/bpf/packet_builder.h"

enum role {
	CLIENT,
	SERVICE,
	BACKEND_A,
	BACKEND_B,
	STRANGER,
	_ROLE_COUNT,
};

/* Indexes in the map ports. */
enum interface {
	NOWHERE, /* not resolved, or of no interface that lbd knows */
	UPLINK,
	POD,
	_INTERFACE_COUNT,
};

enum family {
	IPV4,
	IPV6,
	_FAMILY_COUNT,
};

/* What a test loops over. */
struct kind {
	enum family family;
	uint8_t protocol;
	const char *name;
};

#define KIND_COUNT 4
extern const struct kind KINDS[KIND_COUNT];

#define SERVICE_PORT 80
#define BACKEND_PORT 8080
#define CLIENT_PORT 40000

/* Of services whose port a test does not choose; SCTP's is that of its backends. */
uint16_t usual_service_port(uint8_t protocol);

struct address role_address(enum role role, enum family family);
/* What a backend that is its own client sees itself as. */
struct address hairpin_address(enum family family);
const uint8_t *role_mac(enum role role);
const uint8_t *interface_mac(enum interface interface);
/* Whose address it is; _ROLE_COUNT: nobody's. */
enum role role_of_address(const struct address *address);

/* CLIENT to SERVICE, as it comes in by UPLINK; TCP: a SYN. */
struct blueprint request_of(const struct kind *kind);
/* The backend's answer to CLIENT, as it comes in by POD; TCP: SYN and ACK. */
struct blueprint reply_of(const struct kind *kind, enum role backend);

/*
 * What a router doing NAT makes of a request or a reply that it sends out of `out` to the neighbour
 * `next`: a hop fewer, new MAC addresses, a new destination or source.
 */
struct blueprint forwarded_to(const struct blueprint *request, enum role backend,
			      enum interface out);
struct blueprint returned_from_service(const struct blueprint *reply, enum interface out);

/* The same before the stack routes it: hop limit and MAC addresses are left to the stack. */
struct blueprint translated_to(const struct blueprint *request, enum role backend);
struct blueprint translated_from_service(const struct blueprint *reply);
