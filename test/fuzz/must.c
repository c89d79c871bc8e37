/*
 * What must hold: an abort, which libFuzzer and the sanitizers report with the input and a trace.
 */
#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include "test/fuzz/fuzz.h"

void must(bool holds, const char *what)
{
	if (holds)
		return;
	fprintf(stderr, "does not hold: %s\n", what);
	abort();
}

void must_be_readable(const struct refusal *refusal)
{
	json_t *text;

	must(memchr(refusal->text, '\0', sizeof(refusal->text)), "a refusal ends");
	must(refusal->text[0], "a refusal says something");
	must(!strchr(refusal->text, '\n'), "a refusal is one line");
	text = json_string(refusal->text);
	must(text, "a refusal is UTF-8");
	json_decref(text);
}
