/*
 * What masqueraded connections leave as: see masquerade.h.
 */
#include "control/masquerade.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define LOCAL_PORTS "/proc/sys/net/ipv4/ip_local_port_range" /* of IPv6, too */
#define FIRST_PORT 1024
#define UPPER_FIRST 61000
#define PORTS_END 65536
#define FEWEST 1024

struct masquerade_sources {
	struct datapath *datapath;
	uint32_t count;
	struct masquerade_source *told;
	struct masquerade_source *wanted;
};

/* What Linux has unless it is told otherwise. */
static void read_local_ports(unsigned int *first, unsigned int *last)
{
	FILE *file = fopen(LOCAL_PORTS, "re");

	if (!file || fscanf(file, "%u %u", first, last) != 2 || *last < *first) {
		*first = 32768;
		*last = 60999;
	}
	if (file)
		fclose(file);
}

bool masquerade_choose_ports(struct masquerade_ports *ports)
{
	unsigned int first, last;

	read_local_ports(&first, &last);
	*ports = (struct masquerade_ports){.first = FIRST_PORT, .second_first = last + 1};
	if (first > FIRST_PORT)
		ports->count = first - FIRST_PORT;
	if (last < FIRST_PORT)
		ports->second_first = FIRST_PORT;
	if (ports->second_first < PORTS_END)
		ports->second_count = PORTS_END - ports->second_first;
	if (ports->count + ports->second_count >= FEWEST)
		return true;
	*ports = (struct masquerade_ports){.first = UPPER_FIRST, .count = PORTS_END - UPPER_FIRST};
	return false;
}

int masquerade_parse_ports(const char *text, struct masquerade_ports *ports)
{
	unsigned int first, last;
	int length = 0;

	if (sscanf(text, "%5u-%5u%n", &first, &last, &length) != 2 || text[length] || !first ||
	    last < first || last > UINT16_MAX || text[0] < '0' || text[0] > '9')
		return -EINVAL;
	*ports = (struct masquerade_ports){.first = first, .count = last - first + 1};
	return 0;
}

struct masquerade_sources *masquerade_sources_new(struct datapath *datapath)
{
	const uint32_t count = datapath_capacity_ports(datapath);
	struct masquerade_sources *sources = calloc(1, sizeof(*sources));

	if (!sources)
		return NULL;
	sources->datapath = datapath;
	sources->count = count;
	sources->told = calloc(count, sizeof(*sources->told));
	sources->wanted = calloc(count, sizeof(*sources->wanted));
	if (sources->told && sources->wanted) {
		/* What an earlier lbd has told is not known: nothing is like this. */
		memset(sources->told, 0xff, count * sizeof(*sources->told));
		return sources;
	}
	masquerade_sources_free(sources);
	return NULL;
}

void masquerade_sources_free(struct masquerade_sources *sources)
{
	if (!sources)
		return;
	free(sources->told);
	free(sources->wanted);
	free(sources);
}

static bool is_free(const struct address *address)
{
	return !(address->half[0] | address->half[1]);
}

/* The first that is told of a port is its usual one. */
static void want(struct masquerade_source *source, const struct address *address)
{
	struct address *place = address_is_ipv4(address) ? &source->ipv4 : &source->ipv6;

	if (is_free(place))
		*place = *address;
}

static int tell(struct masquerade_sources *sources)
{
	int error = 0, failed;

	for (uint32_t i = 0; i < sources->count; i++) {
		if (!memcmp(&sources->told[i], &sources->wanted[i], sizeof(sources->told[i])))
			continue;
		failed = datapath_set_masquerade_source(sources->datapath, i, &sources->wanted[i]);
		if (!failed)
			sources->told[i] = sources->wanted[i];
		error = error ? error : failed;
	}
	return error;
}

int masquerade_sources_update(struct masquerade_sources *sources, struct interfaces *interfaces,
			      const struct own_address *addresses, size_t count)
{
	memset(sources->wanted, 0, sources->count * sizeof(*sources->wanted));
	for (size_t i = 0; i < count; i++) {
		uint16_t port;

		if (!addresses[i].is_usual)
			continue;
		port = interfaces_port(interfaces, addresses[i].ifindex);
		if (!port)
			continue;
		want(&sources->wanted[port], &addresses[i].address);
		want(&sources->wanted[0], &addresses[i].address);
	}
	return tell(sources);
}
