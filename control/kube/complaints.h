/*
 * What was complained of in the log, so that it is said once and not whenever somebody looks: an
 * event and the name of the object it is about.
 */
#pragma once

#include <stdbool.h>

#define COMPLAINTS_MAX 4096 /* of more nothing is said */

struct complaints; /* NULL: there are none */

/* Whether it is to be said: it was not before, or was settled since. */
bool complaints_raise(struct complaints **complaints, const char *event, const char *name);
/* It is right again. */
void complaints_settle(struct complaints **complaints, const char *event, const char *name);
void complaints_free(struct complaints **complaints);
