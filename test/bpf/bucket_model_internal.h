/*
 * What the files of the model share. Nobody else includes this.
 */
#pragma once

#include <string.h>
#include "test/bpf/bucket_model.h"

/* Whether an entry is of this client's port, as its backend knows it. */
static inline bool is_of_client(const struct model_entry *entry, const struct address *client,
				__be16 port, uint8_t protocol)
{
	return entry->used && entry->port == port && entry->protocol == protocol &&
	       !memcmp(&entry->client, client, sizeof(*client));
}

bool model_is_alive(const struct model *model, const struct model_entry *entry, uint32_t now);
bool model_starts_afresh(const struct model_packet *packet, const struct model_entry *entry);
/* A lone FIN or RST makes no state. */
bool model_is_lone_end(const struct blueprint *request);
/* The entry with this alias and its port that a request would find; NULL: it is not there. */
struct model_entry *model_find(struct model *model, const struct blueprint *request, __be16 port,
			       uint8_t alias);
/* The entry that makes room for `wanted`; NULL: none does. */
struct model_entry *model_choose(struct model *model, const struct model_entry *wanted,
				 uint32_t now);
/* A backend has one connection only of a port that it knows; what is over makes room. */
bool model_claim(struct model *model, const struct model_entry *wanted, uint32_t now,
		 const struct backend_record *backend);

/* bucket_alias.c */
struct model_entry *model_find_aliased(struct model *model, const struct model_packet *packet);
/* What a flow that starts afresh without an alias has left with one. */
void model_forget_aliased(struct model *model, const struct model_packet *packet);
/* Tries to get along with a backend that `wanted` collides at. */
void model_start_aliased(struct model *model, struct model_entry *wanted,
			 struct model_packet *packet);
