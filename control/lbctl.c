/*
 * lbctl, the operator's tool: one command line becomes one question to lbd (docs/protocol.md), and
 * its answer is printed for people or as JSON. Commands are rows of the table below; all the rules
 * of the service are lbd's, words are checked here only to say sooner and better what is wrong.
 */
#include "control/lbctl.h"

#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include "control/client.h"
#include "control/terminal.h"

#define DEFAULT_SOCKET "/run/lbd/lbd.sock"
#define OUTPUT_BUFFER_BYTES 65536

const struct command commands[] = {
	{"service", "add", service_add_arguments, print_service_added, .help = "add a service"},
	{"service", "set", service_set_arguments, print_service_changed,
	 .help = "change a service: what is not named stays, `none` empties", .wants_option = true},
	{"service", "del", service_arguments, print_service_removed, .help = "remove a service"},
	{"service", "list", NULL, print_services, .help = "list the services"},
	{"service", "show", service_arguments, print_service, .help = "show one service"},
	{"backend", "add", backend_add_arguments, print_backend_added,
	 .help = "add a backend to a service"},
	{"backend", "set", backend_set_arguments, print_backend_changed,
	 .help = "change the weight, the state or the deadline of a backend", .wants_option = true},
	{"backend", "del", backend_arguments, print_backend_removed,
	 .help = "remove a backend from a service"},
	{"backend", "list", backend_list_arguments, print_backends,
	 .help = "list the backends of one service or of all"},
	{"apply", NULL, apply_arguments, print_applied,
	 .help = "add and change services as a file says, all or nothing"},
	{"export", NULL, NULL, print_json,
	 .help = "print services and denied prefixes as apply reads them"},
	{"interface", "add", interface_add_arguments, print_interface_added,
	 .help = "balance what an interface receives"},
	{"interface", "del", interface_arguments, print_interface_removed,
	 .help = "leave an interface alone"},
	{"interface", "list", NULL, print_interfaces, .help = "list the interfaces"},
	{"neighbour", "list", NULL, print_neighbours, .help = "list how backends are reached"},
	{"connection", "list", connection_list_arguments, print_connections,
	 .help = "list the connections"},
	{"connection", "count", NULL, print_connection_count, .help = "count the connections"},
	{"connection", "flush", connection_flush_arguments, print_flushed,
	 .help = "forget the connections of one service or all"},
	{"deny", "add", deny_add_arguments, print_denied,
	 .help = "drop what comes from these addresses"},
	{"deny", "del", deny_del_arguments, print_allowed, .help = "drop it no longer"},
	{"deny", "list", NULL, print_deny_list,
	 .help = "list what is denied, and what was dropped"},
	{"stats", NULL, stats_arguments, print_stats, .help = "show what was counted"},
	{"status", NULL, NULL, print_status, .help = "show how lbd is"},
	{"doctor", NULL, NULL, print_findings, .help = "tell what is wrong, and what helps"},
	{"version", NULL, NULL, print_version, .help = "show the versions of lbctl and lbd"},
	{0},
};

/* One write, so that the lines of two processes do not mix; one line, whatever was typed. */
static void complain(struct refusal *refusal)
{
	fprintf(stderr, "lbctl: %s\n", terminal_clean(refusal->text));
}

enum status invocation_ask(struct invocation *invocation, json_t **result)
{
	int error =
		client_ask(invocation->socket, invocation->request, result, &invocation->refusal);

	if (error == -ECONNREFUSED)
		return STATUS_NO_DAEMON;
	return error ? STATUS_REFUSED : STATUS_DONE;
}

int print_json(const struct invocation *invocation, const json_t *result)
{
	/* a page a second is read by programs: a value a line */
	size_t form = invocation->watch ? JSON_COMPACT : JSON_INDENT(2);

	if (json_dumpf(result, stdout, form | JSON_ENCODE_ANY))
		return ferror(stdout) ? 0 : -ENOMEM; /* of the stream's errors flush_output tells */
	putchar('\n');
	return 0;
}

/* A full disk or a closed pipe shows here at the latest. */
static enum status flush_output(struct invocation *invocation)
{
	bool failed = ferror(stdout);

	if (!fflush(stdout) && !failed)
		return STATUS_DONE;
	refuse(&invocation->refusal, "standard output: %s", strerror(errno));
	return STATUS_REFUSED;
}

enum status invocation_print(struct invocation *invocation, const json_t *result)
{
	answer_print print = invocation->json ? print_json : invocation->command->print;
	int error = print(invocation, result);

	if (error == -EPROTO)
		refuse(&invocation->refusal,
		       "%s: lbd's answer has another shape: are lbctl and lbd of one version?",
		       invocation->object);
	else if (error)
		refuse(&invocation->refusal, "%s: %s", invocation->object, strerror(-error));
	return error ? STATUS_REFUSED : flush_output(invocation);
}

static enum status run(struct invocation *invocation, char **words)
{
	json_auto_t *result = NULL;
	enum status status = invocation_read(invocation, words);

	if (status)
		return status;
	if (invocation->version)
		puts("lbctl " LB_VERSION);
	else if (invocation->help)
		help_print(invocation);
	if (invocation->version || invocation->help)
		return flush_output(invocation);
	if (invocation->watch)
		return invocation_watch(invocation);
	status = invocation_ask(invocation, &result);
	return status ? status : invocation_print(invocation, result);
}

int main(int argc, char **argv)
{
	struct invocation invocation = {.socket = DEFAULT_SOCKET};
	enum status status;

	signal(SIGPIPE, SIG_IGN); /* a closed pipe is an error like others */
	setvbuf(stdout, NULL, _IOFBF, OUTPUT_BUFFER_BYTES); /* whole pages, also on a terminal */
	status = run(&invocation, argc ? argv + 1 : argv);
	if (status)
		complain(&invocation.refusal);
	json_decref(invocation.request);
	return status;
}
