/*
 * How tables of connections are laid out, noted beside them by the id of each, so that a later or
 * an earlier lbd, whose table is another, can take over what is in ours.
 */
#include <bpf/bpf.h>
#include <bpf/libbpf.h>
#include <errno.h>
#include <stddef.h>
#include <string.h>
#include <unistd.h>
#include "lb/datapath_internal.h"

static const struct table_layout OURS = {
	.abi = ABI_NUMBER,
	.ways = CONNECTION_WAYS,
	.size = sizeof(struct connection),
	.head = offsetof(struct connection, head),
	.state = offsetof(struct connection, state),
	.client = offsetof(struct connection, client),
};

static int info_of(int fd, struct bpf_map_info *info)
{
	__u32 size = sizeof(*info);

	*info = (struct bpf_map_info){};
	return bpf_obj_get_info_by_fd(fd, info, &size) ? -errno : 0;
}

bool layout_is_ours(const struct table_layout *layout)
{
	return !memcmp(layout, &OURS, sizeof(OURS));
}

bool layout_is_known(const struct table_layout *layout, uint32_t bucket)
{
	return layout->abi == ABI_NUMBER && layout->size % sizeof(uint64_t) == 0 &&
	       (uint64_t)layout->ways * layout->size <= bucket &&
	       layout->head + sizeof(uint64_t) <= layout->size &&
	       layout->state + sizeof(uint64_t) <= layout->size &&
	       layout->client + sizeof(struct address) <= layout->size;
}

/* A table that nobody has noted is of before there were notes. */
int layout_of_pinned(const struct datapath *datapath, int fd, struct table_layout *layout)
{
	struct bpf_map_info info;
	char path[PIN_PATH_MAX];
	int layouts, error = info_of(fd, &info);

	if (!error)
		error = datapath_pin_path(datapath, "map", "layouts", path);
	if (error)
		return error;
	*layout = info.value_size == sizeof(struct connection_bucket) ? OURS
								      : (struct table_layout){};
	layouts = bpf_obj_get(path);
	if (layouts < 0)
		return errno == ENOENT ? 0 : -errno;
	if (bpf_map_lookup_elem(layouts, &info.id, layout) && errno != ENOENT)
		error = -errno;
	close(layouts);
	return error;
}

/* Of tables that are neither pinned nor ours, nobody asks any more. */
static void drop_others(int layouts, uint32_t pinned, uint32_t ours)
{
	uint32_t ids[MAX_LAYOUTS], *last = NULL;
	size_t count = 0;

	while (count < MAX_LAYOUTS && !bpf_map_get_next_key(layouts, last, &ids[count]))
		last = &ids[count++];
	for (size_t i = 0; i < count; i++)
		if (ids[i] != pinned && ids[i] != ours)
			bpf_map_delete_elem(layouts, &ids[i]);
}

int layouts_note(const struct datapath *datapath)
{
	const struct bpf_map *connections = datapath->skeleton->maps.connections;
	const int layouts = bpf_map__fd(datapath->skeleton->maps.layouts);
	const int old = moves_fd(datapath, connections);
	struct bpf_map_info ours, pinned = {};
	int error = info_of(bpf_map__fd(connections), &ours);

	if (!error && old >= 0)
		error = info_of(old, &pinned);
	if (error)
		return error;
	drop_others(layouts, pinned.id, ours.id);
	return bpf_map_update_elem(layouts, &ours.id, &OURS, BPF_ANY) ? -errno : 0;
}
