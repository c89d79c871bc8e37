/*
 * Network namespaces other than our own, known by the id that rtnetlink calls them (netnsid). The
 * kernel leads from a namespace to its id only, so the way back is a search.
 */
#pragma once

#include <stdint.h>

/*
 * Opens the namespace that this one calls `netnsid`: among the files of /run/netns, and those that
 * processes are in. The fd, -ENOENT where neither leads to it, or another -errno.
 */
int namespace_open(int netnsid);

/* The same by the cookie that its sockets tell (SO_NETNS_COOKIE). */
int namespace_open_cookie(uint64_t cookie);

/*
 * The thread enters the namespace, calls `inside` and returns. What that answers, or -errno: it
 * could not be entered.
 */
typedef int (*namespace_visitor)(void *context);
int namespace_visit(int namespace, namespace_visitor inside, void *context);

/*
 * A datagram socket that belongs to `namespace` for good, for ioctls on interfaces of it. The
 * thread enters the namespace only to make it. The fd or -errno.
 */
int namespace_socket(int namespace);
