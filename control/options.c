/*
 * The command line of lbd. The file it may name is read in config.c.
 */
#include "control/options.h"

#include <arpa/inet.h>
#include <errno.h>
#include <getopt.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>
#include "control/masquerade.h"
#include "control/number_option.h"
#include "lb/address.h"

#define HEALTHZ_PORT 10256 /* kube-proxy's, both */
#define METRICS_PORT 10249

enum option_id {
	OPTION_CONFIG = 1000,
	OPTION_TABLES,
	OPTION_KUBERNETES,
	OPTION_KUBECONFIG,
	OPTION_NODE,
	OPTION_INTERFACE,
	OPTION_XDP_MODE,
	OPTION_SOCKET,
	OPTION_SOCKET_GROUP,
	OPTION_SOCKET_GROUP_MAY,
	OPTION_PIN,
	OPTION_STATE,
	OPTION_HEALTHZ,
	OPTION_METRICS,
	OPTION_TC_INTERFACE,
	OPTION_TC_ATTACH,
	OPTION_EGRESS,
	OPTION_METADATA,
	OPTION_CLUSTER_CIDR,
	OPTION_NODEPORT_ADDRESS,
	OPTION_EXTERNAL_IP_RANGE,
	OPTION_MASQUERADE_PORTS,
	OPTION_DSR,
	OPTION_DSR_FROM,
	OPTION_REFUSE,
	OPTION_SOCKET_LB,
	OPTION_CGROUP,
	OPTION_REPLACE,
	OPTION_DETACH_ON_EXIT,
	OPTION_CLEANUP,
	OPTION_CHECK,
	OPTION_VERSION,
	OPTION_HELP,
	OPTION_NUMBER, /* and an enum number_option */
};

static const struct option LONG_OPTIONS[] = {
	{"config", required_argument, NULL, OPTION_CONFIG},
	{"tables", required_argument, NULL, OPTION_TABLES},
	{"kubernetes", no_argument, NULL, OPTION_KUBERNETES},
	{"kubeconfig", required_argument, NULL, OPTION_KUBECONFIG},
	{"node", required_argument, NULL, OPTION_NODE},
	{"interface", required_argument, NULL, OPTION_INTERFACE},
	{"tc-interface", required_argument, NULL, OPTION_TC_INTERFACE},
	{"tc-attach", required_argument, NULL, OPTION_TC_ATTACH},
	{"egress", required_argument, NULL, OPTION_EGRESS},
	{"xdp-mode", required_argument, NULL, OPTION_XDP_MODE},
	{"socket", required_argument, NULL, OPTION_SOCKET},
	{"socket-group", required_argument, NULL, OPTION_SOCKET_GROUP},
	{"socket-group-may", required_argument, NULL, OPTION_SOCKET_GROUP_MAY},
	{"pin", required_argument, NULL, OPTION_PIN},
	{"state", required_argument, NULL, OPTION_STATE},
	{"healthz", required_argument, NULL, OPTION_HEALTHZ},
	{"metrics", required_argument, NULL, OPTION_METRICS},
	{"metrics-detail", required_argument, NULL, OPTION_NUMBER + NUMBER_METRICS_DETAIL},
	{"max-services", required_argument, NULL, OPTION_NUMBER + NUMBER_MAX_SERVICES},
	{"max-backends", required_argument, NULL, OPTION_NUMBER + NUMBER_MAX_BACKENDS},
	{"max-connections", required_argument, NULL, OPTION_NUMBER + NUMBER_MAX_CONNECTIONS},
	{"max-new-connections", required_argument, NULL,
	 OPTION_NUMBER + NUMBER_MAX_NEW_CONNECTIONS},
	{"max-affinity", required_argument, NULL, OPTION_NUMBER + NUMBER_MAX_AFFINITY},
	{"max-masquerades", required_argument, NULL, OPTION_NUMBER + NUMBER_MAX_MASQUERADES},
	{"masquerade-ports", required_argument, NULL, OPTION_MASQUERADE_PORTS},
	{"max-fragments", required_argument, NULL, OPTION_NUMBER + NUMBER_MAX_FRAGMENTS},
	{"metadata", no_argument, NULL, OPTION_METADATA},
	{"cluster-cidr", required_argument, NULL, OPTION_CLUSTER_CIDR},
	{"nodeport-address", required_argument, NULL, OPTION_NODEPORT_ADDRESS},
	{"external-ip-range", required_argument, NULL, OPTION_EXTERNAL_IP_RANGE},
	{"dsr", no_argument, NULL, OPTION_DSR},
	{"dsr-from", required_argument, NULL, OPTION_DSR_FROM},
	{"refuse", required_argument, NULL, OPTION_REFUSE},
	{"icmp-errors", required_argument, NULL, OPTION_NUMBER + NUMBER_ICMP_ERRORS},
	{"socket-lb", required_argument, NULL, OPTION_SOCKET_LB},
	{"cgroup", required_argument, NULL, OPTION_CGROUP},
	{"replace", no_argument, NULL, OPTION_REPLACE},
	{"detach-on-exit", no_argument, NULL, OPTION_DETACH_ON_EXIT},
	{"cleanup", no_argument, NULL, OPTION_CLEANUP},
	{"check", no_argument, NULL, OPTION_CHECK},
	{"version", no_argument, NULL, OPTION_VERSION},
	{"help", no_argument, NULL, OPTION_HELP},
	{},
};

/* None. '+': in order, up to the first word that is no option; ':': a missing value is told. */
static const char SHORT_OPTIONS[] = "+:";

static int set_defaults(struct options *options, struct refusal *refusal)
{
	int error;

	*options = (struct options){
		.seccomp = true,
		.datapath =
			{
				.tcp_opening_seconds = 30,
				.tcp_established_seconds = 6 * 60 * 60,
				.tcp_closing_seconds = 120,
				.tcp_closed_seconds = 10,
				.udp_seconds = 120,
			},
	};
	for (int i = 0; i < _NUMBER_OPTION_COUNT; i++)
		*number_option_of(options, (enum number_option)i) = NUMBER_OPTIONS[i].otherwise;
	address_parse("169.254.42.1", &options->datapath.hairpin.ipv4);
	/* Routable: an answer to a link-local one would ask the link for it, and find nobody. */
	address_parse("fd6c:6264::1", &options->datapath.hairpin.ipv6);
	error = option_set_text(&options->socket_path, "/run/lbd/lbd.sock", refusal);
	if (!error)
		error = option_set_text(&options->pin_path, "/sys/fs/bpf/lbd", refusal);
	if (!error)
		error = option_set_text(&options->state_path, "/var/lib/lbd/operator.json",
					refusal);
	return error;
}

/* An empty path would be an abstract socket, or the directory that lbd was started in. */
static int set_path(const char *name, const char *value, char **target, struct refusal *refusal)
{
	if (!value[0])
		return refuse(refusal, "--%s \"\": not a path", name);
	return option_set_text(target, value, refusal);
}

static int set_name(const char *option, const char *value, char **target, struct refusal *refusal)
{
	if (!value[0])
		return refuse(refusal, "--%s \"\": not a name", option);
	return option_set_text(target, value, refusal);
}

static int set_listen(const char *name, const char *value, struct listen_option *listen,
		      struct refusal *refusal)
{
	if (option_parse_listen(value, listen))
		return refuse(refusal, "--%s %.64s: not " LISTEN_WANTED, name, value);
	return 0;
}

static int set_ports(struct options *options, const char *value, struct refusal *refusal)
{
	if (!masquerade_parse_ports(value, &options->datapath.masquerade_ports))
		return 0;
	return refuse(refusal, "--masquerade-ports %.64s: not FIRST-LAST of 1–65535", value);
}

static int apply_number(struct options *options, enum number_option option, const char *text,
			struct refusal *refusal)
{
	const struct number_range *range = &NUMBER_OPTIONS[option];
	unsigned long number;
	char *end;

	errno = 0;
	number = strtoul(text, &end, 10);
	if (errno || *end || text[0] < '0' || text[0] > '9' || number < range->least ||
	    number > range->most)
		return refuse(refusal, "--%s %.64s: not %u–%u", range->name, text, range->least,
			      range->most);
	*number_option_of(options, option) = (uint32_t)number;
	return 0;
}

/* A list on the command line takes the place of the config file's. */
static int add_text(struct text_list *list, bool *replaced, const char *name, const char *value,
		    struct refusal *refusal)
{
	if (!value[0])
		return refuse(refusal, "--%s \"\": not a name", name);
	if (!*replaced)
		text_list_clear(list);
	*replaced = true;
	return text_list_add(list, value) ? refuse_with(refusal, ENOMEM, "out of memory") : 0;
}

struct given {
	bool cluster;
	bool nodeport_addresses;
	bool external_ranges;
	bool dsr_from;
	bool tables;
	bool interfaces;
	bool tc_interfaces;
	bool source; /* --kubernetes or --kubeconfig */
};

/* Likewise. */
static int add_prefix(struct options *options, int id, const char *value, struct given *given,
		      struct refusal *refusal)
{
	const struct {
		int id;
		const char *name;
		struct prefix_list *list;
		bool *replaced;
	} lists[] = {
		{OPTION_CLUSTER_CIDR, "--cluster-cidr", &options->cluster, &given->cluster},
		{OPTION_NODEPORT_ADDRESS, "--nodeport-address", &options->nodeport_addresses,
		 &given->nodeport_addresses},
		{OPTION_EXTERNAL_IP_RANGE, "--external-ip-range", &options->external_ranges,
		 &given->external_ranges},
		{OPTION_DSR_FROM, "--dsr-from", &options->dsr_from, &given->dsr_from},
	};
	size_t i = 0;

	while (lists[i].id != id)
		i++;
	if (!*lists[i].replaced)
		prefix_list_clear(lists[i].list);
	*lists[i].replaced = true;
	return option_add_prefix(lists[i].list, lists[i].name, value, refusal);
}

/* What an option without a value sets; NULL: it has one. */
static bool *flag_of(struct options *options, int id)
{
	switch (id) {
	case OPTION_METADATA:
		return &options->datapath.metadata;
	case OPTION_DSR:
		return &options->datapath.tunnels;
	case OPTION_REPLACE:
		return &options->datapath.replace;
	case OPTION_DETACH_ON_EXIT:
		return &options->detach_on_exit;
	case OPTION_CLEANUP:
		return &options->cleanup;
	case OPTION_CHECK:
		return &options->check;
	case OPTION_VERSION:
		return &options->version;
	case OPTION_HELP:
		return &options->help;
	default:
		return NULL;
	}
}

static int apply_tc(struct options *options, int id, const char *value, struct given *given,
		    struct refusal *refusal)
{
	if (id == OPTION_TC_INTERFACE)
		return add_text(&options->tc_interfaces, &given->tc_interfaces, "tc-interface",
				value, refusal);
	if (id == OPTION_EGRESS)
		return option_parse_egress(value, &options->egress)
			       ? refuse(refusal, "--egress %.64s: not auto, on or off", value)
			       : 0;
	return option_parse_tc_attach(value, &options->datapath.tc_filters)
		       ? refuse(refusal, "--tc-attach %.64s: not auto or clsact", value)
		       : 0;
}

/* One word of a few; or a number. */
static int apply_choice(struct options *options, int id, const char *value, struct refusal *refusal)
{
	switch (id) {
	case OPTION_XDP_MODE:
		if (!datapath_mode_parse(value, &options->mode))
			return 0;
		return refuse(refusal, "--xdp-mode %.64s: not auto, native, generic or offload",
			      value);
	case OPTION_MASQUERADE_PORTS:
		return set_ports(options, value, refusal);
	case OPTION_SOCKET_LB:
		if (!socket_lb_parse(value, &options->datapath.socket_lb))
			return 0;
		return refuse(refusal, "--socket-lb %.64s: not off, host-only or all", value);
	case OPTION_SOCKET_GROUP_MAY:
		if (!option_parse_group_may(value, &options->group_changes))
			return 0;
		return refuse(refusal, "--socket-group-may %.64s: not read or change", value);
	case OPTION_REFUSE:
		if (!datapath_refuse_parse(value, &options->datapath.refuse))
			return 0;
		return refuse(refusal, "--refuse %.64s: not answer or drop", value);
	default:
		return apply_number(options, (enum number_option)(id - OPTION_NUMBER), value,
				    refusal);
	}
}

/* Either takes the place of both of the config file's. */
static int name_cluster(struct options *options, const char *kubeconfig, struct given *given,
			struct refusal *refusal)
{
	if (!given->source) {
		options->kubernetes = false;
		free(options->kubeconfig);
		options->kubeconfig = NULL;
	}
	given->source = true;
	if (kubeconfig)
		return set_path("kubeconfig", kubeconfig, &options->kubeconfig, refusal);
	options->kubernetes = true;
	return 0;
}

static int apply(struct options *options, int id, const char *value, struct given *given,
		 struct refusal *refusal)
{
	bool *flag = flag_of(options, id);

	if (flag) {
		*flag = true;
		return 0;
	}
	switch (id) {
	case OPTION_TABLES:
		return add_text(&options->tables, &given->tables, "tables", value, refusal);
	case OPTION_KUBERNETES:
	case OPTION_KUBECONFIG:
		return name_cluster(options, value, given, refusal);
	case OPTION_NODE:
		return set_name("node", value, &options->node, refusal);
	case OPTION_INTERFACE:
		return add_text(&options->interfaces, &given->interfaces, "interface", value,
				refusal);
	case OPTION_CLUSTER_CIDR:
	case OPTION_NODEPORT_ADDRESS:
	case OPTION_EXTERNAL_IP_RANGE:
	case OPTION_DSR_FROM:
		return add_prefix(options, id, value, given, refusal);
	case OPTION_TC_INTERFACE:
	case OPTION_TC_ATTACH:
	case OPTION_EGRESS:
		return apply_tc(options, id, value, given, refusal);
	case OPTION_SOCKET:
		return set_path("socket", value, &options->socket_path, refusal);
	case OPTION_SOCKET_GROUP:
		return set_name("socket-group", value, &options->socket_group, refusal);
	case OPTION_PIN:
		return set_path("pin", value, &options->pin_path, refusal);
	case OPTION_STATE:
		return set_path("state", value, &options->state_path, refusal);
	case OPTION_HEALTHZ:
		return set_listen("healthz", value, &options->healthz, refusal);
	case OPTION_METRICS:
		return set_listen("metrics", value, &options->metrics, refusal);
	case OPTION_CGROUP:
		return set_path("cgroup", value, &options->cgroup, refusal);
	case OPTION_CONFIG:
		return 0; /* read before all others */
	default:
		return apply_choice(options, id, value, refusal);
	}
}

/* Names the word as it was typed: getopt only tells the last character or the option's id. */
static int refuse_option(const char *word, int answer, struct refusal *refusal)
{
	if (answer == ':')
		return refuse(refusal, "%.64s needs a value; see lbd --help", word);
	if (optopt >= OPTION_CONFIG)
		return refuse(refusal, "%.64s: the option takes no value", word);
	return refuse(refusal, "%.64s: no such option; see lbd --help", word);
}

static int find_config(int argc, char *const argv[], struct options *options,
		       struct refusal *refusal)
{
	int at = 1, id, error = 0;

	optind = 0;
	while (!error && (id = getopt_long(argc, argv, SHORT_OPTIONS, LONG_OPTIONS, NULL)) != -1) {
		if (id == '?' || id == ':')
			return refuse_option(argv[at], id, refusal);
		if (id == OPTION_CONFIG)
			error = option_set_text(&options->config_path, optarg, refusal);
		at = optind;
	}
	if (!error && optind < argc)
		return refuse(refusal, "%.64s: lbd takes options only; see lbd --help",
			      argv[optind]);
	return error;
}

/* With a cluster, what its nodes' probes look for. */
static void set_cluster_defaults(struct options *options)
{
	if (!options->healthz.given) {
		options->healthz.on = true;
		options->healthz.endpoint.port = htons(HEALTHZ_PORT);
	}
	if (!options->metrics.given) {
		options->metrics.on = true;
		options->metrics.endpoint.port = htons(METRICS_PORT);
		address_parse("127.0.0.1", &options->metrics.endpoint.address);
	}
}

int options_parse(int argc, char *const argv[], struct options *options, struct refusal *refusal)
{
	struct given given = {};
	int id, error;

	error = set_defaults(options, refusal);
	if (!error)
		error = find_config(argc, argv, options, refusal);
	if (!error && options->config_path)
		error = options_read_config(options, refusal);
	optind = 0;
	while (!error && (id = getopt_long(argc, argv, SHORT_OPTIONS, LONG_OPTIONS, NULL)) != -1)
		error = apply(options, id, optarg, &given, refusal);
	if (!error && options->kubernetes && options->kubeconfig)
		return refuse(refusal, "--kubernetes and --kubeconfig %.64s: one of them",
			      options->kubeconfig);
	if (!error && options->dsr_from.count > MAX_TUNNEL_SOURCES)
		return refuse(refusal, "--dsr-from: more than %d", MAX_TUNNEL_SOURCES);
	if (!error && options_name_cluster(options))
		set_cluster_defaults(options);
	return error;
}

void options_finish(struct options *options)
{
	text_list_clear(&options->tables);
	text_list_clear(&options->interfaces);
	prefix_list_clear(&options->cluster);
	text_list_clear(&options->tc_interfaces);
	prefix_list_clear(&options->nodeport_addresses);
	prefix_list_clear(&options->external_ranges);
	prefix_list_clear(&options->dsr_from);
	free(options->config_path);
	free(options->kubeconfig);
	free(options->node);
	free(options->socket_path);
	free(options->socket_group);
	free(options->pin_path);
	free(options->state_path);
	free(options->cgroup);
}
