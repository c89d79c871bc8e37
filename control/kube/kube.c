/*
 * Which resources are watched, and for whom: see kube.h.
 */
#include "control/kube/kube.h"

#include <ctype.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include "control/daemon.h"
#include "control/kube/client.h"
#include "control/kube/config.h"
#include "control/kube/local.h"
#include "control/kube/watch.h"
#include "control/log.h"

#define NODE_NAME_MAX 253 /* RFC 1123, as Kubernetes has it */

/* !service.kubernetes.io/service-proxy-name,!service.kubernetes.io/headless */
#define OURS                                                                                       \
	"labelSelector=%21service.kubernetes.io%2Fservice-proxy-name"                              \
	"%2C%21service.kubernetes.io%2Fheadless"

enum resource {
	RESOURCE_SERVICES,
	RESOURCE_ENDPOINTSLICES,
	RESOURCE_NODE,
	_RESOURCE_COUNT,
};

struct kube {
	struct kube_config config; /* until the client has it */
	struct kube_client *client;
	char node[NODE_NAME_MAX + 1];
	struct kube_watch *watches[_RESOURCE_COUNT];
};

static int choose_node(const struct options *options, char node[NODE_NAME_MAX + 1],
		       struct refusal *refusal)
{
	const char *given = options->node ? options->node : getenv("NODE_NAME");
	char host[NODE_NAME_MAX + 1] = "";

	/* kubelet takes the host's name in lower case. */
	if ((!given || !given[0]) && !gethostname(host, sizeof(host) - 1)) {
		for (char *at = host; *at; at++)
			*at = (char)tolower((unsigned char)*at);
		given = host;
	}
	if (!given || !given[0] || strlen(given) > NODE_NAME_MAX ||
	    strspn(given, "abcdefghijklmnopqrstuvwxyz0123456789.-") != strlen(given))
		return refuse(refusal,
			      "\"%.64s\" is not the name of a node; --node NAME or the "
			      "environment's NODE_NAME says which it is",
			      given ? given : "");
	strcpy(node, given);
	return 0;
}

static int read_config(const struct options *options, struct kube_config *config,
		       struct refusal *refusal)
{
	return options->kubeconfig ? kube_config_read(options->kubeconfig, config, refusal)
				   : kube_config_read_in_cluster(config, refusal);
}

int kube_check(const struct options *options, struct refusal *refusal)
{
	struct kube_config config = {0};
	char node[NODE_NAME_MAX + 1];
	int error;

	if (!options_name_cluster(options))
		return 0;
	error = choose_node(options, node, refusal);
	if (!error)
		error = read_config(options, &config, refusal);
	if (!error)
		printf("%s: node %s of %s\n",
		       options->kubeconfig ? options->kubeconfig : "--kubernetes", node,
		       config.server);
	kube_config_finish(&config);
	return error;
}

static void warn_of_config(const struct kube_config *config)
{
	if (config->insecure)
		log_warning("kube-insecure", "server=%s why=%s", log_quote(config->server),
			    log_quote("insecure-skip-tls-verify: whoever answers is believed"));
	else if (!strncmp(config->server, "http:", 5))
		log_warning("kube-insecure", "server=%s why=%s", log_quote(config->server),
			    log_quote("http: whoever answers is believed, and the token is sent "
				      "in the clear"));
}

int kube_prepare(const struct options *options, struct kube **kube, struct refusal *refusal)
{
	struct kube *prepared;
	int error;

	if (!options_name_cluster(options))
		return 0;
	prepared = calloc(1, sizeof(*prepared));
	if (!prepared)
		return refuse_with(refusal, ENOMEM, "out of memory");
	error = choose_node(options, prepared->node, refusal);
	if (!error)
		error = read_config(options, &prepared->config, refusal);
	if (!error)
		error = kube_client_prepare(refusal);
	if (error) {
		kube_stop(prepared);
		return error;
	}
	warn_of_config(&prepared->config);
	*kube = prepared;
	return 0;
}

const char *kube_node_name(const struct kube *kube)
{
	return kube->node;
}

static int open_watches(struct kube *kube, struct kube_sync *sync)
{
	struct kube_watch_hooks hooks;
	char node_query[sizeof("fieldSelector=metadata.name%3D") + NODE_NAME_MAX];
	const struct {
		const char *path, *query;
		enum kube_kind kind;
	} resources[_RESOURCE_COUNT] = {
		[RESOURCE_SERVICES] = {"/api/v1/services", OURS, KUBE_SERVICES},
		[RESOURCE_ENDPOINTSLICES] = {"/apis/discovery.k8s.io/v1/endpointslices", OURS,
					     KUBE_SLICES},
		[RESOURCE_NODE] = {"/api/v1/nodes", node_query, KUBE_NODES},
	};

	snprintf(node_query, sizeof(node_query), "fieldSelector=metadata.name%%3D%s", kube->node);
	for (int i = 0; i < _RESOURCE_COUNT; i++) {
		hooks = kube_sync_watch_hooks(sync, resources[i].kind);
		kube->watches[i] = kube_watch_open(kube->client, resources[i].path,
						   resources[i].query, &hooks);
		if (!kube->watches[i])
			return -errno;
	}
	return 0;
}

int kube_start(struct kube *kube, struct daemon *daemon, struct refusal *refusal)
{
	int error = 0;

	if (!kube)
		return 0;
	kube->client = kube_client_open(daemon->loop, &kube->config);
	if (!kube->client)
		error = -errno;
	if (!error)
		error = open_watches(kube, kube_local_sync(daemon->kube_local));
	if (error)
		return refuse_with(refusal, -error, "cannot watch the cluster: %s",
				   strerror(-error));
	log_info("kube-watching", "server=%s node=%s", log_quote(kube_client_server(kube->client)),
		 kube->node);
	return 0;
}

void kube_stop(struct kube *kube)
{
	if (!kube)
		return;
	for (int i = 0; i < _RESOURCE_COUNT; i++)
		kube_watch_close(kube->watches[i]);
	kube_client_close(kube->client);
	kube_config_finish(&kube->config);
	free(kube);
}

static json_t *report_watch(const struct kube_watch *watch)
{
	struct kube_watch_status status;

	kube_watch_describe(watch, &status);
	return json_pack("{s:s, s:s, s:s, s:I, s:I, s:I, s:I, s:s}", "resource", status.name,
			 "state", kube_watch_state_name(status.state), "resource_version",
			 status.resource_version, "objects", (json_int_t)status.objects, "lists",
			 (json_int_t)status.lists, "events", (json_int_t)status.events, "failures",
			 (json_int_t)status.failures, "last_error", status.error);
}

json_t *kube_report(const struct kube *kube)
{
	json_t *watches = json_array();

	if (!kube || !kube->client) {
		json_decref(watches);
		return NULL;
	}
	for (int i = 0; i < _RESOURCE_COUNT; i++)
		json_array_append_new(watches, report_watch(kube->watches[i]));
	return json_pack("{s:s, s:s, s:o}", "server", kube_client_server(kube->client), "node",
			 kube->node, "watches", watches);
}
