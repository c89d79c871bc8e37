/*
 * Words of requests: see request_words.h.
 */
#include "control/request_words.h"

#include <arpa/inet.h>
#include <stdlib.h>
#include <string.h>

const char *request_text(const json_t *request, const char *key, struct refusal *refusal)
{
	const char *text = json_string_value(json_object_get(request, key));

	if (!text)
		refuse(refusal, "%s: missing, or not a text", key);
	return text;
}

void request_is_done(struct refusal *refusal)
{
	refuse(refusal, "out of memory for the answer; what was asked is done");
}

bool request_flag(const json_t *request, const char *key)
{
	return json_is_true(json_object_get(request, key));
}

/*
 * A name has a '/' before any ':', as in default/web:80/tcp; an address has not, even
 * [fd00::1]:80/udp.
 */
static bool is_name(const char *text)
{
	const char *slash = strchr(text, '/');
	const char *colon = strchr(text, ':');

	return slash && (!colon || slash < colon);
}

struct name_query {
	char name[MAX_NAME + 1];
	long port;    /* 0: any */
	int protocol; /* -1: any */
};

/* NS/NAME[:PORT[/PROTO]]; as with addresses a port without protocol means tcp. */
static int parse_name(const char *text, struct name_query *query, struct refusal *refusal)
{
	size_t length = strcspn(text, ":");
	const char *port = text[length] ? text + length + 1 : NULL;
	__u8 protocol;
	char *end;

	if (length > MAX_NAME)
		return refuse(refusal, "service %.40s…: a name is at most %d characters", text,
			      MAX_NAME);
	memcpy(query->name, text, length);
	query->name[length] = '\0';
	query->port = 0;
	query->protocol = -1;
	if (!port)
		return 0;
	query->port = strtol(port, &end, 10);
	if (end == port || (*end && *end != '/') || query->port < 1 || query->port > 65535)
		return refuse(refusal, "service %.128s: port %.16s is not 1–65535", text, port);
	if (protocol_parse(*end ? end + 1 : "tcp", &protocol))
		return refuse(refusal, "service %.128s: protocol %.16s is not tcp, udp or sctp",
			      text, end + 1);
	query->protocol = protocol;
	return 0;
}

static bool answers(const struct service *service, const struct name_query *query)
{
	return service->name && !strcmp(service->name, query->name) &&
	       (!query->port || ntohs(service->key.port) == query->port) &&
	       (query->protocol < 0 || service->key.protocol == query->protocol);
}

static const struct entry *find_by_name(const struct reconcile *reconcile, const char *text,
					struct refusal *refusal)
{
	char one[ENDPOINT_TEXT_MAX], other[ENDPOINT_TEXT_MAX];
	const struct entry *entry = NULL, *found = NULL;
	struct name_query query;

	if (parse_name(text, &query, refusal))
		return NULL;
	while ((entry = reconcile_next(reconcile, entry))) {
		if (!answers(entry->service, &query))
			continue;
		if (found) {
			refuse(refusal,
			       "service %.128s: several have that name, %s and %s; name one "
			       "by its address",
			       text, service_key_format(&found->service->key, one),
			       service_key_format(&entry->service->key, other));
			return NULL;
		}
		found = entry;
	}
	if (!found)
		refuse(refusal,
		       "service %.128s does not exist; `lbctl service list` shows those "
		       "that do",
		       text);
	return found;
}

const struct entry *request_entry(const struct daemon *daemon, const json_t *request,
				  struct refusal *refusal)
{
	const char *text = request_text(request, "service", refusal);
	char canonical[ENDPOINT_TEXT_MAX];
	const struct entry *entry;
	struct service_key key;

	if (!text)
		return NULL;
	if (is_name(text))
		return find_by_name(daemon->reconcile, text, refusal);
	if (service_key_parse(text, &key, refusal))
		return NULL;
	entry = reconcile_find(daemon->reconcile, &key);
	if (!entry)
		refuse(refusal,
		       "service %s does not exist; `lbctl service list` shows those that "
		       "do",
		       service_key_format(&key, canonical));
	return entry;
}

const struct backend *request_backend(const struct service *service, const json_t *request,
				      struct refusal *refusal)
{
	const char *text = request_text(request, "backend", refusal);
	char canonical[ENDPOINT_TEXT_MAX], backend_text[ENDPOINT_TEXT_MAX];
	const struct backend *backend;
	struct address address;
	__be16 port;

	if (!text || endpoint_parse(text, &address, &port, refusal))
		return NULL;
	backend = service_find_backend(service, &address, port);
	if (!backend)
		refuse(refusal, "%s has no backend %s; `lbctl backend list %s` shows those it has",
		       service_key_format(&service->key, canonical),
		       endpoint_format(&address, port, backend_text), canonical);
	return backend;
}
