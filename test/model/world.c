/*
 * Opens, closes and sets back a world, and what happens in it beside services and packets: see
 * world.h.
 */
#include "test/bpf/hook.h"
#include "test/model/world.h"

#include <bpf/libbpf.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include "test/bpf/tags.h"

#define FEW_MASQUERADES 4
#define HOPS_LIVE 256 /* sequences; ways back to clients are few, but for mutated addresses */

void difference_say(struct difference *difference, const char *format, ...)
{
	va_list arguments;

	if (difference->is_found)
		return; /* what comes first counts */
	difference->is_found = true;
	va_start(arguments, format);
	vsnprintf(difference->text, sizeof(difference->text), format, arguments);
	va_end(arguments);
}

/* So that they are soon all taken; some of them are clients' own. */
static const struct masquerade_ports FEW_PORTS = {
	.first = 40001,
	.count = 2,
	.second_first = 1024,
	.second_count = 1,
};

static void give_few(struct datapath_options *options)
{
	options->masquerade_ports = FEW_PORTS;
	options->max_masquerades = FEW_MASQUERADES;
}

int world_open_scene(void **state)
{
	return scene_open_changed(state, give_few);
}

static void set_up_model(struct world *world)
{
	world->model.timeouts = (struct timeouts){
		.tcp_opening = TCP_OPENING_SECONDS,
		.tcp_established = TCP_ESTABLISHED_SECONDS,
		.tcp_closing = TCP_CLOSING_SECONDS,
		.tcp_closed = TCP_CLOSED_SECONDS,
		.udp = UDP_SECONDS,
	};
	world->model.masquerade_ports = FEW_PORTS;
	world->model.masquerade_room = 2 * FEW_MASQUERADES;
	world->model.hairpin = (struct hairpin){
		.ipv4 = hairpin_address(IPV4),
		.ipv6 = hairpin_address(IPV6),
	};
}

static void set_back_ports(struct world *world)
{
	world_set_port(world, UPLINK, 0, SCENE_MTU);
	world_set_port(world, POD, 0, SCENE_MTU);
	world_set_port(world, POD_VLAN, 0, SCENE_MTU);
	world_set_port(world, UPLINK_VLAN, 0, SCENE_MTU);
	world->are_ports_changed = false;
}

struct world *world_open(struct scene *scene)
{
	struct world *world = calloc(1, sizeof(*world));

	assert_non_null(world);
	world->scene = scene;
	assert_int_equal(
		mapping_open(&world->client_hops, scene->datapath->skeleton->maps.client_hops), 0);
	assert_int_equal(mapping_open(&world->rings, scene->datapath->skeleton->maps.rings), 0);
	assert_int_equal(world_open_room(world), 0);
	assert_true(datapath_open_events(scene->datapath) >= 0);
	set_up_model(world);
	set_back_ports(world);
	world_reset(world);
	return world;
}

void world_close(struct world *world)
{
	world_withdraw_all(world);
	world_close_room(world);
	mapping_close(&world->rings);
	mapping_close(&world->client_hops);
	free(world);
}

/* A VLAN's own address and tags; the rest is its parent's. */
static void fill_vlan(struct port *port, enum interface interface)
{
	static const uint8_t MAC[] = {2, 0xee, 0, 0, 0x20, 0};
	static const union tags TAGS[] = {
		{.tag = {TAG(CUSTOMER, 20)}},
		{.tag = {TAG(PROVIDER, 200), TAG(CUSTOMER, 20)}},
	};
	const int which = (int)interface - _INTERFACE_COUNT;

	port->flags |= PORT_TAGGED;
	port->ifindex = network_ifindex(interface == POD_VLAN ? POD : UPLINK);
	port->tags = TAGS[which];
	memcpy(port->mac, MAC, sizeof(port->mac));
	port->mac[5] = (uint8_t)(which + 1);
}

static void fill_port(struct port *port, enum interface interface)
{
	port->ifindex = network_ifindex(interface);
	memcpy(port->mac, interface_mac(interface), sizeof(port->mac));
}

void world_set_port(struct world *world, enum interface interface, uint16_t flags, uint32_t mtu)
{
	struct port port = {};

	if (interface == NOWHERE)
		return;
	if (mtu) {
		port = (struct port){.flags = hook_port_flags(flags), .mtu = mtu};
		if (interface < _INTERFACE_COUNT)
			fill_port(&port, interface);
		else
			fill_vlan(&port, interface);
	}
	assert_int_equal(datapath_set_port(world->scene->datapath, interface, &port), 0);
	world->model.ports[interface] = port;
	world->are_ports_changed = true;
}

static void resolve(struct world *world, enum station station, enum family family)
{
	struct model *model = &world->model;
	struct nexthop hop = {.port = (__u16)world->location[station]};
	const struct address address = station_address(station, family);
	struct model_neighbour *neighbour;
	uint32_t i = 0;

	if (hop.port)
		memcpy(hop.mac, station_mac(station), sizeof(hop.mac));
	datapath_set_nexthop(world->scene->datapath, world->nexthops[station][family], &hop);
	while (i < model->neighbour_count &&
	       !address_equal(&model->neighbours[i].address, &address))
		i++;
	assert_true(i < MODEL_NEIGHBOURS);
	neighbour = &model->neighbours[i];
	if (i == model->neighbour_count)
		model->neighbour_count++;
	neighbour->address = address;
	neighbour->hop.port = hop.port;
	memcpy(neighbour->hop.mac, hop.mac, sizeof(hop.mac));
}

void world_move(struct world *world, enum station station, enum interface interface)
{
	if (hook_is_tc() && interface >= _INTERFACE_COUNT) /* tags that no test would see */
		interface = interface == POD_VLAN ? POD : UPLINK;
	world->location[station] = interface;
	for (int family = 0; family < _FAMILY_COUNT; family++)
		if (world->nexthops[station][family])
			resolve(world, station, (enum family)family);
}

static void forget_connections(struct world *world)
{
	memset(world->scene->connections.memory, 0, world->scene->connections.size);
	if (world->sequences++ % HOPS_LIVE == 0)
		memset(world->client_hops.memory, 0, world->client_hops.size);
}

void world_reset(struct world *world)
{
	world_withdraw_all(world);
	while (world->model.denied_count)
		world_allow(world);
	world_forget_networks(world);
	if (world->are_ports_changed)
		set_back_ports(world);
	for (int station = 0; station < _STATION_COUNT; station++)
		world->location[station] = station_home((enum station)station);
	forget_connections(world);
	world_forget_affinity(world);
	world_forget_masquerades(world);
	world_forget_fragments(world);
	model_reset(&world->model);
	verdicts_read(world->scene->datapath, world->verdicts);
}

void world_pass(struct world *world, uint32_t seconds)
{
	struct connection *entries = world->scene->connections.memory;
	const size_t count = world->scene->connections.size / sizeof(*entries);

	while (!model_may_pass(&world->model, seconds))
		seconds++;
	for (size_t i = 0; i < count; i++)
		if (entries[i].head.word)
			entries[i].state.last_seen -=
				seconds * world->scene->datapath->jiffies_per_second;
	world_pass_affinity(world, seconds);
	world_pass_masquerades(world, seconds);
	model_pass(&world->model, seconds);
	world_sweep_masquerades(world);
}
