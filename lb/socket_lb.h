/*
 * Clients on the node: which of them.
 */
#pragma once

/* Whose sockets are led to backends when they connect or send. */
enum socket_lb {
	SOCKET_LB_OFF,
	SOCKET_LB_HOST_ONLY, /* those of lbd's own network namespace */
	SOCKET_LB_ALL,
	_SOCKET_LB_COUNT,
};

/* `off`, `host-only`, `all`; 0 or -EINVAL. */
int socket_lb_parse(const char *text, enum socket_lb *socket_lb);
const char *socket_lb_name(enum socket_lb socket_lb);
