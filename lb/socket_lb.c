/*
 * Whose sockets are led, by name.
 */
#include "lb/socket_lb.h"

#include <errno.h>
#include <string.h>

static const char *const NAMES[_SOCKET_LB_COUNT] = {
	[SOCKET_LB_OFF] = "off",
	[SOCKET_LB_HOST_ONLY] = "host-only",
	[SOCKET_LB_ALL] = "all",
};

int socket_lb_parse(const char *text, enum socket_lb *socket_lb)
{
	for (enum socket_lb i = 0; i < _SOCKET_LB_COUNT; i++) {
		if (strcmp(text, NAMES[i]))
			continue;
		*socket_lb = i;
		return 0;
	}
	return -EINVAL;
}

const char *socket_lb_name(enum socket_lb socket_lb)
{
	return NAMES[socket_lb];
}
