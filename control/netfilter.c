/*
 * Who else translates for services: see netfilter.h.
 */
#include "control/netfilter.h"

#include <errno.h>
#include <linux/netfilter/nf_tables.h>
#include <linux/netfilter/nfnetlink.h>
#include <netlink/attr.h>
#include <netlink/errno.h>
#include <netlink/msg.h>
#include <netlink/netlink.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>

#define CHAIN_NAME "KUBE-SERVICES" /* in mode iptables; kubelet has chains of its own */
#define TABLE_NAME "kube-proxy"    /* in mode nftables */

struct search {
	struct proxy_table *tables;
	size_t room;
	int found;
};

static const char *family_name(unsigned char family)
{
	switch (family) {
	case AF_INET:
		return "ip";
	case AF_INET6:
		return "ip6";
	default:
		return "inet";
	}
}

static void note(struct search *search, const char *family, const char *table)
{
	struct proxy_table *known;

	for (int i = 0; i < search->found; i++) {
		known = &search->tables[i];
		if (strcmp(known->family, family) || strcmp(known->name, table))
			continue;
		known->chains++;
		return;
	}
	if ((size_t)search->found == search->room)
		return;
	known = &search->tables[search->found++];
	*known = (struct proxy_table){.family = family, .chains = 1};
	snprintf(known->name, sizeof(known->name), "%s", table);
}

static int look_at(struct nl_msg *message, void *context)
{
	struct nlmsghdr *header = nlmsg_hdr(message);
	const struct nfgenmsg *kind = nlmsg_data(header);
	struct nlattr *table = nlmsg_find_attr(header, sizeof(*kind), NFTA_CHAIN_TABLE);
	struct nlattr *chain = nlmsg_find_attr(header, sizeof(*kind), NFTA_CHAIN_NAME);

	if (!table || !chain)
		return NL_OK;
	if (!strcmp(nla_get_string(chain), CHAIN_NAME) ||
	    !strcmp(nla_get_string(table), TABLE_NAME))
		note(context, family_name(kind->nfgen_family), nla_get_string(table));
	return NL_OK;
}

static int dump_chains(struct nl_sock *socket, struct search *search)
{
	struct nfgenmsg any = {.nfgen_family = AF_UNSPEC, .version = NFNETLINK_V0};
	int error = nl_connect(socket, NETLINK_NETFILTER);

	if (error < 0)
		return error;
	nl_socket_modify_cb(socket, NL_CB_VALID, NL_CB_CUSTOM, look_at, search);
	error = nl_send_simple(socket, NFNL_SUBSYS_NFTABLES << 8 | NFT_MSG_GETCHAIN, NLM_F_DUMP,
			       &any, sizeof(any));
	return error < 0 ? error : nl_recvmsgs_default(socket);
}

int netfilter_find_proxy(struct proxy_table *tables, size_t room)
{
	struct search search = {.tables = tables, .room = room};
	struct nl_sock *socket = nl_socket_alloc();
	int error;

	if (!socket)
		return -ENOMEM;
	error = dump_chains(socket, &search);
	nl_socket_free(socket);
	if (error == -NLE_OPNOTSUPP)
		return -EPROTONOSUPPORT;
	return error < 0 ? -EIO : search.found;
}
