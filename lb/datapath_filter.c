/*
 * The filters: bitmaps that tell the datapath which packets need not be looked up. What each bit
 * stands for is counted here, so that it is cleared with the last of it.
 */
#include <bpf/libbpf.h>
#include <errno.h>
#include <stdlib.h>
#include "include/hash.h"
#include "lb/datapath_audit.h"
#include "lb/datapath_internal.h"

#define WORD_BITS 64
#define WORDS_MIN 512       /* a page */
#define COUNT_MAX UINT8_MAX /* a bit of so many stays set until the next lbd counts anew */

uint32_t filter_words(uint32_t entries, uint32_t bits_per_entry)
{
	uint32_t words = WORDS_MIN;

	while ((uint64_t)words * WORD_BITS < (uint64_t)entries * bits_per_entry)
		words *= 2;
	return words;
}

static int filter_init(struct filter *filter, const struct bpf_map *map)
{
	const size_t bits = (size_t)bpf_map__max_entries(map) * WORD_BITS;
	int error = mapping_open(&filter->words, map);

	if (error)
		return error;
	filter->mask = (uint32_t)bits - 1;
	filter->counts = calloc(bits, sizeof(*filter->counts));
	return filter->counts ? 0 : -ENOMEM;
}

static void filter_finish(struct filter *filter)
{
	mapping_close(&filter->words);
	free(filter->counts);
}

static void filter_count(struct filter *filter, uint64_t hash)
{
	uint8_t *count = &filter->counts[hash_bit(hash, filter->mask)];

	if (*count < COUNT_MAX)
		++*count;
}

static uint64_t *word_of(const struct filter *filter, uint32_t bit)
{
	return (uint64_t *)filter->words.memory + bit / WORD_BITS;
}

/* One writer: reading and writing need not be one step, but each word is one store. */
static void set_bit(struct filter *filter, uint32_t bit, bool wanted)
{
	uint64_t *word = word_of(filter, bit);
	const uint64_t mask = 1ull << bit % WORD_BITS;

	__atomic_store_n(word, wanted ? *word | mask : *word & ~mask, __ATOMIC_RELEASE);
}

static void filter_publish(struct filter *filter)
{
	for (uint64_t bit = 0; bit <= filter->mask; bit++) {
		const bool wanted = filter->counts[bit];

		if (wanted != (*word_of(filter, (uint32_t)bit) >> bit % WORD_BITS & 1))
			set_bit(filter, (uint32_t)bit, wanted);
	}
}

static uint64_t counted_word(const struct filter *filter, uint32_t word)
{
	const uint8_t *counts = &filter->counts[(size_t)word * WORD_BITS];
	uint64_t bits = 0;

	for (unsigned int bit = 0; bit < WORD_BITS; bit++)
		bits |= (uint64_t) !!counts[bit] << bit;
	return bits;
}

static void audit_words(struct filter *filter, uint32_t part, uint32_t parts,
			struct repairs *repairs)
{
	const uint64_t words = ((uint64_t)filter->mask + 1) / WORD_BITS;
	uint64_t *memory = filter->words.memory;
	uint64_t wanted;

	for (uint64_t i = words * part / parts; i < words * (part + 1) / parts; i++) {
		wanted = counted_word(filter, (uint32_t)i);
		if (memory[i] == wanted)
			continue;
		__atomic_store_n(&memory[i], wanted, __ATOMIC_RELEASE);
		repairs_note(repairs, REPAIR_FILTERS, 1);
	}
}

void datapath_audit_filters(struct datapath *datapath, uint32_t parts, struct repairs *repairs)
{
	const uint32_t part = datapath->audited_filters % parts;

	audit_words(&datapath->service_filter, part, parts, repairs);
	audit_words(&datapath->backend_filter, part, parts, repairs);
	audit_words(&datapath->address_filter, part, parts, repairs);
	datapath->audited_filters = part + 1;
}

static void filter_add(struct filter *filter, uint64_t hash)
{
	const uint32_t bit = hash_bit(hash, filter->mask);

	filter_count(filter, hash);
	set_bit(filter, bit, true);
}

static void filter_remove(struct filter *filter, uint64_t hash)
{
	const uint32_t bit = hash_bit(hash, filter->mask);

	if (!filter->counts[bit] || filter->counts[bit] == COUNT_MAX)
		return;
	if (!--filter->counts[bit])
		set_bit(filter, bit, false);
}

static uint64_t hash_service(const struct datapath *datapath, const struct service_key *key)
{
	return hash_endpoint(datapath->seed, &key->address, key->port, key->protocol);
}

static uint64_t hash_backend(const struct datapath *datapath, const struct backend_record *record)
{
	return hash_endpoint(datapath->seed, &record->address, record->port, record->protocol);
}

void datapath_announce_service(struct datapath *datapath, const struct service_key *key)
{
	filter_add(&datapath->address_filter,
		   hash_role(datapath->seed, &key->address, ADDRESS_OF_SERVICE));
	filter_add(&datapath->service_filter, hash_service(datapath, key));
}

void datapath_withdraw_service(struct datapath *datapath, const struct service_key *key)
{
	filter_remove(&datapath->service_filter, hash_service(datapath, key));
	filter_remove(&datapath->address_filter,
		      hash_role(datapath->seed, &key->address, ADDRESS_OF_SERVICE));
}

void filters_add_backend(struct datapath *datapath, const struct backend_record *record)
{
	filter_add(&datapath->address_filter,
		   hash_role(datapath->seed, &record->address, ADDRESS_OF_BACKEND));
	filter_add(&datapath->backend_filter, hash_backend(datapath, record));
}

void filters_remove_backend(struct datapath *datapath, const struct backend_record *record)
{
	filter_remove(&datapath->backend_filter, hash_backend(datapath, record));
	filter_remove(&datapath->address_filter,
		      hash_role(datapath->seed, &record->address, ADDRESS_OF_BACKEND));
}

static int count_services(struct datapath *datapath)
{
	struct service_record *records;
	struct service_key *keys;
	uint32_t count;
	int error = datapath_list_services(datapath, &keys, &records, &count);

	if (error)
		return error;
	for (uint32_t i = 0; i < count; i++) {
		filter_count(&datapath->service_filter, hash_service(datapath, &keys[i]));
		filter_count(&datapath->address_filter,
			     hash_role(datapath->seed, &keys[i].address, ADDRESS_OF_SERVICE));
	}
	free(keys);
	free(records);
	return 0;
}

static void count_backends(struct datapath *datapath)
{
	struct backend_record record;

	for (uint32_t i = 1; i < datapath_capacity_backends(datapath); i++) {
		datapath_get_backend(datapath, i, &record);
		if (!record.handle)
			continue;
		filter_count(&datapath->backend_filter, hash_backend(datapath, &record));
		filter_count(&datapath->address_filter,
			     hash_role(datapath->seed, &record.address, ADDRESS_OF_BACKEND));
	}
}

int filters_open(struct datapath *datapath)
{
	int error = filter_init(&datapath->service_filter, datapath->skeleton->maps.service_filter);

	if (!error)
		error = filter_init(&datapath->backend_filter,
				    datapath->skeleton->maps.backend_filter);
	if (!error)
		error = filter_init(&datapath->address_filter,
				    datapath->skeleton->maps.address_filter);
	if (!error)
		error = count_services(datapath);
	if (error)
		return error;
	count_backends(datapath);
	filter_publish(&datapath->service_filter);
	filter_publish(&datapath->backend_filter);
	filter_publish(&datapath->address_filter);
	return 0;
}

void filters_close(struct datapath *datapath)
{
	filter_finish(&datapath->service_filter);
	filter_finish(&datapath->backend_filter);
	filter_finish(&datapath->address_filter);
}
