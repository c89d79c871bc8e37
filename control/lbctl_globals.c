/*
 * The options of every command. They are put as they are read: --help and the form of the output
 * matter even where the rest of the line is wrong.
 */
#include "control/lbctl.h"

#include <string.h>

static int put_socket(struct invocation *invocation, const struct argument *argument,
		      const char *word)
{
	(void)argument;
	invocation->socket = word;
	return 0;
}

static int put_output(struct invocation *invocation, const struct argument *argument,
		      const char *word)
{
	(void)argument;
	if (strcmp(word, "table") && strcmp(word, "json"))
		return refuse(&invocation->refusal, "-o: \"%s\" is neither table nor json", word);
	invocation->json = word[0] == 'j';
	return 0;
}

static int put_help(struct invocation *invocation, const struct argument *argument,
		    const char *word)
{
	(void)argument;
	(void)word;
	invocation->help = true;
	return 0;
}

static int put_version(struct invocation *invocation, const struct argument *argument,
		       const char *word)
{
	(void)argument;
	(void)word;
	invocation->version = true;
	return 0;
}

const struct argument global_arguments[] = {
	{"--socket", "PATH", .put = put_socket, .help = "lbd's socket (/run/lbd/lbd.sock)"},
	{"--output", "table|json", .put = put_output, .help = "for people or for programs",
	 .letter = 'o'},
	{"--help", .put = put_help, .help = "of lbctl, or of the object before it", .letter = 'h'},
	{"--version", .put = put_version, .help = "the version of lbctl"},
	{0},
};
