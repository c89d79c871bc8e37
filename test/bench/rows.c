/*
 * The rows: see row.h. Targets are those of issue 3. The scenarios of the kernel's own bench_xdp_lb
 * are among them (7.2; of hits and misses half and half it takes the mean of two rows), but for
 * encapsulation, which this datapath does not have.
 */
#include "test/bench/row.h"

#define FLOWS_4K 4096
#define FLOWS_64K 65536
#define FLOWS_1M 1048576
#define MANY_SERVICES 50000
#define DENIED 10000 /* of setting.c */

#define OURS(name_, traffic_, kind_, place_, ...)                                                  \
	{                                                                                          \
		.name = name_, .subject = SUBJECT_OURS, .traffic = TRAFFIC_##traffic_,             \
		.kind = kind_, .place = WORLD_##place_, __VA_ARGS__                                \
	}
#define FLOOR(name_, subject_, traffic_, kind_, ...)                                               \
	{                                                                                          \
		.name = name_, .subject = SUBJECT_##subject_, .traffic = TRAFFIC_##traffic_,       \
		.kind = kind_, __VA_ARGS__                                                         \
	}

const struct row ROWS[] = {
	FLOOR("floor A", FLOOR_A, ESTABLISHED, UDP4, .flows = 1), /* the first: the measure */
	FLOOR("harness alone", NOP, ESTABLISHED, UDP4, .flows = 1),
	FLOOR("harness alone", NOP, ESTABLISHED, TCP6, .flows = 1),
	FLOOR("floor A", FLOOR_A, ESTABLISHED, TCP6, .flows = 1),
	FLOOR("floor B", FLOOR_B, ESTABLISHED, UDP4, .flows = 1), /* the first of B: likewise */
	FLOOR("floor B", FLOOR_B, ESTABLISHED, TCP4, .flows = 1),
	FLOOR("floor B", FLOOR_B, ESTABLISHED, UDP4, .flows = FLOWS_64K),
	FLOOR("floor B, new", FLOOR_B, NEW, UDP4),

	OURS("established", ESTABLISHED, TCP4, ROOMY, .flows = 1, .target = 2.7),
	OURS("established", ESTABLISHED, UDP4, ROOMY, .flows = 1, .target = 2.7),
	OURS("established", ESTABLISHED, TCP6, ROOMY, .flows = 1, .target = 2.7 * 1.15),
	OURS("established", ESTABLISHED, UDP6, ROOMY, .flows = 1, .target = 2.7 * 1.15),
	OURS("established", ESTABLISHED, TCP4, ROOMY, .flows = FLOWS_4K),
	OURS("established", ESTABLISHED, UDP4, ROOMY, .flows = FLOWS_4K),
	OURS("established", ESTABLISHED, TCP6, ROOMY, .flows = FLOWS_4K),
	OURS("established", ESTABLISHED, UDP6, ROOMY, .flows = FLOWS_4K),
	OURS("established", ESTABLISHED, TCP4, ROOMY, .flows = FLOWS_64K),
	OURS("established", ESTABLISHED, UDP4, ROOMY, .flows = FLOWS_64K),
	OURS("established", ESTABLISHED, TCP6, ROOMY, .flows = FLOWS_64K),
	OURS("established", ESTABLISHED, UDP6, ROOMY, .flows = FLOWS_64K),
	OURS("established", ESTABLISHED, TCP4, MILLION, .flows = FLOWS_1M, .slow = true),
	OURS("established", ESTABLISHED, TCP6, MILLION, .flows = FLOWS_1M, .slow = true),

	OURS("reply", REPLY, TCP4, ROOMY, .flows = 1),
	OURS("reply", REPLY, UDP4, ROOMY, .flows = 1),
	OURS("reply", REPLY, TCP6, ROOMY, .flows = 1),
	OURS("reply", REPLY, UDP6, ROOMY, .flows = 1),
	OURS("reply", REPLY, TCP4, ROOMY, .flows = FLOWS_4K),
	OURS("reply", REPLY, TCP6, ROOMY, .flows = FLOWS_4K),
	OURS("reply", REPLY, TCP4, ROOMY, .flows = FLOWS_64K),
	OURS("reply", REPLY, TCP6, ROOMY, .flows = FLOWS_64K),
	OURS("reply", REPLY, TCP4, MILLION, .flows = FLOWS_1M, .slow = true),

	OURS("established, table full", ESTABLISHED, TCP4, FULL, .flows = FLOWS_64K, .target = 9),
	OURS("established, table full", ESTABLISHED, UDP4, FULL, .flows = FLOWS_64K, .target = 9),
	OURS("established, table full", ESTABLISHED, TCP6, FULL, .flows = FLOWS_64K,
	     .target = 9 * 1.15),
	OURS("new, table full", NEW, TCP4, FULL, .target = 12),
	OURS("new, table full", NEW, UDP4, FULL, .target = 12),
	OURS("new, table full", NEW, TCP6, FULL, .target = 12 * 1.15),
	OURS("new, table full", NEW, UDP6, FULL, .target = 12 * 1.15),

	/* Always the same packet: its checksum (CRC32c) covers the client's port. */
	OURS("established, SCTP", ONE_FLOW, SCTP4, ROOMY, .flows = 1),
	OURS("established, SCTP", ONE_FLOW, SCTP6, ROOMY, .flows = 1),

	/* What a service may have instead: beside the same rows of five backends and Maglev. */
	OURS("established, 1,000 backends", ESTABLISHED, UDP4, ROOMY, .flows = FLOWS_64K,
	     .shape = SERVICE_THOUSAND),
	OURS("established, IPv4 options", ESTABLISHED, TCP4, ROOMY, .flows = 1, .options = true),
	OURS("new, table full, 1,000 backends", NEW, TCP4, FULL, .shape = SERVICE_THOUSAND),
	OURS("new, table full, random", NEW, TCP4, FULL, .shape = SERVICE_RANDOM),
	OURS("new, table full, round robin", NEW, TCP4, FULL, .shape = SERVICE_ROUND_ROBIN),
	OURS("new, table full, source hash", NEW, TCP4, FULL, .shape = SERVICE_SOURCE_HASH),
	OURS("new, table full, affinity", NEW, TCP4, FULL, .shape = SERVICE_AFFINE),
	OURS("new, table full, affinity", NEW, TCP6, FULL, .shape = SERVICE_AFFINE),
	OURS("new, table full, 256 ranges", NEW, TCP4, FULL, .shape = SERVICE_RANGED),
	OURS("new, table full, 256 ranges", NEW, TCP6, FULL, .shape = SERVICE_RANGED),
	OURS("mid-flow, no entry, table full", MID_FLOW, TCP4, FULL),
	OURS("mid-flow, no entry, table full", MID_FLOW, TCP6, FULL),
	OURS("RST, no entry, table full", RESET, TCP4, FULL),

	OURS("established, 50,000 services", ESTABLISHED, TCP4, MANY, .flows = MANY_SERVICES,
	     .services = MANY_SERVICES),
	OURS("established, 1 of 50,000", ESTABLISHED, TCP4, MANY, .flows = MANY_SERVICES),
	OURS("new, 1 of 50,000 services", NEW, TCP4, MANY),
	OURS("new, 50,000 services in turn", NEW, TCP4, MANY, .services = MANY_SERVICES),

	OURS("of no service", NO_SERVICE, TCP4, ROOMY, .flows = 1, .target = 2),
	OURS("of no service", NO_SERVICE, UDP4, ROOMY, .flows = FLOWS_64K),
	OURS("of no service", NO_SERVICE, TCP6, ROOMY, .flows = 1, .target = 2 * 1.15),
	OURS("of no service, table full", NO_SERVICE, TCP4, FULL, .flows = FLOWS_64K),
	OURS("no backend", NO_BACKEND, TCP4, ROOMY, .flows = 1),
	OURS("no backend", NO_BACKEND, TCP6, ROOMY, .flows = 1),
	OURS("port not served", NOT_SERVED, TCP4, ROOMY, .flows = 1),
	OURS("port not served", NOT_SERVED, TCP6, ROOMY, .flows = 1),
	OURS("outside of 256 source ranges", OUT_OF_RANGE, TCP4, ROOMY, .flows = FLOWS_4K),
	OURS("outside of 256 source ranges", OUT_OF_RANGE, TCP6, ROOMY, .flows = FLOWS_4K),
	OURS("not IP", NOT_IP, UDP4, ROOMY, .flows = 1),
	OURS("established, VLAN tag", TAGGED, UDP4, ROOMY, .flows = 1),
	OURS("established, VLAN tag", TAGGED, UDP6, ROOMY, .flows = 1),
	OURS("established, extension header", EXTENSION, UDP6, ROOMY, .flows = 1),
	OURS("established, alias", ALIASED, UDP4, ROOMY, .flows = 1),
	OURS("established, alias", ALIASED, UDP6, ROOMY, .flows = 1),
	OURS("first fragment", FRAGMENT, UDP4, ROOMY, .flows = 1),
	OURS("fragment of no service", FRAGMENT_OF_OTHERS, UDP4, ROOMY, .flows = 1),
	OURS("ICMP echo to a service", ECHO, UDP4, ROOMY, .flows = 1),
	OURS("ICMP echo to a service", ECHO, UDP6, ROOMY, .flows = 1),
	OURS("ICMP error about a connection", ICMP_ERROR, UDP4, ROOMY, .flows = 1),
	OURS("ICMP error about a connection", ICMP_ERROR, TCP4, ROOMY, .flows = 1),
	OURS("ICMP error about a connection", ICMP_ERROR, UDP6, ROOMY, .flows = 1),

	/* With a knob on; off, it is every other row. */
	OURS("new, balanced without an entry", STATELESS, TCP4, STATELESS),
	OURS("new, balanced without an entry", STATELESS, TCP6, STATELESS),
	OURS("no backend, reset sent", ANSWER_RESET, TCP4, ANSWER, .flows = 1),
	OURS("no backend, reset sent", ANSWER_RESET, TCP6, ANSWER, .flows = 1),
	OURS("no backend, unreachable sent", ANSWER_UNREACHABLE, UDP4, ANSWER, .flows = 1),
	OURS("no backend, unreachable sent", ANSWER_UNREACHABLE, UDP6, ANSWER, .flows = 1),
	OURS("not served, reset sent", NOT_SERVED_RESET, TCP4, ANSWER, .flows = 1),
	OURS("not served, reset sent", NOT_SERVED_RESET, TCP6, ANSWER, .flows = 1),
	OURS("not served, unreachable sent", NOT_SERVED_UNREACHABLE, UDP4, ANSWER, .flows = 1),
	OURS("not served, unreachable sent", NOT_SERVED_UNREACHABLE, UDP6, ANSWER, .flows = 1),
	/* Each packet ends its connection, however often; no other row's take its room here. */
	OURS("backend gone, reset sent", GONE, TCP4, ANSWER, .flows = 1),
	OURS("backend gone, reset sent", GONE, TCP6, ANSWER, .flows = 1),
	OURS("backend gone, reset sent", GONE, TCP4, ANSWER, .flows = FLOWS_64K),
	OURS("of no service, metadata", NO_SERVICE, TCP4, METADATA, .flows = 1),
	OURS("established, metadata", ESTABLISHED, TCP4, METADATA, .flows = 1),

	/* 10,000 prefixes of each family are denied: a packet from each in turn, or from beside. */
	OURS("denied", DENIED, UDP4, DENY, .flows = 1, .clients = CLIENTS_DENIED),
	OURS("denied, each prefix in turn", DENIED, UDP4, DENY, .flows = DENIED,
	     .clients = CLIENTS_DENIED),
	OURS("denied, each prefix in turn", DENIED, UDP6, DENY, .flows = DENIED,
	     .clients = CLIENTS_DENIED),
	OURS("not denied, established", ESTABLISHED, TCP4, DENY, .flows = 1,
	     .clients = CLIENTS_BESIDE_DENIED),
	OURS("not denied, established", ESTABLISHED, TCP6, DENY, .flows = 1,
	     .clients = CLIENTS_BESIDE_DENIED),
	OURS("not denied, of no service", NO_SERVICE, TCP4, DENY, .flows = DENIED,
	     .clients = CLIENTS_BESIDE_DENIED),
	OURS("not denied, of no service", NO_SERVICE, TCP6, DENY, .flows = DENIED,
	     .clients = CLIENTS_BESIDE_DENIED),

	OURS("established, two CPUs", ESTABLISHED, TCP4, ROOMY, .flows = FLOWS_4K, .cpus = 2,
	     .scaling = 1.9, .slow = true),
	OURS("new, two CPUs, table full", NEW, TCP4, FULL, .cpus = 2, .scaling = 1.9, .slow = true),
};

const size_t ROW_COUNT = sizeof(ROWS) / sizeof(ROWS[0]);
