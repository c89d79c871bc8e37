/*
 * Entries of the kernel's neighbour tables over rtnetlink (net/core/neighbour.c).
 */
#include "control/kernel_neighbour.h"

#include <errno.h>
#include <linux/neighbour.h>
#include <linux/rtnetlink.h>
#include <netlink/attr.h>
#include <netlink/msg.h>

bool kernel_neighbour_parse(const struct nlmsghdr *message, struct kernel_neighbour *entry)
{
	static const struct nla_policy POLICY[NDA_MAX + 1] = {
		[NDA_PROTOCOL] = {.type = NLA_U8},
		[NDA_FLAGS_EXT] = {.type = NLA_U32},
	};
	const struct ndmsg *header = nlmsg_data(message);
	struct nlattr *attributes[NDA_MAX + 1];

	if (message->nlmsg_type != RTM_NEWNEIGH && message->nlmsg_type != RTM_DELNEIGH)
		return false;
	if (nlmsg_parse((struct nlmsghdr *)message, sizeof(*header), attributes, NDA_MAX, POLICY))
		return false;
	*entry = (struct kernel_neighbour){.key.ifindex = (uint32_t)header->ndm_ifindex};
	if ((header->ndm_family != AF_INET && header->ndm_family != AF_INET6) ||
	    header->ndm_flags & NTF_PROXY ||
	    !netlink_get_address(attributes[NDA_DST], &entry->key.address))
		return false;
	if (message->nlmsg_type == RTM_DELNEIGH)
		return true;
	entry->state = header->ndm_state;
	if (attributes[NDA_LLADDR] && nla_len(attributes[NDA_LLADDR]) == sizeof(entry->mac)) {
		entry->has_mac = true;
		nla_memcpy(entry->mac, attributes[NDA_LLADDR], sizeof(entry->mac));
	}
	entry->managed = attributes[NDA_FLAGS_EXT] &&
			 nla_get_u32(attributes[NDA_FLAGS_EXT]) & NTF_EXT_MANAGED;
	entry->ours = attributes[NDA_PROTOCOL] &&
		      nla_get_u8(attributes[NDA_PROTOCOL]) == NEIGHBOUR_PROTOCOL;
	return true;
}

/* A message about one entry; the caller frees it. NULL: out of memory. */
static struct nl_msg *address_message(int type, int flags, const struct neighbour_key *key,
				      uint8_t entry_flags)
{
	struct ndmsg header = {
		.ndm_family = netlink_family(&key->address),
		.ndm_ifindex = (int)key->ifindex,
		.ndm_flags = entry_flags,
	};
	struct nl_msg *message = nlmsg_alloc_simple(type, flags);

	if (message && !nlmsg_append(message, &header, sizeof(header), NLMSG_ALIGNTO) &&
	    !netlink_put_address(message, NDA_DST, &key->address))
		return message;
	nlmsg_free(message);
	return NULL;
}

static void read_entry(void *context, const struct nlmsghdr *message)
{
	struct kernel_neighbour *entry = context;
	struct kernel_neighbour found;

	if (kernel_neighbour_parse(message, &found))
		*entry = found;
}

int kernel_neighbour_read(struct netlink *question, const struct neighbour_key *key,
			  struct kernel_neighbour *entry)
{
	struct kernel_neighbour found = {.key = *key};
	struct nl_msg *message = address_message(RTM_GETNEIGH, 0, key, 0);
	int error;

	if (!message)
		return -ENOMEM;
	error = netlink_ask(question, message, read_entry, &found);
	nlmsg_free(message);
	if (error && error != -ENOENT)
		return error;
	*entry = found;
	return 0;
}

/*
 * NTF_EXT_LEARNED keeps the entry out of the garbage collector and of gc_thresh3, which by default
 * allows 1024 neighbours.
 */
static int manage(struct netlink *question, const struct neighbour_key *key)
{
	struct nl_msg *message;
	int error = -ENOMEM;

	message = address_message(RTM_NEWNEIGH, NLM_F_CREATE | NLM_F_REPLACE, key,
				  NTF_USE | NTF_EXT_LEARNED);
	if (message && !nla_put_u32(message, NDA_FLAGS_EXT, NTF_EXT_MANAGED) &&
	    !nla_put_u8(message, NDA_PROTOCOL, NEIGHBOUR_PROTOCOL))
		error = netlink_ask(question, message, NULL, NULL);
	nlmsg_free(message);
	return error;
}

int kernel_neighbour_manage(struct netlink *question, const struct neighbour_key *key)
{
	struct nl_msg *message;
	int error;

	error = manage(question, key);
	if (error != -EINVAL && error != -EOPNOTSUPP)
		return error;
	message = address_message(RTM_NEWNEIGH, NLM_F_CREATE | NLM_F_REPLACE, key, NTF_USE);
	if (!message)
		return -ENOMEM;
	error = netlink_ask(question, message, NULL, NULL);
	nlmsg_free(message);
	return error;
}

int kernel_neighbour_remove(struct netlink *question, const struct neighbour_key *key)
{
	struct nl_msg *message = address_message(RTM_DELNEIGH, 0, key, 0);
	int error;

	if (!message)
		return -ENOMEM;
	error = netlink_ask(question, message, NULL, NULL);
	nlmsg_free(message);
	return error;
}
