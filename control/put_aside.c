/*
 * Putting aside: see put_aside.h.
 */
#include "control/put_aside.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#define MAX_KEPT 1000

int put_aside(const char *path, char **kept)
{
	char *name;
	int error = EEXIST;

	for (int i = 1; error == EEXIST && i <= MAX_KEPT; i++) {
		if (asprintf(&name, "%s.damaged-%d", path, i) < 0)
			return -ENOMEM;
		error = link(path, name) ? errno : 0;
		if (error)
			free(name);
	}
	if (error)
		return -error;
	*kept = name;
	return 0;
}
