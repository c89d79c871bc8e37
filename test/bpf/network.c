/*
 * Makes the network: see network.h.
 */
#include "test/bpf/network.h"

#include <arpa/inet.h>
#include <errno.h>
#include <linux/ethtool.h>
#include <linux/if_packet.h>
#include <linux/sockios.h>
#include <linux/version.h>
#include <net/if.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mount.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <sys/utsname.h>
#include <unistd.h>

static const char *const NAMES[_INTERFACE_COUNT] = {
	[NOWHERE] = "lo",
	[UPLINK] = "uplink",
	[POD] = "pod",
};

static uint32_t ifindexes[_INTERFACE_COUNT];

static int make_pair(enum interface interface)
{
	const uint8_t *mac = interface_mac(interface);
	const char *name = NAMES[interface];
	char command[256];

	snprintf(command, sizeof(command),
		 "ip link add %s address %02x:%02x:%02x:%02x:%02x:%02x type veth peer name %s_peer"
		 " && ip link set %s up && ip link set %s_peer up",
		 name, mac[0], mac[1], mac[2], mac[3], mac[4], mac[5], name, name, name);
	return system(command) ? -EIO : 0;
}

/*
 * Per-CPU values (turns of round robin, free lists of LRU maps) are the same from one packet to the
 * next only while the test stays where it is.
 */
static int stay_on_this_cpu(void)
{
	cpu_set_t here;

	CPU_ZERO(&here);
	CPU_SET(sched_getcpu(), &here);
	return sched_setaffinity(0, sizeof(here), &here);
}

int network_make(void **state)
{
	(void)state;
	if (unshare(CLONE_NEWNET | CLONE_NEWNS) || stay_on_this_cpu() ||
	    mount("none", "/", NULL, MS_REC | MS_PRIVATE, NULL)) {
		fprintf(stderr, "cannot make namespaces: %s\n", strerror(errno));
		return -1;
	}
	if (make_pair(UPLINK) || make_pair(POD)) {
		fprintf(stderr, "cannot make the veth pairs\n");
		return -1;
	}
	for (int i = 0; i < _INTERFACE_COUNT; i++)
		ifindexes[i] = if_nametoindex(NAMES[i]);
	return 0;
}

bool kernel_is_before(int version)
{
	struct utsname kernel;
	int major = 0, minor = 0;

	uname(&kernel);
	sscanf(kernel.release, "%d.%d", &major, &minor);
	return KERNEL_VERSION(major, minor, 0) < version;
}

uint32_t network_ifindex(enum interface interface)
{
	return ifindexes[interface];
}

int network_listen(enum interface interface)
{
	const struct timeval patience = {.tv_sec = 2};
	struct ethtool_value gro = {.cmd = ETHTOOL_SGRO, .data = 1};
	struct ifreq request = {.ifr_data = (void *)&gro};
	struct sockaddr_ll peer = {.sll_family = AF_PACKET, .sll_protocol = htons(ETH_P_ALL)};
	int listener = socket(AF_PACKET, SOCK_RAW, 0);

	snprintf(request.ifr_name, sizeof(request.ifr_name), "%s_peer", NAMES[interface]);
	peer.sll_ifindex = (int)if_nametoindex(request.ifr_name);
	if (listener >= 0 && !ioctl(listener, SIOCETHTOOL, &request) &&
	    !setsockopt(listener, SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof(patience)) &&
	    !bind(listener, (struct sockaddr *)&peer, sizeof(peer)))
		return listener;
	if (listener >= 0)
		close(listener);
	return -errno;
}
