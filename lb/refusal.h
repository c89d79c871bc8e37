/*
 * Why something was refused: one line for people, naming the offending word and what would be
 * right. The library fills it, the program prints it.
 */
#pragma once

#define REFUSAL_MAX 512 /* bytes with the final NUL; longer texts are cut */

struct refusal {
	char text[REFUSAL_MAX];
};

/* Writes the text (printf's format) and returns -EINVAL, so that callers can `return refuse(…)`. */
int refuse(struct refusal *refusal, const char *format, ...) __attribute__((format(printf, 2, 3)));

/* The same with another error: `error` is a positive errno, the answer is -error. */
int refuse_with(struct refusal *refusal, int error, const char *format, ...)
	__attribute__((format(printf, 3, 4)));
