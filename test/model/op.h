/*
 * A sequence: what happens one after another, packets and changes of the tables, as data that can
 * be played, made shorter, printed and read back.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdio.h>
#include "include/network.h"
#include "lb/service.h"
#include "test/model/station.h"

#define OP_BACKENDS 6
#define OP_RANGES 2
#define OP_EDITS 4
#define OP_TAGS 3
#define OP_EXTENSIONS 8
#define OP_QUOTE_ALL 4096
#define OP_ID 0xbeef
/* Ports of VLANs, behind those of interfaces: frames leave by the parent, with tags. */
#define POD_VLAN _INTERFACE_COUNT
#define UPLINK_VLAN (_INTERFACE_COUNT + 1)
#define OP_PORT_COUNT (_INTERFACE_COUNT + 2)
#define MAX_OPS 64

/* Numbers here are in the host's order. */
struct op_service {
	enum station station;
	enum family family;
	uint8_t protocol;
	uint16_t port;
	enum scope scope;
};

struct op_backend {
	enum station station;
	uint16_t port;
	uint16_t weight;
	enum backend_state state;
	bool is_remote;
};

struct op_prefix {
	enum station station; /* its address, as many bits of it as the length says */
	enum family family;
	uint8_t length; /* of the family's own form */
};

struct op_offer {
	struct op_service service;
	enum algorithm algorithm;
	bool has_inside;
	bool drops_unserved;
	enum masquerade masquerade;
	uint32_t affinity_seconds;
	uint32_t backend_count;
	struct op_backend backends[OP_BACKENDS];
	uint32_t range_count;
	struct op_prefix ranges[OP_RANGES];
};

/* An IPv6 extension header: what follows its length is `word`, then zeros. */
struct op_extension {
	uint8_t type;
	uint8_t units; /* of 8 bytes */
	uint16_t word;
};

/* An IP packet. */
struct op_segment {
	enum family family;
	uint8_t protocol;
	enum station src;
	enum station dst;
	uint16_t src_port; /* of TCP and UDP */
	uint16_t dst_port;
	uint8_t tcp_flags;
	uint8_t hop_limit;
	uint16_t options;  /* bytes; IPv4: a multiple of 4 */
	uint16_t fragment; /* IPv4: flags and offset, whatever the packet is */
	uint16_t from;     /* a part of the packet: from this byte of its transport on, */
	uint16_t length;   /* so many, multiples of 8; both 0: the packet is whole */
	uint32_t id;       /* identification */
	uint16_t data;     /* bytes of payload */
	uint16_t word;     /* the first two of these: any checksum comes about by one of them */
	bool no_checksum;  /* of UDP */
	uint8_t extension_count;
	struct op_extension extensions[OP_EXTENSIONS];
};

struct op_edit {
	uint16_t at; /* byte of the frame; nothing happens past its end */
	uint8_t value;
};

struct op_packet {
	enum interface in;
	enum station to;   /* its MAC address; _STATION_COUNT: the interface's */
	enum station from; /* its MAC address */
	struct op_segment segment;
	uint8_t icmp_type, icmp_code;
	uint32_t icmp_rest;
	bool is_error; /* the payload is a quote: */
	struct op_segment quoted;
	uint16_t quote; /* bytes of it at most */
	uint16_t padding;
	uint16_t cut;           /* what is left of the frame; 0: all */
	uint8_t tag_count;      /* VLAN tags, the outermost first */
	uint32_t tags[OP_TAGS]; /* TPID << 16 | TCI */
	uint32_t edit_count;
	struct op_edit edits[OP_EDITS];
};

enum op_kind {
	OP_OFFER,    /* a service, new or changed */
	OP_WITHDRAW, /* a service */
	OP_DENY,
	OP_ALLOW,   /* what was denied last */
	OP_NETWORK, /* whose the addresses of a prefix are from now on */
	OP_SOURCE,  /* what masqueraded connections leave an interface as */
	OP_MOVE,    /* a station is behind another interface from now on */
	OP_PORT,    /* flags and MTU of an interface */
	OP_PASS,    /* time, without packets */
	OP_PACKET,
	_OP_KIND_COUNT,
};

struct op {
	enum op_kind kind;
	union {
		struct op_offer offer;
		struct op_service service; /* that is withdrawn */
		struct op_prefix prefix;
		struct {
			struct op_prefix prefix;
			enum network network;
		} network;
		struct {
			enum interface interface; /* NOWHERE: of those that have none */
			enum station station;     /* _STATION_COUNT: none */
		} source;
		struct {
			enum station station;
			enum interface interface;
		} move;
		struct {
			enum interface interface;
			uint16_t flags; /* enum port_flag */
			uint32_t mtu;   /* 0: the interface is gone */
		} port;
		uint32_t seconds;
		struct op_packet packet;
	};
};

struct sequence {
	uint32_t count;
	struct op ops[MAX_OPS];
};

/* op_packet.c */
struct op_packet op_packet_of(enum interface in, const struct op_segment *segment);
struct op_segment op_segment_of(enum family family, uint8_t protocol, enum station src,
				enum station dst);
void op_build(const struct op_packet *packet, struct frame *frame);

/* op_print.c: a line an operation. */
void op_print(FILE *file, const struct op *op);
void sequence_print(FILE *file, const struct sequence *sequence);

/* op_read.c. Lines that are empty or start with # say nothing. */
bool op_read(const char *line, struct op *op);
/* 0, or the number of the line that is wrong; -1: the file cannot be read. */
int sequence_read(const char *path, struct sequence *sequence);
const char *interface_name(enum interface interface);
