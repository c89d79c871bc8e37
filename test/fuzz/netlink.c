/*
 * What the kernel may say by netlink, in any order and however it is cut, to the modules that know
 * links, the node's addresses, routes and neighbours. They read nothing behind a message, tell of
 * what was asked for and nothing else, and count right.
 */
#include "test/fuzz/netlink.h"

#include <arpa/inet.h>
#include <string.h>
#include "control/link.h"
#include "control/log.h"
#include "control/neighbour.h"
#include "control/own_address.h"
#include "lb/datapath.h"
#include "test/fuzz/fuzz.h"

#define WATCHED 4
#define MAX_CALLS 256
#define MAX_PORTS 7

static struct neighbours *neighbours;
static bool watched[WATCHED];
static struct nexthop told[WATCHED];
static size_t links_known, visited;

void __wrap_log_event(enum log_level level, const char *event, const char *fields, ...)
	__attribute__((format(printf, 3, 4)));
void __wrap_log_event(enum log_level level, const char *event, const char *fields, ...)
{
	must(level <= LOG_LEVEL_INFO && event && fields, "a line is an event");
}

int datapath_set_own_addresses(struct datapath *datapath, const struct address *addresses,
			       size_t count)
{
	struct address sum = {0};

	(void)datapath;
	for (size_t i = 0; i < count; i++)
		sum.half[0] ^= addresses[i].half[0] ^ addresses[i].half[1];
	return sum.half[0] == 1 ? -12 : 0;
}

int datapath_add_own_address(struct datapath *datapath, const struct address *address)
{
	return datapath_set_own_addresses(datapath, address, 1);
}

static void addresses_changed(void *context, const struct own_address *addresses, size_t count)
{
	(void)context;
	must(!count || addresses, "there are as many as are told");
}

static void link_changed(void *context, const struct link *link)
{
	(void)context;
	must(memchr(link->name, '\0', sizeof(link->name)), "a name ends");
	must(memchr(link->kind, '\0', sizeof(link->kind)), "a kind ends");
	links_known++;
	if (neighbours)
		neighbours_link_changed(neighbours, link->ifindex);
}

static void link_vanished(void *context, uint32_t ifindex, const char *name)
{
	(void)context;
	must(strlen(name) < IF_NAMESIZE && links_known, "what vanishes was there");
	if (neighbours)
		neighbours_link_changed(neighbours, ifindex);
}

static void resolved(void *context, uint32_t slot, const struct nexthop *hop)
{
	(void)context;
	must(slot && slot <= WATCHED && watched[slot - 1], "what is told of is watched");
	must(hop->port <= MAX_PORTS, "its port is one there is");
	must(told[slot - 1].word != hop->word, "it is told of changes only");
	told[slot - 1] = *hop;
}

static uint16_t port(void *context, uint32_t ifindex)
{
	(void)context;
	return ifindex & MAX_PORTS;
}

static struct address address_of(uint32_t index)
{
	struct address address = {.word = {[2] = htonl(0xffff)}};

	address.word[3] = htonl(0x0a010000 + index);
	if (index % 2)
		address.word[0] = address.word[2] = htonl(0xfd000000);
	return address;
}

static void turn_watch(uint32_t index)
{
	const struct address address = address_of(index);

	if (watched[index]) {
		neighbours_unwatch(neighbours, &address);
		watched[index] = false;
		return;
	}
	watched[index] = true;
	told[index] = (struct nexthop){0};
	must(!neighbours_watch(neighbours, &address, index + 1, NULL), "an address is watched");
}

static void visit(void *context, const struct neighbour_entry *entry)
{
	(void)context;
	must(neighbour_state_name(entry->state), "its state has a name");
	visited++;
}

static void must_count_right(void)
{
	size_t expected = 0;

	for (uint32_t i = 0; i < WATCHED; i++)
		expected += watched[i];
	visited = 0;
	neighbours_visit(neighbours, visit, NULL);
	must(visited == expected, "all that is watched is listed");
	must(neighbours_pending(neighbours) <= expected, "no more are pending");
}

static void act(void)
{
	const uint8_t what = input_byte();

	if (what < 0xc0)
		handler_call(what % handler_count());
	else if (what < 0xe0)
		neighbours_link_changed(neighbours, input_byte());
	else
		turn_watch(what % WATCHED);
	must_count_right();
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	const struct link_hooks link_hooks = {.changed = link_changed, .vanished = link_vanished};
	const struct neighbour_hooks hooks = {.resolved = resolved, .port = port};
	const struct own_address_hooks address_hooks = {.changed = addresses_changed};
	struct own_addresses *own;
	struct links *links;

	netlink_input = (struct input){.at = data, .end = data + size};
	links_known = 0;
	links = links_open(NULL, &link_hooks);
	own = own_addresses_open(NULL, NULL, &address_hooks);
	neighbours = neighbours_new(NULL, &hooks);
	must(neighbours, "it asks nothing at first");
	for (uint32_t i = 0; i < WATCHED; i++)
		turn_watch(i);
	for (int i = 0; i < MAX_CALLS && !input_is_over(); i++)
		act();
	neighbours_free(neighbours);
	neighbours = NULL;
	memset(watched, 0, sizeof(watched));
	own_addresses_close(own);
	links_close(links);
	must(!handler_count(), "nothing stays in the loop");
	return 0;
}
