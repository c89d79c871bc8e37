/*
 * What a BPF map holds, byte for byte, and how it is brought back to that. By the kind of map
 * alone: a map that is new in bpf/maps.h needs nothing here, and one of a kind that is not known
 * here is an error.
 */
#pragma once

#include <bpf/libbpf.h>
#include <stdbool.h>
#include <stddef.h>

struct map_image {
	void *bytes; /* values of arrays, ids of programs, keys of what is empty at first */
	size_t size;
};

/* 0 or -errno. What was taken is freed by map_image_free. */
int map_image_take(struct map_image *image, const struct bpf_map *map);
void map_image_free(struct map_image *image);
bool map_image_equal(const struct map_image *image, const struct map_image *other);

/* Brings the map back to its image and looks whether it is so: 0, -EIO where it is not, -errno. */
int map_restore(const struct bpf_map *map, const struct map_image *image);
