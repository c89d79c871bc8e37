/*
 * What the files of the scene share. Tests do not include this.
 */
#pragma once

#include "test/bpf/scene.h"

/* The places of the tables and the services in them. 0 or -errno. */
int scene_open_room(struct scene *scene);
void scene_close_room(struct scene *scene);
