/*
 * Sockets of rtnetlink, of two sorts: one asks the kernel and waits for its answer, one hears what
 * changes. libnl builds the messages and reads their attributes; the sockets are our own because
 * libnl folds the kernel's errno, and the overrun of a socket, into codes that cannot be told
 * apart.
 */
#pragma once

#include <linux/netlink.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include "include/abi.h"

struct nl_msg; /* of libnl */
struct nlattr;
struct netlink;

typedef void (*netlink_handler)(void *context, const struct nlmsghdr *message);

/* A socket that asks, in the namespace the thread is in. NULL with errno set. */
struct netlink *netlink_open(void);

/* The same of sock_diag, which is asked about sockets. */
struct netlink *netlink_open_diag(void);

/* A socket that hears `count` groups (RTNLGRP_…) and never blocks. NULL with errno set. */
struct netlink *netlink_listen(const uint32_t *groups, size_t count);

void netlink_close(struct netlink *netlink);
int netlink_fd(const struct netlink *netlink);

/*
 * Sends `message`, which stays the caller's, and hands each message of the answer to `handler`
 * (NULL where none is expected). 0, the kernel's -errno, or -EAGAIN when a dump stayed
 * inconsistent.
 */
int netlink_ask(struct netlink *netlink, struct nl_msg *message, netlink_handler handler,
		void *context);

/*
 * Hands on what was heard, some hundred messages at most: the loop calls again while there are
 * more. 0, or -ENOBUFS when the kernel dropped some, after which everything has to be asked anew;
 * what was still held has been handed on by then, lest it pass for newer than the answers.
 */
int netlink_read(struct netlink *netlink, netlink_handler handler, void *context);

/* AF_INET of an IPv4-mapped address, else AF_INET6. */
uint8_t netlink_family(const struct address *address);

/* An attribute of 4 or 16 bytes, as the family has it. 0 or -ENOMEM: the message is full. */
int netlink_put_address(struct nl_msg *message, int type, const struct address *address);

/* The reverse, for bytes outside an attribute too. False where the length is that of no address. */
bool netlink_read_address(const void *bytes, size_t length, struct address *address);
bool netlink_get_address(const struct nlattr *attribute, struct address *address);
