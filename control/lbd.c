/*
 * lbd's main: options, then either a check of the files or the daemon. Exit status: 0, 1 refused or
 * failed, 2 usage.
 */
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include "control/cleanup.h"
#include "control/daemon.h"
#include "control/kube/kube.h"
#include "control/tables.h"

/* --check: everything that can be known without privileges. */
static int check(const struct options *options, struct refusal *refusal)
{
	struct tables tables = {};
	int error = 0;

	for (size_t i = 0; !error && i < options->tables.count; i++) {
		error = tables_read_file(options->tables.items[i], SOURCE_FILE, &tables, refusal);
		if (!error)
			printf("%s: %zu services\n", options->tables.items[i],
			       tables.service_count);
		tables_finish(&tables);
		tables = (struct tables){};
	}
	return error ? error : kube_check(options, refusal);
}

static int run(struct daemon *daemon, struct refusal *refusal)
{
	int error;

	if (daemon->options.check)
		return check(&daemon->options, refusal);
	if (daemon->options.cleanup)
		return cleanup(&daemon->options, refusal);
	error = daemon_start(daemon, refusal);
	if (!error)
		error = loop_run(daemon->loop);
	daemon_finish(daemon);
	return error;
}

int main(int argc, char *argv[])
{
	struct daemon daemon = {.pin_lock = -1};
	struct refusal refusal = {""};
	int error;

	error = options_parse(argc, argv, &daemon.options, &refusal);
	if (error) {
		fprintf(stderr, "lbd: %s\n", refusal.text);
		options_finish(&daemon.options);
		return error == -ENOMEM ? 1 : 2;
	}
	if (daemon.options.help || daemon.options.version) {
		fputs(daemon.options.help ? options_help() : "lbd " LB_VERSION "\n", stdout);
		options_finish(&daemon.options);
		return 0;
	}
	error = run(&daemon, &refusal);
	if (error)
		fprintf(stderr, "lbd: %s\n", refusal.text[0] ? refusal.text : strerror(-error));
	options_finish(&daemon.options);
	return error ? 1 : 0;
}
