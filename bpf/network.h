/*
 * Whose the source of a packet is: this node's, the cluster's, or somebody's outside. Asked of what
 * would start a connection, for services that treat them differently.
 */
#pragma once

#include "bpf/maps.h"
#include "bpf/packet.h"

/*
 * An enum network. A prefix as long as ::/0 holds the mapped form of IPv4 addresses, too, and does
 * not mean them. A global function: verified once, and out of the way of others.
 */
__noinline int network_of(const struct address *source, bool is_ipv6)
{
	struct network_key key = {.length = 8 * sizeof(key.address)};
	const struct network_record *found;

	if (!source)
		return NETWORK_NONE; /* VERIFIER: a global function's pointers may be NULL */
	__builtin_memcpy(key.address, source, sizeof(key.address));
	found = bpf_map_lookup_elem(&networks, &key);
	return found && found->is_ipv6 == is_ipv6 ? found->network : NETWORK_NONE;
}
