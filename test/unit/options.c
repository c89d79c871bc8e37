/*
 * lbd's command line: what holds without it, what it sets, and what is refused by its word.
 */
#include "test/unit/options_fixture.h"

static void without_options_the_defaults_hold(void **state)
{
	const struct datapath_options *datapath = &options.datapath;

	(void)state;
	given_line("");

	assert_null(options.config_path);
	assert_string_equal(options.socket_path, "/run/lbd/lbd.sock");
	assert_string_equal(options.pin_path, "/sys/fs/bpf/lbd");
	assert_string_equal(options.state_path, "/var/lib/lbd/operator.json");
	assert_int_equal(options.tables.count, 0);
	assert_int_equal(options.interfaces.count, 0);
	assert_int_equal(options.mode, MODE_AUTO);
	assert_int_equal(datapath->max_services, 65536);
	assert_int_equal(datapath->max_backends, 262144);
	assert_int_equal(datapath->max_connections, 262144);
	assert_int_equal(datapath->max_new_connections, 0);
	assert_int_equal(datapath->max_affinity, 65536);
	assert_int_equal(datapath->refuse, REFUSE_ANSWER);
	assert_int_equal(datapath->icmp_errors, 1000);
	assert_int_equal(datapath->socket_lb, SOCKET_LB_OFF);
	assert_int_equal(datapath->max_fragments, 8192);
	assert_int_equal(options.metrics_detail, 2000);
	assert_int_equal(datapath->tcp_opening_seconds, 30);
	assert_int_equal(datapath->tcp_established_seconds, 6 * 60 * 60);
	assert_int_equal(datapath->tcp_closing_seconds, 120);
	assert_int_equal(datapath->tcp_closed_seconds, 10);
	assert_int_equal(datapath->udp_seconds, 120);
	assert_address(&datapath->hairpin.ipv4, "169.254.42.1");
	assert_address(&datapath->hairpin.ipv6, "fd6c:6264::1");
	assert_false(datapath->replace || datapath->metadata);
	assert_false(options.check || options.version || options.help);
}

static void every_option_sets_its_field(void **state)
{
	(void)state;
	given_line("--socket /s --pin /p --state=/t --tables a --tables b --interface eth0 "
		   "--interface veth* --xdp-mode generic --max-services 1 --max-backends 10000000 "
		   "--max-connections 100000000 --max-affinity 10000000 --metadata --replace "
		   "--detach-on-exit --cleanup --kubeconfig /k --node n "
		   "--refuse drop --icmp-errors 5 --max-fragments 1000000");

	assert_string_equal(options.socket_path, "/s");
	assert_string_equal(options.pin_path, "/p");
	assert_string_equal(options.state_path, "/t");
	assert_list(&options.tables, "a b ");
	assert_list(&options.interfaces, "eth0 veth* ");
	assert_int_equal(options.mode, MODE_GENERIC);
	assert_int_equal(options.datapath.max_services, 1);
	assert_int_equal(options.datapath.max_backends, 10000000);
	assert_int_equal(options.datapath.max_connections, 100000000);
	assert_true(options.datapath.metadata);
	assert_int_equal(options.datapath.max_affinity, 10000000);
	assert_int_equal(options.datapath.max_fragments, 1000000);
	assert_true(options.datapath.replace);
	assert_true(options.detach_on_exit && options.cleanup);
	assert_string_equal(options.kubeconfig, "/k");
	assert_string_equal(options.node, "n");
	assert_true(options_name_cluster(&options));
	assert_int_equal(options.datapath.refuse, REFUSE_DROP);
	assert_int_equal(options.datapath.icmp_errors, 5);
	given_line("--refuse drop --refuse answer");
	assert_int_equal(options.datapath.refuse, REFUSE_ANSWER);
	given_line("--tc-interface pod* --tc-attach clsact --egress off");
	assert_list(&options.tc_interfaces, "pod* ");
	assert_true(options.datapath.tc_filters);
	assert_int_equal(options.egress, EGRESS_OFF);
}

static void clients_on_the_node_are_asked_for(void **state)
{
	(void)state;
	given_line("--socket-lb host-only --cgroup /c");
	assert_int_equal(options.datapath.socket_lb, SOCKET_LB_HOST_ONLY);
	assert_string_equal(options.cgroup, "/c");
	given_line("--socket-lb off --socket-lb=all");
	assert_int_equal(options.datapath.socket_lb, SOCKET_LB_ALL);
	assert_null(options.cgroup);
}

static void a_cluster_is_named_in_one_way_only(void **state)
{
	(void)state;
	given_line("");
	assert_false(options_name_cluster(&options));
	given_line("--kubernetes");
	assert_true(options.kubernetes && options_name_cluster(&options));
	assert_refused("--kubernetes --kubeconfig /k", "--kubernetes and --kubeconfig /k: one of");
	assert_refused("--kubeconfig /k --kubernetes", "--kubernetes and --kubeconfig /k: one of");
	given_config("{\"kubernetes\": true, \"kubeconfig\": \"/f\"}");
	assert_refused("--config CONFIG", "kubernetes and kubeconfig: one of");
	given_config("{\"kubernetes\": true}");
	given_line("--kubeconfig /k --config CONFIG");
	assert_false(options.kubernetes);
	assert_string_equal(options.kubeconfig, "/k");
	given_config("{\"kubeconfig\": \"/f\"}");
	given_line("--config CONFIG --kubernetes");
	assert_true(options.kubernetes);
	assert_null(options.kubeconfig);
	given_line("--config CONFIG --kubeconfig /k --kubeconfig /l");
	assert_string_equal(options.kubeconfig, "/l");
	assert_refused("--kubeconfig ''", "--kubeconfig \"\": not a path");
}

static void prefixes_of_a_cluster_are_lists(void **state)
{
	(void)state;
	given_line("--nodeport-address 192.0.2.0/24 --nodeport-address 2001:db8::/32 "
		   "--external-ip-range 198.51.100.0/24");
	assert_int_equal(options.nodeport_addresses.count, 2);
	assert_int_equal(options.external_ranges.count, 1);
	assert_int_equal(options.external_ranges.items[0].length, 96 + 24);
	given_config("{\"nodeport-address\": \"10.0.0.0/8\", \"external-ip-range\": "
		     "[\"10.0.0.0/8\", \"11.0.0.0/8\"], \"cluster-cidr\": \"12.0.0.0/8\"}");
	given_line("--config CONFIG --external-ip-range 198.51.100.0/24");
	assert_int_equal(options.nodeport_addresses.count, 1);
	assert_int_equal(options.external_ranges.count, 1);
	assert_int_equal(options.cluster.count, 1);
	assert_refused("--nodeport-address 10.0.0.1/8", "--nodeport-address: \"10.0.0.1/8\"");
	assert_refused("--external-ip-range all", "--external-ip-range: \"all\"");
}

static void tunnels_are_two_options(void **state)
{
	(void)state;
	given_line("");
	assert_false(options.datapath.tunnels || options.dsr_from.count);
	given_line("--dsr --dsr-from 10.0.0.0/8 --dsr-from 2001:db8::/32");
	assert_true(options.datapath.tunnels);
	assert_int_equal(options.dsr_from.count, 2);
	given_config("{\"dsr\": true, \"dsr-from\": [\"10.0.0.0/8\", \"11.0.0.0/8\"]}");
	given_line("--config CONFIG --dsr-from 12.0.0.0/8");
	assert_true(options.datapath.tunnels);
	assert_int_equal(options.dsr_from.count, 1);
	assert_refused("--dsr-from here", "--dsr-from: \"here\"");
	given_config("{\"dsr-from\": [\"::1\", \"::2\", \"::3\", \"::4\", \"::5\", \"::6\", "
		     "\"::7\", \"::8\", \"::9\", \"::a\", \"::b\", \"::c\", \"::d\", \"::e\", "
		     "\"::f\", \"::10\", \"::11\"]}");
	assert_refused("--config CONFIG", "--dsr-from: more than 16");
}

static void probes_are_answered_where_that_is_asked_for(void **state)
{
	(void)state;
	given_line("");
	assert_false(options.healthz.given || options.healthz.on);

	given_line("--healthz [::1]:10256");
	assert_true(options.healthz.given && options.healthz.on);
	assert_address(&options.healthz.endpoint.address, "::1");
	assert_int_equal(ntohs(options.healthz.endpoint.port), 10256);

	given_line("--healthz [::1]:10256 --healthz off");
	assert_true(options.healthz.given);
	assert_false(options.healthz.on);

	given_config("{\"healthz\": \"off\"}");
	given_line("--config CONFIG");
	assert_true(options.healthz.given);
	assert_false(options.healthz.on);
}

static void in_a_cluster_probes_are_answered_unless_switched_off(void **state)
{
	(void)state;
	given_line("--kubernetes");
	assert_true(options.healthz.on);
	assert_int_equal(ntohs(options.healthz.endpoint.port), 10256);
	assert_true(options.metrics.on);
	assert_address(&options.metrics.endpoint.address, "127.0.0.1");
	assert_int_equal(ntohs(options.metrics.endpoint.port), 10249);

	given_line("--kubernetes --healthz 127.0.0.1:1");
	assert_int_equal(ntohs(options.healthz.endpoint.port), 1);

	given_line("--kubernetes --healthz off --metrics off");
	assert_false(options.healthz.on || options.metrics.on);
}

static void of_an_option_given_twice_the_last_wins(void **state)
{
	(void)state;
	given_config("{\"pin\": \"/config\"}");
	given_line("--socket /a --max-services 1 --config /nowhere --socket /b --max-services 2 "
		   "--config CONFIG");

	assert_string_equal(options.socket_path, "/b");
	assert_int_equal(options.datapath.max_services, 2);
	assert_string_equal(options.config_path, config_path);
	assert_string_equal(options.pin_path, "/config");
}

static void the_command_line_wins_wherever_config_stands(void **state)
{
	static const char *const lines[] = {
		"--config CONFIG --socket /line --max-services 5 --xdp-mode native",
		"--socket /line --max-services 5 --xdp-mode native --config CONFIG",
	};

	(void)state;
	given_config("{\"socket\": \"/config\", \"pin\": \"/config\", \"max-services\": 9,"
		     " \"max-backends\": 9, \"xdp-mode\": \"generic\"}");
	for (size_t i = 0; i < sizeof(lines) / sizeof(lines[0]); i++) {
		given_line(lines[i]);

		assert_string_equal(options.socket_path, "/line");
		assert_string_equal(options.pin_path, "/config");
		assert_int_equal(options.datapath.max_services, 5);
		assert_int_equal(options.datapath.max_backends, 9);
		assert_int_equal(options.mode, MODE_NATIVE);
	}
}

static void lists_are_replaced_and_not_appended_to(void **state)
{
	(void)state;
	given_config("{\"tables\": [\"c\", \"d\"], \"interface\": [\"eth8\", \"eth9\"]}");
	given_line("--config CONFIG --tables a --tables b");

	assert_list(&options.tables, "a b ");
	assert_list(&options.interfaces, "eth8 eth9 ");

	given_line("--interface eth0 --config CONFIG");
	assert_list(&options.tables, "c d ");
	assert_list(&options.interfaces, "eth0 ");
}

static void questions_are_flags(void **state)
{
	static const struct {
		const char *line;
		bool check, version, help;
	} rows[] = {
		{"--check", true, false, false},
		{"--version", false, true, false},
		{"--help", false, false, true},
		{"--help --check --version", true, true, true},
	};

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		given_line(rows[i].line);
		assert_int_equal(options.check, rows[i].check);
		assert_int_equal(options.version, rows[i].version);
		assert_int_equal(options.help, rows[i].help);
	}
}

static void a_bad_value_is_refused_by_its_word(void **state)
{
	static const char *const rows[][2] = {
		{"--socket-group-may write", "--socket-group-may write: not read or change"},
		{"--socket-group", "--socket-group needs a value"},
		{"--xdp-mode fast", "--xdp-mode fast: not auto, native, generic or offload"},
		{"--xdp-mode Native", "--xdp-mode Native"},
		{"--max-services 0", "--max-services 0: not 1–1000000"},
		{"--max-services 1000001", "--max-services 1000001: not 1–1000000"},
		{"--max-services many", "--max-services many"},
		{"--max-services 10k", "--max-services 10k"},
		{"--max-services +1", "--max-services +1"},
		{"--max-services -1", "--max-services -1"},
		{"--max-services ''", "--max-services : not"},
		{"--max-backends 10000001", "--max-backends 10000001: not 1–10000000"},
		{"--max-backends 4294967297", "--max-backends 4294967297"},
		{"--max-connections 100000001", "--max-connections 100000001: not 1–100000000"},
		{"--max-affinity 0", "--max-affinity 0: not 1–10000000"},
		{"--max-affinity 10000001", "--max-affinity 10000001: not 1–10000000"},
		{"--max-connections 99999999999999999999",
		 "--max-connections 99999999999999999999"},
		{"--max-new-connections -1", "--max-new-connections -1: not 0–100000000"},
		{"--max-fragments 0", "--max-fragments 0: not 1–1000000"},
		{"--max-fragments 1000001", "--max-fragments 1000001: not 1–1000000"},
		{"--metrics 10249",
		 "--metrics 10249: not ADDR:PORT, like 127.0.0.1:9000 or [::1]:9000, or off"},
		{"--metrics 127.0.0.1", "--metrics 127.0.0.1: not ADDR:PORT"},
		{"--metrics ''", "--metrics : not ADDR:PORT"},
		{"--metrics-detail -1", "--metrics-detail -1: not 0–10000000"},
		{"--healthz 10256", "--healthz 10256: not ADDR:PORT"},
		{"--healthz ::1:10256", "--healthz ::1:10256: not ADDR:PORT"},
		{"--healthz 0.0.0.0:0", "--healthz 0.0.0.0:0: not ADDR:PORT"},
		{"--healthz on", "--healthz on: not ADDR:PORT"},
		{"--refuse no", "--refuse no: not answer or drop"},
		{"--egress yes", "--egress yes: not auto, on or off"},
		{"--tc-attach tcx", "--tc-attach tcx: not auto or clsact"},
		{"--socket-lb some", "--socket-lb some: not off, host-only or all"},
		{"--cgroup ''", "--cgroup \"\": not a path"},
		{"--icmp-errors many", "--icmp-errors many: not 0–100000000"},
		{"--node ''", "--node \"\": not a name"},
		{"--socket-group ''", "--socket-group \"\": not a name"},
		{"--tables ''", "--tables \"\": not a name"},
		{"--interface ''", "--interface \"\": not a name"},
		{"--tc-interface ''", "--tc-interface \"\": not a name"},
		{"--masquerade-ports 9", "--masquerade-ports 9: not FIRST-LAST of 1–65535"},
		{"--max-masquerades 0", "--max-masquerades 0: not 1–100000000"},
		{"--cluster-cidr 10.0.0.0/33",
		 "--cluster-cidr: length \"33\" in \"10.0.0.0/33\" is not 0–32"},
		{"--cluster-cidr ''",
		 "--cluster-cidr: \"\" in \"\" is not an IPv4 or IPv6 address"},
		{"--socket ''", "--socket \"\": not a path"},
		{"--pin ''", "--pin \"\": not a path"},
		{"--state ''", "--state \"\": not a path"},
		{"--config /nowhere/lbd.json", "/nowhere/lbd.json: cannot be read"},
	};

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++)
		assert_refused(rows[i][0], rows[i][1]);
}

static void what_is_no_option_is_refused_by_its_word(void **state)
{
	static const char *const rows[][2] = {
		{"--colour", "--colour: no such option"},
		{"--check --colour=red --pin /p", "--colour=red: no such option"},
		{"--max 5", "--max: no such option"}, /* of four that begin so */
		{"-x", "-x: no such option"},
		{"-xy", "-xy: no such option"},
		{"--check -help", "-help: no such option"},
		{"--replace=yes", "--replace=yes: the option takes no value"},
		{"start", "start: lbd takes options only"},
		{"--check start --replace", "start: lbd takes options only"},
		{"--check -- start", "start: lbd takes options only"},
	};

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++)
		assert_refused(rows[i][0], rows[i][1]);
}

static void a_missing_value_is_refused_by_its_option(void **state)
{
	static const char *const names[] = {
		"--config",          "--tables",       "--interface",
		"--xdp-mode",        "--socket",       "--pin",
		"--state",           "--max-services", "--max-backends",
		"--max-connections", "--max-affinity", "--max-fragments",
	};
	char line[LINE_BYTES], words[LINE_BYTES];

	(void)state;
	for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
		snprintf(line, sizeof(line), "--check %s", names[i]);
		snprintf(words, sizeof(words), "%s needs a value", names[i]);
		assert_refused(line, words);
	}
}

static void help_names_every_option(void **state)
{
	static const char *const names[] = {
		"--config",
		"--tables",
		"--interface",
		"--xdp-mode",
		"--replace",
		"--socket",
		"--detach-on-exit",
		"--cleanup",
		"--pin",
		"--state",
		"--max-services",
		"--max-backends",
		"--max-connections",
		"--max-new-connections",
		"--max-backends",
		"--max-affinity",
		"--max-fragments",
		"--check",
		"--version",
		"--help",
		"--refuse",
		"--icmp-errors",
		"--metadata",
	};

	(void)state;
	for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++)
		assert_non_null(strstr(options_help(), names[i]));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		WITH_CONFIG(without_options_the_defaults_hold),
		WITH_CONFIG(every_option_sets_its_field),
		WITH_CONFIG(clients_on_the_node_are_asked_for),
		WITH_CONFIG(a_cluster_is_named_in_one_way_only),
		WITH_CONFIG(prefixes_of_a_cluster_are_lists),
		WITH_CONFIG(tunnels_are_two_options),
		WITH_CONFIG(probes_are_answered_where_that_is_asked_for),
		WITH_CONFIG(in_a_cluster_probes_are_answered_unless_switched_off),
		WITH_CONFIG(of_an_option_given_twice_the_last_wins),
		WITH_CONFIG(the_command_line_wins_wherever_config_stands),
		WITH_CONFIG(lists_are_replaced_and_not_appended_to),
		WITH_CONFIG(questions_are_flags),
		WITH_CONFIG(a_bad_value_is_refused_by_its_word),
		WITH_CONFIG(what_is_no_option_is_refused_by_its_word),
		WITH_CONFIG(a_missing_value_is_refused_by_its_option),
		cmocka_unit_test(help_names_every_option),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
