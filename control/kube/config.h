/*
 * Where the API server is and who lbd is there: a kubeconfig (YAML or JSON), or what Kubernetes
 * gives to each pod. What a kubeconfig asks for and lbd does not do (running a program for a token,
 * a proxy, other users' names) is refused by its name.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include "control/kube/secret.h"
#include "lb/refusal.h"

struct kube_config {
	char *server;          /* scheme://host[:port][/path], without a slash at its end */
	char *tls_server_name; /* whose certificate it has; NULL: the URL's host */
	bool insecure;         /* its certificate is not looked at */
	struct kube_secret ca; /* none: those of the system */
	struct kube_secret certificate, key;
	struct kube_secret token;
};

/*
 * What the text says; files that it names are not read. `path` is the file's own, which relative
 * ones are relative to and messages begin with. 0 or a refusal with *config untouched.
 */
int kube_config_parse(const char *text, size_t size, const char *path, struct kube_config *config,
		      struct refusal *refusal);

/* The file, and the files that it names. */
int kube_config_read(const char *path, struct kube_config *config, struct refusal *refusal);

/* From the environment and the directory of the pod's service account. */
int kube_config_read_in_cluster(struct kube_config *config, struct refusal *refusal);

void kube_config_finish(struct kube_config *config);
