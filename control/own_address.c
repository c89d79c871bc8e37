/*
 * The node's own addresses: see own_address.h. The same address may be there twice, on two
 * interfaces, so that one which goes is a reason to ask for all.
 */
#include "control/own_address.h"

#include <errno.h>
#include <linux/if_addr.h>
#include <linux/rtnetlink.h>
#include <netlink/attr.h>
#include <netlink/msg.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include "control/log.h"
#include "control/netlink.h"

struct own_addresses {
	struct loop *loop;
	struct datapath *datapath;
	struct netlink *question;
	struct netlink *events;
	bool some_went;
};

struct address_list {
	struct address *items;
	size_t count, capacity;
	bool is_full; /* out of memory */
};

/* Of a link from point to point the attribute "address" is the other end's. */
static bool parse_address(const struct nlmsghdr *message, struct address *address)
{
	const int header = sizeof(struct ifaddrmsg);
	struct nlattr *found;

	if (!nlmsg_valid_hdr(message, header))
		return false;
	found = nlmsg_find_attr((struct nlmsghdr *)message, header, IFA_LOCAL);
	if (!found)
		found = nlmsg_find_attr((struct nlmsghdr *)message, header, IFA_ADDRESS);
	return found && netlink_get_address(found, address);
}

static void list_address(void *context, const struct nlmsghdr *message)
{
	struct address_list *list = context;
	struct address address = {};
	struct address *items;

	if (message->nlmsg_type != RTM_NEWADDR || !parse_address(message, &address))
		return;
	if (list->count == list->capacity) {
		list->capacity = list->capacity ? 2 * list->capacity : 16;
		items = realloc(list->items, list->capacity * sizeof(*items));
		if (!items) {
			list->is_full = true;
			list->capacity = list->count;
			return;
		}
		list->items = items;
	}
	list->items[list->count++] = address;
}

static int dump_addresses(struct own_addresses *own, struct address_list *list)
{
	const struct ifaddrmsg family = {.ifa_family = AF_UNSPEC};
	struct nl_msg *message = nlmsg_alloc_simple(RTM_GETADDR, NLM_F_DUMP);
	int error = -ENOMEM;

	if (!message)
		return error;
	if (!nlmsg_append(message, (void *)&family, sizeof(family), NLMSG_ALIGNTO))
		error = netlink_ask(own->question, message, list_address, list);
	nlmsg_free(message);
	return list->is_full ? -ENOMEM : error;
}

static int learn_all(struct own_addresses *own)
{
	struct address_list list = {};
	int error = dump_addresses(own, &list);

	if (!error)
		error = datapath_set_own_addresses(own->datapath, list.items, list.count);
	free(list.items);
	own->some_went = false;
	return error;
}

static void take_event(void *context, const struct nlmsghdr *message)
{
	struct own_addresses *own = context;
	struct address address = {};
	int error = 0;

	if (!parse_address(message, &address))
		return;
	if (message->nlmsg_type == RTM_DELADDR)
		own->some_went = true;
	else if (message->nlmsg_type == RTM_NEWADDR)
		error = datapath_add_own_address(own->datapath, &address);
	if (error)
		log_error("own-address", "error=%s", log_quote(strerror(-error)));
}

static void hear_events(void *context, uint32_t events)
{
	struct own_addresses *own = context;
	int error = netlink_read(own->events, take_event, own);

	(void)events;
	if (!error && !own->some_went)
		return;
	if (error)
		log_warning("address-events-lost", "error=%s", log_quote(strerror(-error)));
	error = learn_all(own);
	if (error)
		log_error("address-dump", "error=%s", log_quote(strerror(-error)));
}

/* Listens before it asks, so that no change falls between the two. */
static int start(struct own_addresses *own)
{
	static const uint32_t GROUPS[] = {RTNLGRP_IPV4_IFADDR, RTNLGRP_IPV6_IFADDR};
	int error;

	own->question = netlink_open();
	if (!own->question)
		return -errno;
	own->events = netlink_listen(GROUPS, sizeof(GROUPS) / sizeof(GROUPS[0]));
	if (!own->events)
		return -errno;
	error = learn_all(own);
	if (error)
		return error;
	return loop_add(own->loop, netlink_fd(own->events), EPOLLIN, hear_events, own);
}

struct own_addresses *own_addresses_open(struct loop *loop, struct datapath *datapath)
{
	struct own_addresses *own = calloc(1, sizeof(*own));
	int error;

	if (!own)
		return NULL;
	own->loop = loop;
	own->datapath = datapath;
	error = start(own);
	if (!error)
		return own;
	own_addresses_close(own);
	errno = -error;
	return NULL;
}

void own_addresses_close(struct own_addresses *own)
{
	if (!own)
		return;
	if (own->events)
		loop_remove(own->loop, netlink_fd(own->events));
	netlink_close(own->events);
	netlink_close(own->question);
	free(own);
}
