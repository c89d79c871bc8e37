/*
 * The words: see op_words.h.
 */
#include "test/model/op_words.h"

#include <string.h>

#define OF_SEGMENT(member)                                                                         \
	OWNER_SEGMENT, offsetof(struct op_segment, member), sizeof(((struct op_segment *)0)->member)
#define OF_PACKET(member)                                                                          \
	OWNER_PACKET, offsetof(struct op_packet, member), sizeof(((struct op_packet *)0)->member)

const struct op_number OP_NUMBERS[] = {
	{"ttl", OF_SEGMENT(hop_limit), 10, HOP_LIMIT},
	{"data", OF_SEGMENT(data), 10, 0},
	{"word", OF_SEGMENT(word), 16, 0},
	{"opt", OF_SEGMENT(options), 10, 0},
	{"frag", OF_SEGMENT(fragment), 16, 0},
	{"part", OF_SEGMENT(from), 10, 0},
	{"length", OF_SEGMENT(length), 10, 0},
	{"id", OF_SEGMENT(id), 16, OP_ID},
	{"nosum", OF_SEGMENT(no_checksum), 10, 0},
	{"type", OF_PACKET(icmp_type), 10, 0},
	{"code", OF_PACKET(icmp_code), 10, 0},
	{"rest", OF_PACKET(icmp_rest), 16, 0},
	{"quote", OF_PACKET(quote), 10, OP_QUOTE_ALL},
	{"pad", OF_PACKET(padding), 10, 0},
	{"cut", OF_PACKET(cut), 10, 0},
};
const size_t OP_NUMBER_COUNT = sizeof(OP_NUMBERS) / sizeof(OP_NUMBERS[0]);

const char OP_FLAGS[9] = "FSRPAUEC";

const char *const OP_INTERFACES[OP_PORT_COUNT] = {
	[NOWHERE] = "nowhere",           [UPLINK] = "uplink", [POD] = "pod", [POD_VLAN] = "pod.20",
	[UPLINK_VLAN] = "uplink.200.20",
};

const char *const OP_NETWORKS[_NETWORK_COUNT] = {
	[NETWORK_NONE] = "none",
	[NETWORK_CLUSTER] = "cluster",
	[NETWORK_NODE] = "node",
};

const char *const OP_STATES[_BACKEND_STATE_COUNT] = {
	[BACKEND_NONE] = "none",
	[BACKEND_ACTIVE] = "active",
	[BACKEND_DRAINING] = "draining",
	[BACKEND_DOWN] = "down",
};

/* The machine's order is little-endian, as the tables' hash takes it anyway. */
uint32_t op_get(const struct op_number *number, const void *owner)
{
	uint32_t value = 0;

	memcpy(&value, (const char *)owner + number->offset, number->size);
	return value;
}

void op_set(const struct op_number *number, void *owner, uint32_t value)
{
	memcpy((char *)owner + number->offset, &value, number->size);
}

const char *interface_name(enum interface interface)
{
	return OP_INTERFACES[interface];
}
