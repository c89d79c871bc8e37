/*
 * Refusals are read by people and sent as JSON, and quote what strangers wrote: whatever goes in,
 * the text stays one line of valid UTF-8 without control characters. It knows no reasons itself.
 */
#include "lb/refusal.h"

#include <errno.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#define ELLIPSIS "…"

/* Bytes of the UTF-8 sequence (RFC 3629) at `text`; 0 for none or for a control character. */
static size_t measure_character(const unsigned char *text)
{
	static const uint32_t SMALLEST[] = {0, 0x20, 0xa0, 0x800, 0x10000};
	size_t length = *text < 0x80 ? 1 : *text < 0xe0 ? 2 : *text < 0xf0 ? 3 : 4;
	uint32_t character = length == 1 ? *text : *text & (0x7f >> length);

	if (*text == 0x7f || *text >= 0xf8 || (*text & 0xc0) == 0x80)
		return 0;
	for (size_t i = 1; i < length; i++) {
		if ((text[i] & 0xc0) != 0x80)
			return 0;
		character = character << 6 | (text[i] & 0x3f);
	}
	if (character < SMALLEST[length] || character > 0x10ffff ||
	    (character >= 0xd800 && character <= 0xdfff))
		return 0;
	return length;
}

static void replace_unprintable(char *text)
{
	while (*text) {
		size_t length = measure_character((unsigned char *)text);

		if (!length) {
			*text = '?';
			length = 1;
		}
		text += length;
	}
}

static void mark_cut(char text[REFUSAL_MAX])
{
	size_t end = REFUSAL_MAX - sizeof(ELLIPSIS);

	while (end && (text[end] & 0xc0) == 0x80)
		end--;
	memcpy(text + end, ELLIPSIS, sizeof(ELLIPSIS));
}

/* By way of a copy, because the arguments may quote the refusal's own old text. */
static __attribute__((format(printf, 2, 0))) void write_text(struct refusal *refusal,
							     const char *format, va_list arguments)
{
	struct refusal written;
	int length = vsnprintf(written.text, sizeof(written.text), format, arguments);

	if (length < 0)
		strcpy(written.text, "refused");
	if (length >= REFUSAL_MAX)
		mark_cut(written.text);
	replace_unprintable(written.text);
	*refusal = written;
}

int refuse(struct refusal *refusal, const char *format, ...)
{
	va_list arguments;

	va_start(arguments, format);
	write_text(refusal, format, arguments);
	va_end(arguments);
	return -EINVAL;
}

int refuse_with(struct refusal *refusal, int error, const char *format, ...)
{
	va_list arguments;

	va_start(arguments, format);
	write_text(refusal, format, arguments);
	va_end(arguments);
	return -error;
}
