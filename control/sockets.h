/*
 * Clients on the node: what the daemon does for those whose sockets are led.
 */
#pragma once

#include "control/daemon.h"

/* Attaches the programs for sockets, or takes them off, as the options say. 0 or a refusal. */
int sockets_attach(struct daemon *daemon, struct refusal *refusal);
