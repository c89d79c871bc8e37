/*
 * The cast and its lines: see cast.h. IPv4 from TEST-NET and private ranges, IPv6 from
 * 2001:db8::/32 and fd00::/8.
 */
#include "test/bpf/cast.h"

#include <arpa/inet.h>
#include <linux/in.h>
#include <string.h>

#define PAYLOAD_LENGTH 33 /* odd: a checksum's last word is half of one */

struct member {
	uint8_t mac[ETH_ALEN];
	const char *address[_FAMILY_COUNT];
};

static const struct member MEMBERS[_ROLE_COUNT] = {
	[CLIENT] = {{0x02, 0xc1, 0, 0, 0, 0x01}, {"192.0.2.7", "2001:db8::7"}},
	[SERVICE] = {{0}, {"10.96.0.10", "fd00:96::10"}},
	[BACKEND_A] = {{0x02, 0xba, 0, 0, 0, 0x0a}, {"10.1.0.11", "fd00:1::11"}},
	[BACKEND_B] = {{0x02, 0xbb, 0, 0, 0, 0x0b}, {"10.1.0.12", "fd00:1:0:ffff::12"}},
	[STRANGER] = {{0x02, 0x5f, 0, 0, 0, 0x99}, {"198.51.100.9", "2001:db8:1::9"}},
};

static const char *const HAIRPIN[_FAMILY_COUNT] = {"169.254.42.1", "fd6c:6264::1"};

static const uint8_t INTERFACE_MACS[_INTERFACE_COUNT][ETH_ALEN] = {
	[UPLINK] = {0x02, 0xee, 0, 0, 0, 0x01},
	[POD] = {0x02, 0xee, 0, 0, 0, 0x02},
};

const struct kind KINDS[KIND_COUNT] = {
	{IPV4, IPPROTO_TCP, "tcp over ipv4"},
	{IPV4, IPPROTO_UDP, "udp over ipv4"},
	{IPV6, IPPROTO_TCP, "tcp over ipv6"},
	{IPV6, IPPROTO_UDP, "udp over ipv6"},
};

static struct address parse_address(const char *text, enum family family)
{
	struct address address = {};

	if (family == IPV6) {
		inet_pton(AF_INET6, text, &address);
		return address;
	}
	address.word[2] = htonl(0xffff);
	inet_pton(AF_INET, text, &address.word[3]);
	return address;
}

struct address role_address(enum role role, enum family family)
{
	return parse_address(MEMBERS[role].address[family], family);
}

struct address hairpin_address(enum family family)
{
	return parse_address(HAIRPIN[family], family);
}

const uint8_t *role_mac(enum role role)
{
	return MEMBERS[role].mac;
}

const uint8_t *interface_mac(enum interface interface)
{
	return INTERFACE_MACS[interface];
}

enum role role_of_address(const struct address *address)
{
	for (int role = 0; role < _ROLE_COUNT; role++) {
		for (int family = 0; family < _FAMILY_COUNT; family++) {
			struct address known = role_address((enum role)role, (enum family)family);

			if (!memcmp(&known, address, sizeof(known)))
				return (enum role)role;
		}
	}
	return _ROLE_COUNT;
}

uint16_t usual_service_port(uint8_t protocol)
{
	return protocol == IPPROTO_SCTP ? BACKEND_PORT : SERVICE_PORT;
}

struct blueprint request_of(const struct kind *kind)
{
	struct blueprint request = {
		.src = role_address(CLIENT, kind->family),
		.dst = role_address(SERVICE, kind->family),
		.src_port = htons(CLIENT_PORT),
		.dst_port = htons(usual_service_port(kind->protocol)),
		.protocol = kind->protocol,
		.hop_limit = HOP_LIMIT,
		.tcp_flags = SYN,
		.payload_length = PAYLOAD_LENGTH,
	};

	memcpy(request.from_mac, role_mac(CLIENT), ETH_ALEN);
	memcpy(request.to_mac, interface_mac(UPLINK), ETH_ALEN);
	return request;
}

struct blueprint reply_of(const struct kind *kind, enum role backend)
{
	struct blueprint reply = {
		.src = role_address(backend, kind->family),
		.dst = role_address(CLIENT, kind->family),
		.src_port = htons(BACKEND_PORT),
		.dst_port = htons(CLIENT_PORT),
		.protocol = kind->protocol,
		.hop_limit = HOP_LIMIT,
		.tcp_flags = SYN | ACK,
		.payload_length = PAYLOAD_LENGTH,
	};

	memcpy(reply.from_mac, role_mac(backend), ETH_ALEN);
	memcpy(reply.to_mac, interface_mac(POD), ETH_ALEN);
	return reply;
}

static enum family family_of(const struct blueprint *blueprint)
{
	return blueprint_is_ipv6(blueprint) ? IPV6 : IPV4;
}

static void route(struct blueprint *packet, enum role next, enum interface out)
{
	packet->hop_limit--;
	memcpy(packet->to_mac, role_mac(next), ETH_ALEN);
	memcpy(packet->from_mac, interface_mac(out), ETH_ALEN);
}

struct blueprint translated_to(const struct blueprint *request, enum role backend)
{
	struct blueprint packet = *request;

	packet.dst = role_address(backend, family_of(request));
	packet.dst_port = htons(BACKEND_PORT);
	return packet;
}

struct blueprint translated_from_service(const struct blueprint *reply)
{
	struct blueprint packet = *reply;

	packet.src = role_address(SERVICE, family_of(reply));
	packet.src_port = htons(usual_service_port(packet.protocol));
	return packet;
}

struct blueprint forwarded_to(const struct blueprint *request, enum role backend,
			      enum interface out)
{
	struct blueprint packet = translated_to(request, backend);

	route(&packet, backend, out);
	return packet;
}

struct blueprint returned_from_service(const struct blueprint *reply, enum interface out)
{
	struct blueprint packet = translated_from_service(reply);

	route(&packet, CLIENT, out);
	return packet;
}
