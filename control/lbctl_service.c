/*
 * `lbctl service`: the words that describe a service, and services printed.
 */
#include "control/lbctl.h"

#include <stdio.h>
#include <string.h>
#include "control/lbctl_print.h"
#include "lb/service.h"

#define NOTHING "none" /* `service set SERVICE --name none` takes the name away */
#define ALGORITHMS "maglev|random|round-robin|source-hash"

static int put_new_service(struct invocation *invocation, const struct argument *argument,
			   const char *word)
{
	if (word_is_service_name(word))
		return refuse(&invocation->refusal,
			      "\"%s\" is not ADDR:PORT[/PROTO]; --name gives a service its name",
			      word);
	return put_service_key(invocation, argument, word);
}

static int put_name(struct invocation *invocation, const struct argument *argument,
		    const char *word)
{
	const char *slash = strchr(word, '/');

	if (!strcmp(word, NOTHING))
		return request_set(invocation, argument->key, json_null());
	if (strlen(word) > MAX_NAME)
		return refuse(&invocation->refusal, "%s: \"%.32s…\" is longer than %d bytes",
			      argument->name, word, MAX_NAME);
	if (!slash || slash == word || !slash[1])
		return refuse(&invocation->refusal, "%s: \"%s\" is not NS/NAME", argument->name,
			      word);
	return request_set_text(invocation, argument->key, word);
}

static int put_algorithm(struct invocation *invocation, const struct argument *argument,
			 const char *word)
{
	enum algorithm algorithm;

	if (algorithm_parse(word, &algorithm))
		return refuse(&invocation->refusal, "%s: \"%s\" is not one of %s", argument->name,
			      word, argument->value);
	return request_set_text(invocation, argument->key, algorithm_name(algorithm));
}

static int put_affinity(struct invocation *invocation, const struct argument *argument,
			const char *word)
{
	unsigned long seconds;
	int error = word_parse_number(&invocation->refusal, argument->name, word,
				      MAX_AFFINITY_SECONDS, &seconds);

	if (error)
		return error;
	return request_set(invocation, argument->key, json_integer((json_int_t)seconds));
}

static int put_source_range(struct invocation *invocation, const struct argument *argument,
			    const char *word)
{
	char text[ENDPOINT_TEXT_MAX];
	struct prefix prefix;
	json_t *list;
	int error;

	if (!strcmp(word, NOTHING))
		return request_open_list(invocation, argument->key, &list);
	error = prefix_parse(word, &prefix, &invocation->refusal);
	if (error)
		return error;
	return request_append(invocation, argument->key, json_string(prefix_format(&prefix, text)));
}

static int put_first_backend(struct invocation *invocation, const struct argument *argument,
			     const char *word)
{
	json_t *list;

	if (!strcmp(word, NOTHING))
		return request_open_list(invocation, argument->key, &list);
	return put_weighted_backend(invocation, argument, word);
}

const struct argument service_arguments[] = {
	{"SERVICE", .key = "service", .put = put_service,
	 .help = "ADDR:PORT[/tcp|udp], or its name: NS/NAME[:PORT[/PROTO]]"},
	{0},
};

#define SERVICE_OPTIONS                                                                            \
	{"--name", "NS/NAME", "name", put_name, .help = "what people call it"},                    \
		{"--algorithm", ALGORITHMS, "algorithm", put_algorithm,                            \
		 .help = "how a new connection finds its backend (maglev)"},                       \
		{"--affinity", "SECONDS", "affinity_seconds", put_affinity,                        \
		 .help = "a client keeps its backend so long (0: not at all)"},                    \
		{"--source-range",                                                                 \
		 "CIDR",                                                                           \
		 "source_ranges",                                                                  \
		 put_source_range,                                                                 \
		 .help = "only clients of these ranges are served",                                \
		 .flags = ARGUMENT_REPEATED},                                                      \
	{                                                                                          \
		"--backend", "ADDR:PORT[,weight=N]", "backends", put_first_backend,                \
			.help = "where connections are sent", .flags = ARGUMENT_REPEATED           \
	}

const struct argument service_add_arguments[] = {
	{"SERVICE", .key = "service", .put = put_new_service, .help = "ADDR:PORT[/tcp|udp]"},
	SERVICE_OPTIONS,
	{0},
};

/* Lists take the place of the old ones; `none` empties them, and takes the name away. */
const struct argument service_set_arguments[] = {
	{"SERVICE", .key = "service", .put = put_service,
	 .help = "ADDR:PORT[/tcp|udp], or its name: NS/NAME[:PORT[/PROTO]]"},
	SERVICE_OPTIONS,
	{0},
};

static size_t count_active(const json_t *backends)
{
	const json_t *backend;
	size_t count = 0;
	size_t index;

	json_array_foreach (backends, index, backend) {
		const char *state = json_string_value(json_object_get(backend, "state"));

		count += state && !strcmp(state, backend_state_name(BACKEND_ACTIVE));
	}
	return count;
}

static void cell_backends(struct table *table, const json_t *row, const char *key)
{
	const json_t *backends = object_find(row, key);

	table_addf(table, "%zu/%zu", count_active(backends), json_array_size(backends));
}

int print_service_added(const struct invocation *invocation, const json_t *result)
{
	size_t count = json_array_size(json_object_get(result, "backends"));
	char text[ENDPOINT_TEXT_MAX];

	(void)invocation;
	printf("added %s with %zu backend%s\n", service_text(result, text), count,
	       count == 1 ? "" : "s");
	return 0;
}

int print_service_changed(const struct invocation *invocation, const json_t *result)
{
	char text[ENDPOINT_TEXT_MAX];

	(void)invocation;
	printf("changed %s\n", service_text(result, text));
	return 0;
}

int print_service_removed(const struct invocation *invocation, const json_t *result)
{
	char text[ENDPOINT_TEXT_MAX];

	(void)invocation;
	printf("removed %s\n", service_text(result, text));
	return 0;
}

int print_services(const struct invocation *invocation, const json_t *result)
{
	static const struct field FIELDS[] = {
		{"SERVICE", NULL, cell_service, COLUMN_TEXT},
		{"NAME", "name", cell_value, COLUMN_TEXT},
		{"ALGORITHM", "algorithm", cell_value, COLUMN_TEXT},
		{"BACKENDS", "backends", cell_backends, COLUMN_NUMBER},
		{"SOURCE", "source", cell_value, COLUMN_TEXT},
		{0},
	};

	(void)invocation;
	return print_rows(json_object_get(result, "services"), FIELDS);
}

int print_service(const struct invocation *invocation, const json_t *result)
{
	static const struct field FIELDS[] = {
		{"service", NULL, cell_service, COLUMN_TEXT},
		{"name", "name", cell_value, COLUMN_TEXT},
		{"id", "id", cell_value, COLUMN_TEXT},
		{"source", "source", cell_value, COLUMN_TEXT},
		{"algorithm", "algorithm", cell_value, COLUMN_TEXT},
		{"affinity", "affinity_seconds", cell_duration, COLUMN_TEXT},
		{"source ranges", "source_ranges", cell_value, COLUMN_TEXT},
		{0},
	};
	static const struct field BACKEND_FIELDS[] = {
		{"BACKEND", NULL, cell_endpoint, COLUMN_TEXT},
		{"WEIGHT", "weight", cell_value, COLUMN_NUMBER},
		{"STATE", "state", cell_value, COLUMN_STATE},
		{"DEADLINE", "deadline", cell_value, COLUMN_TEXT},
		{0},
	};
	int error = print_block(result, FIELDS);

	(void)invocation;
	if (error)
		return error;
	putchar('\n');
	return print_rows(json_object_get(result, "backends"), BACKEND_FIELDS);
}
