/*
 * What a terminal is shown: colours where they help, and no text that could steer it. Names come
 * from files and from Kubernetes; printed as they are, they could move the cursor or forge lines.
 */
#pragma once

#include <stdbool.h>
#include <stdio.h>

/* `stream` is a terminal and NO_COLOR is unset or empty (https://no-color.org). */
bool terminal_has_colours(FILE *stream);

/* Puts '?' for control characters and for bytes that are not UTF-8, in place; returns `text`. */
char *terminal_clean(char *text);

/* Empties the screen of a terminal; elsewhere, an empty line parts a page from the one before. */
void terminal_begin_page(FILE *stream, bool is_first);
