/*
 * Kubernetes' Services and EndpointSlices as tables: which become services, which endpoints their
 * backends. Each case is a list of one Service and what stands behind it.
 */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>
#include "control/tables.h"

#define COUNT(array) (sizeof(array) / sizeof((array)[0]))

#define METADATA "\"metadata\":{\"namespace\":\"default\",\"name\":\"web\"}"
#define SERVICE_OF(spec) "{\"kind\":\"Service\"," METADATA ",\"spec\":{" spec "}}"
#define CLUSTER_IP "\"clusterIP\":\"10.96.0.10\",\"clusterIPs\":[\"10.96.0.10\"]"
#define HTTP "\"ports\":[{\"name\":\"http\",\"port\":80,\"protocol\":\"TCP\"}]"
#define SLICE_OF(family, ports, endpoints)                                                         \
	"{\"kind\":\"EndpointSlice\",\"addressType\":\"" family "\",\"metadata\":{\"namespace\":"  \
	"\"default\",\"labels\":{\"kubernetes.io/service-name\":\"web\"}},\"ports\":[" ports       \
	"],\"endpoints\":[" endpoints "]}"
#define HTTP_8080 "{\"name\":\"http\",\"port\":8080,\"protocol\":\"TCP\"}"
#define READY(address) "{\"addresses\":[\"" address "\"],\"conditions\":{\"ready\":true}}"
#define UNREADY(address) "{\"addresses\":[\"" address "\"],\"conditions\":{\"ready\":false}}"
#define GOING(address)                                                                             \
	"{\"addresses\":[\"" address "\"],\"conditions\":{\"ready\":false,\"serving\":true,"       \
	"\"terminating\":true}}"
#define GONE(address)                                                                              \
	"{\"addresses\":[\"" address "\"],\"conditions\":{\"ready\":false,\"serving\":false,"      \
	"\"terminating\":true}}"

static int convert(const char *items, struct tables *tables, struct refusal *refusal)
{
	char text[4096];
	json_t *document;
	int error;

	snprintf(text, sizeof(text), "{\"kind\":\"List\",\"items\":[%s]}", items);
	document = tables_load_text(text, strlen(text), refusal);
	assert_non_null(document);
	error = tables_decode(document, SOURCE_KUBERNETES, tables, refusal);
	json_decref(document);
	return error;
}

/* One word a service: `10.96.0.10:80/tcp=10.1.0.5:8080,10.1.0.6:8080(draining)`. */
static void describe(const struct tables *tables, char *text, size_t size)
{
	size_t used = 0;

	text[0] = '\0';
	for (size_t i = 0; i < tables->service_count; i++) {
		const struct service *service = tables->services[i];
		char word[ENDPOINT_TEXT_MAX];

		used += snprintf(text + used, size - used, "%s%s=", i ? " " : "",
				 service_key_format(&service->key, word));
		for (size_t j = 0; j < service->backend_count; j++) {
			const struct backend *backend = &service->backends[j];

			used += snprintf(text + used, size - used, "%s%s%s", j ? "," : "",
					 endpoint_format(&backend->address, backend->port, word),
					 backend->state == BACKEND_ACTIVE ? "" : "(draining)");
		}
	}
}

struct row {
	const char *items, *outcome;
};

static void check_converted(const struct row *rows, size_t count)
{
	for (size_t i = 0; i < count; i++) {
		struct tables tables = {0};
		struct refusal refusal = {{0}};
		char text[1024];

		if (convert(rows[i].items, &tables, &refusal))
			fail_msg("%s", refusal.text);
		describe(&tables, text, sizeof(text));
		tables_finish(&tables);
		assert_string_equal(text, rows[i].outcome);
	}
}

static void each_cluster_address_and_port_becomes_a_service(void **state)
{
	static const struct row ROWS[] = {
		{SERVICE_OF(CLUSTER_IP "," HTTP), "10.96.0.10:80/tcp="},
		{SERVICE_OF("\"clusterIP\":\"10.96.0.10\"," HTTP), "10.96.0.10:80/tcp="},
		{SERVICE_OF("\"clusterIPs\":[\"10.96.0.10\",\"fd00::10\"]," HTTP),
		 "10.96.0.10:80/tcp= [fd00::10]:80/tcp="},
		{SERVICE_OF(CLUSTER_IP
			    ",\"ports\":[{\"port\":53,\"protocol\":\"UDP\"},{\"port\":53}]"),
		 "10.96.0.10:53/udp= 10.96.0.10:53/tcp="},
		{SERVICE_OF("\"type\":\"LoadBalancer\"," CLUSTER_IP "," HTTP),
		 "10.96.0.10:80/tcp="},
		{"", ""},
	};

	(void)state;
	check_converted(ROWS, COUNT(ROWS));
}

static void what_is_not_ours_is_left_out(void **state)
{
	static const struct row ROWS[] = {
		{SERVICE_OF("\"clusterIP\":\"None\",\"clusterIPs\":[\"None\"]," HTTP), ""},
		{SERVICE_OF("\"clusterIP\":\"\"," HTTP), ""},
		{SERVICE_OF(HTTP), ""},
		{SERVICE_OF("\"type\":\"ExternalName\",\"externalName\":\"example.com\""), ""},
		{SERVICE_OF("\"type\":\"ExternalName\"," CLUSTER_IP "," HTTP), ""},
		{SERVICE_OF(CLUSTER_IP ",\"ports\":[{\"port\":9,\"protocol\":\"SCTP\"}]"), ""},
		{"{\"kind\":\"Service\",\"metadata\":{\"name\":\"web\",\"labels\":"
		 "{\"service.kubernetes.io/service-proxy-name\":\"\"}},\"spec\":{" CLUSTER_IP
		 "," HTTP "}}",
		 ""},
		{"{\"kind\":\"Service\",\"metadata\":{\"name\":\"web\",\"labels\":"
		 "{\"service.kubernetes.io/headless\":\"\"}},\"spec\":{" CLUSTER_IP "," HTTP "}}",
		 ""},
	};

	(void)state;
	check_converted(ROWS, COUNT(ROWS));
}

#define WEB SERVICE_OF(CLUSTER_IP "," HTTP) ","

static void endpoints_that_serve_become_backends(void **state)
{
	static const struct row ROWS[] = {
		{WEB SLICE_OF("IPv4", HTTP_8080, READY("10.1.0.5") "," READY("10.1.0.6")),
		 "10.96.0.10:80/tcp=10.1.0.5:8080,10.1.0.6:8080"},
		{WEB SLICE_OF("IPv4", HTTP_8080, "{\"addresses\":[\"10.1.0.5\",\"10.1.0.6\"]}"),
		 "10.96.0.10:80/tcp=10.1.0.5:8080"},
		{WEB SLICE_OF("IPv4", HTTP_8080,
			      "{\"addresses\":[\"10.1.0.5\"],\"conditions\":{\"ready\":null}}"),
		 "10.96.0.10:80/tcp=10.1.0.5:8080"},
		{WEB SLICE_OF("IPv4", HTTP_8080, UNREADY("10.1.0.5") "," GONE("10.1.0.6")),
		 "10.96.0.10:80/tcp="},
		{WEB SLICE_OF("IPv4", HTTP_8080, READY("10.1.0.5") "," GOING("10.1.0.6")),
		 "10.96.0.10:80/tcp=10.1.0.5:8080,10.1.0.6:8080(draining)"},
		{WEB SLICE_OF("IPv4", HTTP_8080, GOING("10.1.0.5") "," UNREADY("10.1.0.6")),
		 "10.96.0.10:80/tcp=10.1.0.5:8080"},
		{WEB
		 "{\"kind\":\"EndpointSlice\",\"addressType\":\"IPv4\",\"metadata\":{\"namespace\":"
		 "\"default\",\"labels\":{\"kubernetes.io/service-name\":\"web\"}},\"ports\":null,"
		 "\"endpoints\":null}",
		 "10.96.0.10:80/tcp="},
	};

	(void)state;
	check_converted(ROWS, COUNT(ROWS));
}

static void slices_of_a_service_are_merged(void **state)
{
	static const struct row ROWS[] = {
		{SLICE_OF("IPv4", HTTP_8080, READY("10.1.0.5")) "," WEB SLICE_OF(
			 "IPv4", HTTP_8080, READY("10.1.0.6") "," READY("10.1.0.5")),
		 "10.96.0.10:80/tcp=10.1.0.5:8080,10.1.0.6:8080"},
		{WEB SLICE_OF("IPv4", HTTP_8080, GOING("10.1.0.5")) "," SLICE_OF("IPv4", HTTP_8080,
										 READY("10.1.0.5")),
		 "10.96.0.10:80/tcp=10.1.0.5:8080"},
	};

	(void)state;
	check_converted(ROWS, COUNT(ROWS));
}

static void ports_are_joined_by_name_protocol_and_family(void **state)
{
	static const struct row ROWS[] = {
		{WEB SLICE_OF("IPv6", HTTP_8080, READY("fd00:1::5")), "10.96.0.10:80/tcp="},
		{WEB SLICE_OF("FQDN", HTTP_8080, READY("web.example.com")), "10.96.0.10:80/tcp="},
		{WEB SLICE_OF("IPv4", "{\"name\":\"http\",\"port\":8080,\"protocol\":\"UDP\"}",
			      READY("10.1.0.5")),
		 "10.96.0.10:80/tcp="},
		{WEB SLICE_OF("IPv4", "{\"name\":\"other\",\"port\":80}", READY("10.1.0.5")),
		 "10.96.0.10:80/tcp="},
		{WEB SLICE_OF("IPv4", "{\"name\":\"http\",\"port\":null}", READY("10.1.0.5")),
		 "10.96.0.10:80/tcp="},
		{WEB SLICE_OF("IPv4", "{\"name\":\"http\",\"port\":0}", READY("10.1.0.5")),
		 "10.96.0.10:80/tcp="},
		{SERVICE_OF(CLUSTER_IP ",\"ports\":[{\"port\":80}]") "," SLICE_OF(
			 "IPv4", "{\"name\":\"\",\"port\":8080}", READY("10.1.0.5")),
		 "10.96.0.10:80/tcp=10.1.0.5:8080"},
		{SERVICE_OF("\"clusterIPs\":[\"fd00::10\",\"10.96.0.10\"]," HTTP) "," SLICE_OF(
			 "IPv6", HTTP_8080, READY("fd00:1::5")) "," SLICE_OF("IPv4", HTTP_8080,
									     READY("10.1.0.5")),
		 "[fd00::10]:80/tcp=[fd00:1::5]:8080 10.96.0.10:80/tcp=10.1.0.5:8080"},
	};

	(void)state;
	check_converted(ROWS, COUNT(ROWS));
}

static void slices_of_other_services_are_not_touched(void **state)
{
	static const struct row ROWS[] = {
		{WEB
		 "{\"kind\":\"EndpointSlice\",\"addressType\":\"IPv4\",\"metadata\":{\"namespace\":"
		 "\"other\",\"labels\":{\"kubernetes.io/service-name\":\"web\"}},"
		 "\"ports\":[" HTTP_8080 "],\"endpoints\":[" READY("10.1.0.5") "]}",
		 "10.96.0.10:80/tcp="},
		{WEB
		 "{\"kind\":\"EndpointSlice\",\"addressType\":\"IPv4\",\"metadata\":{\"namespace\":"
		 "\"default\"},\"ports\":[" HTTP_8080 "],\"endpoints\":[" READY("10.1.0.5") "]}",
		 "10.96.0.10:80/tcp="},
	};

	(void)state;
	check_converted(ROWS, COUNT(ROWS));
}

static void affinity_name_and_source_are_kept(void **state)
{
	static const struct {
		const char *spec;
		__u32 seconds;
	} ROWS[] = {
		{SERVICE_OF(CLUSTER_IP "," HTTP ",\"sessionAffinity\":\"None\""), 0},
		{SERVICE_OF(CLUSTER_IP "," HTTP ",\"sessionAffinity\":\"ClientIP\""), 10800},
		{SERVICE_OF(CLUSTER_IP
			    "," HTTP ",\"sessionAffinity\":\"ClientIP\","
			    "\"sessionAffinityConfig\":{\"clientIP\":{\"timeoutSeconds\":60}}"),
		 60},
	};

	(void)state;
	for (size_t i = 0; i < COUNT(ROWS); i++) {
		struct tables tables = {0};
		struct refusal refusal;

		assert_int_equal(convert(ROWS[i].spec, &tables, &refusal), 0);
		assert_int_equal(tables.services[0]->affinity_seconds, ROWS[i].seconds);
		assert_int_equal(tables.services[0]->algorithm, ALGORITHM_MAGLEV);
		assert_string_equal(tables.services[0]->name, "default/web");
		assert_int_equal(tables.services[0]->source, SOURCE_KUBERNETES);
		tables_finish(&tables);
	}
}

static void a_wrong_list_is_refused_by_path_and_changes_nothing(void **state)
{
	static const struct row ROWS[] = {
		{"5", "items[0].kind: is required"},
		{"{\"kind\":\"Pod\"}", "items[0].kind: \"Pod\" is not Service or EndpointSlice"},
		{"{\"kind\":\"EndpointSlice\",\"apiVersion\":\"discovery.k8s.io/v1beta1\"}",
		 "items[0].apiVersion: an EndpointSlice must be of discovery.k8s.io/v1"},
		{SERVICE_OF("\"clusterIP\":\"10.96\"," HTTP),
		 "items[0].spec.clusterIP: \"10.96\" is not an IPv4 or IPv6 address"},
		{SERVICE_OF(CLUSTER_IP ",\"ports\":[{\"port\":70000}]"),
		 "items[0].spec.ports[0].port: 70000 is not 1–65535"},
		{SERVICE_OF(CLUSTER_IP ",\"ports\":{}"),
		 "items[0].spec.ports: an object is not a list"},
		{WEB SLICE_OF("IPv4", HTTP_8080, READY("10.1.0")),
		 "items[1].endpoints[0].addresses[0]: \"10.1.0\" is not an IPv4 or IPv6 address"},
		{WEB SLICE_OF("IPv4", HTTP_8080, READY("fd00:1::5")),
		 "items[1].endpoints[0].addresses[0]: [fd00:1::5]:8080 is IPv6, but the service's "
		 "address 10.96.0.10 is IPv4"},
		{WEB "{\"kind\":\"Service\",\"metadata\":{\"name\":\"copy\"},\"spec\":{" CLUSTER_IP
		     "," HTTP "}}",
		 "items: 10.96.0.10:80/tcp of default/copy is already that of default/web"},
		{SERVICE_OF(CLUSTER_IP
			    "," HTTP ",\"sessionAffinity\":\"ClientIP\","
			    "\"sessionAffinityConfig\":{\"clientIP\":{\"timeoutSeconds\":0}}"),
		 "items[0].spec.sessionAffinityConfig.clientIP.timeoutSeconds: 0 is not 1–86400"},
	};

	(void)state;
	for (size_t i = 0; i < COUNT(ROWS); i++) {
		struct tables tables = {.service_count = 7};
		struct refusal refusal = {{0}};

		assert_true(convert(ROWS[i].items, &tables, &refusal) < 0);
		assert_string_equal(refusal.text, ROWS[i].outcome);
		assert_int_equal(tables.service_count, 7);
		assert_null(tables.services);
	}
}

static void another_kind_of_document_is_refused(void **state)
{
	struct tables tables = {0};
	struct refusal refusal = {{0}};
	json_t *document = json_pack("{s:s}", "kind", "Service");

	(void)state;
	assert_int_equal(tables_decode(document, SOURCE_FILE, &tables, &refusal), -EINVAL);
	assert_string_equal(refusal.text, "kind: \"Service\" is not List, as `kubectl get "
					  "services,endpointslices -A -o json` prints");
	json_decref(document);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(each_cluster_address_and_port_becomes_a_service),
		cmocka_unit_test(what_is_not_ours_is_left_out),
		cmocka_unit_test(endpoints_that_serve_become_backends),
		cmocka_unit_test(slices_of_a_service_are_merged),
		cmocka_unit_test(ports_are_joined_by_name_protocol_and_family),
		cmocka_unit_test(slices_of_other_services_are_not_touched),
		cmocka_unit_test(affinity_name_and_source_are_kept),
		cmocka_unit_test(a_wrong_list_is_refused_by_path_and_changes_nothing),
		cmocka_unit_test(another_kind_of_document_is_refused),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
