/*
 * Sequences by chance: see generate.h. Here what is not a packet.
 */
#include "test/model/generate.h"

#include <linux/in.h>
#include <string.h>

#define LEAST_LEFT 12
#define MORE_LEFT 20
#define MOST_NETWORKS 3
#define MOST_SOURCES 3

static const enum station CLIENTS[] = {STATION_C1, STATION_C1, STATION_C2, STATION_C3,
				       STATION_C4, STATION_A,  STATION_B};
static const enum station SERVICES[] = {STATION_S1, STATION_S1, STATION_S2, STATION_S3};
static const enum station BACKENDS[] = {STATION_A, STATION_A, STATION_B, STATION_C,
					STATION_D, STATION_E, STATION_F};
static const uint16_t CLIENT_PORTS[] = {40000, 40000, 40001, 53, 1024};
static const uint16_t SERVICE_PORTS[] = {80, 80, 443, 53};
static const uint16_t BACKEND_PORTS[] = {8080, 8080, 8080, 8081, 80};

/* Mostly of one family and protocol, so that they meet. */
static void choose_services(struct generator *generator)
{
	struct chance *chance = &generator->chance;
	const enum family family = (enum family)chance_below(chance, _FAMILY_COUNT);
	static const uint8_t PROTOCOLS[] = {IPPROTO_TCP, IPPROTO_TCP, IPPROTO_TCP, IPPROTO_TCP,
					    IPPROTO_UDP, IPPROTO_UDP, IPPROTO_UDP, IPPROTO_SCTP};
	const uint8_t protocol = ONE_OF(generator, PROTOCOLS);

	generator->service_count = 1 + chance_below(chance, POOL_SERVICES);
	for (uint32_t i = 0; i < generator->service_count; i++) {
		generator->services[i] = (struct op_service){
			.station = ONE_OF(generator, SERVICES),
			.family = chance_percent(chance, 85)
					  ? family
					  : (enum family)chance_below(chance, _FAMILY_COUNT),
			.protocol = chance_percent(chance, 85) ? protocol
							       : ONE_OF(generator, PROTOCOLS),
			.port = ONE_OF(generator, SERVICE_PORTS),
		};
	}
}

/* Two of the services have one end: for clients inside, and for the others. */
static void part_inside(struct generator *generator)
{
	if (generator->service_count == 1)
		generator->service_count++;
	generator->services[1] = generator->services[0];
	generator->services[1].scope = SCOPE_INSIDE;
	generator->networks = chance_below(&generator->chance, MOST_NETWORKS + 1);
}

static void begin_masquerading(struct generator *generator)
{
	generator->masquerades = true;
	generator->sources = 1 + chance_below(&generator->chance, MOST_SOURCES);
}

static void choose_backends(struct generator *generator)
{
	struct chance *chance = &generator->chance;
	const uint32_t remote = generator->masquerades ? 65 : 5;

	generator->backend_count = 1 + chance_below(chance, POOL_BACKENDS);
	for (uint32_t i = 0; i < generator->backend_count; i++) {
		generator->backends[i] = (struct op_backend){
			.station = ONE_OF(generator, BACKENDS),
			.port = ONE_OF(generator, BACKEND_PORTS),
			.is_remote = chance_percent(chance, remote),
		};
	}
}

/* Some clients are in a VLAN, a few in one inside of another. */
static void choose_vlan(struct generator *generator, struct call *call)
{
	static const uint32_t TAGS[] = {0x81000064, 0x8100e064, 0x81000065, 0x88a80064};

	if (!features[FEATURE_TAGS] || !chance_percent(&generator->chance, 15))
		return;
	call->tag_count = (uint8_t)(1 + chance_below(&generator->chance, 2));
	for (uint8_t i = 0; i < call->tag_count; i++)
		call->tags[i] = ONE_OF(generator, TAGS);
}

static void choose_calls(struct generator *generator)
{
	generator->call_count = 1 + chance_below(&generator->chance, POOL_CALLS);
	for (uint32_t i = 0; i < generator->call_count; i++) {
		generator->calls[i] = (struct call){
			.client = ONE_OF(generator, CLIENTS),
			.port = ONE_OF(generator, CLIENT_PORTS),
			.service = chance_below(&generator->chance, generator->service_count),
		};
		choose_vlan(generator, &generator->calls[i]);
	}
}

/* One client, one port, and few backends for all that it asks: whose are the replies? */
static void crowd(struct generator *generator)
{
	generator->backend_count = 1 + chance_below(&generator->chance, 2);
	for (uint32_t i = 0; i < generator->service_count; i++) {
		generator->services[i].family = generator->services[0].family;
		generator->services[i].protocol = generator->services[0].protocol;
	}
	for (uint32_t i = 1; i < generator->call_count; i++) {
		generator->calls[i].client = generator->calls[0].client;
		generator->calls[i].port = generator->calls[0].port;
	}
}

void generate_begin(struct generator *generator, const struct model *model, uint64_t stream)
{
	*generator = (struct generator){.chance = chance_of(stream), .model = model};
	choose_services(generator);
	if (chance_percent(&generator->chance, 25))
		part_inside(generator);
	if (chance_percent(&generator->chance, 30))
		begin_masquerading(generator);
	choose_backends(generator);
	choose_calls(generator);
	if (chance_percent(&generator->chance, 25))
		crowd(generator);
	generator->setup = generator->service_count;
	generator->left = generator->sources + generator->networks + generator->setup + LEAST_LEFT +
			  chance_below(&generator->chance, MORE_LEFT);
}

static uint16_t choose_weight(struct chance *chance)
{
	if (chance_percent(chance, 75))
		return 1;
	return chance_percent(chance, 90) ? (uint16_t)chance_below(chance, 6)
					  : (uint16_t)chance_below(chance, 40);
}

static enum backend_state choose_state(struct generator *generator)
{
	/* First offers should have somebody to go to. */
	const uint32_t percent = generator->setup ? 90 : 65;

	if (chance_percent(&generator->chance, percent))
		return BACKEND_ACTIVE;
	return chance_percent(&generator->chance, 50) ? BACKEND_DRAINING : BACKEND_DOWN;
}

static struct op_prefix choose_prefix(struct generator *generator, enum family family)
{
	static const uint8_t LENGTHS[_FAMILY_COUNT][6] = {
		[IPV4] = {0, 8, 24, 29, 31, 32}, [IPV6] = {0, 16, 48, 64, 127, 128}};

	return (struct op_prefix){
		.station = ONE_OF(generator, CLIENTS),
		.family = family,
		.length = ONE_OF(generator, LENGTHS[family]),
	};
}

static bool has_inside(const struct generator *generator, uint32_t service)
{
	return service + 1 < generator->service_count &&
	       generator->services[service + 1].scope == SCOPE_INSIDE;
}

static void choose_network(struct generator *generator, struct op *op)
{
	static const enum network NETWORKS[] = {NETWORK_CLUSTER, NETWORK_CLUSTER, NETWORK_NODE,
						NETWORK_NODE, NETWORK_NONE};

	enum family family = generator->services[0].family;

	if (chance_percent(&generator->chance, 20))
		family = (enum family)chance_below(&generator->chance, _FAMILY_COUNT);
	op->kind = OP_NETWORK;
	op->network.prefix = choose_prefix(generator, family);
	op->network.network = ONE_OF(generator, NETWORKS);
}

/* Of the ways out that backends are behind, or of any; now and then a service's address. */
static void choose_source(struct generator *generator, struct op *op)
{
	static const enum interface INTERFACES[] = {UPLINK, POD, NOWHERE, NOWHERE, UPLINK_VLAN};
	static const enum station STATIONS[] = {STATION_N1, STATION_N1, STATION_N1,    STATION_N2,
						STATION_N2, STATION_S3, _STATION_COUNT};

	op->kind = OP_SOURCE;
	op->source.interface = ONE_OF(generator, INTERFACES);
	op->source.station = ONE_OF(generator, STATIONS);
}

static void choose_offer(struct generator *generator, struct op_offer *offer, uint32_t service)
{
	static const uint32_t AFFINITIES[] = {5, 30, 100, 86400};
	struct chance *chance = &generator->chance;

	offer->service = generator->services[service];
	offer->has_inside = chance_percent(chance, has_inside(generator, service) ? 85 : 5);
	offer->drops_unserved = chance_percent(chance, 20);
	if (chance_percent(chance, generator->masquerades ? 75 : 5))
		offer->masquerade =
			chance_percent(chance, 50) ? MASQUERADE_STRANGERS : MASQUERADE_OTHERS;
	offer->algorithm = chance_percent(chance, 60)
				   ? ALGORITHM_MAGLEV
				   : (enum algorithm)chance_below(chance, _ALGORITHM_COUNT);
	if (features[FEATURE_AFFINITY] && chance_percent(chance, 25))
		offer->affinity_seconds = ONE_OF(generator, AFFINITIES);
	for (uint32_t i = 0; i < generator->backend_count; i++) {
		if (!chance_percent(chance, 75))
			continue;
		offer->backends[offer->backend_count] = generator->backends[i];
		if (offer->service.protocol == IPPROTO_SCTP)
			offer->backends[offer->backend_count].port = offer->service.port;
		offer->backends[offer->backend_count].weight = choose_weight(chance);
		offer->backends[offer->backend_count++].state = choose_state(generator);
	}
	if (chance_percent(chance, 12))
		for (uint32_t i = 0; i < OP_RANGES; i++)
			offer->ranges[offer->range_count++] =
				choose_prefix(generator, offer->service.family);
}

static void choose_port(struct generator *generator, struct op *op)
{
	static const uint32_t MTUS[] = {SCENE_MTU, SCENE_MTU, 1500, 1280, 100};
	static const uint16_t FLAGS[] = {0, 0, PORT_TX_BY_REDIRECT, PORT_BY_STACK, PORT_GENERIC};

	op->kind = OP_PORT;
	op->port.interface =
		(enum interface)(UPLINK + chance_below(&generator->chance, OP_PORT_COUNT - 1));
	op->port.mtu = chance_percent(&generator->chance, 5) ? 0 : ONE_OF(generator, MTUS);
	op->port.flags = ONE_OF(generator, FLAGS);
}

static void choose_move(struct generator *generator, struct op *op)
{
	op->kind = OP_MOVE;
	op->move.station =
		generator->backends[chance_below(&generator->chance, generator->backend_count)]
			.station;
	op->move.interface = (enum interface)chance_below(&generator->chance, _INTERFACE_COUNT);
}

static void choose_change(struct generator *generator, struct op *op)
{
	const uint32_t service = chance_below(&generator->chance, generator->service_count);
	const uint32_t draw = chance_below(&generator->chance, 100);

	if (draw < 50) {
		op->kind = OP_OFFER;
		choose_offer(generator, &op->offer, service);
	} else if (draw < 62) {
		op->kind = OP_WITHDRAW;
		op->service = generator->services[service];
	} else if (draw < 72) {
		op->kind = OP_DENY;
		op->prefix = choose_prefix(generator, generator->services[service].family);
	} else if (draw < 80) {
		op->kind = OP_ALLOW;
	} else if (draw < 86) {
		choose_network(generator, op);
	} else if (draw < 89 && generator->masquerades) {
		choose_source(generator, op);
	} else if (draw < 93) {
		choose_move(generator, op);
	} else {
		choose_port(generator, op);
	}
}

bool generate_next(struct generator *generator, struct op *op)
{
	static const uint32_t SECONDS[] = {2, 10, 17, 25, 35, 50, 70, 115, 125, 900, 2990, 3010};
	struct chance *chance = &generator->chance;

	if (!generator->left--)
		return false;
	*op = (struct op){.kind = OP_PACKET};
	if (generator->sources) {
		choose_source(generator, op);
		generator->sources--;
	} else if (generator->networks) {
		choose_network(generator, op);
		generator->networks--;
	} else if (generator->setup) {
		op->kind = OP_OFFER;
		choose_offer(generator, &op->offer, generator->service_count - generator->setup);
		generator->setup--;
	} else if (chance_percent(chance, 10)) {
		choose_change(generator, op);
	} else if (chance_percent(chance, 8)) {
		op->kind = OP_PASS;
		op->seconds = ONE_OF(generator, SECONDS);
	} else if (generator->part_count && chance_percent(chance, 70)) {
		generate_part(generator, &op->packet);
	} else {
		generate_packet(generator, &op->packet);
	}
	return true;
}
