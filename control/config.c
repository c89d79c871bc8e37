/*
 * The settings file: the options of the command line as JSON, and the timeouts, which have no
 * option. Unknown keys, wrong types and values out of range are refused by their path.
 */
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include "control/masquerade.h"
#include "control/number_option.h"
#include "control/options.h"
#include "control/tables.h"
#include "lb/address.h"

#define TIMEOUT_MAX_SECONDS (30 * 24 * 60 * 60)

static int refuse_key(const struct options *options, const char *key, const char *wanted,
		      struct refusal *refusal)
{
	return refuse(refusal, "%s: %.64s: not %s", options->config_path, key, wanted);
}

static bool is_word(const json_t *value)
{
	return json_is_string(value) && json_string_length(value);
}

static int read_text(const struct options *options, const char *key, const json_t *value,
		     char **target, struct refusal *refusal)
{
	const bool is_name = !strcmp(key, "node") || !strcmp(key, "socket-group");

	if (!is_word(value))
		return refuse_key(options, key, is_name ? "a name" : "a path", refusal);
	return option_set_text(target, json_string_value(value), refusal);
}

/* `range` also says the key, as it is told. */
static int read_number(const struct options *options, const struct number_range *range,
		       const json_t *value, uint32_t *target, struct refusal *refusal)
{
	char wanted[32];

	snprintf(wanted, sizeof(wanted), "%u–%u", range->least, range->most);
	if (!json_is_integer(value) || json_integer_value(value) < range->least ||
	    json_integer_value(value) > range->most)
		return refuse_key(options, range->name, wanted, refusal);
	*target = (uint32_t)json_integer_value(value);
	return 0;
}

static int add_word(struct text_list *list, const json_t *value, struct refusal *refusal)
{
	return text_list_add(list, json_string_value(value))
		       ? refuse_with(refusal, ENOMEM, "out of memory")
		       : 0;
}

/* A text, or a list of them, none of them empty. */
static int read_list(const struct options *options, const char *key, const json_t *value,
		     struct text_list *list, struct refusal *refusal)
{
	const json_t *item;
	size_t i;

	if (is_word(value))
		return add_word(list, value, refusal);
	if (!json_is_array(value))
		return refuse_key(options, key, "a text or a list of texts", refusal);
	json_array_foreach ((json_t *)value, i, item) {
		if (!is_word(item))
			return refuse_key(options, key, "a list of texts", refusal);
		if (add_word(list, item, refusal))
			return -ENOMEM;
	}
	return 0;
}

/* A prefix, or a list of them. */
static int read_prefixes(const struct options *options, const char *key, const json_t *value,
			 struct prefix_list *list, struct refusal *refusal)
{
	struct text_list texts = {};
	struct refusal why;
	int error = read_list(options, key, value, &texts, refusal);

	for (size_t i = 0; !error && i < texts.count; i++) {
		error = option_add_prefix(list, key, texts.items[i], &why);
		if (error)
			refuse(refusal, "%s: %s", options->config_path, why.text);
	}
	text_list_clear(&texts);
	return error;
}

static int read_timeouts(struct options *options, const json_t *value, struct refusal *refusal)
{
	const struct {
		const char *name;
		uint32_t *target;
	} timeouts[] = {
		{"tcp_opening", &options->datapath.tcp_opening_seconds},
		{"tcp_established", &options->datapath.tcp_established_seconds},
		{"tcp_closing", &options->datapath.tcp_closing_seconds},
		{"tcp_closed", &options->datapath.tcp_closed_seconds},
		{"udp", &options->datapath.udp_seconds},
	};
	size_t known = sizeof(timeouts) / sizeof(timeouts[0]), i;
	const json_t *item;
	const char *key;
	char path[96];
	int error;

	if (!json_is_object(value))
		return refuse_key(options, "timeouts", "an object of seconds", refusal);
	json_object_foreach ((json_t *)value, key, item) {
		snprintf(path, sizeof(path), "timeouts.%.64s", key);
		for (i = 0; i < known && strcmp(key, timeouts[i].name); i++)
			;
		if (i == known)
			return refuse_key(options, path,
					  "one of tcp_opening, tcp_established, tcp_closing, "
					  "tcp_closed, udp",
					  refusal);
		error = read_number(options,
				    &(struct number_range){path, 1, TIMEOUT_MAX_SECONDS, 0}, item,
				    timeouts[i].target, refusal);
		if (error)
			return error;
	}
	return 0;
}

static int read_hairpin(struct options *options, const char *key, const json_t *value,
			struct refusal *refusal)
{
	const bool ipv4 = !strcmp(key, "hairpin-ipv4");
	struct address address;

	if (!json_is_string(value) || address_parse(json_string_value(value), &address) ||
	    address_is_ipv4(&address) != ipv4)
		return refuse_key(options, key, ipv4 ? "an IPv4 address" : "an IPv6 address",
				  refusal);
	*(ipv4 ? &options->datapath.hairpin.ipv4 : &options->datapath.hairpin.ipv6) = address;
	return 0;
}

static int read_mode(struct options *options, const json_t *value, struct refusal *refusal)
{
	if (!json_is_string(value) || datapath_mode_parse(json_string_value(value), &options->mode))
		return refuse_key(options, "xdp-mode", "auto, native, generic or offload", refusal);
	return 0;
}

static int read_tc_word(struct options *options, const char *key, const json_t *value,
			struct refusal *refusal)
{
	const char *word = json_is_string(value) ? json_string_value(value) : "";

	if (!strcmp(key, "egress"))
		return option_parse_egress(word, &options->egress)
			       ? refuse_key(options, key, "auto, on or off", refusal)
			       : 0;
	return option_parse_tc_attach(word, &options->datapath.tc_filters)
		       ? refuse_key(options, key, "auto or clsact", refusal)
		       : 0;
}

static int read_flag(const struct options *options, const char *key, const json_t *value,
		     bool *target, struct refusal *refusal)
{
	if (!json_is_boolean(value))
		return refuse_key(options, key, "true or false", refusal);
	*target = json_is_true(value);
	return 0;
}

static int read_number_option(struct options *options, enum number_option option,
			      const json_t *value, struct refusal *refusal)
{
	return read_number(options, &NUMBER_OPTIONS[option], value,
			   number_option_of(options, option), refusal);
}

static int read_refuse(struct options *options, const json_t *value, struct refusal *refusal)
{
	if (!json_is_string(value) ||
	    datapath_refuse_parse(json_string_value(value), &options->datapath.refuse))
		return refuse_key(options, "refuse", "answer or drop", refusal);
	return 0;
}

static int read_socket_lb(struct options *options, const json_t *value, struct refusal *refusal)
{
	if (!json_is_string(value) ||
	    socket_lb_parse(json_string_value(value), &options->datapath.socket_lb))
		return refuse_key(options, "socket-lb", "off, host-only or all", refusal);
	return 0;
}

static int read_ports(struct options *options, const char *key, const json_t *value,
		      struct refusal *refusal)
{
	if (!json_is_string(value) ||
	    masquerade_parse_ports(json_string_value(value), &options->datapath.masquerade_ports))
		return refuse_key(options, key, "FIRST-LAST of 1–65535", refusal);
	return 0;
}

static int read_group_may(struct options *options, const json_t *value, struct refusal *refusal)
{
	if (!json_is_string(value) ||
	    option_parse_group_may(json_string_value(value), &options->group_changes))
		return refuse_key(options, "socket-group-may", "read or change", refusal);
	return 0;
}

static int read_listen(const struct options *options, const char *key, const json_t *value,
		       struct listen_option *listen, struct refusal *refusal)
{
	if (!json_is_string(value) || option_parse_listen(json_string_value(value), listen))
		return refuse_key(options, key, LISTEN_WANTED, refusal);
	return 0;
}

/* NULL: it is no flag. */
static bool *flag_named(struct options *options, const char *key)
{
	if (!strcmp(key, "kubernetes"))
		return &options->kubernetes;
	if (!strcmp(key, "detach-on-exit"))
		return &options->detach_on_exit;
	if (!strcmp(key, "replace"))
		return &options->datapath.replace;
	if (!strcmp(key, "metadata"))
		return &options->datapath.metadata;
	if (!strcmp(key, "dsr"))
		return &options->datapath.tunnels;
	return strcmp(key, "seccomp") ? NULL : &options->seccomp;
}

/* NULL: it is no list of prefixes. */
static struct prefix_list *prefixes_named(struct options *options, const char *key)
{
	if (!strcmp(key, "cluster-cidr"))
		return &options->cluster;
	if (!strcmp(key, "nodeport-address"))
		return &options->nodeport_addresses;
	if (!strcmp(key, "dsr-from"))
		return &options->dsr_from;
	return strcmp(key, "external-ip-range") ? NULL : &options->external_ranges;
}

/* What a key that is a path or a name sets; NULL: it is none. */
static char **text_of(struct options *options, const char *key)
{
	const struct {
		const char *name;
		char **target;
	} texts[] = {
		{"socket", &options->socket_path}, {"socket-group", &options->socket_group},
		{"pin", &options->pin_path},       {"state", &options->state_path},
		{"cgroup", &options->cgroup},      {"kubeconfig", &options->kubeconfig},
		{"node", &options->node},
	};

	for (size_t i = 0; i < sizeof(texts) / sizeof(texts[0]); i++)
		if (!strcmp(key, texts[i].name))
			return texts[i].target;
	return NULL;
}

static int read_key(struct options *options, const char *key, const json_t *value,
		    struct refusal *refusal)
{
	struct prefix_list *prefixes = prefixes_named(options, key);
	bool *flag = flag_named(options, key);

	if (prefixes)
		return read_prefixes(options, key, value, prefixes, refusal);
	if (flag)
		return read_flag(options, key, value, flag, refusal);
	if (text_of(options, key))
		return read_text(options, key, value, text_of(options, key), refusal);
	if (!strcmp(key, "socket-group-may"))
		return read_group_may(options, value, refusal);
	if (!strcmp(key, "tables"))
		return read_list(options, key, value, &options->tables, refusal);
	if (!strcmp(key, "interface"))
		return read_list(options, key, value, &options->interfaces, refusal);
	if (!strcmp(key, "tc-interface"))
		return read_list(options, key, value, &options->tc_interfaces, refusal);
	if (!strcmp(key, "tc-attach") || !strcmp(key, "egress"))
		return read_tc_word(options, key, value, refusal);
	if (!strcmp(key, "masquerade-ports"))
		return read_ports(options, key, value, refusal);
	if (!strcmp(key, "xdp-mode"))
		return read_mode(options, value, refusal);
	if (!strcmp(key, "hairpin-ipv4") || !strcmp(key, "hairpin-ipv6"))
		return read_hairpin(options, key, value, refusal);
	if (!strcmp(key, "refuse"))
		return read_refuse(options, value, refusal);
	if (!strcmp(key, "socket-lb"))
		return read_socket_lb(options, value, refusal);
	if (!strcmp(key, "timeouts"))
		return read_timeouts(options, value, refusal);
	if (number_option_find(key) != _NUMBER_OPTION_COUNT)
		return read_number_option(options, number_option_find(key), value, refusal);
	if (!strcmp(key, "healthz"))
		return read_listen(options, key, value, &options->healthz, refusal);
	if (!strcmp(key, "metrics"))
		return read_listen(options, key, value, &options->metrics, refusal);
	return refuse(
		refusal,
		"%s: %.64s: unknown key; known are socket, pin, state, tables, "
		"kubernetes, kubeconfig, node, interface, tc-interface, tc-attach, egress, "
		"cluster-cidr, nodeport-address, external-ip-range, xdp-mode, "
		"dsr, dsr-from, socket-lb, cgroup, "
		"replace, detach-on-exit, metadata, refuse, timeouts, seccomp, healthz, metrics, "
		"socket-group, socket-group-may, hairpin-ipv4, hairpin-ipv6, max-services, "
		"max-backends, max-connections, max-new-connections, max-affinity, "
		"max-fragments, max-masquerades, masquerade-ports, metrics-detail, "
		"icmp-errors",
		options->config_path, key);
}

int options_read_config(struct options *options, struct refusal *refusal)
{
	json_t *document = tables_load_file(options->config_path, refusal);
	const json_t *value;
	const char *key;
	int error = 0;

	if (!document)
		return -EINVAL;
	if (!json_is_object(document))
		error = refuse(refusal, "%s: not a JSON object of settings", options->config_path);
	else
		json_object_foreach (document, key, value) {
			error = read_key(options, key, value, refusal);
			if (error)
				break;
		}
	json_decref(document);
	if (!error && options->kubernetes && options->kubeconfig)
		return refuse(refusal, "%s: kubernetes and kubeconfig: one of them",
			      options->config_path);
	return error;
}
