/*
 * Callers: see hammer_caller.h.
 */
#include "test/bpf/hammer_caller.h"

#include <arpa/inet.h>
#include <string.h>
#include "include/connection.h"
#include "include/hash.h"
#include "test/bpf/chance.h"
#include "test/bpf/tags.h"

#define TWIN_GROUPS 3
#define SHARED_OF_KIND 2
#define KEEPERS_OF_BUCKET 2
#define KEEPERS_OF_KIND 2
#define MEETING_WAYS 4 /* half of the places that remember_hop tries: one may be learnt twice */

const uint32_t BACKENDS_OF[SERVICES] = {
	1 << BACKEND_A | 1 << BACKEND_B,
	1 << BACKEND_A | 1 << BACKEND_B | 1 << STRANGER,
	1 << BACKEND_A,
	1 << BACKEND_A,
	1 << BACKEND_B | 1 << STRANGER,
};

/* What the filters and the table are shared by: the draw, and where it goes. */
struct making {
	struct callers *callers;
	const struct datapath *datapath;
	struct chance chance;
	uint32_t ways;
	uint32_t keepers[MAX_CALLERS]; /* of each bucket */
};

static struct address draw_address(struct making *making, enum family family)
{
	const uint32_t word = (uint32_t)chance_word(&making->chance);

	if (family == IPV4)
		return (struct address){
			.word = {0, 0, htonl(0xffff), htonl(0x64400000 | word >> 10)}};
	return (struct address){.word = {htonl(0x20010db8), htonl(2), htonl(word % 7), word}};
}

static uint64_t hash_of(const struct making *making, const struct caller *caller)
{
	return hash_endpoint(making->datapath->seed, &caller->address, caller->port,
			     caller->kind->protocol);
}

static union tags draw_tags(struct making *making)
{
	const uint32_t draw = (uint32_t)chance_word(&making->chance);
	union tags tags = VLAN_IN_VLAN(0, 0);

	if (draw % 4 == 0)
		return NO_TAGS;
	tags.tag[0].control = htons(draw >> 8 & 0xfff);
	tags.tag[1].control = htons(draw >> 20);
	if (draw % 4 == 1)
		tags.tag[1] = NO_TAGS.tag[1];
	return tags;
}

static uint32_t place_of(const struct making *making, const uint8_t mac[ETH_ALEN], union tags tags)
{
	struct nexthop hop = {.port = UPLINK | (tags.word ? CLIENT_HOP_TAGGED : 0)};

	memcpy(hop.mac, mac, sizeof(hop.mac));
	return (uint32_t)hash_mix(making->datapath->seed ^ hash_mix(0, tags.word), hop.word) %
	       CLIENT_HOPS;
}

/* Of a group that meets in one place of client_hops. `moves`: the MAC address is the first way's.
 */
static void draw_way(struct making *making, struct caller *caller, int way, bool moves)
{
	const uint32_t number = making->ways++;
	const uint32_t place = 1 + number / MEETING_WAYS * 64;
	uint64_t word;

	if (moves)
		memcpy(caller->mac[way], caller->mac[0], ETH_ALEN);
	caller->tags[way] = draw_tags(making);
	while (place_of(making, caller->mac[way], caller->tags[way]) != place ||
	       (moves && caller->tags[way].word == caller->tags[0].word)) {
		word = (chance_word(&making->chance) & 0xffffff000000ull) | number << 16 | 0xcc02;
		if (moves)
			caller->tags[way] = draw_tags(making);
		else
			memcpy(caller->mac[way], &word, ETH_ALEN);
	}
}

static struct caller *add(struct making *making, enum calling calling, const struct kind *kind)
{
	struct callers *callers = making->callers;
	struct caller *caller = &callers->all[callers->count];

	assert_true(callers->count < MAX_CALLERS);
	caller->calling = calling;
	caller->kind = kind;
	caller->owner = (uint32_t)callers->count++ % callers->threads;
	caller->address = draw_address(making, kind->family);
	caller->port = htons((uint16_t)(10000 + 2 * callers->count)); /* aliases are odd */
	caller->hash = hash_of(making, caller);
	for (int way = 0; way < MACS; way++)
		draw_way(making, caller, way, way > 0 && callers->count % 2);
	return caller;
}

static bool is_twin(const struct callers *callers, const struct caller *a, const struct caller *b)
{
	return hash_tag(a->hash) == hash_tag(b->hash) &&
	       hash_bucket(a->hash, callers->buckets) == hash_bucket(b->hash, callers->buckets);
}

/* Chance may draw one address twice. */
static bool is_alone(const struct callers *callers, const struct caller *caller)
{
	for (size_t i = 0; i < callers->count; i++) {
		const struct caller *other = &callers->all[i];

		if (other != caller && other->port == caller->port &&
		    !memcmp(&other->address, &caller->address, sizeof(caller->address)))
			return false;
	}
	return true;
}

static void add_twin(struct making *making, enum calling calling, const struct caller *of)
{
	struct caller *caller = add(making, calling, of->kind);

	caller->port = of->port;
	do {
		caller->address = draw_address(making, of->kind->family);
		caller->hash = hash_of(making, caller);
	} while (!is_twin(making->callers, caller, of) || !is_alone(making->callers, caller));
}

static bool have_common_port(const struct callers *callers, const struct caller *a,
			     const struct caller *b)
{
	for (uint32_t number = 0; number < PORTS; number++) {
		const __be16 port = caller_port(callers, a, number);

		if (port && caller_port_number(callers, b, port) < PORTS)
			return true;
	}
	return false;
}

/* They share an address: what is to an alias port must tell whose it is. */
static bool has_ports_of_its_own(const struct callers *callers, const struct caller *caller)
{
	for (size_t i = 0; i < callers->count; i++) {
		const struct caller *other = &callers->all[i];

		if (other != caller && other->calling == CALLS_HAIRPIN &&
		    have_common_port(callers, caller, other))
			return false;
	}
	return true;
}

static void add_kin(struct making *making, struct caller *of)
{
	struct caller *caller = add(making, CALLS_ALONE, of->kind);

	caller->owner = of->owner;
	caller->address = of->address;
	caller->port = caller_port(making->callers, of, 1);
	caller->hash = hash_of(making, caller);
	caller->kin = of;
	of->kin = caller;
}

static void add_hairpin(struct making *making, const struct kind *kind)
{
	struct caller *caller = add(making, CALLS_HAIRPIN, kind);

	while (!has_ports_of_its_own(making->callers, caller))
		caller->port = htons((uint16_t)(20000 + 2 * chance_below(&making->chance, 20000)));
	caller->address = role_address(BACKEND_A, kind->family);
	caller->hash = hash_of(making, caller);
	for (int i = 0; i < MACS; i++) {
		memcpy(caller->mac[i], role_mac(BACKEND_A), ETH_ALEN);
		caller->tags[i] = NO_TAGS;
	}
}

/* Few enough of each bucket that others find room beside them. */
static void add_keeper(struct making *making, const struct kind *kind)
{
	struct caller *caller = add(making, CALLS_KEEPER, kind);
	uint32_t bucket = hash_bucket(caller->hash, making->callers->buckets);

	while (making->keepers[bucket] >= KEEPERS_OF_BUCKET) {
		caller->address = draw_address(making, kind->family);
		caller->hash = hash_of(making, caller);
		bucket = hash_bucket(caller->hash, making->callers->buckets);
	}
	making->keepers[bucket]++;
}

static void add_kind(struct making *making, const struct kind *kind)
{
	const uint32_t threads = making->callers->threads;

	for (uint32_t group = 0; group < TWIN_GROUPS; group++) {
		struct caller *first = add(making, CALLS_ALONE, kind);

		for (uint32_t i = 1; i < threads; i++)
			add_twin(making, CALLS_ALONE, first);
		add_twin(making, CALLS_NEVER, first);
		add_kin(making, first);
	}
	for (uint32_t i = 0; i < threads; i++)
		add_hairpin(making, kind);
	for (uint32_t i = 0; i < KEEPERS_OF_KIND; i++)
		add_keeper(making, kind);
	for (uint32_t i = 0; i < SHARED_OF_KIND; i++)
		add(making, CALLS_SHARED, kind);
}

void callers_make(struct callers *callers, const struct scene *scene, uint32_t threads)
{
	struct making making = {
		.callers = callers, .datapath = scene->datapath, .chance = chance_of(1)};

	memset(callers, 0, sizeof(*callers));
	callers->threads = threads;
	callers->seed = scene->datapath->seed;
	callers->buckets = bpf_map__max_entries(scene->datapath->skeleton->maps.connections);
	for (int i = 0; i < KIND_COUNT; i++)
		add_kind(&making, &KINDS[i]);
}

__be16 caller_port(const struct callers *callers, const struct caller *caller, uint32_t number)
{
	return number ? connection_other_port(callers->seed, (uint8_t)number, caller->port)
		      : caller->port;
}

uint32_t caller_port_number(const struct callers *callers, const struct caller *caller, __be16 port)
{
	for (uint32_t number = 0; number < PORTS; number++)
		if (caller_port(callers, caller, number) == port)
			return number;
	return PORTS;
}

const struct caller *callers_find(const struct callers *callers, const struct connection *entry)
{
	for (size_t i = 0; i < callers->count; i++) {
		const struct caller *caller = &callers->all[i];
		const uint64_t hash =
			hash_endpoint(callers->seed, &entry->client, entry->head.client_port,
				      caller->kind->protocol);
		const uint8_t alias = connection_alias(entry->head, hash);

		if (caller_port(callers, caller, alias) == entry->head.client_port &&
		    !memcmp(&caller->address, &entry->client, sizeof(entry->client)))
			return caller;
	}
	return NULL;
}

const struct caller *callers_find_mac(const struct callers *callers, const uint8_t *mac)
{
	for (size_t i = 0; i < callers->count; i++)
		for (int own = 0; own < MACS; own++)
			if (!memcmp(callers->all[i].mac[own], mac, ETH_ALEN))
				return &callers->all[i];
	return NULL;
}

enum interface caller_interface(const struct caller *caller)
{
	return caller->calling == CALLS_HAIRPIN ? POD : UPLINK;
}

struct blueprint caller_request(const struct caller *caller, uint32_t service, uint32_t mac)
{
	struct blueprint request = request_of(caller->kind);

	request.src = caller->address;
	request.src_port = caller->port;
	request.dst_port = htons((uint16_t)(SERVICE_PORT + service));
	memcpy(request.from_mac, caller->mac[mac], ETH_ALEN);
	memcpy(request.to_mac, interface_mac(caller_interface(caller)), ETH_ALEN);
	request.tags = caller->tags[mac];
	return request;
}

/* What BACKEND_A answers itself goes to whom it takes for its client. */
struct blueprint caller_reply(const struct caller *caller, enum role backend, __be16 port)
{
	struct blueprint reply = reply_of(caller->kind, backend);
	const bool hairpin = caller->calling == CALLS_HAIRPIN && backend == BACKEND_A;

	reply.dst = hairpin ? hairpin_address(caller->kind->family) : caller->address;
	reply.dst_port = port;
	return reply;
}
