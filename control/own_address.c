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

struct address_list {
	struct own_address *items;
	size_t count, capacity;
	bool is_full; /* out of memory */
};

struct own_addresses {
	struct loop *loop;
	struct datapath *datapath;
	struct own_address_hooks hooks;
	struct netlink *question;
	struct netlink *events;
	struct address_list all;
	bool have_changed;
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

/* Flags have outgrown the header's eight bits. */
static uint32_t flags_of(const struct nlmsghdr *message)
{
	const struct ifaddrmsg *header = nlmsg_data(message);
	struct nlattr *flags =
		nlmsg_find_attr((struct nlmsghdr *)message, sizeof(*header), IFA_FLAGS);

	return flags && nla_len(flags) >= (int)sizeof(uint32_t) ? nla_get_u32(flags)
								: header->ifa_flags;
}

static bool is_usual(const struct nlmsghdr *message)
{
	const struct ifaddrmsg *header = nlmsg_data(message);

	return header->ifa_scope == RT_SCOPE_UNIVERSE &&
	       !(flags_of(message) &
		 (IFA_F_SECONDARY | IFA_F_DEPRECATED | IFA_F_TENTATIVE | IFA_F_DADFAILED));
}

static bool make_room(struct address_list *list)
{
	const size_t capacity = list->capacity ? 2 * list->capacity : 16;
	struct own_address *items;

	if (list->count < list->capacity)
		return true;
	items = reallocarray(list->items, capacity, sizeof(*items));
	if (!items)
		return false;
	list->items = items;
	list->capacity = capacity;
	return true;
}

static void list_address(void *context, const struct nlmsghdr *message)
{
	struct address_list *list = context;
	struct address address = {};

	if (message->nlmsg_type != RTM_NEWADDR || !parse_address(message, &address))
		return;
	if (!make_room(list)) {
		list->is_full = true;
		return;
	}
	list->items[list->count++] = (struct own_address){
		.address = address,
		.ifindex = ((const struct ifaddrmsg *)nlmsg_data(message))->ifa_index,
		.is_usual = is_usual(message),
	};
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

static int tell_all(struct own_addresses *own)
{
	struct address *addresses = calloc(own->all.count + 1, sizeof(*addresses));
	int error;

	if (!addresses)
		return -ENOMEM;
	for (size_t i = 0; i < own->all.count; i++)
		addresses[i] = own->all.items[i].address;
	error = datapath_set_own_addresses(own->datapath, addresses, own->all.count);
	free(addresses);
	if (own->hooks.changed)
		own->hooks.changed(own->hooks.context, own->all.items, own->all.count);
	return error;
}

static int learn_all(struct own_addresses *own)
{
	struct address_list list = {};
	int error = dump_addresses(own, &list);

	own->have_changed = false;
	if (error) {
		free(list.items);
		return error;
	}
	free(own->all.items);
	own->all = list;
	return tell_all(own);
}

static void take_event(void *context, const struct nlmsghdr *message)
{
	struct own_addresses *own = context;
	struct address address = {};
	int error = 0;

	if (!parse_address(message, &address))
		return;
	own->have_changed = true;
	if (message->nlmsg_type == RTM_NEWADDR)
		error = datapath_add_own_address(own->datapath, &address);
	if (error)
		log_error("own-address", "error=%s", log_quote(strerror(-error)));
}

static void hear_events(void *context, uint32_t events)
{
	struct own_addresses *own = context;
	int error = netlink_read(own->events, take_event, own);

	(void)events;
	if (!error && !own->have_changed)
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

struct own_addresses *own_addresses_open(struct loop *loop, struct datapath *datapath,
					 const struct own_address_hooks *hooks)
{
	struct own_addresses *own = calloc(1, sizeof(*own));
	int error;

	if (!own)
		return NULL;
	own->loop = loop;
	own->datapath = datapath;
	own->hooks = *hooks;
	error = start(own);
	if (!error)
		return own;
	own_addresses_close(own);
	errno = -error;
	return NULL;
}

const struct own_address *own_addresses_list(const struct own_addresses *own, size_t *count)
{
	*count = own->all.count;
	return own->all.items;
}

void own_addresses_close(struct own_addresses *own)
{
	if (!own)
		return;
	if (own->events)
		loop_remove(own->loop, netlink_fd(own->events));
	netlink_close(own->events);
	netlink_close(own->question);
	free(own->all.items);
	free(own);
}
