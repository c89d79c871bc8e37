/*
 * Clients on the node: what the daemon does for those whose sockets are led.
 */
#pragma once

#include "control/daemon.h"

/* Attaches the programs for sockets, or takes them off, as the options say. 0 or a refusal. */
int sockets_attach(struct daemon *daemon, struct refusal *refusal);

/* From then on those are ended whose backend is gone: see lost_sockets.h. 0 or -errno. */
int sockets_start(struct daemon *daemon);
