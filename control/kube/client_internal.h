/*
 * The inside of client.h: client.c joins libcurl and the loop, request.c is about one request.
 */
#pragma once

#include <curl/curl.h>
#include "control/kube/client.h"

#define ERROR_BODY_BYTES 4096 /* of an answer that says why not */

struct kube_client {
	struct loop *loop;
	struct kube_config config;
	char *url;         /* the server's; by the name of its certificate, where that is another */
	char *host_header; /* then: "Host: " and what the server is called */
	struct curl_slist *connect_to; /* then: where it is */
	CURLM *multi;
	int timer;
	bool stuck; /* a socket is not watched, so its request would wait in vain */
	struct kube_request *requests;
};

struct kube_request {
	struct kube_client *client;
	struct kube_request *next;
	struct kube_request_hooks hooks;
	CURL *easy;
	struct curl_slist *headers;
	long status;
	bool begun;
	char error[CURL_ERROR_SIZE];
	char body[ERROR_BODY_BYTES]; /* of a status other than 200 */
	size_t body_size;
};

/* libcurl has done with it: tells its hooks and frees it. */
void kube_request_finish(struct kube_request *request, CURLcode code);
