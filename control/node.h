/*
 * What lbd learns of its node once the datapath is open and before there are services: whose
 * addresses are, which the node has itself, which part of a cluster it is.
 */
#pragma once

#include "control/daemon.h"
#include "lb/refusal.h"

/* Before it is open: ports for masqueraded connections, where none are chosen. */
void node_choose_ports(struct masquerade_ports *ports);
/* 0 or -errno with a refusal. */
int node_learn(struct daemon *daemon, struct refusal *refusal);
/* To be said when interfaces have come, gone or changed. */
void node_changed(struct daemon *daemon);
