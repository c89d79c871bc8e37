/*
 * Runs the modules that follow netlink and prints a line for each call of their hooks, for
 * netlink_test.sh and for measuring. Port numbers are interface indices. Signals: USR1 lists what
 * is watched, USR2 stops watching all, TERM ends.
 *
 *   neighbour_driver [--peers] [ADDRESS | ADDRESS+COUNT]...
 *
 * --peers prepares the other end of each veth. ADDRESS+COUNT watches that many from ADDRESS on.
 */
#include <arpa/inet.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include "control/link.h"
#include "control/loop.h"
#include "control/neighbour.h"
#include "control/peer.h"
#include "lb/address.h"

#define MAX_PORTS 65536
#define POLL_MS 10

struct driver {
	struct loop *loop;
	struct links *links;
	struct neighbours *neighbours;
	bool peers;
	bool settled; /* nothing is pending any more */
	uint32_t watched;
	uint32_t resolved_calls;
	struct address *addresses;
	bool port[MAX_PORTS];
};

/* CLOCK_REALTIME, which `date` of the test shell reads too. */
static double now_ms(void)
{
	struct timespec now;

	clock_gettime(CLOCK_REALTIME, &now);
	return (double)now.tv_sec * 1e3 + (double)now.tv_nsec / 1e6;
}

static void print_resolved(void *context, uint32_t slot, const struct nexthop *hop)
{
	struct driver *driver = context;

	driver->resolved_calls++;
	if (driver->watched > 1000)
		return;
	printf("resolved slot=%u mac=%02x:%02x:%02x:%02x:%02x:%02x port=%u at=%.0f\n", slot,
	       hop->mac[0], hop->mac[1], hop->mac[2], hop->mac[3], hop->mac[4], hop->mac[5],
	       hop->port, now_ms());
}

static uint16_t find_port(void *context, uint32_t ifindex)
{
	const struct driver *driver = context;

	return ifindex < MAX_PORTS && driver->port[ifindex] ? (uint16_t)ifindex : 0;
}

static unsigned long own_namespace(void)
{
	struct stat status = {0};

	stat("/proc/thread-self/ns/net", &status);
	return status.st_ino;
}

static void print_peer(const struct link *link)
{
	struct refusal refusal = {0};
	struct peer_result result;
	unsigned long home = own_namespace();
	int error;

	error = peer_prepare(link->netnsid, link->peer_ifindex, &result, &refusal);
	printf("peer name=%s error=%d receives=%d full_checksum=%d changed=%d%d home=%d %s\n",
	       link->name, error, result.receives, result.full_checksum, result.changed_gro,
	       result.changed_tx, home == own_namespace(), refusal.text);
}

static void print_changed(void *context, const struct link *link)
{
	struct driver *driver = context;

	printf("changed name=%s ifindex=%u kind=%s up=%d mtu=%u peer=%u netnsid=%d at=%.0f\n",
	       link->name, link->ifindex, link->kind, link->up, link->mtu, link->peer_ifindex,
	       link->netnsid, now_ms());
	if (link->ifindex < MAX_PORTS)
		driver->port[link->ifindex] = link->has_mac && !link->loopback;
	if (driver->peers && !strcmp(link->kind, "veth"))
		print_peer(link);
	if (driver->neighbours)
		neighbours_link_changed(driver->neighbours, link->ifindex);
}

static void print_vanished(void *context, uint32_t ifindex, const char *name)
{
	struct driver *driver = context;

	printf("vanished name=%s ifindex=%u at=%.0f\n", name, ifindex, now_ms());
	if (ifindex < MAX_PORTS)
		driver->port[ifindex] = false;
	if (driver->neighbours)
		neighbours_link_changed(driver->neighbours, ifindex);
}

static void print_entry(void *context, const struct neighbour_entry *entry)
{
	char address[ADDRESS_TEXT_MAX], gateway[ADDRESS_TEXT_MAX];

	(void)context;
	printf("entry address=%s gateway=%s ifindex=%u state=%s managed=%d\n",
	       address_format(&entry->address, address), address_format(&entry->gateway, gateway),
	       entry->ifindex, neighbour_state_name(entry->state), entry->managed);
}

static void list(void *context, uint32_t signal)
{
	struct driver *driver = context;

	(void)signal;
	neighbours_visit(driver->neighbours, print_entry, NULL);
	printf("listed calls=%u pending=%zu\n", driver->resolved_calls,
	       neighbours_pending(driver->neighbours));
}

static void unwatch(void *context, uint32_t signal)
{
	struct driver *driver = context;

	(void)signal;
	for (uint32_t i = 0; i < driver->watched; i++)
		neighbours_unwatch(driver->neighbours, &driver->addresses[i]);
	printf("unwatched at=%.0f\n", now_ms());
}

static void stop(void *context, uint32_t signal)
{
	struct driver *driver = context;

	(void)signal;
	loop_stop(driver->loop);
}

/* Says how many hook calls there were whenever that number came to rest, and when nothing pends. */
static void poll_progress(void *context, uint32_t expirations)
{
	static uint32_t seen, printed;
	static double last_ms;
	struct driver *driver = context;

	(void)expirations;
	if (!driver->settled && !neighbours_pending(driver->neighbours)) {
		driver->settled = true;
		printf("settled calls=%u at=%.0f\n", driver->resolved_calls, now_ms());
	}
	if (driver->resolved_calls != seen) {
		seen = driver->resolved_calls;
		last_ms = now_ms();
	} else if (seen != printed) {
		printed = seen;
		printf("rest calls=%u at=%.0f\n", seen, last_ms);
	}
}

static void watch(struct driver *driver, const char *argument)
{
	char text[ADDRESS_TEXT_MAX] = {0};
	const char *plus = strchr(argument, '+');
	uint32_t count = plus ? (uint32_t)strtoul(plus + 1, NULL, 10) : 1;
	struct address address;

	snprintf(text, sizeof(text), "%.*s", (int)(plus ? plus - argument : 45), argument);
	driver->addresses =
		realloc(driver->addresses, (driver->watched + count) * sizeof(*driver->addresses));
	if (!driver->addresses || address_parse(text, &address)) {
		fprintf(stderr, "not an address: %s\n", argument);
		exit(1);
	}
	for (; count; count--) {
		driver->addresses[driver->watched] = address;
		if (neighbours_watch(driver->neighbours, &address, driver->watched++, NULL))
			exit(1);
		address.word[3] = htonl(ntohl(address.word[3]) + 1);
	}
}

static void open_modules(struct driver *driver)
{
	const struct neighbour_hooks neighbour_hooks = {
		.context = driver,
		.resolved = print_resolved,
		.port = find_port,
	};
	const struct link_hooks link_hooks = {
		.context = driver,
		.changed = print_changed,
		.vanished = print_vanished,
	};
	int timer;

	driver->loop = loop_new();
	driver->links = driver->loop ? links_open(driver->loop, &link_hooks) : NULL;
	driver->neighbours = driver->links ? neighbours_new(driver->loop, &neighbour_hooks) : NULL;
	if (!driver->neighbours) {
		perror("neighbour_driver");
		exit(1);
	}
	loop_add_signal(driver->loop, SIGUSR1, list, driver);
	loop_add_signal(driver->loop, SIGUSR2, unwatch, driver);
	loop_add_signal(driver->loop, SIGTERM, stop, driver);
	timer = loop_add_timer(driver->loop, poll_progress, driver);
	loop_set_timer(timer, POLL_MS, POLL_MS);
}

int main(int argc, char **argv)
{
	static struct driver driver;
	int first = 1;

	setvbuf(stdout, NULL, _IOLBF, 0);
	if (argc > 1 && !strcmp(argv[1], "--peers")) {
		driver.peers = true;
		first++;
	}
	open_modules(&driver);
	printf("started at=%.0f\n", now_ms());
	for (int i = first; i < argc; i++)
		watch(&driver, argv[i]);
	loop_run(driver.loop);
	neighbours_free(driver.neighbours);
	links_close(driver.links);
	loop_free(driver.loop);
	free(driver.addresses);
	return 0;
}
