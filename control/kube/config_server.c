/*
 * URLs of API servers, by libcurl's own parser, so that what is checked here is what it asks.
 */
#include "control/kube/config_server.h"

#include <curl/curl.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static int check_parts(CURLU *url, struct refusal *refusal)
{
	static const struct {
		CURLUPart part;
		const char *name;
	} UNWANTED[] = {
		{CURLUPART_USER, "a user"},   {CURLUPART_PASSWORD, "a password"},
		{CURLUPART_QUERY, "a query"}, {CURLUPART_FRAGMENT, "a fragment"},
		{CURLUPART_ZONEID, "a zone"},
	};
	char *part;

	for (size_t i = 0; i < sizeof(UNWANTED) / sizeof(UNWANTED[0]); i++) {
		if (curl_url_get(url, UNWANTED[i].part, &part, 0))
			continue;
		curl_free(part);
		return refuse(refusal, "not https://HOST[:PORT][/PATH]: it has %s",
			      UNWANTED[i].name);
	}
	return 0;
}

static int take_url(CURLU *url, const char *text, char **server, struct refusal *refusal)
{
	size_t length;
	char *whole;
	int error;

	if ((strncasecmp(text, "https://", 8) && strncasecmp(text, "http://", 7)) ||
	    curl_url_set(url, CURLUPART_URL, text, 0))
		return refuse(refusal, "\"%.64s\" is not https://HOST[:PORT][/PATH]", text);
	error = check_parts(url, refusal);
	if (error)
		return error;
	if (curl_url_get(url, CURLUPART_URL, &whole, 0))
		return refuse_with(refusal, ENOMEM, "out of memory");
	length = strlen(whole);
	while (length && whole[length - 1] == '/')
		length--;
	*server = strndup(whole, length);
	curl_free(whole);
	return *server ? 0 : refuse_with(refusal, ENOMEM, "out of memory");
}

int kube_server_parse(const char *text, char **server, struct refusal *refusal)
{
	CURLU *url = curl_url();
	int error;

	if (!url)
		return refuse_with(refusal, ENOMEM, "out of memory");
	error = take_url(url, text, server, refusal);
	curl_url_cleanup(url);
	return error;
}

char *kube_server_authority(const char *server)
{
	char *host = NULL, *port = NULL, *authority = NULL;
	CURLU *url = curl_url();

	if (url && !curl_url_set(url, CURLUPART_URL, server, 0) &&
	    !curl_url_get(url, CURLUPART_HOST, &host, 0) &&
	    !curl_url_get(url, CURLUPART_PORT, &port, CURLU_DEFAULT_PORT) &&
	    asprintf(&authority, "%s:%s", host, port) < 0)
		authority = NULL;
	curl_free(host);
	curl_free(port);
	curl_url_cleanup(url);
	return authority;
}

char *kube_server_rename(const char *server, const char *host)
{
	char *whole = NULL, *renamed = NULL;
	CURLU *url = curl_url();

	if (url && !curl_url_set(url, CURLUPART_URL, server, 0) &&
	    !curl_url_set(url, CURLUPART_HOST, host, 0) &&
	    !curl_url_get(url, CURLUPART_URL, &whole, 0))
		renamed = strndup(whole, strlen(whole) - (whole[strlen(whole) - 1] == '/'));
	curl_free(whole);
	curl_url_cleanup(url);
	return renamed;
}
