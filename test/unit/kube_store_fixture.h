/*
 * A store over tables in plain memory, and objects in a few words.
 */
#pragma once

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>
#include "control/kube/store.h"
#include "test/fuzz/datapath.h"

#define NODE "node-1"
#define STATE_TEXT_MAX 16384

/* A store, what it has in its tables, and what it has told. */
struct shop {
	struct datapath datapath;
	struct reconcile *reconcile;
	struct kube_store *store;
	struct address node_address;
	struct prefix external_range;
	unsigned int queued, programmed, health_changed;
};

struct shop *shop_open(void);
void shop_close(struct shop *shop);
/* As if lbd started anew over the same tables. */
void shop_restart(struct shop *shop);

/* Quotes are single. */
int shop_put(struct shop *shop, enum kube_kind kind, const char *text);
int shop_remove(struct shop *shop, enum kube_kind kind, const char *text);
/* The request for memory after so many others fails, once. Whether it has come since. */
void shop_lack_memory(unsigned int after);
bool shop_has_lacked_memory(void);
void shop_sync(struct shop *shop);
/* Passes over connections, of which there are none. */
void shop_forget_connections(struct shop *shop);
/* The same with a connection to each backend. */
void shop_keep_connections(struct shop *shop);

/* The services in force, a line each, by key: `10.96.0.10:80/tcp web = 10.1.0.5:8080 …~`. */
const char *shop_describe(struct shop *shop, char text[STATE_TEXT_MAX]);
