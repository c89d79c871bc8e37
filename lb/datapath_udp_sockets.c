/*
 * Connected UDP sockets that were led to a backend, as bpf/socket.h keeps them.
 */
#include <bpf/bpf.h>
#include <bpf/libbpf.h>
#include <errno.h>
#include <stdlib.h>
#include "include/connection.h"
#include "include/socket.h"
#include "lb/datapath_internal.h"

#define BATCH 1024 /* more than a bucket of the map ever holds */

struct batch {
	__u64 cookies[BATCH];
	struct udp_socket sockets[BATCH];
};

static bool is_served(const struct datapath *datapath, __u32 handle)
{
	const uint32_t index = handle & BACKEND_INDEX_MASK;
	struct backend_record backend;

	if (index >= datapath_capacity_backends(datapath))
		return false;
	datapath_get_backend(datapath, index, &backend);
	return connection_is_served(&backend, handle);
}

static int add(struct lost_sockets *lost, __u64 cookie, __u64 namespace)
{
	const size_t count = lost->count;
	struct lost_socket *list;

	if (!(count & (count - 1))) { /* a power of two: it is full */
		list = realloc(lost->list, (2 * count + 1) * sizeof(*list));
		if (!list)
			return -ENOMEM;
		lost->list = list;
	}
	lost->list[lost->count++] = (struct lost_socket){cookie, namespace};
	return 0;
}

static int add_lost(const struct datapath *datapath, const struct batch *batch, __u32 count,
		    struct lost_sockets *lost)
{
	int error = 0;

	for (__u32 i = 0; !error && i < count; i++)
		if (!is_served(datapath, batch->sockets[i].backend))
			error = add(lost, batch->cookies[i], batch->sockets[i].namespace);
	return error;
}

/* 0; 1: those were the last; or -errno. */
static int read_batch(int map, struct batch *batch, bool is_first, __u32 *cursor, __u32 *count)
{
	*count = BATCH;
	if (!bpf_map_lookup_batch(map, is_first ? NULL : cursor, cursor, batch->cookies,
				  batch->sockets, count, NULL))
		return 0;
	return errno == ENOENT ? 1 : -errno;
}

int datapath_find_lost_sockets(struct datapath *datapath, struct lost_sockets *lost)
{
	struct batch *batch = calloc(1, sizeof(*batch));
	const int map = bpf_map__fd(datapath->sockets->maps.udp_sockets);
	__u32 cursor = 0, count;
	int answer = batch ? 0 : -ENOMEM, error = 0;
	bool is_first = true;

	*lost = (struct lost_sockets){};
	while (!answer && !error) {
		answer = read_batch(map, batch, is_first, &cursor, &count);
		if (answer >= 0)
			error = add_lost(datapath, batch, count, lost);
		is_first = false;
	}
	free(batch);
	return answer < 0 ? answer : error;
}

void datapath_forget_socket(struct datapath *datapath, uint64_t cookie)
{
	bpf_map_delete_elem(bpf_map__fd(datapath->sockets->maps.udp_sockets), &cookie);
}

uint64_t datapath_own_namespace(const struct datapath *datapath)
{
	return datapath->own_namespace;
}
