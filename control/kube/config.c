/*
 * From the current context of a kubeconfig to a server and to secrets. Entries that this context
 * does not use may hold what they like.
 */
#include "control/kube/config.h"

#include <ctype.h>
#include <errno.h>
#include <jansson.h>
#include <resolv.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include "control/file.h"
#include "control/kube/config_server.h"
#include "control/kube/yaml.h"
#include "control/tables.h"

struct document {
	const char *path;
	const json_t *root;
	struct refusal *refusal;
};

/* What a name stands for: clusters[NAME].cluster, of contexts and users alike. */
struct entry {
	const struct document *document;
	const char *list, *name;
	const json_t *fields;
};

static int refuse_key(const struct entry *entry, const char *key, const char *why)
{
	return refuse(entry->document->refusal, "%.160s: %s[%.64s].%s: %.200s",
		      entry->document->path, entry->list, entry->name, key, why);
}

/* kubectl writes what is not set as "", null or an empty list, or leaves it out. */
static bool is_set(const json_t *value)
{
	return value && !json_is_null(value) && !json_is_false(value) &&
	       !(json_is_string(value) && !json_string_length(value)) &&
	       !(json_is_array(value) && !json_array_size(value)) &&
	       !(json_is_object(value) && !json_object_size(value));
}

/* The entry of that name in a list of {name, KIND}. 0 or a refusal. */
static int find_entry(struct entry *entry, const char *kind)
{
	const struct document *document = entry->document;
	const json_t *list = json_object_get(document->root, entry->list), *item;
	size_t i;

	json_array_foreach ((json_t *)list, i, item) {
		const char *name = json_string_value(json_object_get(item, "name"));

		if (!name || strcmp(name, entry->name))
			continue;
		entry->fields = json_object_get(item, kind);
		if (json_is_object(entry->fields) || json_is_null(entry->fields))
			return 0;
		return refuse_key(entry, kind, "not a mapping");
	}
	return refuse(document->refusal, "%.160s: %s: there is none of the name \"%.64s\"",
		      document->path, entry->list, entry->name);
}

/* NULL in *text: it is not set. 0 or a refusal. */
static int find_text(const struct entry *entry, const char *key, const char **text)
{
	const json_t *value = json_object_get(entry->fields, key);

	*text = NULL;
	if (!is_set(value))
		return 0;
	if (!json_is_string(value))
		return refuse_key(entry, key, "not a text");
	*text = json_string_value(value);
	return 0;
}

static int copy_text(const struct entry *entry, const char *key, char **target)
{
	const char *text;
	int error = find_text(entry, key, &text);

	if (error || !text)
		return error;
	*target = strdup(text);
	return *target ? 0 : refuse_with(entry->document->refusal, ENOMEM, "out of memory");
}

static int find_flag(const struct entry *entry, const char *key, bool *flag)
{
	const json_t *value = json_object_get(entry->fields, key);

	if (value && !json_is_null(value) && !json_is_boolean(value))
		return refuse_key(entry, key, "not true or false");
	*flag = json_is_true(value);
	return 0;
}

static int refuse_unsupported(const struct entry *entry, const char *const keys[])
{
	for (; *keys; keys++)
		if (is_set(json_object_get(entry->fields, *keys)))
			return refuse_key(entry, *keys, "lbd does not support it");
	return 0;
}

/* Relative to the directory of the kubeconfig. */
static int take_path(const struct entry *entry, const char *text, struct kube_secret *secret)
{
	const char *path = entry->document->path, *slash = strrchr(path, '/');
	int error = 0;

	if (text[0] == '/' || !slash)
		secret->path = strdup(text);
	else if (asprintf(&secret->path, "%.*s/%s", (int)(slash - path), path, text) < 0)
		secret->path = NULL;
	if (!secret->path)
		error = refuse_with(entry->document->refusal, ENOMEM, "out of memory");
	return error;
}

static int take_base64(const struct entry *entry, const char *key, const char *text,
		       struct kube_secret *secret)
{
	const size_t room = strlen(text) / 4 * 3 + 4;
	unsigned char *bytes = malloc(room);
	int size, error;

	if (!bytes)
		return refuse_with(entry->document->refusal, ENOMEM, "out of memory");
	size = b64_pton(text, bytes, room);
	if (size < 0)
		error = refuse_key(entry, key, "not base64");
	else
		error = kube_secret_set(secret, (const char *)bytes, (size_t)size,
					entry->document->refusal);
	explicit_bzero(bytes, room);
	free(bytes);
	return error;
}

/* `key` names a file, `key`-data holds what would be in it, and wins. */
static int take_pem(const struct entry *entry, const char *key, struct kube_secret *secret)
{
	const char *inside, *path;
	char data_key[64];
	int error;

	snprintf(data_key, sizeof(data_key), "%s-data", key);
	error = find_text(entry, data_key, &inside);
	if (!error)
		error = find_text(entry, key, &path);
	if (!error && inside)
		return take_base64(entry, data_key, inside, secret);
	return !error && path ? take_path(entry, path, secret) : error;
}

/* A token in a file wins: the one beside it is what it was when the kubeconfig was written. */
static int take_token(const struct entry *entry, struct kube_secret *token)
{
	const char *inside, *path;
	struct refusal reason;
	int error;

	token->is_word = true;
	error = find_text(entry, "token", &inside);
	if (!error)
		error = find_text(entry, "tokenFile", &path);
	if (!error && path)
		return take_path(entry, path, token);
	if (error || !inside)
		return error;
	error = kube_secret_set(token, inside, strlen(inside), &reason);
	return error ? refuse_key(entry, "token", reason.text) : 0;
}

static bool is_given(const struct kube_secret *secret)
{
	return secret->path || secret->bytes;
}

static int take_user(struct entry *entry, struct kube_config *config)
{
	static const char *const UNSUPPORTED[] = {
		"exec",   "auth-provider", "username",      "password", "as",
		"as-uid", "as-groups",     "as-user-extra", NULL};
	int error = find_entry(entry, "user");

	if (!error)
		error = refuse_unsupported(entry, UNSUPPORTED);
	if (!error)
		error = take_token(entry, &config->token);
	if (!error)
		error = take_pem(entry, "client-certificate", &config->certificate);
	if (!error)
		error = take_pem(entry, "client-key", &config->key);
	if (error)
		return error;
	if (is_given(&config->certificate) && !is_given(&config->key))
		return refuse_key(entry, "client-key", "missing beside client-certificate");
	if (is_given(&config->key) && !is_given(&config->certificate))
		return refuse_key(entry, "client-certificate", "missing beside client-key");
	return 0;
}

static int take_server(const struct entry *entry, struct kube_config *config)
{
	struct refusal reason;
	const char *text;
	int error = find_text(entry, "server", &text);

	if (error)
		return error;
	if (!text)
		return refuse_key(entry, "server", "missing");
	error = kube_server_parse(text, &config->server, &reason);
	return error ? refuse_key(entry, "server", reason.text) : 0;
}

static int take_cluster(struct entry *entry, struct kube_config *config)
{
	static const char *const UNSUPPORTED[] = {"proxy-url", NULL};
	int error = find_entry(entry, "cluster");

	if (!error)
		error = refuse_unsupported(entry, UNSUPPORTED);
	if (!error)
		error = take_server(entry, config);
	if (!error)
		error = copy_text(entry, "tls-server-name", &config->tls_server_name);
	if (!error)
		error = find_flag(entry, "insecure-skip-tls-verify", &config->insecure);
	if (!error)
		error = take_pem(entry, "certificate-authority", &config->ca);
	if (!error && config->insecure && is_given(&config->ca))
		return refuse_key(entry, "insecure-skip-tls-verify",
				  "and a certificate-authority: one of them");
	return error;
}

static int take_context(const struct document *document, struct kube_config *config)
{
	const json_t *current = json_object_get(document->root, "current-context");
	struct entry context = {document, "contexts", json_string_value(current), NULL};
	struct entry cluster = {document, "clusters", NULL, NULL};
	struct entry user = {document, "users", NULL, NULL};
	int error;

	if (!is_set(current) || !json_is_string(current))
		return refuse(document->refusal, "%.160s: current-context: missing",
			      document->path);
	error = find_entry(&context, "context");
	if (!error)
		error = find_text(&context, "cluster", &cluster.name);
	if (!error)
		error = find_text(&context, "user", &user.name);
	if (!error && !cluster.name)
		return refuse_key(&context, "cluster", "missing");
	if (!error)
		error = take_cluster(&cluster, config);
	return !error && user.name ? take_user(&user, config) : error;
}

static json_t *load(const char *text, size_t size, struct refusal *refusal)
{
	size_t at = 0;

	while (at < size && isspace((unsigned char)text[at]))
		at++;
	return at < size && text[at] == '{' ? tables_load_text(text, size, refusal)
					    : yaml_load_text(text, size, refusal);
}

int kube_config_parse(const char *text, size_t size, const char *path, struct kube_config *config,
		      struct refusal *refusal)
{
	struct kube_config found = {0};
	struct refusal reason;
	json_t *root = load(text, size, &reason);
	const struct document document = {path, root, refusal};
	int error;

	if (!root)
		return refuse(refusal, "%.160s: %s", path, reason.text);
	if (json_is_object(root))
		error = take_context(&document, &found);
	else
		error = refuse(refusal, "%.160s: not a kubeconfig", path);
	json_decref(root);
	if (error)
		kube_config_finish(&found);
	else
		*config = found;
	return error;
}
