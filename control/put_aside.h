/*
 * A damaged file stays under another name beside its own, for whoever wants to save what is in it.
 */
#pragma once

/* PATH also becomes PATH.damaged-1, or the first such name that is free; the caller's text. */
int put_aside(const char *path, char **kept);
