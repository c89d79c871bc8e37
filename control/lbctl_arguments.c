/*
 * From words to an invocation: which command, which options, which words by their place. Options
 * may stand anywhere, `--` ends them. Everything unknown or missing is found before the first word
 * is put, so that no file is read for a command line that is wrong.
 */
#include "control/lbctl.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define COMMAND_TEXT_MAX 32

/* A word and what it is for. */
struct given {
	const struct argument *argument;
	const char *word;
};

/* Where reading has come to. `given` is owned and holds as many elements as there are words. */
struct reading {
	struct invocation *invocation;
	char **next;
	struct given *given;
	size_t given_count;
	size_t place_count; /* words by their place among them */
	bool options_ended;
};

static const char *const LATER_OBJECTS[] = {"top", "monitor", "explain"};

__attribute__((format(printf, 2, 3))) static enum status
complain_usage(struct invocation *invocation, const char *format, ...)
{
	struct refusal wrong;
	va_list arguments;

	va_start(arguments, format);
	vsnprintf(wrong.text, sizeof(wrong.text), format, arguments);
	va_end(arguments);
	if (invocation->object)
		refuse(&invocation->refusal, "%.400s; see `lbctl %s --help`", wrong.text,
		       invocation->object);
	else
		refuse(&invocation->refusal, "%.400s; see `lbctl --help`", wrong.text);
	return STATUS_USAGE;
}

static const char *name_command(const struct command *command, char text[COMMAND_TEXT_MAX])
{
	snprintf(text, COMMAND_TEXT_MAX, "%s%s%s", command->object, command->verb ? " " : "",
		 command->verb ? command->verb : "");
	return text;
}

static enum status take_object(struct invocation *invocation, const char *word)
{
	const struct command *command = commands;

	while (command->object && strcmp(command->object, word))
		command++;
	if (command->object) {
		invocation->object = command->object;
		invocation->command = command->verb ? NULL : command;
		return STATUS_DONE;
	}
	for (size_t i = 0; i < sizeof(LATER_OBJECTS) / sizeof(LATER_OBJECTS[0]); i++)
		if (!strcmp(word, LATER_OBJECTS[i]))
			return complain_usage(invocation, "\"%s\" is not part of this version, %s",
					      word, LB_VERSION);
	return complain_usage(invocation, "\"%s\" is not a command%s", word, suggest_object(word));
}

static enum status take_verb(struct invocation *invocation, const char *word)
{
	for (const struct command *command = commands; command->object; command++) {
		if (!strcmp(command->object, invocation->object) && !strcmp(command->verb, word)) {
			invocation->command = command;
			return STATUS_DONE;
		}
	}
	return complain_usage(invocation, "\"%s\" is not a command of %s%s", word,
			      invocation->object, suggest_verb(word, invocation->object));
}

/* The argument of the word with `place` words before it, NULL where no more are taken. */
static const struct argument *find_place(const struct command *command, size_t place)
{
	const struct argument *argument = command->arguments;

	for (; argument && argument->name; argument++)
		if (argument->name[0] != '-' && !place--)
			return argument;
	return NULL;
}

static enum status take_word(struct reading *reading, const char *word)
{
	struct invocation *invocation = reading->invocation;
	const struct argument *argument;
	char text[COMMAND_TEXT_MAX];

	if (!invocation->object)
		return take_object(invocation, word);
	if (!invocation->command)
		return take_verb(invocation, word);
	argument = find_place(invocation->command, reading->place_count);
	if (!argument)
		return complain_usage(invocation, "\"%s\" is one word too many for %s", word,
				      name_command(invocation->command, text));
	reading->place_count++;
	reading->given[reading->given_count++] = (struct given){argument, word};
	return STATUS_DONE;
}

/* `name` is all of `--name`, or one letter behind its dash. */
static const struct argument *find_option(const struct argument *argument, const char *name,
					  size_t length)
{
	bool is_letter = length == 2;

	for (; argument && argument->name; argument++) {
		if (is_letter && argument->letter && argument->letter == name[1])
			return argument;
		if (!strncmp(argument->name, name, length) && !argument->name[length])
			return argument;
	}
	return NULL;
}

static bool is_given(const struct reading *reading, const struct argument *argument)
{
	for (size_t i = 0; i < reading->given_count; i++)
		if (reading->given[i].argument == argument)
			return true;
	return false;
}

/* `value` is what followed in the same word, or NULL. */
static enum status keep_option(struct reading *reading, const struct argument *argument,
			       const char *value, bool is_global)
{
	struct invocation *invocation = reading->invocation;

	if (value && !argument->value)
		return complain_usage(invocation, "%s: takes no value", argument->name);
	if (argument->value && !value && *reading->next)
		value = *reading->next++; /* also when it begins with a dash: --weight -1 */
	if (argument->value && !value)
		return complain_usage(invocation, "%s: %s is missing", argument->name,
				      argument->value);
	if (is_global)
		return argument->put(invocation, argument, value) ? STATUS_USAGE : STATUS_DONE;
	if (!(argument->flags & ARGUMENT_REPEATED) && is_given(reading, argument))
		return complain_usage(invocation, "%s: given twice", argument->name);
	reading->given[reading->given_count++] = (struct given){argument, value};
	return STATUS_DONE;
}

/* `--name`, `--name=value`, `-o`, `-ovalue`. */
static enum status take_option(struct reading *reading, const char *word)
{
	const struct command *command = reading->invocation->command;
	bool is_long = word[1] == '-';
	size_t length = is_long ? strcspn(word, "=") : 2;
	const char *value = word[length] ? word + length + is_long : NULL;
	const struct argument *argument;

	argument = find_option(global_arguments, word, length);
	if (argument)
		return keep_option(reading, argument, value, true);
	argument = find_option(command ? command->arguments : NULL, word, length);
	if (argument)
		return keep_option(reading, argument, value, false);
	return complain_usage(reading->invocation, "%.*s is not an option here%s", (int)length,
			      word, suggest_option(word, command));
}

static enum status take_all(struct reading *reading)
{
	enum status status = STATUS_DONE;

	while (!status && *reading->next) {
		const char *word = *reading->next++;

		if (reading->options_ended || word[0] != '-' || !word[1])
			status = take_word(reading, word);
		else if (!strcmp(word, "--"))
			reading->options_ended = true;
		else
			status = take_option(reading, word);
	}
	return status;
}

static enum status check_complete(const struct reading *reading)
{
	struct invocation *invocation = reading->invocation;
	const struct command *command = invocation->command;
	const struct argument *missing;
	char text[COMMAND_TEXT_MAX];

	if (!invocation->object)
		return complain_usage(invocation, "a command is missing");
	if (!command)
		return complain_usage(invocation, "%s: its command is missing%s",
				      invocation->object, suggest_verbs(invocation->object));
	missing = find_place(command, reading->place_count);
	if (missing && !(missing->flags & ARGUMENT_OPTIONAL))
		return complain_usage(invocation, "%s: %s is missing", name_command(command, text),
				      missing->name);
	if (command->wants_option && reading->given_count == reading->place_count)
		return complain_usage(invocation, "%s: an option saying what to change is missing",
				      name_command(command, text));
	return STATUS_DONE;
}

static enum status put_all(const struct reading *reading)
{
	struct invocation *invocation = reading->invocation;
	char text[COMMAND_TEXT_MAX];

	invocation->request = json_pack("{ss}", "command", name_command(invocation->command, text));
	if (!invocation->request) {
		refuse(&invocation->refusal, "out of memory");
		return STATUS_REFUSED;
	}
	for (size_t i = 0; i < reading->given_count; i++) {
		const struct given *given = &reading->given[i];

		if (given->argument->put(invocation, given->argument, given->word))
			return STATUS_REFUSED;
	}
	return STATUS_DONE;
}

enum status invocation_read(struct invocation *invocation, char **words)
{
	struct reading reading = {.invocation = invocation, .next = words};
	size_t count = 0;
	enum status status;

	while (words[count])
		count++;
	reading.given = calloc(count + 1, sizeof(*reading.given));
	if (!reading.given) {
		refuse(&invocation->refusal, "out of memory");
		return STATUS_REFUSED;
	}
	status = take_all(&reading);
	if (!status && !invocation->help && !invocation->version)
		status = check_complete(&reading);
	if (!status && !invocation->help && !invocation->version)
		status = put_all(&reading);
	free(reading.given);
	return status;
}
