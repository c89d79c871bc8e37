/*
 * JSON and table: see report.h.
 */
#include "test/bench/report.h"

#include <stdio.h>
#include "lb/address.h"

/* The medians of a row. */
struct summary {
	double ns;
	double ns_net;
	double ratio_a;
	double ratio_b; /* both of floor A's ratios: 0 where B was not measured */
	double scaling;
};

static const struct figure *find(const struct measurement *measurement, enum subject subject)
{
	for (size_t i = 0; i < ROW_COUNT; i++)
		if (ROWS[i].subject == subject)
			return &measurement->figures[i];
	return NULL;
}

static struct summary summarise(const struct measurement *measurement, const struct figure *figure)
{
	const int rounds = measurement->rounds;
	const struct figure *nop = find(measurement, SUBJECT_NOP);
	const struct figure *b = find(measurement, SUBJECT_FLOOR_B);
	struct summary summary = {
		.ns = median(figure->ns, rounds),
		.ratio_a = median(figure->ratio, rounds),
		.scaling = median(figure->scaling, rounds),
	};

	summary.ns_net = summary.ns - median(nop->ns, rounds);
	summary.ratio_b = summary.ratio_a / median(b->ratio, rounds);
	return summary;
}

static void print_row(const struct measurement *measurement, const struct figure *figure)
{
	const struct summary summary = summarise(measurement, figure);
	const struct row *row = figure->row;
	const struct kind *kind = row_kind(row);

	printf("{\"name\":\"%s\",\"family\":\"%s\",\"protocol\":\"%s\",\"flows\":%u,", row->name,
	       kind->family == IPV6 ? "ipv6" : "ipv4", protocol_name(kind->protocol), row->flows);
	printf("\"services\":%u,\"cpus\":%u,", row->services ? row->services : 1,
	       row->cpus ? row->cpus : 1);
	printf("\"ns\":%.2f,\"ns_net\":%.2f,\"ratio_a\":%.3f,\"ratio_b\":%.3f,", summary.ns,
	       summary.ns_net, summary.ratio_a, summary.ratio_b);
	if (row->target > 0)
		printf("\"target_a\":%.3f,", row->target);
	if (row->cpus == 2)
		printf("\"scaling\":%.3f,\"target_scaling\":%.3f,", summary.scaling, row->scaling);
	printf("\"rounds\":[");
	for (int i = 0; i < measurement->rounds; i++)
		printf("%s%.2f", i ? "," : "", figure->ns[i]);
	printf("]}");
}

int report_json(const struct measurement *measurement)
{
	bool first = true;

	printf("{\"rows\":[");
	for (size_t i = 0; i < ROW_COUNT; i++) {
		if (!measurement->figures[i].measured)
			continue;
		printf("%s\n", first ? "" : ",");
		print_row(measurement, &measurement->figures[i]);
		first = false;
	}
	printf("\n]}\n");
	return fflush(stdout) || ferror(stdout) ? -1 : 0;
}

static void print_flows(const struct row *row)
{
	if (!row->flows)
		printf(" %7s", "new");
	else if (row->flows % 1024)
		printf(" %7u", row->flows);
	else
		printf(" %6uk", row->flows / 1024);
}

static void print_target(const struct row *row, const struct summary *summary)
{
	if (row->target > 0)
		printf("  <= %.2f A%s", row->target,
		       summary->ratio_a <= row->target ? "" : "  MISSED");
	if (row->cpus == 2)
		printf("  %.2f x one CPU, >= %.2f%s", summary->scaling, row->scaling,
		       summary->scaling >= row->scaling ? "" : "  MISSED");
	printf("\n");
}

void report_table(const struct measurement *measurement)
{
	printf("%-32s %-4s %-4s %7s %8s %8s %7s %7s  %s\n", "program cost, medians", "", "",
	       "flows", "ns", "net ns", "x A", "x B", "target");
	for (size_t i = 0; i < ROW_COUNT; i++) {
		const struct figure *figure = &measurement->figures[i];
		struct summary summary;

		if (!figure->measured)
			continue;
		summary = summarise(measurement, figure);
		printf("%-32s %-4s %-4s", ROWS[i].name,
		       row_kind(&ROWS[i])->family == IPV6 ? "ipv6" : "ipv4",
		       protocol_name(row_kind(&ROWS[i])->protocol));
		print_flows(&ROWS[i]);
		printf(" %8.1f %8.1f %7.2f %7.2f", summary.ns, summary.ns_net, summary.ratio_a,
		       summary.ratio_b);
		print_target(&ROWS[i], &summary);
	}
}
