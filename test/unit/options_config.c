/*
 * lbd's settings file: what it sets, and what is refused by its path.
 */
#include "test/unit/options_fixture.h"

static void every_key_sets_its_field(void **state)
{
	(void)state;
	given_config(
		"{\"socket\": \"/s\", \"pin\": \"/p\", \"state\": \"/t\","
		" \"tables\": [\"a\", \"b\"], \"interface\": [\"eth0\", \"veth*\"],"
		" \"tc-interface\": \"pod*\", \"tc-attach\": \"clsact\", \"egress\": \"on\","
		" \"xdp-mode\": \"offload\", \"replace\": true, \"metadata\": true,"
		" \"detach-on-exit\": true, \"kubeconfig\": \"/k\", \"node\": \"n\","
		" \"seccomp\": false, \"socket-group\": \"adm\", \"socket-group-may\": \"change\","
		" \"refuse\": \"drop\", \"icmp-errors\": 0, \"socket-lb\": \"all\","
		" \"cgroup\": \"/c\","
		" \"max-services\": 1000000, \"max-affinity\": 4, \"max-fragments\": 4,"
		" \"max-backends\": 2, \"max-connections\": 3,"
		" \"hairpin-ipv4\": \"192.0.2.1\", \"hairpin-ipv6\": \"2001:db8::1\"}");
	given_line("--config CONFIG");

	assert_string_equal(options.socket_path, "/s");
	assert_string_equal(options.pin_path, "/p");
	assert_string_equal(options.state_path, "/t");
	assert_list(&options.tables, "a b ");
	assert_list(&options.interfaces, "eth0 veth* ");
	assert_list(&options.tc_interfaces, "pod* ");
	assert_true(options.datapath.tc_filters);
	assert_int_equal(options.egress, EGRESS_ON);
	assert_int_equal(options.mode, MODE_OFFLOAD);
	assert_true(options.datapath.replace && options.detach_on_exit);
	assert_true(options.datapath.metadata);
	assert_string_equal(options.kubeconfig, "/k");
	assert_string_equal(options.node, "n");
	assert_false(options.seccomp);
	assert_string_equal(options.socket_group, "adm");
	assert_true(options.group_changes);
	assert_int_equal(options.datapath.refuse, REFUSE_DROP);
	assert_int_equal(options.datapath.socket_lb, SOCKET_LB_ALL);
	assert_string_equal(options.cgroup, "/c");
	assert_int_equal(options.datapath.icmp_errors, 0);
	assert_int_equal(options.datapath.max_services, 1000000);
	assert_int_equal(options.datapath.max_backends, 2);
	assert_int_equal(options.datapath.max_connections, 3);
	assert_int_equal(options.datapath.max_affinity, 4);
	assert_int_equal(options.datapath.max_fragments, 4);
	assert_address(&options.datapath.hairpin.ipv4, "192.0.2.1");
	assert_address(&options.datapath.hairpin.ipv6, "2001:db8::1");
}

static void timeouts_are_set_one_by_one(void **state)
{
	(void)state;
	given_config("{\"timeouts\": {\"tcp_opening\": 1, \"tcp_established\": 2592000,"
		     " \"tcp_closing\": 3, \"tcp_closed\": 4, \"udp\": 5}}");
	given_line("--config CONFIG");
	assert_int_equal(options.datapath.tcp_opening_seconds, 1);
	assert_int_equal(options.datapath.tcp_established_seconds, 2592000);
	assert_int_equal(options.datapath.tcp_closing_seconds, 3);
	assert_int_equal(options.datapath.tcp_closed_seconds, 4);
	assert_int_equal(options.datapath.udp_seconds, 5);

	given_config("{\"timeouts\": {\"udp\": 7}}");
	given_line("--config CONFIG");
	assert_int_equal(options.datapath.tcp_opening_seconds, 30);
	assert_int_equal(options.datapath.udp_seconds, 7);
}

static void a_list_of_one_may_be_a_text(void **state)
{
	(void)state;
	given_config("{\"tables\": \"a\", \"interface\": \"eth0\"}");
	given_line("--config CONFIG");

	assert_list(&options.tables, "a ");
	assert_list(&options.interfaces, "eth0 ");
}

static void an_empty_object_leaves_the_defaults(void **state)
{
	(void)state;
	given_config("{}");
	given_line("--config CONFIG");

	assert_string_equal(options.socket_path, "/run/lbd/lbd.sock");
	assert_int_equal(options.datapath.max_services, 65536);
}

/* Each message begins with the file's path, then names the key. */
static void assert_rows_refused(const char *const rows[][2], size_t count)
{
	char words[LINE_BYTES];

	for (size_t i = 0; i < count; i++) {
		given_config(rows[i][0]);
		snprintf(words, sizeof(words), "%s: %s", config_path, rows[i][1]);
		assert_refused("--config CONFIG", words);
		assert_ptr_equal(strstr(refusal.text, config_path), refusal.text);
	}
}

#define ASSERT_REFUSED(rows) assert_rows_refused(rows, sizeof(rows) / sizeof((rows)[0]))

static void a_file_that_is_no_object_of_settings_is_refused(void **state)
{
	static const char *const rows[][2] = {
		{"", "line 1"},
		{"{", "line 1"},
		{"{\n\"pin\": oops}", "line 2"},
		{"[]", "not a JSON object of settings"},
		{"[\"pin\"]", "not a JSON object of settings"},
		{"{\"pin\": \"/a\", \"pin\": \"/b\"}", "line 1"},
		{"{\"pins\": \"/p\"}", "pins: unknown key; known are socket, pin"},
		{"{\"Socket\": \"/s\"}", "Socket: unknown key"},
		{"{\"check\": true}", "check: unknown key"},
	};

	(void)state;
	ASSERT_REFUSED(rows);
}

static void a_value_of_the_wrong_type_is_refused_by_its_key(void **state)
{
	static const char *const rows[][2] = {
		{"{\"socket\": 5}", "socket: not a path"},
		{"{\"socket\": \"\"}", "socket: not a path"},
		{"{\"healthz\": 10256}",
		 "healthz: not ADDR:PORT, like 127.0.0.1:9000 or [::1]:9000, or off"},
		{"{\"metrics\": \":9\"}",
		 "metrics: not ADDR:PORT, like 127.0.0.1:9000 or [::1]:9000, or off"},
		{"{\"healthz\": \":9\"}",
		 "healthz: not ADDR:PORT, like 127.0.0.1:9000 or [::1]:9000, or off"},
		{"{\"pin\": null}", "pin: not a path"},
		{"{\"state\": [\"/t\"]}", "state: not a path"},
		{"{\"tables\": 5}", "tables: not a text or a list of texts"},
		{"{\"tables\": \"\"}", "tables: not a text or a list of texts"},
		{"{\"interface\": [\"\"]}", "interface: not a list of texts"},
		{"{\"cluster-cidr\": [\"10.0.0.0/33\"]}",
		 "cluster-cidr: length \"33\" in \"10.0.0.0/33\" is not 0–32"},
		{"{\"nodeport-address\": 5}", "nodeport-address: not a text or a list of texts"},
		{"{\"external-ip-range\": \"10.0.0.1/8\"}",
		 "external-ip-range: \"10.0.0.1/8\" has bits set beyond its length"},
		{"{\"socket-group\": \"\"}", "socket-group: not a name"},
		{"{\"masquerade-ports\": 5}", "masquerade-ports: not FIRST-LAST of 1–65535"},
		{"{\"seccomp\": 1}", "seccomp: not true or false"},
		{"{\"detach-on-exit\": 1}", "detach-on-exit: not true or false"},
		{"{\"tc-interface\": 1}", "tc-interface: not a text or a list of texts"},
		{"{\"tables\": [\"a\", 5]}", "tables: not a list of texts"},
		{"{\"interface\": {}}", "interface: not a text or a list of texts"},
		{"{\"interface\": [[\"eth0\"]]}", "interface: not a list of texts"},
		{"{\"socket-group-may\": \"write\"}", "socket-group-may: not read or change"},
		{"{\"xdp-mode\": 1}", "xdp-mode: not auto, native, generic or offload"},
		{"{\"xdp-mode\": \"fast\"}", "xdp-mode: not auto, native, generic or offload"},
		{"{\"replace\": 1}", "replace: not true or false"},
		{"{\"replace\": \"true\"}", "replace: not true or false"},
		{"{\"refuse\": \"no\"}", "refuse: not answer or drop"},
		{"{\"refuse\": true}", "refuse: not answer or drop"},
		{"{\"egress\": true}", "egress: not auto, on or off"},
		{"{\"tc-attach\": \"tcx\"}", "tc-attach: not auto or clsact"},
		{"{\"socket-lb\": true}", "socket-lb: not off, host-only or all"},
		{"{\"cgroup\": \"\"}", "cgroup: not a path"},
		{"{\"kubernetes\": \"yes\"}", "kubernetes: not true or false"},
		{"{\"kubeconfig\": true}", "kubeconfig: not a path"},
		{"{\"node\": \"\"}", "node: not a name"},
		{"{\"metadata\": 1}", "metadata: not true or false"},
		{"{\"max-services\": \"5\"}", "max-services: not 1–1000000"},
		{"{\"max-services\": 5.0}", "max-services: not 1–1000000"},
		{"{\"timeouts\": 30}", "timeouts: not an object of seconds"},
		{"{\"timeouts\": [30]}", "timeouts: not an object of seconds"},
		{"{\"timeouts\": {\"udp\": \"30\"}}", "timeouts.udp: not 1–2592000"},
		{"{\"timeouts\": {\"udp\": 1.5}}", "timeouts.udp: not 1–2592000"},
	};

	(void)state;
	ASSERT_REFUSED(rows);
}

static void a_number_out_of_range_is_refused_by_its_path(void **state)
{
	static const char *const rows[][2] = {
		{"{\"max-services\": 0}", "max-services: not 1–1000000"},
		{"{\"max-services\": 1000001}", "max-services: not 1–1000000"},
		{"{\"max-backends\": -1}", "max-backends: not 1–10000000"},
		{"{\"max-backends\": 4294967297}", "max-backends: not 1–10000000"},
		{"{\"max-connections\": 100000001}", "max-connections: not 1–100000000"},
		{"{\"max-affinity\": 10000001}", "max-affinity: not 1–10000000"},
		{"{\"max-fragments\": 1000001}", "max-fragments: not 1–1000000"},
		{"{\"timeouts\": {\"tcp_opening\": 0}}", "timeouts.tcp_opening: not 1–2592000"},
		{"{\"timeouts\": {\"tcp_closed\": -5}}", "timeouts.tcp_closed: not 1–2592000"},
		{"{\"timeouts\": {\"udp\": 5, \"tcp_established\": 2592001}}",
		 "timeouts.tcp_established: not 1–2592000"},
		{"{\"timeouts\": {\"tcp_closing\": 4294967297}}", "timeouts.tcp_closing: not 1–"},
		{"{\"timeouts\": {\"icmp\": 5}}",
		 "timeouts.icmp: not one of tcp_opening, tcp_established, tcp_closing, tcp_closed, "
		 "udp"},
	};

	(void)state;
	ASSERT_REFUSED(rows);
}

static void a_hairpin_address_of_the_wrong_family_is_refused(void **state)
{
	static const char *const rows[][2] = {
		{"{\"hairpin-ipv4\": \"2001:db8::1\"}", "hairpin-ipv4: not an IPv4 address"},
		{"{\"hairpin-ipv6\": \"192.0.2.1\"}", "hairpin-ipv6: not an IPv6 address"},
		{"{\"hairpin-ipv6\": \"::ffff:192.0.2.1\"}", "hairpin-ipv6: not an IPv6 address"},
		{"{\"hairpin-ipv4\": \"192.0.2\"}", "hairpin-ipv4: not an IPv4 address"},
		{"{\"hairpin-ipv4\": \"192.0.2.1/32\"}", "hairpin-ipv4: not an IPv4 address"},
		{"{\"hairpin-ipv4\": \"\"}", "hairpin-ipv4: not an IPv4 address"},
		{"{\"hairpin-ipv6\": 6}", "hairpin-ipv6: not an IPv6 address"},
	};

	(void)state;
	ASSERT_REFUSED(rows);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		WITH_CONFIG(every_key_sets_its_field),
		WITH_CONFIG(timeouts_are_set_one_by_one),
		WITH_CONFIG(a_list_of_one_may_be_a_text),
		WITH_CONFIG(an_empty_object_leaves_the_defaults),
		WITH_CONFIG(a_file_that_is_no_object_of_settings_is_refused),
		WITH_CONFIG(a_value_of_the_wrong_type_is_refused_by_its_key),
		WITH_CONFIG(a_number_out_of_range_is_refused_by_its_path),
		WITH_CONFIG(a_hairpin_address_of_the_wrong_family_is_refused),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
