/*
 * /metrics for Prometheus (kubeproxy_* where there is a cluster, and lbd_*), and /proxyMode. An
 * answer is made while it is sent, a piece each turn of the loop, so that a scrape holds nothing up
 * however many services there are.
 */
#pragma once

#include "control/daemon.h"

/* Answers at --metrics. 0 or a refusal. */
int metrics_listen(struct daemon *daemon, struct refusal *refusal);
