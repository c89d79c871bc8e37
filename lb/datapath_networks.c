/*
 * Whose addresses are: the map networks, an LPM trie of prefixes.
 */
#include <bpf/bpf.h>
#include <bpf/libbpf.h>
#include <errno.h>
#include <string.h>
#include "lb/datapath_audit.h"
#include "lb/datapath_internal.h"

static int networks_map(const struct datapath *datapath)
{
	return bpf_map__fd(datapath->skeleton->maps.networks);
}

static struct network_key key_of(const struct prefix *prefix)
{
	struct network_key key = {.length = prefix->length};

	memcpy(key.address, &prefix->address, sizeof(key.address));
	return key;
}

static struct network_record record_of(const struct prefix *prefix, enum network network)
{
	return (struct network_record){
		.network = (__u8)network,
		.is_ipv6 = !prefix_is_ipv4(prefix),
	};
}

int datapath_set_network(struct datapath *datapath, const struct prefix *prefix,
			 enum network network)
{
	const struct network_key key = key_of(prefix);
	const struct network_record record = record_of(prefix, network);

	if (network == NETWORK_NONE)
		return bpf_map_delete_elem(networks_map(datapath), &key) && errno != ENOENT ? -errno
											    : 0;
	return bpf_map_update_elem(networks_map(datapath), &key, &record, BPF_ANY) ? -errno : 0;
}

/* An LPM trie answers with the longest prefix that fits: one that is missing may look as if there.
 */
int datapath_audit_network(struct datapath *datapath, const struct prefix *prefix,
			   enum network network)
{
	const struct network_key key = key_of(prefix);
	const struct network_record record = record_of(prefix, network);
	struct network_record found;
	int error;

	if (!bpf_map_lookup_elem(networks_map(datapath), &key, &found) &&
	    !memcmp(&found, &record, sizeof(found)))
		return 0;
	error = datapath_set_network(datapath, prefix, network);
	return error ? error : 1;
}

int datapath_visit_networks(struct datapath *datapath, network_visitor visit, void *context)
{
	const int map = networks_map(datapath);
	const void *before = NULL;
	struct network_key key, next;
	struct network_record record;
	struct prefix prefix;

	while (!bpf_map_get_next_key(map, before, &next)) {
		key = next;
		before = &key;
		if (bpf_map_lookup_elem(map, &key, &record))
			return -errno;
		prefix = (struct prefix){.length = (__u8)key.length};
		memcpy(&prefix.address, key.address, sizeof(prefix.address));
		visit(context, &prefix, (enum network)record.network);
	}
	return errno == ENOENT ? 0 : -errno;
}
