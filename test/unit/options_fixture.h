/*
 * Command lines written as in a shell, and a config file to name in them.
 */
#pragma once

#include <arpa/inet.h>
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include <cmocka.h>
#include "control/options.h"
#include "lb/address.h"

#define WORDS_MAX 40
#define LINE_BYTES 2048

static char config_path[] = "/tmp/lbd-options-XXXXXX";
static struct options options;
static struct refusal refusal;

static inline int make_config(void **state)
{
	int fd;

	(void)state;
	strcpy(config_path, "/tmp/lbd-options-XXXXXX");
	fd = mkstemp(config_path);
	if (fd < 0)
		return -1;
	return close(fd);
}

static inline int remove_config(void **state)
{
	(void)state;
	options_finish(&options);
	options = (struct options){};
	return unlink(config_path);
}

static inline void given_config(const char *text)
{
	FILE *file = fopen(config_path, "w");

	assert_non_null(file);
	assert_true(fputs(text, file) >= 0);
	assert_int_equal(fclose(file), 0);
}

/* Parses `lbd LINE`; words are parted by one blank, '' is an empty one, CONFIG the file's path. */
static inline int parse(const char *line)
{
	char text[LINE_BYTES], *rest = text, *word;
	char *argv[WORDS_MAX] = {(char[]){"lbd"}};
	int argc = 1;

	assert_true(strlen(line) < sizeof(text));
	strcpy(text, line);
	while ((word = strsep(&rest, " ")) && *word) {
		assert_true(argc < WORDS_MAX - 1);
		if (!strcmp(word, "''"))
			*word = '\0';
		argv[argc++] = strcmp(word, "CONFIG") ? word : config_path;
	}
	options_finish(&options);
	refusal.text[0] = '\0';
	return options_parse(argc, argv, &options, &refusal);
}

static inline void given_line(const char *line)
{
	if (parse(line))
		fail_msg("lbd %s: %s", line, refusal.text);
}

static inline void assert_refusal_says(const char *words)
{
	if (!strstr(refusal.text, words))
		fail_msg("\"%s\" does not say \"%s\"", refusal.text, words);
}

static inline void assert_refused(const char *line, const char *words)
{
	if (parse(line) != -EINVAL)
		fail_msg("lbd %s: not refused", line);
	assert_refusal_says(words);
}

/* `expected`: the items with a blank after each. */
static inline void assert_list(const struct text_list *list, const char *expected)
{
	char found[LINE_BYTES] = "";

	for (size_t i = 0; i < list->count; i++) {
		strcat(found, list->items[i]);
		strcat(found, " ");
	}
	assert_string_equal(found, expected);
}

static inline void assert_address(const struct address *address, const char *expected)
{
	char text[ADDRESS_TEXT_MAX];

	assert_string_equal(address_format(address, text), expected);
}

#define WITH_CONFIG(test) cmocka_unit_test_setup_teardown(test, make_config, remove_config)
