/*
 * bench_program: what a packet costs in our BPF program, beside the floors. Run as root; it makes
 * namespaces of its own and leaves nothing behind.
 *
 *     bench_program [--rounds N] [--quick] [--only WORD] [--table]
 *
 * 7 rounds, of --quick 3. --only: of ours those rows whose name has WORD in it. JSON unless
 * --table.
 */
#include <getopt.h>
#include <stdio.h>
#include <stdlib.h>
#include "test/bench/report.h"

#define ROUNDS 7
#define ROUNDS_QUICK 3

struct wish {
	int rounds;
	bool quick;
	bool table;
	const char *only;
};

static const struct option OPTIONS[] = {
	{"rounds", required_argument, NULL, 'r'},
	{"quick", no_argument, NULL, 'q'},
	{"only", required_argument, NULL, 'o'},
	{"table", no_argument, NULL, 't'},
	{0},
};

static int parse(int argc, char **argv, struct wish *wish)
{
	int option;

	while ((option = getopt_long(argc, argv, "", OPTIONS, NULL)) != -1) {
		if (option == 'r')
			wish->rounds = atoi(optarg);
		else if (option == 'q')
			wish->quick = true;
		else if (option == 'o')
			wish->only = optarg;
		else if (option == 't')
			wish->table = true;
		else
			return -1;
	}
	if (!wish->rounds)
		wish->rounds = wish->quick ? ROUNDS_QUICK : ROUNDS;
	return optind == argc && wish->rounds >= 1 && wish->rounds <= MAX_ROUNDS ? 0 : -1;
}

int main(int argc, char **argv)
{
	struct wish wish = {};
	struct measurement measurement;
	struct setting setting;
	int error;

	if (parse(argc, argv, &wish)) {
		fprintf(stderr,
			"usage: bench_program [--rounds 1-%d] [--quick] [--only WORD] [--table]\n",
			MAX_ROUNDS);
		return 2;
	}
	measurement = (struct measurement){
		.setting = &setting,
		.only = wish.only,
		.rounds = wish.rounds,
		.figures = calloc(ROW_COUNT, sizeof(struct figure)),
	};
	error = measurement.figures ? setting_open(&setting, wish.quick) : -1;
	if (!error)
		error = measure(&measurement);
	if (!error && wish.table)
		report_table(&measurement);
	else if (!error)
		error = report_json(&measurement);
	setting_close(&setting);
	free(measurement.figures);
	return error ? 1 : 0;
}
