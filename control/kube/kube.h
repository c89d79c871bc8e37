/*
 * lbd in a cluster: three watches (Services, EndpointSlices, the own Node) and what becomes of
 * them.
 */
#pragma once

#include <jansson.h>
#include "control/options.h"
#include "lb/refusal.h"

struct daemon;
struct kube;

/* What can be known without the API server: the configuration and its files. 0 or a refusal. */
int kube_check(const struct options *options, struct refusal *refusal);

/*
 * Reads the configuration and its files, while lbd may read what it will not be able to read later.
 * *kube stays NULL where the options name no cluster. 0 or a refusal.
 */
int kube_prepare(const struct options *options, struct kube **kube, struct refusal *refusal);

/* This node's. */
const char *kube_node_name(const struct kube *kube);

/* The watches begin, as soon as the loop runs. NULL has none to begin. 0 or a refusal. */
int kube_start(struct kube *kube, struct daemon *daemon, struct refusal *refusal);

/* Also where it was never started. What the cluster wanted stays in force. */
void kube_stop(struct kube *kube);

/* For `lbctl status`; NULL where there is no cluster. */
json_t *kube_report(const struct kube *kube);
