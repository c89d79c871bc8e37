/*
 * What the files of the model share. Nobody else includes this.
 */
#pragma once

#include <string.h>
#include "test/bpf/bucket_model.h"

static inline uint32_t idle_of(const struct model_entry *entry, uint32_t now)
{
	return now - entry->last_seen;
}

static inline bool is_of_client(const struct model_entry *entry, const struct address *client,
				__be16 port, uint8_t protocol)
{
	return entry->used && entry->port == port && entry->protocol == protocol &&
	       !memcmp(&entry->client, client, sizeof(*client));
}

struct backend_record model_record_of(const struct model *model, uint32_t handle);
uint64_t model_hash_of(const struct model *model, const struct address *client, __be16 port,
		       uint8_t protocol);
bool model_is_expired(const struct model *model, const struct model_entry *entry, uint32_t now);
/* A lone FIN or RST makes no state. */
bool model_is_lone_end(const struct blueprint *request);
/* The entry that makes room for `wanted`; NULL: none does. */
struct model_entry *model_choose(struct model *model, const struct model_entry *wanted,
				 uint32_t now);
/* One client port has a backend's replies for one connection only; what is over makes room. */
bool model_claim(struct model *model, const struct model_entry *wanted, uint32_t now,
		 const struct backend_record *backend);
/* In the entry that the flow has, if it still has it; false: there is no room. */
bool model_record(struct model *model, const struct model_entry *wanted, uint32_t now,
		  struct model_entry *known, const struct model_entry *as_known);

/* What the other end is to be, with the same of everything else. */
struct model_entry model_turned(const struct model *model, const struct model_entry *entry);
void model_forget_end(struct model *model, const struct model_entry *end);
/* A packet of this entry's connection was tracked; so it is in the other one. */
bool model_track_other(struct model *model, struct model_entry *entry, uint32_t now, bool reply);
void model_start_aliased(struct model *model, struct model_entry *wanted,
			 struct model_packet *packet, struct model_entry *known,
			 const struct model_entry *as_known);
