/*
 * bench_path: sends packets through networks that path.sh has set up and prints what they cost, a
 * line of JSON for each lane and pattern.
 *
 *     bench_path [--rounds N] [--slice-ms N] [--flows N] [--prefill N] [--cpu N]
 *                [--batch N] [--pattern NAME]… LANE…
 *
 * LANE is as lane_parse reads it. A lane that does not do what it should ends everything.
 */
#include <errno.h>
#include <getopt.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <bpf/libbpf.h>

#include "test/bench/path/bench_path.h"

static const struct option OPTIONS[] = {
	{"rounds", required_argument, NULL, 'r'},  {"slice-ms", required_argument, NULL, 's'},
	{"flows", required_argument, NULL, 'f'},   {"prefill", required_argument, NULL, 'n'},
	{"pattern", required_argument, NULL, 'p'}, {"cpu", required_argument, NULL, 'c'},
	{"batch", required_argument, NULL, 'b'},   {0},
};

static int set_option(struct bench *bench, int option, const char *text)
{
	const unsigned long number = strtoul(text, NULL, 10);
	enum pattern pattern;

	switch (option) {
	case 'r':
		bench->rounds = number;
		return number ? 0 : -EINVAL;
	case 's':
		bench->slice_ms = number;
		return number ? 0 : -EINVAL;
	case 'f': /* the generator masks with it */
		bench->flows = number;
		return number && !(number & (number - 1)) ? 0 : -EINVAL;
	case 'n':
		bench->prefill = number;
		return 0;
	case 'c':
		bench->cpu = number;
		return 0;
	case 'b':
		bench->batch = number;
		return number && number <= 256 ? 0 : -EINVAL;
	case 'p':
		if (pattern_parse(text, &pattern))
			return -EINVAL;
		bench->patterns[pattern] = true;
		return 0;
	default:
		return -EINVAL;
	}
}

static int parse_arguments(struct bench *bench, int argc, char **argv)
{
	int option, error = 0;

	while (!error && (option = getopt_long(argc, argv, "", OPTIONS, NULL)) != -1)
		error = set_option(bench, option, optarg ? optarg : "");
	if (error || optind == argc)
		return -EINVAL;
	bench->lanes = calloc(argc - optind, sizeof(*bench->lanes));
	if (!bench->lanes)
		return -ENOMEM;
	for (int i = optind; i < argc && !error; i++)
		error = lane_parse(argv[i], &bench->lanes[bench->lane_count++]);
	return error;
}

static int run_pattern(const struct bench *bench, enum pattern pattern)
{
	int error = 0;

	for (uint32_t i = 0; i < bench->lane_count && pattern == PATTERN_NEW && !error; i++)
		error = pattern_fill(bench, &bench->lanes[i]);
	return error ? error : measure_pattern(bench, pattern);
}

static int measure(const struct bench *bench)
{
	int error = pin_to_cpu(bench->cpu);

	for (uint32_t i = 0; i < bench->lane_count && !error; i++) {
		bench->lanes[i].batch = bench->batch;
		error = lane_open(&bench->lanes[i]);
	}
	for (uint32_t i = 0; i < bench->lane_count && !error; i++)
		error = pattern_verify(&bench->lanes[i]);
	for (enum pattern i = 0; i < _PATTERN_COUNT && !error; i++)
		error = bench->patterns[i] ? run_pattern(bench, i) : 0;
	for (uint32_t i = 0; i < bench->lane_count; i++)
		lane_close(&bench->lanes[i]);
	return error;
}

/* Only what is wrong; clsact being there already is not. */
static int print_warning(enum libbpf_print_level level, const char *format, va_list arguments)
{
	if (level != LIBBPF_WARN || strstr(format, "Kernel error message"))
		return 0;
	return vfprintf(stderr, format, arguments);
}

int main(int argc, char **argv)
{
	struct bench bench = {.rounds = 7, .slice_ms = 100, .flows = 4096, .cpu = 1, .batch = 64};
	int error = parse_arguments(&bench, argc, argv);

	libbpf_set_print(print_warning);
	if (error) {
		fprintf(stderr, "usage: bench_path [OPTION]… "
				"NAME,PREFIX,SERVICES,wire|forward|balancer,xdp|skb,1|2…\n");
		return 2;
	}
	error = measure(&bench);
	if (error)
		fprintf(stderr, "bench_path: %s\n", strerror(-error));
	free(bench.lanes);
	return error ? 1 : 0;
}
