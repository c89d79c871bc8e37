/*
 * What first fragments have told the datapath, as the model notes it: see shadow.h.
 */
#include <bpf/bpf.h>
#include <bpf/libbpf.h>
#include <time.h>
#include "include/fragment.h"
#include "test/model/shadow/shadow.h"

static __u16 read_second(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC_COARSE, &now);
	return fragment_second((uint64_t)now.tv_sec * 1000000000);
}

static struct model_fragment fragment_of(const struct fragment_key *key,
					 const struct fragment *first)
{
	/* As the packet has it: of IPv4 the two bytes that come first in memory. */
	const uint32_t id = key->protocol ? __builtin_bswap32(key->identification) >> 16
					  : __builtin_bswap32(key->identification);

	return (struct model_fragment){
		.src = key->src,
		.dst = key->dst,
		.id = id,
		.protocol = key->protocol,
		.flow = {.src = key->src,
			 .dst = key->dst,
			 .src_port = first->src_port,
			 .dst_port = first->dst_port,
			 .protocol = first->protocol},
		.tcp_flags = first->tcp_flags,
		.was_ours = true,
		.was_dropped = !first->protocol,
	};
}

bool shadow_read_fragments(const struct datapath *datapath, struct model *model)
{
	const int map = bpf_map__fd(datapath->skeleton->maps.fragments);
	struct fragment_key key, *last = NULL, next;
	const __u16 now = read_second();
	struct fragment first;

	for (; !bpf_map_get_next_key(map, last, &next); last = &key) {
		key = next;
		if (bpf_map_lookup_elem(map, &key, &first) || fragment_is_over(&first, now))
			continue;
		if (model->fragment_count == MODEL_FRAGMENTS)
			return false;
		model->fragments[model->fragment_count++] = fragment_of(&key, &first);
	}
	return true;
}
