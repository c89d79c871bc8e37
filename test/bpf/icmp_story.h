/*
 * What the tests of ICMP errors share: an error as it comes in, and as it leaves where it is ours.
 */
#pragma once

#include "test/bpf/icmp_builder.h"
#include "test/bpf/scene.h"

#define ERROR_COUNT 6 /* kinds of errors of each family */
#define PORTS_END 8   /* bytes of the transport that must be quoted */

struct story {
	struct icmp_error comes;
	struct icmp_error leaves;
};

/* `sender` complains of the request of CLIENT, as it has it behind POD. */
struct story from_backend_side(const struct kind *kind, enum role sender, int row);
/* `sender` complains of the reply of BACKEND_A, as it has it behind UPLINK. */
struct story from_client_side(const struct kind *kind, enum role sender, int row);
/* Bytes of the IP header that is quoted. */
size_t quote_ip_header(const struct kind *kind);

/* Connections of every kind to BACKEND_A, requests and replies seen. */
void connect_all(struct scene *scene);

/* As expect does: NULL is an error that stays as it came. */
#define expect_icmp(scene, ...) ((scene)->line = __LINE__, expect_error((scene), __VA_ARGS__))
void expect_error(struct scene *scene, enum interface in, const struct icmp_error *comes,
		  enum verdict verdict, const struct icmp_error *leaves);
