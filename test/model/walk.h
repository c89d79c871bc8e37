/*
 * What the model's steps share: a packet on its walk. Steps are called by model.c alone; each ends
 * the walk with a verdict or lets it go on (VERDICT_CONTINUE).
 */
#pragma once

#include "test/model/model.h"

#define ETHERNET_HEADER 14
#define IPV4_HEADER 20
#define IPV6_HEADER 40
#define TCP_HEADER 20
#define UDP_HEADER 8
#define SCTP_HEADER 12
#define ICMP_HEADER 8
#define TCP_CHECKSUM_AT 16
#define UDP_CHECKSUM_AT 6
#define ICMP_CHECKSUM_AT 2

enum part {
	PART_WHOLE,
	PART_FIRST, /* of several; it has the ports */
	PART_LATER, /* it has nothing of the transport's header */
};

/* An IP packet inside of a frame; offsets are from the frame's start. */
struct headers {
	bool is_ipv6;
	size_t ip;
	size_t transport;
	size_t end; /* of what IP says belongs to it, as far as it is there */
	struct flow flow;
	uint8_t protocol;
	enum part part;
	size_t offset; /* of the part, in what IP carries */
	uint32_t id;   /* of the packet that a part is of */
};

struct walk {
	struct model *model;
	struct frame *frame;
	const struct observed *observed;
	uint32_t in; /* port */

	struct headers packet;
	uint8_t hop_limit;
	uint8_t tcp_flags;
	bool is_known_part;    /* of a packet that may be ours */
	bool is_error;         /* ICMP about another packet: */
	struct headers quoted; /* this one */

	enum direction direction;
	struct model_connection *connection; /* known, or made; NULL: a stateless one */
	struct model_connection *old;        /* whose place that takes, or would take */
	bool is_lost;                        /* that was masqueraded, and it is not known as what */
	struct model_backend *backend;
	struct model_service *service;   /* that refused it */
	bool becomes_reset;              /* a reply of a backend that is gone, for its client */
	__be16 client_port;              /* as the client has it, */
	__be16 alias;                    /* and as its backend has it */
	struct address client, known_as; /* the same of its address */

	struct model_hop next;
	uint32_t mtu; /* of the way out that is too narrow */
};

/* bytes.c */
uint16_t get16(const struct frame *frame, size_t at);
void get_bytes(const struct frame *frame, size_t at, void *bytes, size_t length);
struct address get_address(const struct frame *frame, const struct headers *headers, size_t which);
bool same_address(const struct address *a, const struct address *b);
bool is_ipv4_mapped(const struct address *address);
bool prefix_holds(const struct model_prefix *prefix, const struct address *address);
#define SOURCE 0
#define DESTINATION 1
/* Where the source or the destination of an IP header lies, and how long it is. */
size_t address_at(const struct headers *headers, size_t which);
size_t address_size(const struct headers *headers);

/*
 * late.c: verdicts that include/verdict.h may not have yet, by their names. A feature that is
 * switched on before its verdict is there ends the test.
 */
enum late {
	LATE_ANSWER_ECHO,
	LATE_ANSWER_RESET,
	LATE_ANSWER_UNREACHABLE,
	LATE_ANSWER_TOO_BIG,
	LATE_DROP_NOT_SERVED,
	_LATE_COUNT,
};
enum verdict late(enum late which);
bool is_late(enum verdict verdict, enum late which);

/* parse.c */
enum verdict parse_ethernet(struct walk *walk);
enum verdict parse_network(struct walk *walk);
enum verdict parse_transport(struct walk *walk);

/* icmp.c */
enum verdict parse_icmp(struct walk *walk);

/* deny.c */
enum verdict check_denied(struct walk *walk);

/* network.c: whose the source of the packet is. */
enum network network_of_source(const struct walk *walk);

/* connection.c */
enum verdict find_connection(struct walk *walk);
enum verdict find_connection_of_error(struct walk *walk);
bool is_near(uint32_t seconds, uint32_t timeout);
bool is_expired(const struct model *model, const struct model_connection *connection);
bool is_served(const struct model *model, const struct model_connection *connection);
bool is_over(const struct model *model, const struct model_connection *connection);
uint8_t protocol_of(const struct model *model, const struct model_connection *connection);
/* The client's own end, or where it meets itself the hairpin address. */
void leave_as_own(struct walk *walk, const struct address *client, __be16 port);
/* The port that the backend knows the client by. */
__be16 backend_side_port(const struct model_connection *connection);
/* The entry of a new connection in the place of *old (NULL: of none). */
struct model_connection *add_connection(struct walk *walk, struct model_connection *old);
bool is_to_us(const struct walk *walk);
bool is_from_nobody(const struct walk *walk); /* no host has the packet's source */

/* choose.c: NULL: none, or none whose replies would be its own; *first: of those the first. */
bool is_there(const struct model_backend *backend);
struct model_backend *pick(struct walk *walk, struct model_backend **first);
struct model_backend *pick_previous(struct walk *walk);
/* Whether the datapath has sent it there, and from which port. */
bool was_sent_to(const struct walk *walk, const struct model_backend *backend, __be16 *src_port);

/* claim.c: whether replies to this port of the client would be its own; makes room, if wanted. */
bool is_free_for(struct walk *walk, const struct model_backend *backend, __be16 port, bool clear);
/* Another port of the client that the backend may know it by. */
bool take_alias(struct walk *walk, const struct model_backend *backend);

/* service.c: a connection begins; `old` is what was remembered of one between the same two. */
enum verdict begin_connection(struct walk *walk, struct model_connection *old);

/*
 * masquerade.c: whether the connection that begins is to be masqueraded towards this backend; as
 * what its packets leave; and where it was, if it goes on without its entry, or (`lost`, an
 * index) without what it was known by (NULL: nowhere).
 */
bool is_to_be_masqueraded(const struct walk *walk, const struct model_backend *backend);
enum verdict masquerade(struct walk *walk, bool is_remembered);
struct model_backend *masqueraded_backend(const struct walk *walk, uint32_t lost);
bool may_pass_claims(const struct model *model, uint32_t seconds);
/* Of one that is known. False: its backend knows it by its own end. */
bool leave_as_claimed(struct walk *walk, const struct model_connection *connection);
struct model_claim *find_claim_of_reply(struct model *model, const struct flow *reply);

/* affinity.c: the backend that a client comes back to (NULL: none); what a connection leaves. */
struct model_backend *recall_backend(const struct walk *walk);
void note_backend(struct walk *walk);

/* forward.c: the way out; TX, REDIRECT, or who else takes it. */
enum verdict forward(struct walk *walk);
struct model_hop hop_to(const struct model *model, const struct address *address);

/* answer.c: what we say ourselves, in the place of the packet. */
const struct model_service *service_of_address(const struct model *model,
					       const struct address *address);
/* Nobody has it but a service. */
bool is_virtual(const struct model *model, const struct address *address);
/* To somebody who asks for what nobody serves; `otherwise` where that is never answered. */
enum verdict turn_away(const struct walk *walk, enum verdict otherwise);
/* The same of a packet larger than the MTU of its way out. */
enum verdict turn_away_size(const struct walk *walk);
enum verdict check_echo(const struct walk *walk);
/* Whether the verdict is one of these; then the frame becomes the answer. */
bool is_answer(enum verdict verdict);
void answer(struct walk *walk, enum verdict verdict);

/*
 * fragment.c: a part, as far as it was parsed: those that do not go on, the ports of a later one.
 * In the end what became of it is settled, and of the first noted.
 */
enum verdict meet_part(struct walk *walk, enum verdict parsed);
enum verdict settle_part(struct walk *walk, enum verdict verdict);

/* tag.c: VLAN tags, between the MAC addresses and the ethertype. */
bool is_tag(uint16_t ethertype);
/* Whether a request that came this way has moved nothing. */
bool same_way(const struct model_hop *a, const struct model_hop *b);
uint8_t count_tags(const struct frame *frame);
void take_tags(const struct frame *frame, struct model_hop *hop);
void read_tags(const struct port *port, struct model_hop *hop);
void replace_tags(struct walk *walk, const struct model_hop *hop);

/* nat.c */
void translate(struct walk *walk);
void send_out(struct walk *walk);
