/*
 * Verdicts of features that may not be there yet: see walk.h.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include "test/model/walk.h"

static const char *const NAMES[_LATE_COUNT] = {
	[LATE_ANSWER_ECHO] = "answer-echo",
	[LATE_ANSWER_RESET] = "answer-reset",
	[LATE_ANSWER_UNREACHABLE] = "answer-unreachable",
	[LATE_ANSWER_TOO_BIG] = "answer-too-big",
	[LATE_DROP_NOT_SERVED] = "drop-not-served",
};

static enum verdict named(const char *name)
{
	static const char *const ALL[] = {
#define VERDICT_NAME(constant, text, meaning) [VERDICT_##constant] = text,
		VERDICTS(VERDICT_NAME)
#undef VERDICT_NAME
	};
	int verdict = 0;

	while (verdict < _VERDICT_COUNT && strcmp(ALL[verdict], name) != 0)
		verdict++;
	return (enum verdict)verdict;
}

/* Looked up once; CONTINUE is none of them. */
static enum verdict lookup(enum late which)
{
	static enum verdict found[_LATE_COUNT];

	if (!found[which])
		found[which] = named(NAMES[which]);
	return found[which];
}

enum verdict late(enum late which)
{
	const enum verdict verdict = lookup(which);

	if (verdict == _VERDICT_COUNT) {
		fprintf(stderr, "there is no verdict %s yet\n", NAMES[which]);
		abort();
	}
	return verdict;
}

bool is_late(enum verdict verdict, enum late which)
{
	return verdict == lookup(which);
}
