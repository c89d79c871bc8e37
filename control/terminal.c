/*
 * Colours and harmless text for terminals. No terminfo: the few sequences used (ECMA-48) are
 * understood by every terminal of the last decades.
 */
#include "control/terminal.h"

#include <stdlib.h>
#include <unistd.h>

#define CLEAR_SCREEN "\033[H\033[2J"

bool terminal_has_colours(FILE *stream)
{
	const char *refused = getenv("NO_COLOR");

	return !(refused && refused[0]) && isatty(fileno(stream));
}

static bool continues(const unsigned char *byte, unsigned int count)
{
	for (unsigned int i = 0; i < count; i++)
		if ((byte[i] & 0xc0) != 0x80)
			return false;
	return true;
}

/* Length of the printable character at `byte`, 0 where there is none. NUL ends every comparison. */
static unsigned int measure_printable(const unsigned char *byte)
{
	if (byte[0] < 0x80)
		return byte[0] >= 0x20 && byte[0] != 0x7f;
	if (byte[0] >= 0xc2 && byte[0] <= 0xdf && continues(byte + 1, 1))
		return byte[0] == 0xc2 && byte[1] < 0xa0 ? 0 : 2; /* U+0080–9F are controls too */
	if ((byte[0] & 0xf0) == 0xe0 && continues(byte + 1, 2))
		return 3;
	if (byte[0] >= 0xf0 && byte[0] <= 0xf4 && continues(byte + 1, 3))
		return 4;
	return 0;
}

char *terminal_clean(char *text)
{
	for (char *at = text; *at;) {
		unsigned int length = measure_printable((const unsigned char *)at);

		if (!length) {
			*at = '?';
			length = 1;
		}
		at += length;
	}
	return text;
}

void terminal_begin_page(FILE *stream, bool is_first)
{
	if (isatty(fileno(stream)))
		fputs(CLEAR_SCREEN, stream);
	else if (!is_first)
		fputc('\n', stream);
}
