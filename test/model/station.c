/*
 * The stations: see station.h.
 */
#include "test/model/station.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include "lb/address.h"

struct description {
	const char *name;
	const char *address[_FAMILY_COUNT];
	enum interface home;
	uint8_t mac[ETH_ALEN];
};

/* C1 and C2 are behind one router, as most clients are. */
static const struct description STATIONS[_STATION_COUNT] = {
	[STATION_C1] = {"c1", {"192.0.2.7", "2001:db8::7"}, UPLINK, {2, 0xc1, 0, 0, 0, 1}},
	[STATION_C2] = {"c2", {"192.0.2.8", "2001:db8::8"}, UPLINK, {2, 0xc1, 0, 0, 0, 1}},
	[STATION_C3] = {"c3", {"198.51.100.9", "2001:db8:1::9"}, UPLINK, {2, 0xc3, 0, 0, 0, 3}},
	[STATION_C4] = {"c4", {"203.0.113.200", "2001:db8:2::c8"}, UPLINK, {2, 0xc4, 0, 0, 0, 4}},
	[STATION_A] = {"a", {"10.1.0.11", "fd00:1::11"}, POD, {2, 0xba, 0, 0, 0, 0x0a}},
	[STATION_B] = {"b", {"10.1.0.12", "fd00:1:0:ffff::12"}, POD, {2, 0xba, 0, 0, 0, 0x0b}},
	[STATION_C] = {"c", {"10.1.0.13", "fd00:1::13"}, POD, {2, 0xba, 0, 0, 0, 0x0c}},
	[STATION_D] = {"d", {"10.1.0.14", "fd00:1::14"}, POD, {2, 0xba, 0, 0, 0, 0x0d}},
	[STATION_E] = {"e", {"10.2.0.21", "fd00:2::21"}, UPLINK, {2, 0xbe, 0, 0, 0, 0x0e}},
	[STATION_F] = {"f", {"10.3.0.31", "fd00:3::31"}, NOWHERE, {2, 0xbf, 0, 0, 0, 0x0f}},
	[STATION_S1] = {"s1", {"10.96.0.10", "fd00:96::10"}, UPLINK, {2, 0x51, 0, 0, 0, 1}},
	[STATION_S2] = {"s2", {"10.96.0.11", "fd00:96::11"}, UPLINK, {2, 0x52, 0, 0, 0, 2}},
	[STATION_S3] = {"s3", {"10.97.255.255", "fd00:97::ffff"}, UPLINK, {2, 0x53, 0, 0, 0, 3}},
	[STATION_H] = {"h", {"169.254.42.1", "fd6c:6264::1"}, POD, {2, 0x44, 0, 0, 0, 1}},
	[STATION_R] = {"r", {"172.16.0.1", "fd00:99::1"}, UPLINK, {2, 0x99, 0, 0, 0, 1}},
	[STATION_X] = {"x", {"172.17.0.2", "fd00:98::2"}, UPLINK, {2, 0x98, 0, 0, 0, 2}},
	[STATION_N1] = {"n1", {"10.9.0.1", "fd00:9::1"}, UPLINK, {2, 0x91, 0, 0, 0, 1}},
	[STATION_N2] = {"n2", {"10.9.0.2", "fd00:9::2"}, UPLINK, {2, 0x92, 0, 0, 0, 2}},
	[STATION_LOOPBACK] = {"loopback", {"127.0.0.1", "::1"}, UPLINK, {2, 0x71, 0, 0, 0, 1}},
	[STATION_UNSPECIFIED] = {"unspecified", {"0.0.0.0", "::"}, UPLINK, {2, 0x70, 0, 0, 0, 1}},
	[STATION_MULTICAST] = {"multicast",
			       {"224.0.0.5", "ff02::5"},
			       UPLINK,
			       {0x33, 0x33, 0, 0, 0, 5}},
	[STATION_BROADCAST] = {"broadcast",
			       {"255.255.255.255", "ff0e::1"},
			       UPLINK,
			       {0xff, 0xff, 0xff, 0xff, 0xff, 0xff}},
};

/* Parsed once: sequences name thousands of them. */
static struct address addresses[_STATION_COUNT][_FAMILY_COUNT];
static bool is_parsed;

static void parse_all(void)
{
	for (int station = 0; station < _STATION_COUNT; station++) {
		for (int family = 0; family < _FAMILY_COUNT; family++) {
			const char *text = STATIONS[station].address[family];

			if (address_parse(text, &addresses[station][family])) {
				fprintf(stderr, "%s is no address\n", text);
				abort();
			}
		}
	}
	is_parsed = true;
}

const char *station_name(enum station station)
{
	return STATIONS[station].name;
}

enum station station_named(const char *name)
{
	int station = 0;

	while (station < _STATION_COUNT && strcmp(STATIONS[station].name, name) != 0)
		station++;
	return (enum station)station;
}

struct address station_address(enum station station, enum family family)
{
	if (!is_parsed)
		parse_all();
	return addresses[station][family];
}

enum station station_at(const struct address *address)
{
	if (!is_parsed)
		parse_all();
	for (int station = 0; station < _STATION_COUNT; station++)
		for (int family = 0; family < _FAMILY_COUNT; family++)
			if (address_equal(&addresses[station][family], address))
				return (enum station)station;
	return _STATION_COUNT;
}

const uint8_t *station_mac(enum station station)
{
	return STATIONS[station].mac;
}

enum interface station_home(enum station station)
{
	return STATIONS[station].home;
}
