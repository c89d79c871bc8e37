/*
 * What lbd learns of its node: see node.h.
 */
#include "control/node.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include "control/kube/kube.h"
#include "control/kube/local.h"
#include "control/log.h"
#include "control/own_address.h"

void node_choose_ports(struct masquerade_ports *ports)
{
	if (!ports->count && !masquerade_choose_ports(ports))
		log_warning("masquerade-ports", "first=%u last=%u why=%s", ports->first,
			    ports->first + ports->count - 1,
			    log_quote("the kernel gives nearly all ports to sockets; "
				      "leave it less by ip_local_port_range"));
}

/* Which interfaces there are is not known before links are listened to. */
static void update_masquerade_sources(struct daemon *daemon, const struct own_address *addresses,
				      size_t count)
{
	int error;

	if (!daemon->links)
		return;
	error = masquerade_sources_update(daemon->masquerade_sources, daemon->interfaces, addresses,
					  count);
	if (error)
		log_error("masquerade-sources", "error=%s", log_quote(strerror(-error)));
}

void node_changed(struct daemon *daemon)
{
	const struct own_address *addresses;
	size_t count;

	addresses = own_addresses_list(daemon->own_addresses, &count);
	update_masquerade_sources(daemon, addresses, count);
}

static void own_addresses_changed(void *context, const struct own_address *addresses, size_t count)
{
	struct daemon *daemon = context;
	struct prefix *hosts = calloc(count + 1, sizeof(*hosts));
	struct address *plain = calloc(count + 1, sizeof(*plain));
	int error = hosts && plain ? 0 : -ENOMEM;

	for (size_t i = 0; !error && i < count; i++) {
		plain[i] = addresses[i].address;
		hosts[i] = (struct prefix){.address = plain[i], .length = 128};
	}
	if (!error)
		error = networks_set(daemon->networks, NETWORKS_OF_ADDRESSES, hosts, count);
	if (hosts && plain)
		kube_local_set_addresses(daemon->kube_local, plain, count);
	free(hosts);
	free(plain);
	if (error)
		log_error("own-networks", "error=%s", log_quote(strerror(-error)));
	update_masquerade_sources(daemon, addresses, count);
}

/* Before there is a service that asks whose a source is. */
static int learn_networks(struct daemon *daemon, struct refusal *refusal)
{
	const struct prefix_list *cluster = &daemon->options.cluster;
	int error;

	daemon->masquerade_sources = masquerade_sources_new(daemon->datapath);
	if (!daemon->masquerade_sources)
		return refuse_with(refusal, ENOMEM, "out of memory");
	daemon->networks = networks_new(daemon->datapath);
	if (!daemon->networks)
		return refuse_with(refusal, errno, "cannot read the map networks: %s",
				   strerror(errno));
	error = networks_set(daemon->networks, NETWORKS_OF_OPTIONS, cluster->items, cluster->count);
	/* Else what an earlier lbd was told by Kubernetes stays until it tells it again. */
	if (!error && !options_name_cluster(&daemon->options))
		error = networks_set(daemon->networks, NETWORKS_OF_KUBERNETES, NULL, 0);
	return error ? refuse_with(refusal, -error, "cannot write the map networks: %s",
				   strerror(-error))
		     : 0;
}

static int join_cluster(struct daemon *daemon, struct refusal *refusal)
{
	if (!daemon->kube)
		return 0;
	daemon->kube_local = kube_local_new(daemon, kube_node_name(daemon->kube));
	return daemon->kube_local ? 0
				  : refuse_with(refusal, errno, "cannot join the cluster: %s",
						strerror(errno));
}

/* Before there is a service at one of them. */
static int learn_own_addresses(struct daemon *daemon, struct refusal *refusal)
{
	const struct own_address_hooks hooks = {daemon, own_addresses_changed};

	daemon->own_addresses = own_addresses_open(daemon->loop, daemon->datapath, &hooks);
	return daemon->own_addresses ? 0
				     : refuse_with(refusal, errno, "cannot ask for addresses: %s",
						   strerror(errno));
}

int node_learn(struct daemon *daemon, struct refusal *refusal)
{
	int error = learn_networks(daemon, refusal);

	if (!error)
		error = join_cluster(daemon, refusal);
	if (!error)
		error = learn_own_addresses(daemon, refusal);
	return error;
}
