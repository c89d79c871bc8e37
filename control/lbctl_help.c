/*
 * --help: of everything, of one object, or of one command. It is made of the same tables that the
 * command line is read by, so the two cannot differ.
 */
#include "control/lbctl.h"

#include <stdio.h>
#include <string.h>
#include "control/table.h"

#define LINE_TEXT_MAX 128

/* `service set SERVICE [OPTION]...` */
static const char *format_usage(const struct command *command, char text[LINE_TEXT_MAX])
{
	const struct argument *argument = command->arguments;
	bool has_options = false;
	size_t used;

	snprintf(text, LINE_TEXT_MAX, "%s%s%s", command->object, command->verb ? " " : "",
		 command->verb ? command->verb : "");
	for (; argument && argument->name; argument++) {
		bool is_optional = argument->flags & ARGUMENT_OPTIONAL;

		has_options |= argument->name[0] == '-';
		used = strlen(text);
		if (argument->name[0] != '-')
			snprintf(text + used, LINE_TEXT_MAX - used, is_optional ? " [%s]" : " %s",
				 argument->name);
	}
	used = strlen(text);
	snprintf(text + used, LINE_TEXT_MAX - used, "%s", has_options ? " [OPTION]..." : "");
	return text;
}

/* Two columns without a header, the first indented. */
static void add_line(struct table *table, const char *first, const char *second)
{
	if (!table->column_count) {
		table_add_column(table, NULL, COLUMN_TEXT);
		table_add_column(table, NULL, COLUMN_TEXT);
	}
	table_addf(table, "  %s", first);
	table_add(table, second);
}

static void add_argument(struct table *table, const struct argument *argument)
{
	char letter[] = {'-', argument->letter, ',', ' ', '\0'};
	char text[LINE_TEXT_MAX];

	snprintf(text, sizeof(text), "%s%s%s%s%s", argument->letter ? letter : "", argument->name,
		 argument->value ? " " : "", argument->value ? argument->value : "",
		 argument->flags & ARGUMENT_REPEATED ? " ..." : "");
	add_line(table, text, argument->help);
}

/* Memory that ran out shows as missing text: help is not worth a message of its own. */
static void print_lines(struct table *table)
{
	table_print(table, stdout);
	table_finish(table);
}

static void print_arguments(const char *title, const struct argument *argument)
{
	struct table table = {0};

	fputs(title, stdout);
	for (; argument && argument->name; argument++)
		add_argument(&table, argument);
	print_lines(&table);
}

static void print_all(void)
{
	struct table table = {0};
	char text[LINE_TEXT_MAX];

	puts("Usage: lbctl [--socket PATH] [-o table|json] COMMAND\n\n"
	     "Tells lbd, the service load balancer, what to do and asks how it does.\n\nCommands:");
	for (const struct command *command = commands; command->object; command++)
		add_line(&table, format_usage(command, text), command->help);
	print_lines(&table);
	print_arguments("\nOptions, anywhere on the line:\n", global_arguments);
	puts("\nSERVICE is ADDR:PORT[/tcp|udp|sctp] (10.96.0.10:80, [fd00::10]:53/udp) or its\n"
	     "name, NS/NAME[:PORT[/PROTO]]; BACKEND is ADDR:PORT. `lbctl COMMAND --help` shows\n"
	     "options.\n"
	     "\nExit status: 0 done, 1 refused or failed, 2 usage, 3 no daemon at the socket.");
}

static void print_one(const struct command *command, const char *separator)
{
	char text[LINE_TEXT_MAX];

	printf("%sUsage: lbctl %s\n  %s\n", separator, format_usage(command, text), command->help);
	if (command->arguments)
		print_arguments("\n", command->arguments);
}

void help_print(const struct invocation *invocation)
{
	const char *separator = "";

	if (!invocation->object)
		print_all();
	else if (invocation->command)
		print_one(invocation->command, separator);
	else
		for (const struct command *command = commands; command->object; command++) {
			if (strcmp(command->object, invocation->object))
				continue;
			print_one(command, separator);
			separator = "\n";
		}
}
