/*
 * libcurl's multi interface driven by the loop: libcurl says which sockets to watch and when to be
 * called, and is called with what happened. Requests end from here, outside of libcurl's callbacks,
 * so their hooks may begin others.
 */
#include "control/kube/client.h"

#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include "control/kube/client_internal.h"
#include "control/kube/config_server.h"

#define KEPT_CONNECTIONS 4L /* one for each watch, and one more */

/* What libcurl has us watch. */
struct watched {
	struct kube_client *client;
	curl_socket_t fd;
};

int kube_client_prepare(struct refusal *refusal)
{
	/* Whoever closes a connection under our hands would end lbd. */
	signal(SIGPIPE, SIG_IGN);
	return curl_global_init(CURL_GLOBAL_DEFAULT)
		       ? refuse(refusal, "cannot initialise libcurl and its TLS")
		       : 0;
}

static void end_requests(struct kube_client *client)
{
	struct kube_request *request;
	CURLMsg *message;
	int left;

	while ((message = curl_multi_info_read(client->multi, &left))) {
		const CURLcode code = message->data.result;

		if (message->msg != CURLMSG_DONE)
			continue;
		curl_easy_getinfo(message->easy_handle, CURLINFO_PRIVATE, &request);
		kube_request_finish(request, code);
	}
}

/* None of them begins another one: a failure is waited for. */
static void fail_requests(struct kube_client *client)
{
	client->stuck = false;
	while (client->requests)
		kube_request_finish(client->requests, CURLE_OUT_OF_MEMORY);
}

static void drive(struct kube_client *client, curl_socket_t fd, int events)
{
	int running;

	if (curl_multi_socket_action(client->multi, fd, events, &running))
		client->stuck = true;
	end_requests(client);
	if (client->stuck)
		fail_requests(client);
}

static void socket_is_ready(void *context, uint32_t events)
{
	const struct watched watched = *(struct watched *)context; /* may be freed on the way */
	int what = 0;

	if (events & (EPOLLIN | EPOLLHUP))
		what |= CURL_CSELECT_IN;
	if (events & EPOLLOUT)
		what |= CURL_CSELECT_OUT;
	if (events & EPOLLERR)
		what |= CURL_CSELECT_ERR;
	drive(watched.client, watched.fd, what);
}

static void time_is_up(void *context, uint32_t events)
{
	(void)events;
	drive(context, CURL_SOCKET_TIMEOUT, 0);
}

/* libcurl is not to be called from here, so "at once" is a millisecond. */
static int set_timer(CURLM *multi, long delay_ms, void *context)
{
	struct kube_client *client = context;

	(void)multi;
	if (delay_ms < 0)
		loop_set_timer(client->timer, 0, 0);
	else
		loop_set_timer(client->timer, delay_ms ? (unsigned int)delay_ms : 1, 0);
	return 0;
}

static bool begin_watching(struct kube_client *client, curl_socket_t fd, uint32_t events)
{
	struct watched *watched = malloc(sizeof(*watched));

	if (!watched)
		return false;
	*watched = (struct watched){client, fd};
	if (!loop_add(client->loop, fd, events, socket_is_ready, watched)) {
		curl_multi_assign(client->multi, fd, watched);
		return true;
	}
	free(watched);
	return false;
}

/* Always 0: what cannot be watched is noted, and dealt with once libcurl has returned. */
static int watch_socket(CURL *easy, curl_socket_t fd, int what, void *context, void *mark)
{
	struct kube_client *client = context;
	uint32_t events = 0;

	(void)easy;
	if (what == CURL_POLL_REMOVE) {
		if (mark)
			loop_remove(client->loop, fd);
		curl_multi_assign(client->multi, fd, NULL);
		free(mark);
		return 0;
	}
	if (what & CURL_POLL_IN)
		events |= EPOLLIN;
	if (what & CURL_POLL_OUT)
		events |= EPOLLOUT;
	if (mark ? loop_change(client->loop, fd, events) : !begin_watching(client, fd, events))
		client->stuck = true;
	return 0;
}

/*
 * libcurl looks for the name that it connects to in the certificate. Where that is to be another,
 * it is told that name and, apart from it, where to connect to.
 */
static int name_server(struct kube_client *client)
{
	const char *name = client->config.tls_server_name;
	char *authority, *target = NULL;

	if (!name) {
		client->url = strdup(client->config.server);
		return client->url ? 0 : -ENOMEM;
	}
	authority = kube_server_authority(client->config.server);
	client->url = kube_server_rename(client->config.server, name);
	if (authority && asprintf(&target, "::%s", authority) < 0)
		target = NULL;
	if (target)
		client->connect_to = curl_slist_append(NULL, target);
	if (authority && asprintf(&client->host_header, "Host: %s", authority) < 0)
		client->host_header = NULL;
	free(authority);
	free(target);
	return client->url && client->connect_to && client->host_header ? 0 : -ENOMEM;
}

static int open_multi(struct kube_client *client)
{
	client->timer = loop_add_timer(client->loop, time_is_up, client);
	if (client->timer < 0)
		return client->timer;
	client->multi = curl_multi_init();
	if (!client->multi)
		return -ENOMEM;
	curl_multi_setopt(client->multi, CURLMOPT_SOCKETFUNCTION, watch_socket);
	curl_multi_setopt(client->multi, CURLMOPT_SOCKETDATA, client);
	curl_multi_setopt(client->multi, CURLMOPT_TIMERFUNCTION, set_timer);
	curl_multi_setopt(client->multi, CURLMOPT_TIMERDATA, client);
	curl_multi_setopt(client->multi, CURLMOPT_MAXCONNECTS, KEPT_CONNECTIONS);
	curl_multi_setopt(client->multi, CURLMOPT_PIPELINING, CURLPIPE_NOTHING);
	return 0;
}

struct kube_client *kube_client_open(struct loop *loop, struct kube_config *config)
{
	struct kube_client *client = calloc(1, sizeof(*client));
	int error;

	if (!client)
		return NULL;
	client->loop = loop;
	client->timer = -1;
	client->config = *config;
	*config = (struct kube_config){0};
	error = name_server(client);
	if (!error)
		error = open_multi(client);
	if (!error)
		return client;
	kube_client_close(client);
	errno = -error;
	return NULL;
}

void kube_client_close(struct kube_client *client)
{
	if (!client)
		return;
	while (client->requests)
		kube_request_cancel(client->requests);
	curl_multi_cleanup(client->multi);
	if (client->timer >= 0)
		loop_remove_timer(client->loop, client->timer);
	curl_slist_free_all(client->connect_to);
	free(client->host_header);
	free(client->url);
	kube_config_finish(&client->config);
	free(client);
}

struct loop *kube_client_loop(const struct kube_client *client)
{
	return client->loop;
}

const char *kube_client_server(const struct kube_client *client)
{
	return client->config.server;
}

void kube_client_renew(struct kube_client *client)
{
	kube_secret_refresh(&client->config.token, true);
	kube_secret_refresh(&client->config.certificate, true);
	kube_secret_refresh(&client->config.key, true);
}
