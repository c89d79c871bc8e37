/*
 * The other end of a veth, by ethtool's ioctls (net/ethtool/ioctl.c of the kernel), through a
 * socket of the peer's namespace. It changes two features of that interface and nothing else.
 */
#include "control/peer.h"

#include <errno.h>
#include <linux/ethtool.h>
#include <linux/sockios.h>
#include <net/if.h>
#include <netlink/attr.h>
#include <netlink/msg.h>
#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>
#include "control/namespace.h"
#include "control/netlink.h"
#include "lb/privilege.h"

/* An interface of the namespace that `socket` was made in. */
struct device {
	int socket;
	char name[IF_NAMESIZE];
};

struct feature {
	const char *name; /* as ethtool -K calls it */
	uint32_t get, set;
};

static const struct feature GRO = {"gro", ETHTOOL_GGRO, ETHTOOL_SGRO};

/* All kinds of it at once: veth has tx-checksum-ip-generic and tx-checksum-sctp. */
static const struct feature TX_CHECKSUM = {"tx", ETHTOOL_GTXCSUM, ETHTOOL_STXCSUM};

static int call_ethtool(const struct device *device, struct ethtool_value *value)
{
	struct ifreq request = {.ifr_data = (void *)value};

	memcpy(request.ifr_name, device->name, sizeof(request.ifr_name));
	return ioctl(device->socket, SIOCETHTOOL, &request) ? -errno : 0;
}

/* Makes the feature be `wanted`. 1 when that was a change, 0 when it was so already, or -errno. */
static int mend_feature(const struct device *device, const struct feature *feature, bool wanted)
{
	struct ethtool_value value = {.cmd = feature->get};
	int error;

	error = call_ethtool(device, &value);
	if (error)
		return error;
	if (!!value.data == wanted)
		return 0;
	value = (struct ethtool_value){.cmd = feature->set, .data = wanted};
	error = call_ethtool(device, &value);
	if (error)
		return error;
	/* The kernel may accept and yet not follow, where another feature forbids it. */
	value = (struct ethtool_value){.cmd = feature->get};
	error = call_ethtool(device, &value);
	if (error)
		return error;
	return !!value.data == wanted ? 1 : -EOPNOTSUPP;
}

static void read_program(void *context, const struct nlmsghdr *message)
{
	struct nlattr *nested[IFLA_XDP_MAX + 1];
	struct nlattr *attribute;
	bool *native = context;
	uint8_t mode;

	attribute = nlmsg_find_attr((struct nlmsghdr *)message, sizeof(struct ifinfomsg), IFLA_XDP);
	if (!attribute || nla_parse_nested(nested, IFLA_XDP_MAX, attribute, NULL) ||
	    !nested[IFLA_XDP_ATTACHED])
		return;
	mode = nla_get_u8(nested[IFLA_XDP_ATTACHED]);
	*native = mode == XDP_ATTACHED_DRV || mode == XDP_ATTACHED_MULTI;
}

/* Whether a native XDP program is on the interface: it brings NAPI, a generic one does not. */
static bool has_program(int netnsid, uint32_t ifindex)
{
	struct ifinfomsg info = {.ifi_family = AF_UNSPEC, .ifi_index = (int)ifindex};
	struct netlink *question = netlink_open();
	struct nl_msg *message;
	bool native = false;

	if (!question)
		return false;
	message = nlmsg_alloc_simple(RTM_GETLINK, 0);
	if (message && !nlmsg_append(message, &info, sizeof(info), NLMSG_ALIGNTO) &&
	    (netnsid < 0 || !nla_put_s32(message, IFLA_TARGET_NETNSID, netnsid)))
		netlink_ask(question, message, read_program, &native);
	nlmsg_free(message);
	netlink_close(question);
	return native;
}

static int open_socket(int netnsid)
{
	int namespace, fd;

	if (netnsid < 0) {
		fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
		return fd < 0 ? -errno : fd;
	}
	namespace = namespace_open(netnsid);
	if (namespace < 0)
		return namespace;
	fd = namespace_socket(namespace);
	close(namespace);
	return fd;
}

static int refuse_namespace(struct refusal *refusal, int netnsid, int error)
{
	if (error == ENOENT)
		return refuse_with(refusal, ENOENT,
				   "no process and no file of /run/netns leads to the peer's "
				   "network namespace (id %d)%s",
				   netnsid,
				   privilege_is_held(CAP_SYS_PTRACE)
					   ? ""
					   : "; to look at processes takes CAP_SYS_PTRACE");
	if (error == EPERM && !privilege_is_held(CAP_SYS_ADMIN))
		return refuse_with(refusal, EPERM,
				   "lbd lacks CAP_SYS_ADMIN, so it cannot enter the peer's network "
				   "namespace (id %d) to see to GRO and checksums",
				   netnsid);
	return refuse_with(refusal, error, "the peer's network namespace (id %d): %s", netnsid,
			   strerror(error));
}

static int open_device(int netnsid, uint32_t ifindex, struct device *device,
		       struct refusal *refusal)
{
	struct ifreq request = {.ifr_ifindex = (int)ifindex};
	int socket, error;

	socket = open_socket(netnsid);
	if (socket < 0)
		return refuse_namespace(refusal, netnsid, -socket);
	if (ioctl(socket, SIOCGIFNAME, &request)) {
		error = errno;
		close(socket);
		return refuse_with(refusal, error, "interface %u of the peer's namespace: %s",
				   ifindex, strerror(error));
	}
	device->socket = socket;
	memcpy(device->name, request.ifr_name, sizeof(device->name));
	return 0;
}

static int refuse_feature(struct refusal *refusal, const struct device *device,
			  const struct feature *feature, int error)
{
	return refuse_with(refusal, -error, "ethtool -K %s %s of the peer: %s", device->name,
			   feature->name, strerror(-error));
}

int peer_prepare(int netnsid, uint32_t peer_ifindex, struct peer_result *result,
		 struct refusal *refusal)
{
	struct device device;
	int error, gro, tx;

	memset(result, 0, sizeof(*result));
	error = open_device(netnsid, peer_ifindex, &device, refusal);
	if (error)
		return error;
	gro = mend_feature(&device, &GRO, true);
	tx = mend_feature(&device, &TX_CHECKSUM, false);
	close(device.socket);
	result->receives = gro >= 0 || has_program(netnsid, peer_ifindex);
	result->full_checksum = tx >= 0;
	result->changed_gro = gro > 0;
	result->changed_tx = tx > 0;
	if (!result->receives)
		return refuse_feature(refusal, &device, &GRO, gro);
	if (!result->full_checksum)
		return refuse_feature(refusal, &device, &TX_CHECKSUM, tx);
	return 0;
}
