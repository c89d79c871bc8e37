/*
 * What the files of lbctl share. A command is a row of data: the words it takes, each with how it
 * is checked and put into the request, and how the answer is printed. One run of lbctl is an
 * invocation.
 */
#pragma once

#include <jansson.h>
#include <stdbool.h>
#include "lb/refusal.h"

/* The exit status. */
enum status {
	STATUS_DONE,
	STATUS_REFUSED, /* or failed */
	STATUS_USAGE,
	STATUS_NO_DAEMON,
};

struct argument;
struct command;

/* What the words of the command line say. Words are borrowed from argv. */
struct invocation {
	const char *object;            /* first word; NULL: none was given */
	const struct command *command; /* NULL: an object alone, for --help */
	const char *socket;
	json_t *request;        /* owned */
	struct refusal refusal; /* why the status is not STATUS_DONE */
	bool json;
	bool help;
	bool version;
	bool watch;
};

/* Checks one word (NULL: a flag) and puts it into the invocation. 0, or -errno refused. */
typedef int (*argument_put)(struct invocation *invocation, const struct argument *argument,
			    const char *word);

/* Prints an answer on stdout. 0, -ENOMEM, or -EPROTO when the answer has another shape. */
typedef int (*answer_print)(const struct invocation *invocation, const json_t *result);

enum argument_flag {
	ARGUMENT_OPTIONAL = 1 << 0, /* of words without dashes; options always are */
	ARGUMENT_REPEATED = 1 << 1,
};

/* A word by its place (`SERVICE`) or an option (`--weight`). Tables of them end with no name. */
struct argument {
	const char *name;
	const char *value; /* what an option takes, as --help shows it; NULL: a flag */
	const char *key;   /* in the request */
	argument_put put;
	const char *help;
	unsigned int flags; /* enum argument_flag */
	char letter;        /* -o; 0: none */
};

struct command {
	const char *object;
	const char *verb;                 /* NULL: the object alone is the command */
	const struct argument *arguments; /* NULL: none */
	answer_print print;
	const char *help;
	bool wants_option; /* without any option there is nothing to do */
};

/* lbctl.c; ends with no object. */
extern const struct command commands[];

/* lbctl_arguments.c: reads the words after the program's name. */
enum status invocation_read(struct invocation *invocation, char **words);

/* lbctl_globals.c */
extern const struct argument global_arguments[];

/* lbctl.c: sends the request; the caller owns *result. */
enum status invocation_ask(struct invocation *invocation, json_t **result);

/* lbctl.c: prints it in the form asked for; as JSON whatever was asked for. */
enum status invocation_print(struct invocation *invocation, const json_t *result);
int print_json(const struct invocation *, const json_t *result);

/* lbctl_watch.c: asks and prints each second until interrupted. */
enum status invocation_watch(struct invocation *invocation);
#define STATS_RATE_KEY "rate" /* where it puts what a counter's object grew by each second */

/* lbctl_help.c: of everything, of an object, or of one command, as far as the words say. */
void help_print(const struct invocation *invocation);

/* lbctl_suggest.c: ` (did you mean X?)`, or "" where nothing is close. Valid for one more call. */
const char *suggest_object(const char *typed);
const char *suggest_verb(const char *typed, const char *object);
const char *suggest_verbs(const char *object); /* ` (add, del, list)` */
const char *suggest_option(const char *typed, const struct command *command);

/*
 * lbctl_words.c: what words become in the request. Each takes `value` over, also when it fails; a
 * value of NULL is one there was no memory for. 0, or -errno refused.
 */
int request_set(struct invocation *invocation, const char *key, json_t *value);
int request_set_text(struct invocation *invocation, const char *key, const char *text);
int request_append(struct invocation *invocation, const char *key, json_t *value);
int request_open_list(struct invocation *invocation, const char *key, json_t **list);

/* Digits only, no sign, no blanks, 0 … limit. `what` is the word that is blamed. */
int word_parse_number(struct refusal *refusal, const char *what, const char *word,
		      unsigned long limit, unsigned long *number);

/* NS/NAME…: it has its '/' before any ':', and no address before that '/'. */
bool word_is_service_name(const char *word);

/*
 * ADDR:PORT[/PROTO] or a name; only the former; ADDR:PORT; ADDR:PORT[,weight=N]; 30s, 10m, 2h, 1d
 * or seconds; a flag.
 */
int put_service(struct invocation *, const struct argument *, const char *word);
int put_service_key(struct invocation *, const struct argument *, const char *word);
int put_backend(struct invocation *, const struct argument *, const char *word);
int put_weighted_backend(struct invocation *, const struct argument *, const char *word);
int put_duration(struct invocation *, const struct argument *, const char *word);
int put_flag(struct invocation *, const struct argument *, const char *word);

/* The arguments and answers of each object, in the file that carries its name. */
extern const struct argument service_arguments[];
extern const struct argument service_add_arguments[];
extern const struct argument service_set_arguments[];
int print_service_added(const struct invocation *, const json_t *result);
int print_service_changed(const struct invocation *, const json_t *result);
int print_service_removed(const struct invocation *, const json_t *result);
int print_services(const struct invocation *, const json_t *result);
int print_service(const struct invocation *, const json_t *result);

extern const struct argument backend_arguments[];
extern const struct argument backend_add_arguments[];
extern const struct argument backend_set_arguments[];
extern const struct argument backend_list_arguments[];
int print_backend_added(const struct invocation *, const json_t *result);
int print_backend_changed(const struct invocation *, const json_t *result);
int print_backend_removed(const struct invocation *, const json_t *result);
int print_backends(const struct invocation *, const json_t *result);

extern const struct argument apply_arguments[];
int print_applied(const struct invocation *, const json_t *result);

extern const struct argument interface_arguments[];
extern const struct argument interface_add_arguments[];
int print_interface_added(const struct invocation *, const json_t *result);
int print_interface_removed(const struct invocation *, const json_t *result);
int print_interfaces(const struct invocation *, const json_t *result);
int print_neighbours(const struct invocation *, const json_t *result);
int print_status(const struct invocation *, const json_t *result);
int print_findings(const struct invocation *, const json_t *result);
int print_version(const struct invocation *, const json_t *result);

extern const struct argument connection_list_arguments[];
extern const struct argument connection_flush_arguments[];
int print_connections(const struct invocation *, const json_t *result);
int print_connection_count(const struct invocation *, const json_t *result);
int print_flushed(const struct invocation *, const json_t *result);

extern const struct argument deny_add_arguments[];
extern const struct argument deny_del_arguments[];
int print_denied(const struct invocation *, const json_t *result);
int print_allowed(const struct invocation *, const json_t *result);
int print_deny_list(const struct invocation *, const json_t *result);

extern const struct argument stats_arguments[];
int print_stats(const struct invocation *, const json_t *result);
