/*
 * The command line, a word a line, and after an empty line the file that --config names, whatever
 * it is called. What is taken is within its range and set; what is not is told in a line.
 */
#include "control/options.h"

#include <stdlib.h>
#include <string.h>
#include "control/number_option.h"
#include "control/tables.h"
#include "lb/address.h"
#include "test/fuzz/fuzz.h"

#define MAX_WORDS 32

static const char *config;
static size_t config_size;

/* In the place of tables_load_file: no file of the machine is opened, whatever its name. */
json_t *__wrap_tables_load_file(const char *path, struct refusal *refusal);
json_t *__wrap_tables_load_file(const char *path, struct refusal *refusal)
{
	must(path, "a file has a name");
	return tables_load_text(config, config_size, refusal);
}

/* The words in front of the first empty line; the rest is the file. */
static int take_words(char *text, size_t size, char *argv[])
{
	char *at = text, *end = text + size, *newline;
	int argc = 0;

	argv[argc++] = (char[]){"lbd"};
	while (argc < MAX_WORDS && (newline = memchr(at, '\n', (size_t)(end - at)))) {
		*newline = '\0';
		if (newline == at) {
			at++;
			break;
		}
		argv[argc++] = at;
		at = newline + 1;
	}
	argv[argc] = NULL;
	config = at;
	config_size = (size_t)(end - at);
	return argc;
}

static void must_be_in_range(struct options *options)
{
	const struct number_range *range;
	uint32_t number;

	for (int i = 0; i < _NUMBER_OPTION_COUNT; i++) {
		range = &NUMBER_OPTIONS[i];
		number = *number_option_of(options, (enum number_option)i);
		must(number >= range->least && number <= range->most, range->name);
	}
	must(options->datapath.tcp_opening_seconds && options->datapath.tcp_established_seconds &&
		     options->datapath.tcp_closing_seconds &&
		     options->datapath.tcp_closed_seconds && options->datapath.udp_seconds,
	     "timeouts are above 0");
	must(address_is_ipv4(&options->datapath.hairpin.ipv4) &&
		     !address_is_ipv4(&options->datapath.hairpin.ipv6),
	     "hairpin addresses are of their families");
	must(options->mode <= MODE_OFFLOAD && options->datapath.refuse <= REFUSE_DROP,
	     "words become what there is");
}

static void must_be_set(const struct options *options)
{
	must(options->socket_path[0] && options->pin_path[0] && options->state_path[0],
	     "paths are not empty");
	for (size_t i = 0; i < options->tables.count; i++)
		must(options->tables.items[i], "each file has a name");
	for (size_t i = 0; i < options->interfaces.count; i++)
		must(options->interfaces.items[i], "each interface has a name");
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	char *text = malloc(size + 1), *argv[MAX_WORDS + 1];
	struct refusal refusal = {0};
	struct options options;
	int argc;

	must(text, "there is memory");
	if (size)
		memcpy(text, data, size);
	text[size] = '\0';
	argc = take_words(text, size, argv);
	if (options_parse(argc, argv, &options, &refusal)) {
		must_be_readable(&refusal);
	} else {
		must_be_in_range(&options);
		must_be_set(&options);
	}
	options_finish(&options);
	free(text);
	return 0;
}
