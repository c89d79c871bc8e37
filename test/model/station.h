/*
 * Who appears in generated sequences, by short names that sequences are written with. A larger cast
 * than that of test/bpf/cast.h: more clients and backends, and addresses that nobody should send
 * from.
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>
#include "include/abi.h"
#include "test/bpf/cast.h"

enum station {
	STATION_C1, /* clients, behind UPLINK */
	STATION_C2,
	STATION_C3,
	STATION_C4,
	STATION_A, /* pods, behind POD: backends that call services, too */
	STATION_B,
	STATION_C,
	STATION_D,
	STATION_E,  /* a backend behind UPLINK */
	STATION_F,  /* a backend that nobody knows the way to */
	STATION_S1, /* addresses of services */
	STATION_S2,
	STATION_S3,
	STATION_H,  /* the hairpin address */
	STATION_R,  /* a router on the way */
	STATION_X,  /* a stranger */
	STATION_N1, /* this node */
	STATION_N2,
	STATION_LOOPBACK,
	STATION_UNSPECIFIED,
	STATION_MULTICAST,
	STATION_BROADCAST,
	_STATION_COUNT,
};

const char *station_name(enum station station);
/* _STATION_COUNT: no such name. */
enum station station_named(const char *name);
struct address station_address(enum station station, enum family family);
/* The station of this address; _STATION_COUNT: nobody's. */
enum station station_at(const struct address *address);
const uint8_t *station_mac(enum station station);
/* Where it is at the start of a sequence. */
enum interface station_home(enum station station);
