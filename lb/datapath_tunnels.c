/*
 * What programs are told of tunnels when they are loaded.
 */
#include <string.h>
#include "lb/datapath_internal.h"

static struct tunnel_source source_of(const struct prefix *prefix)
{
	struct address all;

	memset(&all, 0xff, sizeof(all));
	return (struct tunnel_source){
		.prefix = prefix->address,
		.mask = prefix_around(&all, prefix->length).address,
		.is_ipv6 = !prefix_is_ipv4(prefix),
	};
}

void tunnels_tell(struct lb_bpf *skeleton, const struct datapath_options *options)
{
	struct tunnel_sources sources = {};

	for (size_t i = 0; i < options->tunnel_source_count && i < MAX_TUNNEL_SOURCES; i++)
		sources.of[sources.count++] = source_of(&options->tunnel_sources[i]);
	memcpy((void *)&skeleton->rodata->tunnel_sources, &sources, sizeof(sources));
	skeleton->rodata->tunnels = options->tunnels;
}
