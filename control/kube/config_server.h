/*
 * The URL of an API server, and what is in it.
 */
#pragma once

#include "lb/refusal.h"

/*
 * `https://HOST[:PORT][/PATH]`, or http. *server is the caller's, as it is asked later: without a
 * slash at its end. 0 or a refusal.
 */
int kube_server_parse(const char *text, char **server, struct refusal *refusal);

/* Of one that was parsed: what to connect to, `HOST:PORT` as libcurl writes it. NULL: no memory. */
char *kube_server_authority(const char *server);

/* The same server under another host's name. NULL: no memory. */
char *kube_server_rename(const char *server, const char *host);
