/*
 * Configurations from where they are kept: a kubeconfig with the files that it names, or the
 * directory that Kubernetes mounts into each pod.
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include "control/file.h"
#include "control/kube/config.h"
#include "control/kube/config_server.h"

#define SERVICE_ACCOUNT "/var/run/secrets/kubernetes.io/serviceaccount/"

static int read_secrets(struct kube_config *config, struct refusal *refusal)
{
	int error = kube_secret_read(&config->ca, refusal);

	if (!error)
		error = kube_secret_read(&config->certificate, refusal);
	if (!error)
		error = kube_secret_read(&config->key, refusal);
	if (!error)
		error = kube_secret_read(&config->token, refusal);
	return error;
}

int kube_config_read(const char *path, struct kube_config *config, struct refusal *refusal)
{
	struct kube_secret file = {.path = (char *)path};
	struct kube_config found = {0};
	struct refusal reason;
	int error = kube_secret_read(&file, refusal);

	if (error)
		return error;
	error = kube_config_parse(file.bytes, file.size, path, &found, refusal);
	file.path = NULL; /* the caller's */
	kube_secret_finish(&file);
	if (error)
		return error;
	error = read_secrets(&found, &reason);
	if (error) {
		kube_config_finish(&found);
		return refuse_with(refusal, -error, "%.160s: %s", path, reason.text);
	}
	*config = found;
	return 0;
}

/* An IPv6 address stands in brackets in a URL. */
static int take_address(const char *host, const char *port, char **server, struct refusal *refusal)
{
	const bool is_ipv6 = strchr(host, ':') && host[0] != '[';
	struct refusal reason;
	char *text;
	int error;

	if (asprintf(&text, "https://%s%s%s:%s", is_ipv6 ? "[" : "", host, is_ipv6 ? "]" : "",
		     port) < 0)
		return refuse_with(refusal, ENOMEM, "out of memory");
	error = kube_server_parse(text, server, &reason);
	free(text);
	return error ? refuse_with(refusal, -error,
				   "KUBERNETES_SERVICE_HOST, KUBERNETES_SERVICE_PORT: %s",
				   reason.text)
		     : 0;
}

static int take_account(struct kube_config *config, struct refusal *refusal)
{
	int error = take_address(getenv("KUBERNETES_SERVICE_HOST"),
				 getenv("KUBERNETES_SERVICE_PORT"), &config->server, refusal);

	if (error)
		return error;
	config->token.is_word = true;
	config->token.path = strdup(SERVICE_ACCOUNT "token");
	config->ca.path = strdup(SERVICE_ACCOUNT "ca.crt");
	if (!config->token.path || !config->ca.path)
		return refuse_with(refusal, ENOMEM, "out of memory");
	return read_secrets(config, refusal);
}

static bool is_in_environment(const char *name)
{
	const char *value = getenv(name);

	return value && value[0];
}

int kube_config_read_in_cluster(struct kube_config *config, struct refusal *refusal)
{
	struct kube_config found = {0};
	int error;

	if (!is_in_environment("KUBERNETES_SERVICE_HOST") ||
	    !is_in_environment("KUBERNETES_SERVICE_PORT"))
		return refuse(refusal,
			      "--kubernetes: KUBERNETES_SERVICE_HOST and KUBERNETES_SERVICE_PORT "
			      "are not set, as they are in a pod; elsewhere --kubeconfig FILE");
	error = take_account(&found, refusal);
	if (error)
		kube_config_finish(&found);
	else
		*config = found;
	return error;
}

void kube_config_finish(struct kube_config *config)
{
	free(config->server);
	free(config->tls_server_name);
	kube_secret_finish(&config->ca);
	kube_secret_finish(&config->certificate);
	kube_secret_finish(&config->key);
	kube_secret_finish(&config->token);
	*config = (struct kube_config){0};
}
