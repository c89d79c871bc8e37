/*
 * Beside kube-proxy, or whoever else translates for services by rules of netfilter: connections
 * that netfilter knows go on, those that begin are lbd's; and the other way, when lbd goes.
 */
#pragma once

#include "control/daemon.h"

/*
 * Before interfaces are attached, or services of a cluster come, and after: what netfilter
 * translates to a backend of one of our services becomes a connection of ours. What cannot (its
 * client's address was changed, too) passes to the stack until it has ended.
 */
void takeover_begin(struct daemon *daemon);
void takeover_run(struct daemon *daemon);
void takeover_finish(struct daemon *daemon);

/* Netfilter gets to know the connections there are, right before lbd detaches. */
void takeover_hand_over(struct daemon *daemon);
