/*
 * bench_tables: what lbd's tables cost without lbd around them. Reads a document of services and
 * prints, a line of JSON each, how long plan and maps take from the parsed state, how long one more
 * service takes, and one changed backend; no journal, no socket, no next hops.
 *
 *     bench_tables FILE PIN REPEATS          PIN: a directory on a bpffs, the caller removes it
 */
#include <arpa/inet.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "control/reconcile.h"
#include "control/tables.h"
#include "lb/datapath.h"

#define MAX_SERVICES 65536
#define MAX_BACKENDS 262144
#define MAX_CONNECTIONS 1048576
#define MAX_FRAGMENTS 8192
#define SMALL_CHANGES 501
#define FIRST_PORT 2000 /* of the services added: none of the document has it */

static double now_us(void)
{
	struct timespec time;

	clock_gettime(CLOCK_MONOTONIC, &time);
	return time.tv_sec * 1e6 + time.tv_nsec / 1e3;
}

static void die(const char *what, const struct refusal *refusal)
{
	fprintf(stderr, "bench_tables: %s: %s\n", what, refusal->text);
	exit(1);
}

static int compare(const void *a, const void *b)
{
	const double *x = a, *y = b;

	return (*x > *y) - (*x < *y);
}

static double median(double *values, size_t count)
{
	qsort(values, count, sizeof(*values), compare);
	return values[count / 2];
}

static struct datapath *open_datapath(const char *pin, int number)
{
	struct datapath_options options = {.max_services = MAX_SERVICES,
					   .max_backends = MAX_BACKENDS,
					   .max_connections = MAX_CONNECTIONS,
					   .max_affinity = 1024,
					   .max_masquerades = MAX_FRAGMENTS,
					   .max_fragments = MAX_FRAGMENTS,
					   .tcp_established_seconds = 21600,
					   .udp_seconds = 120};
	struct datapath *datapath;
	struct refusal refusal = {""};
	char path[256];
	bool adopted;

	snprintf(path, sizeof(path), "%s-%d", pin, number);
	options.pin_path = path;
	if (datapath_open(&options, &datapath, &adopted, &refusal))
		die("datapath", &refusal);
	return datapath;
}

static const struct destination_hooks HOOKS;

/* Prepares and applies; the time that took in µs. */
static double put(struct reconcile *reconcile, struct change *changes, size_t count)
{
	struct transaction *transaction;
	struct refusal refusal = {""};
	double start = now_us();

	if (reconcile_prepare(reconcile, SOURCE_OPERATOR, changes, count, &transaction, &refusal))
		die("prepare", &refusal);
	if (reconcile_apply(reconcile, transaction))
		die("apply", &refusal);
	return now_us() - start;
}

static double load(struct reconcile *reconcile, const json_t *document)
{
	struct refusal refusal = {""};
	struct tables tables = {0};
	struct change *changes;
	double spent;

	if (tables_decode(document, SOURCE_OPERATOR, &tables, &refusal))
		die("decode", &refusal);
	changes = calloc(tables.service_count, sizeof(*changes));
	if (!changes)
		abort();
	for (size_t i = 0; i < tables.service_count; i++) {
		changes[i] = (struct change){tables.services[i]->key, tables.services[i]};
		tables.services[i] = NULL;
	}
	spent = put(reconcile, changes, tables.service_count);
	free(changes);
	tables_finish(&tables);
	return spent;
}

/* The document's first service on another port, so a new one, with weights as told. */
static struct change make_change(const json_t *document, int port, int weight)
{
	json_t *value = json_deep_copy(json_array_get(json_object_get(document, "services"), 0));
	json_t *backend = json_array_get(json_object_get(value, "backends"), 0);
	struct refusal refusal = {""};
	struct service *service;

	json_object_set_new(value, "port", json_integer(port));
	json_object_del(value, "name");
	json_object_set_new(backend, "weight", json_integer(weight));
	if (tables_decode_service(value, "service", &service, &refusal))
		die("service", &refusal);
	json_decref(value);
	return (struct change){service->key, service};
}

static double change_small(struct reconcile *reconcile, const json_t *document, int weight)
{
	double spent[SMALL_CHANGES];

	for (int i = 0; i < SMALL_CHANGES; i++) {
		struct change change = make_change(document, FIRST_PORT + i, weight);

		spent[i] = put(reconcile, &change, 1);
		reconcile_settle(reconcile);
	}
	return median(spent, SMALL_CHANGES);
}

static void print_note(const char *key, double value)
{
	printf("{\"note\": \"%s\", \"value\": %.3f}\n", key, value);
}

static json_t *load_document(const char *path)
{
	struct refusal refusal = {""};
	json_t *document;
	double start = now_us();

	document = tables_load_file(path, &refusal);
	if (!document)
		die(path, &refusal);
	print_note("tables parse JSON ms", (now_us() - start) / 1e3);
	return document;
}

int main(int argc, char **argv)
{
	const int repeats = argc == 4 ? atoi(argv[3]) : 0;
	double *spent = calloc(repeats ? repeats : 1, sizeof(*spent));
	json_t *document;

	if (!repeats || !spent)
		return 2;
	document = load_document(argv[1]);
	for (int i = 0; i < repeats; i++) {
		struct datapath *datapath = open_datapath(argv[2], i);
		struct reconcile *reconcile = reconcile_new(datapath, &HOOKS);

		spent[i] = load(reconcile, document);
		if (i == 0) {
			print_note("tables service add us", change_small(reconcile, document, 1));
			print_note("tables backend change us",
				   change_small(reconcile, document, 2));
		}
		reconcile_free(reconcile);
		datapath_close(datapath);
	}
	print_note("tables load ms", median(spent, repeats) / 1e3);
	free(spent);
	json_decref(document);
	return 0;
}
