/*
 * The rows: see row.h. Targets are those of issue 3.
 */
#include "test/bench/row.h"

#define FLOWS_4K 4096
#define FLOWS_64K 65536
#define FLOWS_1M 1048576
#define MANY_SERVICES 50000

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
	OURS("reply", REPLY, TCP4, ROOMY, .flows = FLOWS_64K),
	OURS("reply", REPLY, TCP6, ROOMY, .flows = FLOWS_64K),

	OURS("established, table full", ESTABLISHED, TCP4, FULL, .flows = FLOWS_64K, .target = 9),
	OURS("established, table full", ESTABLISHED, UDP4, FULL, .flows = FLOWS_64K, .target = 9),
	OURS("established, table full", ESTABLISHED, TCP6, FULL, .flows = FLOWS_64K,
	     .target = 9 * 1.15),
	OURS("new, table full", NEW, TCP4, FULL, .target = 12),
	OURS("new, table full", NEW, UDP4, FULL, .target = 12),
	OURS("new, table full", NEW, TCP6, FULL, .target = 12 * 1.15),
	OURS("new, table full", NEW, UDP6, FULL, .target = 12 * 1.15),

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
	OURS("not IP", NOT_IP, UDP4, ROOMY, .flows = 1),

	OURS("established, two CPUs", ESTABLISHED, TCP4, ROOMY, .flows = FLOWS_4K, .cpus = 2,
	     .scaling = 1.9),
	OURS("new, two CPUs, table full", NEW, TCP4, FULL, .cpus = 2, .scaling = 1.9),
};

const size_t ROW_COUNT = sizeof(ROWS) / sizeof(ROWS[0]);
