/*
 * Rules of netfilter that translate for services beside lbd: kube-proxy's, known by the names of
 * its chains and table. iptables on nftables (iptables-nft) shows there, too; the older tables of
 * the kernel (iptables-legacy) do not.
 */
#pragma once

#include <stddef.h>

#define NETFILTER_TABLE_MAX 64

/* A table that kube-proxy has made, or has chains in. */
struct proxy_table {
	const char *family; /* as nft calls it: ip, ip6, inet */
	char name[NETFILTER_TABLE_MAX];
	unsigned int chains;
};

/* Finds at most `room` of them. Their number, or -errno (-EPROTONOSUPPORT: no nftables here). */
int netfilter_find_proxy(struct proxy_table *tables, size_t room);
