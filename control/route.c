/*
 * Routes over rtnetlink. The kernel is asked for each address, instead of keeping its tables here,
 * so that rules, metrics, multipath and next hop objects are understood just as it does.
 */
#include "control/route.h"

#include <errno.h>
#include <linux/fib_rules.h>
#include <linux/rtnetlink.h>
#include <netlink/attr.h>
#include <netlink/msg.h>

static bool read_gateway(struct nlattr **attributes, struct address *gateway)
{
	const struct rtvia *via;

	if (netlink_get_address(attributes[RTA_GATEWAY], gateway))
		return true;
	if (!attributes[RTA_VIA] || nla_len(attributes[RTA_VIA]) < (int)sizeof(*via))
		return false;
	via = nla_data(attributes[RTA_VIA]);
	return netlink_read_address(via->rtvia_addr,
				    (size_t)nla_len(attributes[RTA_VIA]) - sizeof(*via), gateway);
}

static enum route_kind kind_of_type(uint8_t type)
{
	switch (type) {
	case RTN_UNICAST:
		return ROUTE_UNICAST;
	case RTN_LOCAL:
	case RTN_ANYCAST:
	case RTN_BROADCAST:
	case RTN_MULTICAST:
		return ROUTE_LOCAL;
	default:
		return ROUTE_NONE;
	}
}

/* `context` is the route, its neighbour set to the address asked for. */
static void read_route(void *context, const struct nlmsghdr *message)
{
	const struct rtmsg *header = nlmsg_data(message);
	struct nlattr *attributes[RTA_MAX + 1];
	struct route *route = context;

	if (message->nlmsg_type != RTM_NEWROUTE ||
	    nlmsg_parse((struct nlmsghdr *)message, sizeof(*header), attributes, RTA_MAX, NULL))
		return;
	if (!attributes[RTA_OIF] || nla_len(attributes[RTA_OIF]) != sizeof(uint32_t))
		return;
	route->kind = kind_of_type(header->rtm_type);
	if (route->kind == ROUTE_NONE)
		return;
	route->ifindex = nla_get_u32(attributes[RTA_OIF]);
	read_gateway(attributes, &route->neighbour);
}

int route_find(struct netlink *question, const struct address *address, struct route *route)
{
	struct route found = {.kind = ROUTE_NONE, .neighbour = *address};
	bool ipv4 = address_is_ipv4(address);
	struct rtmsg header = {
		.rtm_family = netlink_family(address),
		.rtm_dst_len = ipv4 ? 32 : 128,
	};
	struct nl_msg *message;
	int error = -ENOMEM;

	message = nlmsg_alloc_simple(RTM_GETROUTE, 0);
	if (!message)
		return -ENOMEM;
	if (!nlmsg_append(message, &header, sizeof(header), NLMSG_ALIGNTO) &&
	    !netlink_put_address(message, RTA_DST, address))
		error = netlink_ask(question, message, read_route, &found);
	nlmsg_free(message);
	if (error == -ENOMEM || error == -ENOBUFS)
		return error;
	/* Any other error is an answer: ENETUNREACH, or that of a route made to refuse. */
	*route = found;
	return 0;
}

static bool parse_prefix(const struct nlattr *attribute, uint8_t family, uint8_t length,
			 struct prefix *prefix)
{
	struct address any = {0};

	if (family != AF_INET && family != AF_INET6)
		return false;
	if (!netlink_get_address(attribute, &any)) {
		/* The default route has no RTA_DST. */
		if (family == AF_INET)
			any.word[2] = htonl(0xffff);
		length = 0;
	}
	prefix->address = any;
	prefix->length = family == AF_INET ? length + 96 : length;
	return prefix->length <= 128;
}

static bool parse_route(const struct nlmsghdr *message, struct route_change *change)
{
	const struct rtmsg *header = nlmsg_data(message);
	struct nlattr *destination;

	if (!nlmsg_valid_hdr(message, sizeof(*header)) || header->rtm_flags & RTM_F_CLONED)
		return false;
	destination = nlmsg_find_attr((struct nlmsghdr *)message, sizeof(*header), RTA_DST);
	return parse_prefix(destination, header->rtm_family, header->rtm_dst_len, &change->prefix);
}

/*
 * The kernel drops routes with an address it loses as their source without a word
 * (fib_sync_down_addr of net/ipv4/fib_semantics.c), so all ways by that interface count.
 */
static bool parse_interface_address(const struct nlmsghdr *message, struct route_change *change)
{
	const struct ifaddrmsg *header = nlmsg_data(message);
	struct nlattr *address;

	if (!nlmsg_valid_hdr(message, sizeof(*header)))
		return false;
	address = nlmsg_find_attr((struct nlmsghdr *)message, sizeof(*header), IFA_ADDRESS);
	change->ifindex = header->ifa_index;
	return address &&
	       parse_prefix(address, header->ifa_family, header->ifa_prefixlen, &change->prefix);
}

bool route_change_parse(const struct nlmsghdr *message, struct route_change *change)
{
	*change = (struct route_change){0};
	switch (message->nlmsg_type) {
	case RTM_NEWROUTE:
	case RTM_DELROUTE:
		return parse_route(message, change);
	case RTM_NEWADDR:
	case RTM_DELADDR:
		return parse_interface_address(message, change);
	case RTM_NEWRULE:
	case RTM_DELRULE:
		/* Whatever a rule matches, it is rare: all of its family. */
		return nlmsg_valid_hdr(message, sizeof(struct fib_rule_hdr)) &&
		       parse_prefix(NULL,
				    ((const struct fib_rule_hdr *)nlmsg_data(message))->family, 0,
				    &change->prefix);
	default:
		return false;
	}
}

static bool covers(const struct prefix *prefix, const struct address *address)
{
	unsigned int whole = prefix->length / 32, rest = prefix->length % 32;

	/* ::/0 does not lead to IPv4 addresses, though their mapped form lies in it. */
	if (address_is_ipv4(&prefix->address) != address_is_ipv4(address))
		return false;
	for (unsigned int i = 0; i < whole; i++) {
		if (prefix->address.word[i] != address->word[i])
			return false;
	}
	return !rest ||
	       !((prefix->address.word[whole] ^ address->word[whole]) & htonl(~0U << (32 - rest)));
}

void route_changes_add(struct route_changes *changes, const struct route_change *change)
{
	if (change && changes->count < MAX_ROUTE_CHANGES)
		changes->list[changes->count++] = *change;
	else
		changes->all = true;
}

bool route_changes_concern(const struct route_changes *changes, const struct address *address,
			   uint32_t ifindex)
{
	const struct route_change *change;

	if (changes->all)
		return true;
	for (size_t i = 0; i < changes->count; i++) {
		change = &changes->list[i];
		if (change->ifindex && (!ifindex || ifindex == change->ifindex))
			return true;
		if (covers(&change->prefix, address))
			return true;
	}
	return false;
}
