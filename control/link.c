/*
 * The interfaces of this network namespace. What the kernel tells of one is compared with what is
 * known, because rtnetlink speaks up for much that does not matter here; after an overrun all are
 * asked for anew, and those no longer told of have vanished.
 */
#define HASH_NONFATAL_OOM 1
#include "control/link.h"

#include <errno.h>
#include <net/if_arp.h>
#include <netlink/attr.h>
#include <netlink/msg.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <uthash.h>
#include "control/log.h"
#include "control/netlink.h"

struct known_link {
	struct link link; /* key: ifindex */
	bool told;        /* in the dump under way */
	UT_hash_handle hh;
};

struct links {
	struct loop *loop;
	struct link_hooks hooks;
	struct netlink *question;
	struct netlink *events;
	struct known_link *known;
};

static void parse_kind(struct nlattr *attribute, char kind[16])
{
	struct nlattr *nested[IFLA_INFO_MAX + 1];

	if (attribute && !nla_parse_nested(nested, IFLA_INFO_MAX, attribute, NULL) &&
	    nested[IFLA_INFO_KIND])
		nla_strlcpy(kind, nested[IFLA_INFO_KIND], 16);
}

/* False for messages that do not describe a whole interface, such as those of wireless events. */
static bool parse_link(const struct nlmsghdr *message, struct link *link)
{
	static const struct nla_policy POLICY[IFLA_MAX + 1] = {
		[IFLA_IFNAME] = {.type = NLA_STRING, .minlen = 1},
		[IFLA_MTU] = {.type = NLA_U32},
		[IFLA_LINK] = {.type = NLA_U32},
		[IFLA_LINK_NETNSID] = {.type = NLA_U32},
	};
	const struct ifinfomsg *info = nlmsg_data(message);
	struct nlattr *attributes[IFLA_MAX + 1];

	if (nlmsg_parse((struct nlmsghdr *)message, sizeof(*info), attributes, IFLA_MAX, POLICY))
		return false;
	if (info->ifi_family != AF_UNSPEC || !attributes[IFLA_IFNAME])
		return false;
	memset(link, 0, sizeof(*link)); /* with its padding: links are compared as bytes */
	link->ifindex = (uint32_t)info->ifi_index;
	link->loopback = info->ifi_flags & IFF_LOOPBACK;
	link->up = info->ifi_flags & IFF_UP;
	link->carrier = info->ifi_flags & IFF_RUNNING;
	link->netnsid = -1;
	nla_strlcpy(link->name, attributes[IFLA_IFNAME], sizeof(link->name));
	parse_kind(attributes[IFLA_LINKINFO], link->kind);
	if (info->ifi_type == ARPHRD_ETHER && attributes[IFLA_ADDRESS] &&
	    nla_len(attributes[IFLA_ADDRESS]) == sizeof(link->mac)) {
		link->has_mac = true;
		nla_memcpy(link->mac, attributes[IFLA_ADDRESS], sizeof(link->mac));
	}
	if (attributes[IFLA_MTU])
		link->mtu = nla_get_u32(attributes[IFLA_MTU]);
	if (attributes[IFLA_LINK])
		link->peer_ifindex = nla_get_u32(attributes[IFLA_LINK]);
	if (attributes[IFLA_LINK_NETNSID])
		link->netnsid = nla_get_s32(attributes[IFLA_LINK_NETNSID]);
	return true;
}

static struct known_link *find_link(struct links *links, uint32_t ifindex)
{
	struct known_link *known;

	HASH_FIND(hh, links->known, &ifindex, sizeof(ifindex), known);
	return known;
}

static struct known_link *add_link(struct links *links, uint32_t ifindex)
{
	struct known_link *known = calloc(1, sizeof(*known));

	if (!known)
		return NULL;
	known->link.ifindex = ifindex;
	HASH_ADD(hh, links->known, link.ifindex, sizeof(ifindex), known);
	if (known->hh.tbl)
		return known;
	free(known);
	return NULL;
}

static void forget_link(struct links *links, struct known_link *known)
{
	HASH_DEL(links->known, known);
	links->hooks.vanished(links->hooks.context, known->link.ifindex, known->link.name);
	free(known);
}

static void take_link(struct links *links, const struct link *link)
{
	struct known_link *known = find_link(links, link->ifindex);

	if (!known) {
		known = add_link(links, link->ifindex);
		if (!known) {
			log_error("link", "interface=%s error=%s", log_quote(link->name),
				  log_quote(strerror(ENOMEM)));
			return;
		}
	}
	known->told = true;
	if (!memcmp(&known->link, link, sizeof(*link)))
		return;
	memcpy(&known->link, link, sizeof(*link));
	links->hooks.changed(links->hooks.context, &known->link);
}

static void take_message(void *context, const struct nlmsghdr *message)
{
	struct links *links = context;
	struct known_link *known;
	struct link link;

	if (!parse_link(message, &link))
		return;
	if (message->nlmsg_type == RTM_NEWLINK) {
		take_link(links, &link);
	} else if (message->nlmsg_type == RTM_DELLINK) {
		known = find_link(links, link.ifindex);
		if (known)
			forget_link(links, known);
	}
}

static int dump_links(struct links *links)
{
	const struct ifinfomsg info = {.ifi_family = AF_UNSPEC};
	struct known_link *known, *next;
	struct nl_msg *message;
	int error;

	message = nlmsg_alloc_simple(RTM_GETLINK, NLM_F_DUMP);
	if (!message)
		return -ENOMEM;
	for (known = links->known; known; known = known->hh.next)
		known->told = false;
	error = nlmsg_append(message, (void *)&info, sizeof(info), NLMSG_ALIGNTO) ? -ENOMEM : 0;
	if (!error)
		error = netlink_ask(links->question, message, take_message, links);
	nlmsg_free(message);
	if (error)
		return error;
	HASH_ITER (hh, links->known, known, next) {
		if (!known->told)
			forget_link(links, known);
	}
	return 0;
}

static int ask_link(struct links *links, uint32_t ifindex)
{
	const struct ifinfomsg info = {.ifi_family = AF_UNSPEC, .ifi_index = (int)ifindex};
	struct nl_msg *message;
	int error = -ENOMEM;

	message = nlmsg_alloc_simple(RTM_GETLINK, 0);
	if (!message)
		return -ENOMEM;
	if (!nlmsg_append(message, (void *)&info, sizeof(info), NLMSG_ALIGNTO))
		error = netlink_ask(links->question, message, take_message, links);
	nlmsg_free(message);
	return error;
}

/*
 * The end of a veth that is made first, which with CNI plugins is the node's, is announced before
 * it has its other end (veth_newlink of drivers/net/veth.c); no later event has to tell. An answer
 * waits until both are made.
 */
static void take_event(void *context, const struct nlmsghdr *message)
{
	struct links *links = context;
	struct link link;

	if (message->nlmsg_type == RTM_NEWLINK && parse_link(message, &link) &&
	    !strcmp(link.kind, "veth") && !link.peer_ifindex && !ask_link(links, link.ifindex))
		return;
	take_message(links, message);
}

static void hear_events(void *context, uint32_t events)
{
	struct links *links = context;
	int error;

	(void)events;
	error = netlink_read(links->events, take_event, links);
	if (!error)
		return;
	log_warning("link-events-lost", "error=%s", log_quote(strerror(-error)));
	error = dump_links(links);
	if (error)
		log_error("link-dump", "error=%s", log_quote(strerror(-error)));
}

/* Listens before it asks, so that no change falls between the two. */
static int start(struct links *links)
{
	static const uint32_t GROUPS[] = {RTNLGRP_LINK};
	int error;

	links->question = netlink_open();
	if (!links->question)
		return -errno;
	links->events = netlink_listen(GROUPS, sizeof(GROUPS) / sizeof(GROUPS[0]));
	if (!links->events)
		return -errno;
	error = dump_links(links);
	if (error)
		return error;
	return loop_add(links->loop, netlink_fd(links->events), EPOLLIN, hear_events, links);
}

struct links *links_open(struct loop *loop, const struct link_hooks *hooks)
{
	struct links *links = calloc(1, sizeof(*links));
	int error;

	if (!links)
		return NULL;
	links->loop = loop;
	links->hooks = *hooks;
	error = start(links);
	if (!error)
		return links;
	links_close(links);
	errno = -error;
	return NULL;
}

void links_close(struct links *links)
{
	struct known_link *known, *next;

	if (!links)
		return;
	HASH_ITER (hh, links->known, known, next) {
		HASH_DEL(links->known, known);
		free(known);
	}
	if (links->events)
		loop_remove(links->loop, netlink_fd(links->events));
	netlink_close(links->events);
	netlink_close(links->question);
	free(links);
}
