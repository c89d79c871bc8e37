/*
 * Connected UDP sockets of the node whose backend is gone: nothing tells them, and what they send
 * is lost. They are ended, so that their applications learn of it (ECONNABORTED) and connect anew,
 * to another. TCP learns of it by itself, and is never ended.
 */
#pragma once

#include <stdint.h>
#include "lb/datapath.h"

struct socket_ender;

struct socket_ender *socket_ender_new(struct datapath *datapath);
void socket_ender_free(struct socket_ender *ender);

/* Ends them, if `changes`, which counts those of the tables, has changed since they were last. */
void socket_ender_look(struct socket_ender *ender, uint64_t changes);
