/*
 * Entries of the kernel's neighbour tables (ARP and neighbour discovery), one at a time, and what a
 * message tells of one. Entries we ask the kernel to keep carry our mark, NEIGHBOUR_PROTOCOL.
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>
#include "control/netlink.h"

/* In NDA_PROTOCOL: an RTPROT_… nobody uses; `ip neighbour` shows it as `proto 108`. */
#define NEIGHBOUR_PROTOCOL 108

/* One neighbour. No padding: it is a hash key. */
struct neighbour_key {
	struct address address;
	uint32_t ifindex;
	uint32_t zero;
};
_Static_assert(sizeof(struct neighbour_key) == sizeof(struct address) + 2 * sizeof(uint32_t),
	       "no padding");

struct kernel_neighbour {
	struct neighbour_key key;
	uint16_t state; /* NUD_… of linux/neighbour.h; NUD_NONE: there is no entry */
	uint8_t mac[6];
	bool has_mac;
	bool managed; /* NTF_EXT_MANAGED */
	bool ours;    /* carries our mark */
};

/* Of RTM_NEWNEIGH and RTM_DELNEIGH. False for what is no entry of IPv4 or IPv6. */
bool kernel_neighbour_parse(const struct nlmsghdr *message, struct kernel_neighbour *entry);

/* 0 also where there is no entry, or -errno. */
int kernel_neighbour_read(struct netlink *question, const struct neighbour_key *key,
			  struct kernel_neighbour *entry);

/*
 * Has the kernel find the neighbour and keep it fresh. Where it cannot (before Linux 5.16) the
 * entry is used once, which starts a probe. Not for permanent entries: it would end that. 0 or
 * -errno.
 */
int kernel_neighbour_manage(struct netlink *question, const struct neighbour_key *key);

int kernel_neighbour_remove(struct netlink *question, const struct neighbour_key *key);
