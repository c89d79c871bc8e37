/*
 * A kubeconfig, in YAML or JSON, whatever it holds: it is told in a line what is wrong with it, or
 * it names a server, and secrets that are as they should be. Files that it names are not read.
 */
#include "control/kube/config.h"

#include <stdlib.h>
#include <string.h>
#include "control/kube/config_server.h"
#include "test/fuzz/fuzz.h"

static void must_be_right(const struct kube_config *config)
{
	const char *token = config->token.bytes;
	char *authority;

	must(!strncmp(config->server, "http://", 7) || !strncmp(config->server, "https://", 8),
	     "a server has a URL");
	must(config->server[strlen(config->server) - 1] != '/', "which ends in no slash");
	authority = kube_server_authority(config->server);
	must(authority && strchr(authority, ':'), "and leads to a host and a port");
	free(authority);
	must(!token || (token[0] && !strpbrk(token, " \t\r\n")), "a token is one word");
	must((config->certificate.path || config->certificate.bytes) ==
		     (config->key.path || config->key.bytes),
	     "a certificate has its key");
	must(!config->insecure || !(config->ca.path || config->ca.bytes),
	     "who looks at nothing needs no authority");
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct kube_config config = {0};
	struct refusal refusal = {""};

	if (kube_config_parse((const char *)data, size, "/etc/lbd/kubeconfig", &config, &refusal))
		must_be_readable(&refusal);
	else
		must_be_right(&config);
	kube_config_finish(&config);
	return 0;
}
