/*
 * One GET: its options, what comes, and how it ended in words.
 */
#include <errno.h>
#include <jansson.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include "control/kube/client_internal.h"

#define CONNECT_SECONDS 10L /* the server's name, TCP and TLS */
#define RECEIVE_BYTES 65536L
#define STATUS_OK 200
/* A peer that is gone without a word is noticed after this, whatever a watch waits for. */
#define KEEPALIVE_IDLE_SECONDS 15L
#define KEEPALIVE_INTERVAL_SECONDS 5L
#define UNACKNOWLEDGED_MS 30000u

/* Kinds of failures: libcurl's codes, and above them HTTP's. */
#define KIND_OF_STATUS 1000

static void note_answer(struct kube_request *request)
{
	if (request->begun)
		return;
	curl_easy_getinfo(request->easy, CURLINFO_RESPONSE_CODE, &request->status);
	request->begun = true;
	request->hooks.begin(request->hooks.context, request->status);
}

/* The empty line after the headers, but not of an answer before the answer (100). */
static size_t take_header(char *bytes, size_t one, size_t size, void *context)
{
	struct kube_request *request = context;
	long status = 0;

	if (size == 2 && bytes[0] == '\r') {
		curl_easy_getinfo(request->easy, CURLINFO_RESPONSE_CODE, &status);
		if (status >= STATUS_OK)
			note_answer(request);
	}
	return one * size;
}

static size_t take_body(char *bytes, size_t one, size_t size, void *context)
{
	struct kube_request *request = context;
	const size_t room = sizeof(request->body) - request->body_size;

	note_answer(request);
	if (request->status == STATUS_OK)
		return request->hooks.take(request->hooks.context, bytes, one * size) ? one * size
										      : 0;
	memcpy(request->body + request->body_size, bytes, size < room ? size : room);
	request->body_size += size < room ? size : room;
	return one * size;
}

/* What is sent and not acknowledged, keepalive probes too, for so long ends the connection. */
static int prepare_socket(void *context, curl_socket_t fd, curlsocktype purpose)
{
	const unsigned int most_ms = UNACKNOWLEDGED_MS;

	(void)context;
	(void)purpose;
	setsockopt(fd, IPPROTO_TCP, TCP_USER_TIMEOUT, &most_ms, sizeof(most_ms));
	return CURL_SOCKOPT_OK;
}

static CURLcode set_blob(CURL *easy, CURLoption option, const struct kube_secret *secret)
{
	struct curl_blob blob = {secret->bytes, secret->size, CURL_BLOB_COPY};

	return secret->bytes ? curl_easy_setopt(easy, option, &blob) : CURLE_OK;
}

/* With an authority of the cluster's own, those of the system are none. */
static CURLcode set_tls(CURL *easy, struct kube_config *config)
{
	CURLcode code = CURLE_OK;

	kube_secret_refresh(&config->ca, false);
	kube_secret_refresh(&config->certificate, false);
	kube_secret_refresh(&config->key, false);
	curl_easy_setopt(easy, CURLOPT_SSLVERSION, CURL_SSLVERSION_TLSv1_2);
	if (config->ca.bytes) {
		curl_easy_setopt(easy, CURLOPT_CAPATH, NULL);
		code = set_blob(easy, CURLOPT_CAINFO_BLOB, &config->ca);
	}
	if (config->insecure) {
		curl_easy_setopt(easy, CURLOPT_SSL_VERIFYPEER, 0L);
		curl_easy_setopt(easy, CURLOPT_SSL_VERIFYHOST, 0L);
	}
	curl_easy_setopt(easy, CURLOPT_SSLCERTTYPE, "PEM");
	curl_easy_setopt(easy, CURLOPT_SSLKEYTYPE, "PEM");
	if (!code)
		code = set_blob(easy, CURLOPT_SSLCERT_BLOB, &config->certificate);
	if (!code)
		code = set_blob(easy, CURLOPT_SSLKEY_BLOB, &config->key);
	return code;
}

static int add_header(struct kube_request *request, const char *line)
{
	struct curl_slist *longer = curl_slist_append(request->headers, line);

	if (!longer)
		return -ENOMEM;
	request->headers = longer;
	return 0;
}

static int set_headers(struct kube_request *request)
{
	struct kube_client *client = request->client;
	struct kube_secret *token = &client->config.token;
	char *line;
	int error = add_header(request, "Accept: application/json");

	kube_secret_refresh(token, false);
	if (!error && client->host_header)
		error = add_header(request, client->host_header);
	if (!error && token->bytes) {
		if (asprintf(&line, "Authorization: Bearer %s", token->bytes) < 0)
			return -ENOMEM;
		error = add_header(request, line);
		explicit_bzero(line, strlen(line));
		free(line);
	}
	curl_easy_setopt(request->easy, CURLOPT_HTTPHEADER, request->headers);
	return error;
}

static void set_connection(CURL *easy)
{
	curl_easy_setopt(easy, CURLOPT_PROTOCOLS_STR, "https,http");
	curl_easy_setopt(easy, CURLOPT_HTTP_VERSION, CURL_HTTP_VERSION_1_1);
	curl_easy_setopt(easy, CURLOPT_PROXY, ""); /* whatever the environment says */
	curl_easy_setopt(easy, CURLOPT_NOSIGNAL, 1L);
	/* Giving up on a name does not wait for the thread that looks it up. */
	curl_easy_setopt(easy, CURLOPT_QUICK_EXIT, 1L);
	curl_easy_setopt(easy, CURLOPT_CONNECTTIMEOUT, CONNECT_SECONDS);
	curl_easy_setopt(easy, CURLOPT_BUFFERSIZE, RECEIVE_BYTES);
	curl_easy_setopt(easy, CURLOPT_TCP_KEEPALIVE, 1L);
	curl_easy_setopt(easy, CURLOPT_TCP_KEEPIDLE, KEEPALIVE_IDLE_SECONDS);
	curl_easy_setopt(easy, CURLOPT_TCP_KEEPINTVL, KEEPALIVE_INTERVAL_SECONDS);
	curl_easy_setopt(easy, CURLOPT_SOCKOPTFUNCTION, prepare_socket);
	curl_easy_setopt(easy, CURLOPT_USERAGENT, "lbd/" LB_VERSION);
}

static void set_limits(CURL *easy, unsigned int seconds, bool patient)
{
	curl_easy_setopt(easy, CURLOPT_TIMEOUT, (long)seconds);
	if (patient)
		return;
	curl_easy_setopt(easy, CURLOPT_LOW_SPEED_LIMIT, 1L);
	curl_easy_setopt(easy, CURLOPT_LOW_SPEED_TIME, (long)KUBE_SILENCE_SECONDS);
}

static int set_target(struct kube_request *request, const char *path)
{
	const struct kube_client *client = request->client;
	CURLcode code;
	char *url;

	if (asprintf(&url, "%s%s", client->url, path) < 0)
		return -ENOMEM;
	code = curl_easy_setopt(request->easy, CURLOPT_URL, url);
	free(url);
	if (client->connect_to)
		curl_easy_setopt(request->easy, CURLOPT_CONNECT_TO, client->connect_to);
	return code ? -ENOMEM : 0;
}

static int set_up(struct kube_request *request, const char *path)
{
	CURL *easy = request->easy;
	int error = set_target(request, path);

	curl_easy_setopt(easy, CURLOPT_PRIVATE, request);
	curl_easy_setopt(easy, CURLOPT_ERRORBUFFER, request->error);
	curl_easy_setopt(easy, CURLOPT_HEADERFUNCTION, take_header);
	curl_easy_setopt(easy, CURLOPT_HEADERDATA, request);
	curl_easy_setopt(easy, CURLOPT_WRITEFUNCTION, take_body);
	curl_easy_setopt(easy, CURLOPT_WRITEDATA, request);
	set_connection(easy);
	if (!error)
		error = set_tls(easy, &request->client->config) ? -ENOMEM : 0;
	return error ? error : set_headers(request);
}

static void free_request(struct kube_request *request)
{
	curl_easy_cleanup(request->easy);
	curl_slist_free_all(request->headers);
	free(request);
}

struct kube_request *kube_client_get(struct kube_client *client, const char *path,
				     unsigned int seconds, bool patient,
				     const struct kube_request_hooks *hooks)
{
	struct kube_request *request = calloc(1, sizeof(*request));

	if (!request)
		return NULL;
	request->client = client;
	request->hooks = *hooks;
	request->easy = curl_easy_init();
	if (!request->easy || set_up(request, path)) {
		free_request(request);
		return NULL;
	}
	set_limits(request->easy, seconds, patient);
	if (curl_multi_add_handle(client->multi, request->easy)) {
		free_request(request);
		return NULL;
	}
	request->next = client->requests;
	client->requests = request;
	return request;
}

static void leave(struct kube_request *request)
{
	struct kube_request **link = &request->client->requests;

	while (*link != request)
		link = &(*link)->next;
	*link = request->next;
	curl_multi_remove_handle(request->client->multi, request->easy);
}

void kube_request_cancel(struct kube_request *request)
{
	if (!request)
		return;
	leave(request);
	free_request(request);
}

/* What an API server says in the object Status, or HTTP's number alone. */
static void describe_status(const struct kube_request *request, char *text, size_t room)
{
	json_t *body = json_loadb(request->body, request->body_size, 0, NULL);
	const char *message = json_string_value(json_object_get(body, "message"));

	snprintf(text, room, "HTTP %ld%s%.200s", request->status, message ? ": " : "",
		 message ? message : "");
	json_decref(body);
}

void kube_request_finish(struct kube_request *request, CURLcode code)
{
	const struct kube_request_hooks hooks = request->hooks;
	struct kube_result result = {.is_whole = !code, .kind = code};
	char text[CURL_ERROR_SIZE + 64] = "";
	curl_off_t retry = 0;

	curl_easy_getinfo(request->easy, CURLINFO_RESPONSE_CODE, &result.status);
	curl_easy_getinfo(request->easy, CURLINFO_RETRY_AFTER, &retry);
	result.retry_seconds = retry > 0 && retry < 3600 ? (unsigned int)retry : 0;
	if (!code && result.status != STATUS_OK) {
		describe_status(request, text, sizeof(text));
		result.kind = KIND_OF_STATUS + (int)result.status;
	} else if (code) {
		snprintf(text, sizeof(text), "%s",
			 request->error[0] ? request->error : curl_easy_strerror(code));
	}
	result.error = text;
	leave(request);
	free_request(request);
	hooks.end(hooks.context, &result);
}
