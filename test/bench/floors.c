/*
 * Loads the floors: see floors.h.
 */
#include "test/bench/floors.h"

#include <arpa/inet.h>
#include <bpf/bpf.h>
#include <bpf/libbpf.h>
#include <stdlib.h>
#include "test/bench/floor_a.skel.h"
#include "test/bench/floor_b.h"
#include "test/bench/floor_b.skel.h"
#include "test/bench/world.h"
#include "test/bench/wrapper.skel.h"

struct floors {
	struct wrapper_bpf *nop;
	struct floor_a_bpf *a;
	struct floor_b_bpf *b;
};

static int load_nop(struct floors *floors)
{
	struct bpf_program *program;

	floors->nop = wrapper_bpf__open();
	if (!floors->nop)
		return -1;
	bpf_object__for_each_program(program, floors->nop->obj)
		bpf_program__set_autoload(program, program == floors->nop->progs.nop);
	return wrapper_bpf__load(floors->nop);
}

static int add_service(struct floors *floors, const struct kind *kind)
{
	const struct service_key service = world_service(kind, SERVICE_FIVE, 0);
	const struct floor_service_key key = {
		.address = service.address.word[3],
		.port = service.port,
		.protocol = service.protocol,
	};
	const struct floor_service value = {
		.first_backend = world_backend(kind, 0).word[3],
		.backend_count = BACKENDS_PER_SERVICE,
		.port = world_backend_port(kind, SERVICE_FIVE),
	};

	return bpf_map_update_elem(bpf_map__fd(floors->b->maps.services), &key, &value, BPF_ANY);
}

static int load_b(struct floors *floors, uint32_t connections)
{
	floors->b = floor_b_bpf__open();
	if (!floors->b)
		return -1;
	bpf_map__set_max_entries(floors->b->maps.connections, 2 * connections);
	if (floor_b_bpf__load(floors->b))
		return -1;
	return add_service(floors, &WORLD_KINDS[TCP4]) || add_service(floors, &WORLD_KINDS[UDP4]);
}

struct floors *floors_open(uint32_t connections)
{
	struct floors *floors = calloc(1, sizeof(*floors));

	if (!floors)
		return NULL;
	floors->a = floor_a_bpf__open_and_load();
	if (floors->a && !load_nop(floors) && !load_b(floors, connections))
		return floors;
	floors_close(floors);
	return NULL;
}

void floors_close(struct floors *floors)
{
	if (!floors)
		return;
	wrapper_bpf__destroy(floors->nop);
	floor_a_bpf__destroy(floors->a);
	floor_b_bpf__destroy(floors->b);
	free(floors);
}

int floors_program(const struct floors *floors, enum subject subject)
{
	if (subject == SUBJECT_NOP)
		return bpf_program__fd(floors->nop->progs.nop);
	if (subject == SUBJECT_FLOOR_A)
		return bpf_program__fd(floors->a->progs.floor_a);
	return bpf_program__fd(floors->b->progs.floor_b);
}

uint64_t floors_new_flows(const struct floors *floors)
{
	return floors->b->bss->new_flows;
}
