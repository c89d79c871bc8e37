/*
 * Sockets at the end of a lane, for every address and port that its packets may have there: the
 * addresses are local by a route (path.sh), so a socket for each port is enough.
 */
#include <arpa/inet.h>
#include <errno.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>
#include <bpf/libbpf.h>

#include "test/bench/path/bench_path.h"
#include "test/bench/path/sink.skel.h"

static uint32_t port_count(const struct lane *lane)
{
	return (lane->services * BACKENDS + PODS - 1) / PODS;
}

static int open_socket(const struct lane *lane, uint16_t port, int *opened)
{
	const struct sockaddr_in any = {.sin_family = AF_INET, .sin_port = htons(port)};
	const int filter = bpf_program__fd(lane->backend->progs.sink_socket);

	*opened = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	if (*opened < 0 || bind(*opened, (const struct sockaddr *)&any, sizeof(any)) ||
	    setsockopt(*opened, SOL_SOCKET, SO_ATTACH_BPF, &filter, sizeof(filter)))
		return -errno;
	return 0;
}

int lane_open_sockets(struct lane *lane)
{
	const uint32_t ports = port_count(lane);
	int error = 0;

	lane->sockets = calloc(ports + 1, sizeof(*lane->sockets));
	if (!lane->sockets)
		return -ENOMEM;
	/* Where nobody translates, the service's own. */
	error = open_socket(lane, SERVICE_PORT, &lane->sockets[lane->socket_count++]);
	for (uint32_t i = 0; i < ports && !error; i++)
		error = open_socket(lane, BACKEND_PORT + i, &lane->sockets[lane->socket_count++]);
	return error;
}

void lane_close_sockets(struct lane *lane)
{
	for (uint32_t i = 0; i < lane->socket_count; i++)
		if (lane->sockets[i] >= 0)
			close(lane->sockets[i]);
	free(lane->sockets);
}
