/*
 * lbd's settings: defaults, then the file of --config, then the command line.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include "control/http.h"
#include "lb/address.h"
#include "lb/datapath.h"
#include "lb/refusal.h"

struct text_list {
	char **items;
	size_t count;
};

struct prefix_list {
	struct prefix *items;
	size_t count;
};

/* `ADDR:PORT`, or `off`. */
struct listen_option {
	bool given; /* else the default holds, which depends on what lbd is for */
	bool on;
	struct http_endpoint endpoint;
};

/* Whether the programs for what leaves are on interfaces. */
enum egress {
	EGRESS_AUTO, /* while a backend is of this node, or left to the stack otherwise */
	EGRESS_ON,
	EGRESS_OFF,
};

struct options {
	char *config_path; /* NULL: none */
	char *socket_path;
	char *socket_group; /* NULL: none */
	bool group_changes; /* its members may do more than read */
	char *pin_path;
	char *state_path;
	struct text_list tables;
	bool kubernetes;  /* of the cluster that lbd runs in */
	char *kubeconfig; /* of the one that this names; NULL: none */
	char *node;       /* NULL: as the environment or the host is called */
	struct text_list interfaces;
	struct text_list tc_interfaces;
	enum egress egress;
	struct prefix_list cluster;            /* addresses of the cluster that this node is of */
	struct prefix_list nodeport_addresses; /* node ports are served at these; none: at all */
	struct prefix_list external_ranges;    /* what externalIPs of Services may be of */
	struct prefix_list dsr_from;           /* from where tunnels end here */
	enum datapath_mode mode;
	struct datapath_options datapath; /* pin_path, linear are set when it is opened */
	char *cgroup;                     /* NULL: the root's; datapath.cgroup is set from it */
	struct listen_option healthz;
	struct listen_option metrics;
	uint32_t metrics_detail; /* services and backends that are told one by one */
	bool seccomp;            /* restrict system calls */
	bool detach_on_exit;
	bool cleanup; /* --cleanup: remove what an lbd has left, and end */
	bool check;   /* --check: read config and tables, say whether they are right, and end */
	bool version;
	bool help;
};

/*
 * 0, -EINVAL with a refusal naming the word (a usage error), or another error of the config file.
 */
int options_parse(int argc, char *const argv[], struct options *options, struct refusal *refusal);
void options_finish(struct options *options);

/* Whether there is a cluster to watch. */
static inline bool options_name_cluster(const struct options *options)
{
	return options->kubernetes || options->kubeconfig;
}

/* What --help prints. */
const char *options_help(void);

/* For the files behind this header. */
int text_list_add(struct text_list *list, const char *text);
void text_list_clear(struct text_list *list);
/* Adds the prefix that a text says. 0, or an error with a refusal that names `name`. */
int option_add_prefix(struct prefix_list *list, const char *name, const char *text,
		      struct refusal *refusal);
void prefix_list_clear(struct prefix_list *list);
int option_set_text(char **target, const char *value, struct refusal *refusal);
/* `read`, `change`; 0 or -EINVAL. */
int option_parse_group_may(const char *text, bool *changes);
#define LISTEN_WANTED "ADDR:PORT, like 127.0.0.1:9000 or [::1]:9000, or off"
/* 0 or -EINVAL. */
int option_parse_listen(const char *text, struct listen_option *listen);
/* `auto`, `on`, `off`; 0 or -EINVAL. */
int option_parse_egress(const char *text, enum egress *egress);
/* `auto`, `clsact`; 0 or -EINVAL. */
int option_parse_tc_attach(const char *text, bool *filters);
int options_read_config(struct options *options, struct refusal *refusal);
