/*
 * Network namespaces other than our own, known by the id that rtnetlink calls them (netnsid). The
 * kernel leads from a namespace to its id only, so the way back is a search.
 */
#pragma once

/*
 * Opens the namespace that this one calls `netnsid`: among the files of /run/netns, and those that
 * processes are in. The fd, -ENOENT where neither leads to it, or another -errno.
 */
int namespace_open(int netnsid);

/*
 * A datagram socket that belongs to `namespace` for good, for ioctls on interfaces of it. The
 * thread enters the namespace only to make it. The fd or -errno.
 */
int namespace_socket(int namespace);
