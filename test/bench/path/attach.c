/* Puts programs on the interfaces of other network namespaces, which the calling thread enters. */
#include <errno.h>
#include <fcntl.h>
#include <net/if.h>
#include <sched.h>
#include <stdio.h>
#include <unistd.h>
#include <bpf/libbpf.h>
#include <linux/if_link.h>

#include "test/bench/path/bench_path.h"
#include "test/bench/path/sink.skel.h"
#include "test/bench/path/wire.skel.h"

int enter_namespace(const char *prefix, const char *name)
{
	char path[128];
	int fd;

	snprintf(path, sizeof(path), "/run/netns/%s-%s", prefix, name);
	fd = open(path, O_RDONLY | O_CLOEXEC);
	if (fd < 0)
		return -errno;
	if (setns(fd, CLONE_NEWNET) == 0)
		return fd;
	close(fd);
	return -errno;
}

int read_mac(const char *interface, uint8_t mac[6])
{
	char command[96];
	FILE *file;
	int fields;

	/* /sys shows another namespace's interfaces here; ip asks the one we are in. */
	snprintf(command, sizeof(command), "ip -o link show %s | grep -o 'ether [0-9a-f:]*'",
		 interface);
	file = popen(command, "r");
	if (!file)
		return -errno;
	fields = fscanf(file, "ether %hhx:%hhx:%hhx:%hhx:%hhx:%hhx", &mac[0], &mac[1], &mac[2],
			&mac[3], &mac[4], &mac[5]);
	pclose(file);
	return fields == 6 ? 0 : -ENODEV;
}

static int attach_tc(struct bpf_program *program, int ifindex)
{
	DECLARE_LIBBPF_OPTS(bpf_tc_hook, hook, .ifindex = ifindex, .attach_point = BPF_TC_INGRESS);
	DECLARE_LIBBPF_OPTS(bpf_tc_opts, options, .prog_fd = bpf_program__fd(program));
	int error = bpf_tc_hook_create(&hook);

	if (error && error != -EEXIST)
		return error;
	return bpf_tc_attach(&hook, &options);
}

int attach_sink(struct sink_bpf *sink, const char *interface, bool as_skb)
{
	int ifindex = if_nametoindex(interface);

	if (!ifindex)
		return -errno;
	if (as_skb)
		return attach_tc(sink->progs.sink_skb, ifindex);
	return bpf_xdp_attach(ifindex, bpf_program__fd(sink->progs.sink_xdp), XDP_FLAGS_DRV_MODE,
			      NULL);
}

int attach_wire(struct wire_bpf *wire, const char *interface, const char *other_side)
{
	int ifindex = if_nametoindex(interface);

	wire->bss->other_side = if_nametoindex(other_side);
	if (!ifindex || !wire->bss->other_side)
		return -errno;
	return bpf_xdp_attach(ifindex, bpf_program__fd(wire->progs.wire), XDP_FLAGS_DRV_MODE, NULL);
}
