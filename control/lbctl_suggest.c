/*
 * What was meant: the nearest of the words that would have been right, by how many letters must be
 * added, left out or changed.
 */
#include "control/lbctl.h"

#include <stdio.h>
#include <string.h>

#define WORD_MAX 32 /* longer words are no slips of the finger */
#define MAX_DISTANCE 2
#define SUGGESTION_MAX 64

struct nearest {
	const char *typed;
	size_t length; /* of it, without `=value` */
	const char *word;
	size_t distance;
};

static size_t minimum(size_t a, size_t b, size_t c)
{
	size_t least = a < b ? a : b;

	return least < c ? least : c;
}

/* Levenshtein's distance, one row at a time. Both words are shorter than WORD_MAX. */
static size_t measure_distance(const char *a, size_t a_length, const char *b)
{
	size_t b_length = strlen(b);
	size_t row[WORD_MAX];

	for (size_t j = 0; j <= b_length; j++)
		row[j] = j;
	for (size_t i = 0; i < a_length; i++) {
		size_t diagonal = row[0];

		row[0] = i + 1;
		for (size_t j = 0; j < b_length; j++) {
			size_t above = row[j + 1];

			row[j + 1] = minimum(above + 1, row[j] + 1, diagonal + (a[i] != b[j]));
			diagonal = above;
		}
	}
	return row[b_length];
}

/* `del` for `delete` and `connection` for `conn` are far by letters and plainly meant. */
static bool is_beginning(const char *typed, size_t length, const char *word)
{
	size_t shorter = length < strlen(word) ? length : strlen(word);

	return shorter >= 3 && !strncmp(typed, word, shorter);
}

static void offer(struct nearest *nearest, const char *word)
{
	size_t distance;

	if (nearest->length >= WORD_MAX || strlen(word) >= WORD_MAX)
		return;
	distance = is_beginning(nearest->typed, nearest->length, word)
			   ? 1
			   : measure_distance(nearest->typed, nearest->length, word);
	if (distance > MAX_DISTANCE || distance >= nearest->length)
		return;
	if (nearest->word && nearest->distance <= distance)
		return;
	nearest->word = word;
	nearest->distance = distance;
}

static void offer_options(struct nearest *nearest, const struct argument *argument)
{
	for (; argument && argument->name; argument++)
		if (argument->name[0] == '-')
			offer(nearest, argument->name);
}

static const char *say(const struct nearest *nearest)
{
	static char text[SUGGESTION_MAX];

	text[0] = '\0';
	if (nearest->word)
		snprintf(text, sizeof(text), " (did you mean %s?)", nearest->word);
	return text;
}

const char *suggest_object(const char *typed)
{
	struct nearest nearest = {.typed = typed, .length = strlen(typed)};

	for (const struct command *command = commands; command->object; command++)
		offer(&nearest, command->object);
	return say(&nearest);
}

const char *suggest_verb(const char *typed, const char *object)
{
	struct nearest nearest = {.typed = typed, .length = strlen(typed)};

	for (const struct command *command = commands; command->object; command++)
		if (!strcmp(command->object, object))
			offer(&nearest, command->verb);
	return say(&nearest);
}

const char *suggest_option(const char *typed, const struct command *command)
{
	struct nearest nearest = {.typed = typed, .length = strcspn(typed, "=")};

	offer_options(&nearest, command ? command->arguments : NULL);
	offer_options(&nearest, global_arguments);
	return say(&nearest);
}

const char *suggest_verbs(const char *object)
{
	static char text[SUGGESTION_MAX];
	const char *before = " (";
	size_t used = 0;

	for (const struct command *command = commands; command->object; command++) {
		if (strcmp(command->object, object) || used >= sizeof(text))
			continue;
		used += (size_t)snprintf(text + used, sizeof(text) - used, "%s%s", before,
					 command->verb);
		before = ", ";
	}
	if (used + 1 < sizeof(text))
		snprintf(text + used, sizeof(text) - used, ")");
	return text;
}
