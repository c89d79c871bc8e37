/*
 * Services of Kubernetes to services of ours. What comes out is a line for each:
 *
 *     KEY [strangers|others] [inside] [drops] [affinity=SECONDS] [from=RANGE…] = BACKEND…
 *
 * with `~` behind a backend that drains and `@` behind one on another node. Quotes are single in
 * the objects here.
 */
#include <arpa/inet.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include "control/kube/translate.h"
#include "test/unit/kube_json.h"

#define COUNT(array) (sizeof(array) / sizeof((array)[0]))
#define NODE "node-1"
#define SERVICE(spec) SERVICE_WITH(spec, "")
#define SERVICE_WITH(spec, ingress)                                                                \
	"{'metadata':{'namespace':'shop','name':'web'},'spec':{" spec "},'status':{"               \
	"'loadBalancer':{'ingress':[" ingress "]}}}"
#define IP "'clusterIP':'10.96.0.10',"
#define HTTP "'ports':[{'name':'http','port':80}]"
#define NODE_HTTP "'type':'NodePort','ports':[{'name':'http','port':80,'nodePort':30080}]"
#define BOTH_LOCAL                                                                                 \
	SERVICE(IP "'externalTrafficPolicy':'Local','internalTrafficPolicy':'Local'," NODE_HTTP)
#define SLICE(family, port, endpoints)                                                             \
	"{'metadata':{'namespace':'shop','name':'web-x','labels':{'kubernetes.io/service-name':"   \
	"'web'}},'addressType':'" family "','ports':[" port "],'endpoints':[" endpoints "]}"
#define P8080 "{'name':'http','port':8080}"
#define HERE(address) "{'addresses':['" address "'],'nodeName':'" NODE "'}"
#define AWAY(address) "{'addresses':['" address "'],'nodeName':'node-2'}"
#define ENDING(address)                                                                            \
	"{'addresses':['" address "'],'nodeName':'" NODE "','conditions':{'ready':false,"          \
	"'serving':true,'terminating':true}}"
#define UNREADY(address)                                                                           \
	"{'addresses':['" address "'],'nodeName':'" NODE "','conditions':{'ready':false,"          \
	"'serving':false}}"
#define BOTH SLICE("IPv4", P8080, HERE("10.1.0.5") "," AWAY("10.1.0.6"))
#define FAR SLICE("IPv4", P8080, AWAY("10.1.0.6"))
#define NONE SLICE("IPv4", P8080, "")

static struct address node_addresses[2];
static struct prefix external_ranges[1];
static struct kube_rules rules;

static int set_rules(void **state)
{
	struct refusal refusal;

	(void)state;
	assert_int_equal(address_parse("192.0.2.7", &node_addresses[0]), 0);
	assert_int_equal(address_parse("2001:db8::7", &node_addresses[1]), 0);
	assert_int_equal(prefix_parse("198.51.100.0/24", &external_ranges[0], &refusal), 0);
	rules = (struct kube_rules){
		.node_addresses = node_addresses,
		.node_address_count = 2,
		.external_ranges = external_ranges,
		.external_range_count = 1,
		.knows_cluster = true,
	};
	return 0;
}

struct text {
	char bytes[4096];
	size_t used;
};

static void say(struct text *text, const char *format, ...) __attribute__((format(printf, 2, 3)));
static void say(struct text *text, const char *format, ...)
{
	va_list arguments;

	va_start(arguments, format);
	text->used += (size_t)vsnprintf(text->bytes + text->used, sizeof(text->bytes) - text->used,
					format, arguments);
	va_end(arguments);
}

static void describe(const struct service *service, struct text *text)
{
	char word[ENDPOINT_TEXT_MAX];

	assert_int_equal(service->source, SOURCE_KUBERNETES);
	assert_string_equal(service->name, "shop/web");
	say(text, "%s%s", text->used ? "\n" : "", service_key_format(&service->key, word));
	if (service->masquerade != MASQUERADE_NONE)
		say(text, " %s", masquerade_name(service->masquerade));
	say(text, "%s%s", service->has_inside ? " inside" : "",
	    service->drops_unserved ? " drops" : "");
	if (service->affinity_seconds)
		say(text, " affinity=%u", service->affinity_seconds);
	for (size_t i = 0; i < service->source_range_count; i++)
		say(text, " from=%s", prefix_format(&service->source_ranges[i], word));
	say(text, " =");
	for (size_t i = 0; i < service->backend_count; i++) {
		const struct backend *backend = &service->backends[i];

		say(text, " %s%s%s", endpoint_format(&backend->address, backend->port, word),
		    backend->state == BACKEND_DRAINING ? "~" : "", backend->is_remote ? "@" : "");
	}
}

static void translate(const char *service_text, const char *slice_text,
		      struct kube_translation *translation)
{
	json_t *service_object = parse(service_text), *slice_object = parse(slice_text);
	struct kube_service *service = NULL;
	struct kube_slice *slice = NULL;
	const struct kube_slice *slices[1];
	struct refusal refusal;

	if (kube_service_decode(service_object, &service, &refusal) ||
	    kube_slice_decode(slice_object, NODE, &slice, &refusal))
		fail_msg("%s", refusal.text);
	slices[0] = slice;
	assert_int_equal(kube_translate(service, slices, 1, &rules, translation), 0);
	translation->denied = translation->denied ? node_addresses : NULL; /* it goes now */
	translation->unequal_port = NULL;
	kube_service_free(service);
	kube_slice_free(slice);
	json_decref(service_object);
	json_decref(slice_object);
}

struct row {
	const char *service, *slice, *services;
};

static void check(const struct row *rows, size_t count)
{
	for (size_t i = 0; i < count; i++) {
		struct kube_translation translation;
		struct text text = {};

		translate(rows[i].service, rows[i].slice, &translation);
		for (size_t j = 0; j < translation.count; j++)
			describe(translation.services[j], &text);
		kube_translation_finish(&translation);
		assert_string_equal(text.bytes, rows[i].services);
	}
}

static void cluster_addresses_of_both_families_become_services(void **state)
{
	static const struct row ROWS[] = {
		{SERVICE(IP HTTP), BOTH,
		 "10.96.0.10:80/tcp strangers = 10.1.0.5:8080 10.1.0.6:8080@"},
		{SERVICE(IP HTTP), NONE, "10.96.0.10:80/tcp strangers ="},
		{SERVICE("'clusterIPs':['10.96.0.10','fd00::10']," HTTP), BOTH,
		 "10.96.0.10:80/tcp strangers = 10.1.0.5:8080 10.1.0.6:8080@\n"
		 "[fd00::10]:80/tcp strangers ="},
		{SERVICE("'clusterIPs':['fd00::10'],"
			 "'ports':[{'name':'http','port':80},{'name':'dns','port':53,"
			 "'protocol':'UDP'}]"),
		 SLICE("IPv6", P8080, HERE("fd00:1::5")),
		 "[fd00::10]:80/tcp strangers = [fd00:1::5]:8080\n"
		 "[fd00::10]:53/udp strangers ="},
		{SERVICE(IP HTTP ",'sessionAffinity':'ClientIP'"), NONE,
		 "10.96.0.10:80/tcp strangers affinity=10800 ="},
		{SERVICE("'clusterIP':'None'," HTTP), BOTH, ""},
		{SERVICE("'type':'ExternalName'," HTTP), BOTH, ""},
		{SERVICE("'clusterIP':'127.0.0.1'," HTTP), BOTH, ""},
	};

	(void)state;
	check(ROWS, COUNT(ROWS));
}

static void strangers_are_told_only_where_the_cluster_is_known(void **state)
{
	static const struct row ROWS[] = {
		{SERVICE(IP HTTP), NONE, "10.96.0.10:80/tcp ="},
		{SERVICE(IP NODE_HTTP), NONE, "10.96.0.10:80/tcp =\n192.0.2.7:30080/tcp others ="},
	};

	(void)state;
	rules.knows_cluster = false;
	check(ROWS, COUNT(ROWS));
}

static void internal_policy_local_keeps_to_this_node(void **state)
{
	static const struct row ROWS[] = {
		{SERVICE(IP HTTP ",'internalTrafficPolicy':'Local'"), BOTH,
		 "10.96.0.10:80/tcp strangers = 10.1.0.5:8080"},
		{SERVICE(IP HTTP ",'internalTrafficPolicy':'Local'"), FAR,
		 "10.96.0.10:80/tcp strangers drops ="},
		{SERVICE(IP HTTP ",'internalTrafficPolicy':'Local'"), NONE,
		 "10.96.0.10:80/tcp strangers ="},
		{SERVICE(IP HTTP ",'internalTrafficPolicy':'Local'"),
		 SLICE("IPv4", P8080, ENDING("10.1.0.5") "," AWAY("10.1.0.6")),
		 "10.96.0.10:80/tcp strangers = 10.1.0.5:8080"},
		/* It is of no concern to those that come from outside. */
		{SERVICE(IP NODE_HTTP ",'internalTrafficPolicy':'Local'"), FAR,
		 "10.96.0.10:80/tcp strangers drops =\n"
		 "192.0.2.7:30080/tcp others = 10.1.0.6:8080@"},
	};

	(void)state;
	check(ROWS, COUNT(ROWS));
}

static void node_ports_are_at_the_addresses_of_the_node(void **state)
{
	static const struct row ROWS[] = {
		{SERVICE(IP NODE_HTTP), BOTH,
		 "10.96.0.10:80/tcp strangers = 10.1.0.5:8080 10.1.0.6:8080@\n"
		 "192.0.2.7:30080/tcp others = 10.1.0.5:8080 10.1.0.6:8080@"},
		{SERVICE("'clusterIPs':['fd00::10']," NODE_HTTP), NONE,
		 "[fd00::10]:80/tcp strangers =\n[2001:db8::7]:30080/tcp others ="},
	};

	(void)state;
	check(ROWS, COUNT(ROWS));
}

static void external_policy_local_has_other_services_for_clients_inside(void **state)
{
	static const struct row ROWS[] = {
		{SERVICE(IP NODE_HTTP ",'externalTrafficPolicy':'Local'"), BOTH,
		 "10.96.0.10:80/tcp strangers = 10.1.0.5:8080 10.1.0.6:8080@\n"
		 "192.0.2.7:30080/tcp inside = 10.1.0.5:8080\n"
		 "192.0.2.7:30080/tcp/inside others = 10.1.0.5:8080 10.1.0.6:8080@"},
		{SERVICE(IP NODE_HTTP ",'externalTrafficPolicy':'Local'"), FAR,
		 "10.96.0.10:80/tcp strangers = 10.1.0.6:8080@\n"
		 "192.0.2.7:30080/tcp inside drops =\n"
		 "192.0.2.7:30080/tcp/inside others = 10.1.0.6:8080@"},
		{SERVICE(IP NODE_HTTP ",'externalTrafficPolicy':'Local'"), NONE,
		 "10.96.0.10:80/tcp strangers =\n"
		 "192.0.2.7:30080/tcp inside =\n"
		 "192.0.2.7:30080/tcp/inside others ="},
		{SERVICE_WITH(IP HTTP ",'externalTrafficPolicy':'Local',"
				      "'internalTrafficPolicy':'Local'",
			      "{'ip':'203.0.113.1'}"),
		 FAR,
		 "10.96.0.10:80/tcp strangers drops =\n"
		 "203.0.113.1:80/tcp inside drops =\n"
		 "203.0.113.1:80/tcp/inside others = 10.1.0.6:8080@"},
	};

	(void)state;
	check(ROWS, COUNT(ROWS));
}

static void addresses_of_load_balancers_have_the_source_ranges(void **state)
{
	static const struct row ROWS[] = {
		{SERVICE_WITH("'clusterIPs':['10.96.0.10','fd00::10']," NODE_HTTP
			      ",'loadBalancerSourceRanges':[' 10.0.0.0/8','10.0.0.0/8',"
			      "'2001:db8::/32 ']",
			      "{'ip':'203.0.113.1'},{'ip':'2001:db8::1'},"
			      "{'ip':'203.0.113.2','ipMode':'Proxy'}"),
		 NONE,
		 "10.96.0.10:80/tcp strangers =\n"
		 "203.0.113.1:80/tcp others from=10.0.0.0/8 =\n"
		 "192.0.2.7:30080/tcp others =\n"
		 "[fd00::10]:80/tcp strangers =\n"
		 "[2001:db8::1]:80/tcp others from=2001:db8::/32 =\n"
		 "[2001:db8::7]:30080/tcp others ="},
		{SERVICE_WITH(IP HTTP ",'externalTrafficPolicy':'Local',"
				      "'loadBalancerSourceRanges':['10.0.0.0/8']",
			      "{'ip':'203.0.113.1'}"),
		 NONE,
		 "10.96.0.10:80/tcp strangers =\n"
		 "203.0.113.1:80/tcp inside from=10.0.0.0/8 =\n"
		 "203.0.113.1:80/tcp/inside others from=10.0.0.0/8 ="},
		/* Of the other family alone, they do not concern this one. */
		{SERVICE_WITH(IP HTTP ",'loadBalancerSourceRanges':['2001:db8::/32']",
			      "{'ip':'203.0.113.1'}"),
		 NONE, "10.96.0.10:80/tcp strangers =\n203.0.113.1:80/tcp others ="},
	};

	(void)state;
	check(ROWS, COUNT(ROWS));
}

static void external_addresses_must_be_of_an_allowed_range(void **state)
{
	static const struct row ROWS[] = {
		{SERVICE(IP HTTP ",'externalIPs':['198.51.100.9','8.8.8.8']"), NONE,
		 "10.96.0.10:80/tcp strangers =\n198.51.100.9:80/tcp others ="},
	};
	struct kube_translation translation;

	(void)state;
	check(ROWS, COUNT(ROWS));
	translate(ROWS[0].service, ROWS[0].slice, &translation);
	assert_non_null(translation.denied);
	kube_translation_finish(&translation);
	rules.external_range_count = 0;
	translate(ROWS[0].service, ROWS[0].slice, &translation);
	assert_int_equal(translation.count, 1);
	assert_non_null(translation.denied);
	kube_translation_finish(&translation);
}

static void of_udp_what_serves_may_keep_its_connections(void **state)
{
	static const struct row ROWS[] = {
		{SERVICE(IP "'ports':[{'name':'dns','port':53,'protocol':'UDP'}]"),
		 SLICE("IPv4", "{'name':'dns','port':5353,'protocol':'UDP'}",
		       HERE("10.1.0.5") "," ENDING("10.1.0.6") "," UNREADY("10.1.0.7")),
		 "10.96.0.10:53/udp strangers = 10.1.0.5:5353 10.1.0.6:5353~"},
		{SERVICE(IP "'internalTrafficPolicy':'Local',"
			    "'ports':[{'name':'dns','port':53,'protocol':'UDP'}]"),
		 SLICE("IPv4", "{'name':'dns','port':5353,'protocol':'UDP'}", AWAY("10.1.0.5")),
		 "10.96.0.10:53/udp strangers drops = 10.1.0.5:5353~@"},
		{SERVICE(IP HTTP), SLICE("IPv4", P8080, HERE("10.1.0.5") "," ENDING("10.1.0.6")),
		 "10.96.0.10:80/tcp strangers = 10.1.0.5:8080"},
	};

	(void)state;
	check(ROWS, COUNT(ROWS));
}

static void of_sctp_endpoints_must_have_the_services_port(void **state)
{
	static const struct row ROWS[] = {
		{SERVICE(IP "'ports':[{'name':'s','port':9,'nodePort':30009,'protocol':'SCTP'}]"),
		 SLICE("IPv4", "{'name':'s','port':9,'protocol':'SCTP'}", HERE("10.1.0.5")),
		 "10.96.0.10:9/sctp strangers = 10.1.0.5:9"},
		{SERVICE(IP "'ports':[{'name':'s','port':9,'protocol':'SCTP'}]"),
		 SLICE("IPv4", "{'name':'s','port':10,'protocol':'SCTP'}", HERE("10.1.0.5")), ""},
		{SERVICE(IP "'ports':[{'name':'s','port':9,'protocol':'SCTP'}]"), NONE,
		 "10.96.0.10:9/sctp strangers ="},
	};

	(void)state;
	check(ROWS, COUNT(ROWS));
}

static void endpoints_that_are_none_are_left_out(void **state)
{
	static const struct row ROWS[] = {
		{SERVICE(IP HTTP), SLICE("IPv4", P8080, HERE("224.0.0.1") "," HERE("10.1.0.5")),
		 "10.96.0.10:80/tcp strangers = 10.1.0.5:8080"},
	};

	(void)state;
	check(ROWS, COUNT(ROWS));
}

static void what_others_ask_for_is_counted(void **state)
{
	struct kube_translation translation;

	(void)state;
	translate(SERVICE(IP "'type':'LoadBalancer','externalTrafficPolicy':'Local',"
			     "'healthCheckNodePort':31000," HTTP),
		  SLICE("IPv4", P8080,
			HERE("10.1.0.5") "," HERE("10.1.0.6") "," ENDING("10.1.0.7") "," AWAY(
				"10.1.0.8")),
		  &translation);
	assert_int_equal(translation.local_endpoints, 2);
	assert_int_equal(translation.no_local_external[0], 0);
	kube_translation_finish(&translation);
	translate(BOTH_LOCAL, FAR, &translation);
	assert_int_equal(translation.no_local_external[0], 1);
	assert_int_equal(translation.no_local_internal[0], 1);
	assert_int_equal(translation.no_local_internal[1], 0);
	kube_translation_finish(&translation);
	translate(SERVICE(IP "'externalTrafficPolicy':'Local'," NODE_HTTP), NONE, &translation);
	assert_int_equal(translation.no_local_external[0], 0);
	kube_translation_finish(&translation);
}

static void more_source_ranges_than_there_may_be_leave_the_address_out_with_a_reason(void **state)
{
	char ranges[8192] = "'10.0.0.0/32'", service[10240];
	size_t used = strlen(ranges);
	struct kube_translation translation;

	(void)state;
	for (int i = 1; i <= MAX_SOURCE_RANGES; i++)
		used += (size_t)snprintf(ranges + used, sizeof(ranges) - used, ",'10.0.%d.%d/32'",
					 i / 256, i % 256);
	snprintf(service, sizeof(service),
		 SERVICE_WITH(IP HTTP ",'loadBalancerSourceRanges':[%s]", "{'ip':'192.0.2.80'}"),
		 ranges);
	translate(service, BOTH, &translation);
	assert_int_equal(translation.count, 1);
	assert_non_null(strstr(translation.unusable, "one more than the 256 source ranges"));
	kube_translation_finish(&translation);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup(cluster_addresses_of_both_families_become_services,
				       set_rules),
		cmocka_unit_test_setup(strangers_are_told_only_where_the_cluster_is_known,
				       set_rules),
		cmocka_unit_test_setup(internal_policy_local_keeps_to_this_node, set_rules),
		cmocka_unit_test_setup(node_ports_are_at_the_addresses_of_the_node, set_rules),
		cmocka_unit_test_setup(external_policy_local_has_other_services_for_clients_inside,
				       set_rules),
		cmocka_unit_test_setup(addresses_of_load_balancers_have_the_source_ranges,
				       set_rules),
		cmocka_unit_test_setup(external_addresses_must_be_of_an_allowed_range, set_rules),
		cmocka_unit_test_setup(of_udp_what_serves_may_keep_its_connections, set_rules),
		cmocka_unit_test_setup(of_sctp_endpoints_must_have_the_services_port, set_rules),
		cmocka_unit_test_setup(endpoints_that_are_none_are_left_out, set_rules),
		cmocka_unit_test_setup(what_others_ask_for_is_counted, set_rules),
		cmocka_unit_test_setup(
			more_source_ranges_than_there_may_be_leave_the_address_out_with_a_reason,
			set_rules),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
