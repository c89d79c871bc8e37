/*
 * The interfaces of this network namespace as rtnetlink tells them: all at the start, then each
 * that appears, changes or vanishes. It decides nothing.
 */
#pragma once

#include <net/if.h>
#include <stdbool.h>
#include <stdint.h>
#include "control/loop.h"

struct link {
	uint32_t ifindex;
	char name[IF_NAMESIZE];
	char kind[16]; /* "veth", "vlan", …; "" for hardware */
	uint8_t mac[6];
	bool has_mac; /* an Ethernet device */
	bool loopback;
	bool up;      /* administratively */
	bool carrier; /* frames can leave: of a veth, the other end is up */
	uint32_t mtu;
	uint32_t peer_ifindex; /* IFLA_LINK: of a veth its other end; 0: none */
	int netnsid;           /* IFLA_LINK_NETNSID: where that is; -1: here */
};

struct link_hooks {
	void *context;
	/* New or different. Called for every interface once before links_open returns. */
	void (*changed)(void *context, const struct link *link);
	void (*vanished)(void *context, uint32_t ifindex, const char *name);
};

struct links;

/* NULL with errno set. Overruns of the socket (ENOBUFS) are mended by a new dump. */
struct links *links_open(struct loop *loop, const struct link_hooks *hooks);
void links_close(struct links *links);
