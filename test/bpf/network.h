/*
 * A network of the test's own: a namespace with two veth pairs, so that packets have real
 * interfaces to come in by and to be redirected to, and a mount namespace for a bpffs of its own.
 * Both end with the process, however it ends: nothing is left behind.
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>
#include "test/bpf/cast.h"

/* cmocka's group setup: moves the process into the namespaces and makes the interfaces. */
int network_make(void **state);

/* By KERNEL_VERSION of linux/version.h. */
bool kernel_is_before(int version);

/* NOWHERE: the loopback interface, which lbd does not know. */
uint32_t network_ifindex(enum interface interface);

/*
 * A packet socket, the caller's to close, for the frames that arrive at the other end of the
 * interface's veth pair. A veth takes redirected frames only where its peer polls (NAPI), so GRO is
 * turned on there.
 */
int network_listen(enum interface interface);
