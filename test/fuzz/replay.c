/*
 * The target without libFuzzer: each file, and each file of a directory, once, for builds that have
 * no fuzzer and for finding out what an input does. Prints how many there were.
 */
#include <dirent.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include "control/file.h"
#include "test/fuzz/fuzz.h"

/* A copy of just its size, so that the address sanitizer sees reads past the end. */
static bool play(const char *path)
{
	char *text = NULL;
	uint8_t *bytes;
	size_t size = 0;

	if (file_read(path, &text, &size)) {
		fprintf(stderr, "%s: cannot be read\n", path);
		return false;
	}
	bytes = malloc(size ? size : 1);
	must(bytes, "there is memory");
	memcpy(bytes, text, size);
	free(text);
	if (getenv("LBT_NAMES"))
		fprintf(stderr, "%s\n", path);
	LLVMFuzzerTestOneInput(bytes, size);
	free(bytes);
	return true;
}

static int is_visible(const struct dirent *entry)
{
	return entry->d_name[0] != '.';
}

/* How many were played, or -1. */
static int play_directory(const char *path)
{
	char name[PATH_MAX];
	struct dirent **entries;
	const int count = scandir(path, &entries, is_visible, alphasort);
	bool good = count >= 0;

	for (int i = 0; i < count; i++) {
		snprintf(name, sizeof(name), "%s/%s", path, entries[i]->d_name);
		good = play(name) && good;
		free(entries[i]);
	}
	if (count >= 0)
		free(entries);
	return good ? count : -1;
}

int main(int argc, char **argv)
{
	int inputs = 0, count;

	for (int i = 1; i < argc; i++) {
		count = play_directory(argv[i]);
		if (count < 0)
			count = play(argv[i]) ? 1 : -1;
		if (count < 0)
			return 1;
		inputs += count;
	}
	printf("%d inputs\n", inputs);
	return 0;
}
