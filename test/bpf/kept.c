/*
 * Keeps a datapath for the next scene: see kept.h.
 */
#include "test/bpf/kept.h"

#include <bpf/libbpf.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include "lb/datapath_internal.h"
#include "test/bpf/map_image.h"

#define MAX_MAPS 64

static struct {
	struct datapath *datapath; /* NULL: none */
	struct datapath_options options;
	struct datapath as_opened; /* its fields; their mappings are closed since */
	struct map_image images[MAX_MAPS];
	bool is_lent;
} kept;

/* Fields that differ in what pads them are taken for others, and load anew. */
static bool is_wanted(const struct datapath_options *options)
{
	struct datapath_options wanted = *options, had = kept.options;

	wanted.pin_path = had.pin_path = NULL; /* where its pins were does not matter any more */
	return kept.datapath && !getenv("LBT_LOAD") && !memcmp(&wanted, &had, sizeof(had));
}

/* Begins to keep one that was just opened. */
static int keep(struct datapath *datapath, const struct datapath_options *options)
{
	const struct bpf_map *map;
	int error = 0, i = 0;

	kept.datapath = datapath;
	kept.options = *options;
	kept.as_opened = *datapath;
	bpf_object__for_each_map (map, datapath->skeleton->obj) {
		if (!error)
			error = i < MAX_MAPS ? map_image_take(&kept.images[i++], map) : -ENOSPC;
	}
	return error;
}

void kept_datapath_forget(void)
{
	if (kept.is_lent)
		return;
	datapath_close(kept.datapath);
	for (int i = 0; i < MAX_MAPS; i++)
		map_image_free(&kept.images[i]);
	memset(&kept, 0, sizeof(kept));
}

static int load(const struct datapath_options *options, struct datapath **datapath,
		struct refusal *refusal)
{
	struct datapath *opened;
	bool adopted;
	int error;

	kept_datapath_forget();
	error = datapath_open(options, &opened, &adopted, refusal);
	if (error)
		return error;
	if (!kept.datapath && !adopted)
		error = keep(opened, options);
	if (error) {
		kept_datapath_forget();
		return refuse_with(refusal, -error, "cannot read the maps: %s", strerror(-error));
	}
	kept.is_lent = kept.datapath;
	*datapath = opened;
	return 0;
}

static int restore_maps(struct refusal *refusal)
{
	const struct bpf_map *map;
	int error = 0, i = 0;

	bpf_object__for_each_map (map, kept.datapath->skeleton->obj) {
		error = map_restore(map, &kept.images[i++]);
		if (error)
			return refuse_with(refusal, -error, "cannot restore the map %s: %s",
					   bpf_map__name(map), strerror(-error));
	}
	return 0;
}

/* What user space has learnt is forgotten with its tables. */
static int restore(struct refusal *refusal)
{
	int error = restore_maps(refusal);

	if (error)
		return error;
	tables_close(kept.datapath);
	*kept.datapath = kept.as_opened;
	error = tables_open(kept.datapath);
	return error ? refuse_with(refusal, -error, "cannot open the tables again: %s",
				   strerror(-error))
		     : 0;
}

int kept_datapath_open(const struct datapath_options *options, struct datapath **datapath,
		       struct refusal *refusal)
{
	int error;

	if (kept.is_lent || !is_wanted(options))
		return load(options, datapath, refusal);
	error = restore(refusal);
	if (error)
		return error;
	kept.is_lent = true;
	*datapath = kept.datapath;
	return 0;
}

void kept_datapath_close(struct datapath *datapath)
{
	if (datapath && datapath == kept.datapath)
		kept.is_lent = false;
	else
		datapath_close(datapath);
}
