/*
 * Kubernetes' objects as they are decoded: defaults, what is left out, what is told. Quotes are
 * single in the objects here.
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include "control/kube/objects.h"
#include "test/unit/kube_json.h"

#define COUNT(array) (sizeof(array) / sizeof((array)[0]))
#define NODE "node-1"
#define META "'metadata':{'namespace':'shop','name':'web'}"
#define SLICE_META                                                                                 \
	"'metadata':{'namespace':'shop','name':'web-x','labels':{"                                 \
	"'kubernetes.io/service-name':'web'}}"
#define SERVICE(spec) "{" META ",'spec':{'clusterIP':'10.96.0.10'," spec "}}"
#define SLICE(rest) "{" SLICE_META ",'addressType':'IPv4'," rest "}"
#define ENDPOINT(rest) SLICE("'endpoints':[{'addresses':['10.1.0.5']" rest "}]")

static struct refusal refusal;

static struct kube_service *service_of(const char *text)
{
	json_t *object = parse(text);
	struct kube_service *service = NULL;

	if (kube_service_decode(object, &service, &refusal))
		fail_msg("%s: %s", text, refusal.text);
	json_decref(object);
	return service;
}

static struct kube_slice *slice_of(const char *text)
{
	json_t *object = parse(text);
	struct kube_slice *slice = NULL;

	if (kube_slice_decode(object, NODE, &slice, &refusal))
		fail_msg("%s: %s", text, refusal.text);
	json_decref(object);
	return slice;
}

static struct kube_node *node_of(const char *text)
{
	json_t *object = parse(text);
	struct kube_node *node = NULL;

	if (kube_node_decode(object, &node, &refusal))
		fail_msg("%s: %s", text, refusal.text);
	json_decref(object);
	return node;
}

static void a_service_has_what_the_rules_ask_for(void **state)
{
	struct kube_service *service = service_of(
		"{'metadata':{'namespace':'shop','name':'web','creationTimestamp':"
		"'1970-01-01T00:00:02Z'},'spec':{'type':'LoadBalancer','clusterIP':'10.96.0.10',"
		"'clusterIPs':['10.96.0.10','fd00::10'],'externalIPs':['192.0.2.1'],"
		"'loadBalancerSourceRanges':[' 10.0.0.0/8 ','10.1.2.3/24'],"
		"'externalTrafficPolicy':'Local','internalTrafficPolicy':'Local',"
		"'healthCheckNodePort':31000,'sessionAffinity':'ClientIP',"
		"'sessionAffinityConfig':{'clientIP':{'timeoutSeconds':60}},"
		"'ports':[{'name':'http','port':80,'nodePort':30080},"
		"{'name':'dns','port':53,'protocol':'UDP'},{'port':9,'protocol':'NEW'}]},"
		"'status':{'loadBalancer':{'ingress':[{'ip':'203.0.113.1'},"
		"{'ip':'203.0.113.2','ipMode':'Proxy'},{'ip':'203.0.113.3','ipMode':'VIP'},"
		"{'hostname':'lb.example.com'}]}}}");

	(void)state;
	assert_string_equal(service->name, "shop/web");
	assert_int_equal(service->created_ms, 2000);
	assert_int_equal(service->cluster_count, 2);
	assert_int_equal(service->external_count, 1);
	assert_int_equal(service->ingress_count, 2);
	assert_int_equal(service->range_count, 2);
	assert_int_equal(service->source_ranges[1].length, 96 + 24);
	assert_int_equal(service->health_port, 31000);
	assert_int_equal(service->affinity_seconds, 60);
	assert_true(service->is_local && service->external_local && !service->is_skipped);
	assert_int_equal(service->port_count, 2);
	assert_string_equal(service->ports[0].name, "http");
	assert_int_equal(service->ports[0].node_port, 30080);
	assert_int_equal(service->ports[1].protocol, 17);
	kube_service_free(service);
}

static void what_a_service_does_not_say_has_a_default(void **state)
{
	struct kube_service *service =
		service_of(SERVICE("'ports':[{'port':80,'name':null}],'sessionAffinity':'ClientIP',"
				   "'externalIPs':null,'future':{'field':[1]}"));

	(void)state;
	assert_null(service->ports[0].name);
	assert_int_equal(service->ports[0].protocol, 6);
	assert_int_equal(service->affinity_seconds, 10800);
	assert_int_equal(service->cluster_count, 1);
	assert_false(service->is_local || service->external_local);
	assert_int_equal(service->health_port, 0);
	kube_service_free(service);
}

static void services_that_are_not_for_us_are_skipped(void **state)
{
	static const char *const OBJECTS[] = {
		"{" META ",'spec':{'clusterIP':'None','clusterIPs':['None']}}",
		"{" META ",'spec':{'clusterIP':''}}",
		"{" META ",'spec':{}}",
		"{" META "}",
		SERVICE("'type':'ExternalName','externalName':'example.com'"),
		"{'metadata':{'name':'web','labels':{'service.kubernetes.io/headless':''}},"
		"'spec':{'clusterIP':'10.96.0.10'}}",
		"{'metadata':{'name':'web','labels':{'service.kubernetes.io/service-proxy-name':"
		"'other'}},'spec':{'clusterIP':'10.96.0.10'}}",
	};

	(void)state;
	for (size_t i = 0; i < COUNT(OBJECTS); i++) {
		struct kube_service *service = service_of(OBJECTS[i]);

		assert_true(service->is_skipped);
		kube_service_free(service);
	}
}

static void leading_zeros_are_decimal(void **state)
{
	struct kube_service *service =
		service_of("{" META ",'spec':{'clusterIP':'010.096.000.011','externalIPs':"
			   "['10.00.0.1'],'loadBalancerSourceRanges':['010.0.0.0/08']}}");
	char text[ADDRESS_TEXT_MAX], prefix[ENDPOINT_TEXT_MAX];

	(void)state;
	assert_string_equal(address_format(&service->addresses[0], text), "10.96.0.11");
	assert_string_equal(address_format(&service->addresses[1], text), "10.0.0.1");
	assert_string_equal(prefix_format(&service->source_ranges[0], prefix), "10.0.0.0/8");
	kube_service_free(service);
}

static void services_of_wrong_types_are_told(void **state)
{
	static const struct {
		const char *object, *reason;
	} ROWS[] = {
		{"{'metadata':{},'spec':{}}", "it has no name"},
		{"{'metadata':{'name':5}}", "name is not a text"},
		{"{'metadata':[]}", "metadata is not an object"},
		{"{" META ",'spec':'x'}", "spec is not an object"},
		{SERVICE("'ports':{}"), "ports is not a list"},
		{SERVICE("'ports':[{}]"), "ports[0].port is missing"},
		{SERVICE("'ports':[80]"), "element 0 of a list is not an object"},
		{SERVICE("'ports':[{'port':'80'}]"), "port is not a number of 0–65535"},
		{SERVICE("'ports':[{'port':80,'nodePort':70000}]"),
		 "nodePort is not a number of 0–65535"},
		{SERVICE("'ports':[{'port':-1}]"), "port is not a number of 0–65535"},
		{SERVICE("'externalIPs':[7]"), "element 0 of a list is not a text"},
		{SERVICE("'externalIPs':['10.0.0']"), "\"10.0.0\" is not an address"},
		{SERVICE("'clusterIPs':['10.0.0.256']"), "\"10.0.0.256\" is not an address"},
		{SERVICE("'clusterIPs':['1.2.3.4.']"), "\"1.2.3.4.\" is not an address"},
		{SERVICE("'loadBalancerSourceRanges':['10.0.0.0']"),
		 "\"10.0.0.0\" is not a prefix"},
		{SERVICE("'loadBalancerSourceRanges':['10.0.0.0/33']"),
		 "\"10.0.0.0/33\" is not a prefix"},
		{SERVICE("'sessionAffinity':true"), "sessionAffinity is not a text"},
		{SERVICE("'sessionAffinity':'ClientIP','sessionAffinityConfig':{'clientIP':"
			 "{'timeoutSeconds':86401}}"),
		 "timeoutSeconds is not a number of 0–86400"},
	};

	(void)state;
	for (size_t i = 0; i < COUNT(ROWS); i++) {
		struct kube_service *service = NULL;
		json_t *object = parse(ROWS[i].object);

		assert_int_equal(kube_service_decode(object, &service, &refusal), -EINVAL);
		assert_string_equal(refusal.text, ROWS[i].reason);
		assert_null(service);
		json_decref(object);
	}
}

static void conditions_have_defaults(void **state)
{
	static const struct {
		const char *object;
		__u8 flags;
	} ROWS[] = {
		{ENDPOINT(""), KUBE_READY | KUBE_SERVING},
		{ENDPOINT(",'conditions':{}"), KUBE_READY | KUBE_SERVING},
		{ENDPOINT(",'conditions':{'ready':null,'serving':null,'terminating':null}"),
		 KUBE_READY | KUBE_SERVING},
		{ENDPOINT(",'conditions':{'ready':false}"), KUBE_SERVING},
		{ENDPOINT(",'conditions':{'ready':false,'serving':true,'terminating':true}"),
		 KUBE_SERVING | KUBE_TERMINATING},
		{ENDPOINT(",'conditions':{'ready':false,'serving':false,'terminating':true}"),
		 KUBE_TERMINATING},
		{ENDPOINT(",'nodeName':'" NODE "'"), KUBE_READY | KUBE_SERVING | KUBE_LOCAL},
		{ENDPOINT(",'nodeName':'node-2'"), KUBE_READY | KUBE_SERVING},
		{ENDPOINT(",'hints':{'forNodes':[{'name':'node-2'}]}"),
		 KUBE_READY | KUBE_SERVING | KUBE_NODE_HINTS},
		{ENDPOINT(",'hints':{'forNodes':[{'name':'node-2'},{'name':'" NODE "'}]}"),
		 KUBE_READY | KUBE_SERVING | KUBE_NODE_HINTS | KUBE_NODE_OURS},
	};

	(void)state;
	for (size_t i = 0; i < COUNT(ROWS); i++) {
		struct kube_slice *slice = slice_of(ROWS[i].object);

		assert_int_equal(slice->endpoint_count, 1);
		assert_int_equal(slice->endpoints[0].flags, ROWS[i].flags);
		kube_slice_free(slice);
	}
}

static void a_slice_has_what_the_rules_ask_for(void **state)
{
	struct kube_slice *slice = slice_of(
		"{'metadata':{'namespace':'shop','name':'web-x','labels':"
		"{'kubernetes.io/service-name':'web'},'annotations':"
		"{'endpoints.kubernetes.io/last-change-trigger-time':'1970-01-01T00:00:01.5Z'}},"
		"'addressType':'IPv4','ports':[{'name':'http','port':8080},{'name':'','port':53,"
		"'protocol':'UDP'},{'port':1},{'name':'any'},{'name':'none','port':0}],"
		"'endpoints':[{'addresses':['10.1.0.5','10.1.0.6'],'hints':{'forZones':"
		"[{'name':'a'},{'name':'b'}]}},{'addresses':['10.1.0.7'],'hints':{'forZones':"
		"[{'name':'a'},{'name':'b'}]}},{'addresses':['fd00::1']},{'addresses':[]}]}");

	(void)state;
	assert_string_equal(slice->name, "shop/web-x");
	assert_string_equal(slice->service, "shop/web");
	assert_int_equal(slice->triggered_ms, 1500);
	assert_int_equal(slice->port_count, 2);
	assert_string_equal(slice->ports[0].name, "http");
	assert_null(slice->ports[1].name);
	assert_int_equal(slice->endpoint_count, 2);
	assert_int_equal(slice->zone_count, 1);
	assert_string_equal(slice->zones[0], "a\nb");
	assert_int_equal(slice->endpoints[1].zones, 1);
	kube_slice_free(slice);
}

static void slices_of_nobody_and_of_names_are_empty(void **state)
{
	static const char *const OBJECTS[] = {
		"{'metadata':{'name':'x'},'addressType':'IPv4','endpoints':[{'addresses':"
		"['10.1.0.5']}]}",
		"{" SLICE_META ",'addressType':'FQDN','endpoints':[{'addresses':['a.example']}]}",
		"{" SLICE_META ",'addressType':'IPv4','endpoints':null,'ports':null}",
	};

	(void)state;
	for (size_t i = 0; i < COUNT(OBJECTS); i++) {
		struct kube_slice *slice = slice_of(OBJECTS[i]);

		assert_int_equal(slice->endpoint_count, 0);
		kube_slice_free(slice);
	}
}

static void slices_of_wrong_types_are_told(void **state)
{
	static const char *const OBJECTS[] = {
		"{'metadata':{'labels':{}}}",
		SLICE("'endpoints':{}"),
		SLICE("'endpoints':[5]"),
		SLICE("'ports':['http']"),
		SLICE("'endpoints':[{'addresses':'10.1.0.5'}]"),
		SLICE("'endpoints':[{'addresses':[10]}]"),
		SLICE("'endpoints':[{'addresses':['ten']}]"),
		SLICE("'ports':[{'name':'http','port':65536}]"),
		SLICE("'ports':[{'name':7,'port':1}]"),
		ENDPOINT(",'conditions':{'ready':'yes'}"),
		ENDPOINT(",'hints':[]"),
	};

	(void)state;
	for (size_t i = 0; i < COUNT(OBJECTS); i++) {
		struct kube_slice *slice = NULL;
		json_t *object = parse(OBJECTS[i]);

		assert_int_equal(kube_slice_decode(object, NODE, &slice, &refusal), -EINVAL);
		assert_null(slice);
		json_decref(object);
	}
}

static void a_node_has_a_zone_and_ranges(void **state)
{
	struct kube_node *node = node_of(
		"{'metadata':{'name':'node-1','labels':{'topology.kubernetes.io/zone':'a'}},"
		"'spec':{'podCIDR':'10.244.1.0/24','podCIDRs':['10.244.1.0/24','fd00:1::/64'],"
		"'taints':[{'key':'other'}]},'status':{'addresses':[{'type':'InternalIP',"
		"'address':'none of ours'}]}}");

	(void)state;
	assert_string_equal(node->zone, "a");
	assert_int_equal(node->range_count, 2);
	assert_false(node->is_leaving);
	kube_node_free(node);
	node = node_of("{'metadata':{'name':'node-1'},'spec':{'podCIDR':'10.244.1.0/24',"
		       "'taints':[{'key':'ToBeDeletedByClusterAutoscaler'}]}}");
	assert_null(node->zone);
	assert_int_equal(node->range_count, 1);
	assert_true(node->is_leaving);
	kube_node_free(node);
	node = node_of("{'metadata':{'deletionTimestamp':'2026-01-01T00:00:00Z'}}");
	assert_true(node->is_leaving);
	kube_node_free(node);
}

static void objects_are_equal_to_themselves_alone(void **state)
{
	static const char *const SERVICES[] = {
		SERVICE("'ports':[{'port':80}]"),
		SERVICE("'ports':[{'port':81}]"),
		SERVICE("'ports':[{'port':80,'name':'http'}]"),
		SERVICE("'ports':[{'port':80}],'internalTrafficPolicy':'Local'"),
		SERVICE("'ports':[{'port':80}],'externalIPs':['192.0.2.1']"),
		SERVICE("'ports':[{'port':80}],'loadBalancerSourceRanges':['10.0.0.0/8']"),
	};
	static const char *const SLICES[] = {
		ENDPOINT(""),
		ENDPOINT(",'nodeName':'" NODE "'"),
		ENDPOINT(",'hints':{'forZones':[{'name':'a'}]}"),
		ENDPOINT(",'hints':{'forZones':[{'name':'b'}]}"),
		SLICE("'ports':[{'name':'','port':80}]"),
		"{" SLICE_META ",'addressType':'IPv6'}",
	};

	(void)state;
	for (size_t i = 0; i < COUNT(SERVICES); i++)
		for (size_t j = 0; j < COUNT(SERVICES); j++) {
			struct kube_service *a = service_of(SERVICES[i]);
			struct kube_service *b = service_of(SERVICES[j]);

			assert_int_equal(kube_service_equal(a, b), i == j);
			kube_service_free(a);
			kube_service_free(b);
		}
	for (size_t i = 0; i < COUNT(SLICES); i++)
		for (size_t j = 0; j < COUNT(SLICES); j++) {
			struct kube_slice *a = slice_of(SLICES[i]), *b = slice_of(SLICES[j]);

			assert_int_equal(kube_slice_equal(a, b), i == j);
			kube_slice_free(a);
			kube_slice_free(b);
		}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_service_has_what_the_rules_ask_for),
		cmocka_unit_test(what_a_service_does_not_say_has_a_default),
		cmocka_unit_test(services_that_are_not_for_us_are_skipped),
		cmocka_unit_test(leading_zeros_are_decimal),
		cmocka_unit_test(services_of_wrong_types_are_told),
		cmocka_unit_test(conditions_have_defaults),
		cmocka_unit_test(a_slice_has_what_the_rules_ask_for),
		cmocka_unit_test(slices_of_nobody_and_of_names_are_empty),
		cmocka_unit_test(slices_of_wrong_types_are_told),
		cmocka_unit_test(a_node_has_a_zone_and_ranges),
		cmocka_unit_test(objects_are_equal_to_themselves_alone),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
