/*
 * Attaches the program to interfaces by pinned bpf_links. A link survives its owner, so a new lbd
 * moves it to its own program in one atomic step (bpf_link_update) and no packet goes unseen.
 */
#include <bpf/bpf.h>
#include <bpf/libbpf.h>
#include <errno.h>
#include <linux/if_link.h>
#include <string.h>
#include <unistd.h>
#include "lb/datapath_internal.h"
#include "lb/privilege.h"

static const char *const MODE_NAMES[] = {
	[MODE_AUTO] = "auto",       [MODE_NATIVE] = "native", [MODE_GENERIC] = "generic",
	[MODE_OFFLOAD] = "offload", [MODE_TC] = "tc",
};

static const __u32 MODE_FLAGS[] = {
	[MODE_NATIVE] = XDP_FLAGS_DRV_MODE,
	[MODE_GENERIC] = XDP_FLAGS_SKB_MODE,
	[MODE_OFFLOAD] = XDP_FLAGS_HW_MODE,
};

int datapath_mode_parse(const char *text, enum datapath_mode *mode)
{
	for (size_t i = 0; i < MODE_TC; i++) {
		if (strcmp(text, MODE_NAMES[i]))
			continue;
		*mode = (enum datapath_mode)i;
		return 0;
	}
	return -EINVAL;
}

const char *datapath_mode_name(enum datapath_mode mode)
{
	return MODE_NAMES[mode];
}

/* How our program is attached; MODE_AUTO: it is not. 0, or -errno: that cannot be told. */
static int find_mode(const struct datapath *datapath, uint32_t ifindex, enum datapath_mode *mode)
{
	LIBBPF_OPTS(bpf_xdp_query_opts, query);
	const int error = bpf_xdp_query((int)ifindex, 0, &query);

	*mode = MODE_AUTO;
	if (error || query.prog_id != datapath->program_id)
		return error;
	if (query.attach_mode == XDP_ATTACHED_HW)
		*mode = MODE_OFFLOAD;
	else
		*mode = query.attach_mode == XDP_ATTACHED_SKB ? MODE_GENERIC : MODE_NATIVE;
	return 0;
}

bool datapath_may_run(const struct datapath *datapath, uint32_t ifindex)
{
	enum datapath_mode mode;

	return find_mode(datapath, ifindex, &mode) || mode != MODE_AUTO;
}

/* Programs of others can be had by their id alone, which is for CAP_SYS_ADMIN. */
static int open_foreign(__u32 id)
{
	const bool raised = privilege_raise(CAP_SYS_ADMIN);
	const int fd = bpf_prog_get_fd_by_id(id);

	if (raised)
		privilege_lower(CAP_SYS_ADMIN);
	return fd;
}

/* Who is there already, by name where the kernel tells. */
static int refuse_foreign(const struct datapath *datapath, const char *interface, uint32_t ifindex,
			  struct refusal *refusal)
{
	LIBBPF_OPTS(bpf_xdp_query_opts, query);
	struct bpf_prog_info info = {};
	__u32 size = sizeof(info);
	int fd = -1;

	if (!bpf_xdp_query((int)ifindex, 0, &query))
		fd = open_foreign(query.prog_id ? query.prog_id : query.skb_prog_id);
	if (fd >= 0) {
		bpf_obj_get_info_by_fd(fd, &info, &size);
		close(fd);
	}
	return refuse_with(refusal, EBUSY, "%s has another XDP program, %s (id %u); %s", interface,
			   info.name[0] ? info.name : "unnamed", query.prog_id,
			   datapath->replace
				   ? "a bpf_link holds it, so only its owner can take it off"
				   : "remove it, or start lbd with --replace");
}

/*
 * Only hardware that runs BPF itself (today nfp) takes a program bound to it, and has neither an
 * LRU hash nor a devmap.
 */
static int refuse_offload(const char *interface, struct refusal *refusal)
{
	return refuse_with(refusal, EOPNOTSUPP,
			   "%s: the device cannot run XDP programs itself (offload), or not these, "
			   "which need an LRU hash and a devmap; use --xdp-mode auto, native or "
			   "generic",
			   interface);
}

static int create_link(struct datapath *datapath, uint32_t ifindex, enum datapath_mode mode,
		       const char *path)
{
	LIBBPF_OPTS(bpf_link_create_opts, options, .flags = MODE_FLAGS[mode]);
	int program = bpf_program__fd(datapath->skeleton->progs.lb);
	int link, error;

	link = bpf_link_create(program, (int)ifindex, BPF_XDP, &options);
	if (link < 0)
		return -errno;
	error = link_pin(datapath, link, path);
	close(link); /* the pin holds it, or, where pinning failed, this detaches it again */
	return error;
}

/* Whether that link is of no use to our program whenever it is tried; its device may be gone. */
static bool is_final(int error)
{
	return error == -ENOLINK || error == -EINVAL || error == -EOPNOTSUPP || error == -ERANGE;
}

/* Gives the link our program. 1: it is attached, 0: that link does not fit, or -errno. */
static int update_link(const struct datapath *datapath, int link, uint32_t ifindex,
		       enum datapath_mode mode, enum datapath_mode *used)
{
	int error;

	if (bpf_link_update(link, bpf_program__fd(datapath->skeleton->progs.lb), NULL)) {
		error = -errno;
		return is_final(error) ? 0 : error;
	}
	error = find_mode(datapath, ifindex, used);
	return error ? error : *used != MODE_AUTO && (mode == MODE_AUTO || mode == *used);
}

/*
 * Moves a link of an earlier lbd to this one's program. 1: done, 0: there is none that fits, or
 * -errno with the link as it is. The kernel has the last word on whether that link is this
 * interface's: an index may be used again here while the link's own interface lives on in another
 * namespace.
 */
static int adopt_link(struct datapath *datapath, uint32_t ifindex, enum datapath_mode mode,
		      const char *path, enum datapath_mode *used)
{
	int link = link_pin_take(datapath, XDP_PINS, ifindex, path);
	int answer;

	if (link < 0)
		return link == -ENOENT ? 0 : link;
	answer = update_link(datapath, link, ifindex, mode, used);
	if (!answer) {
		bpf_link_detach(link);
		unlink(path);
	}
	close(link);
	return answer;
}

static int attach_new(struct datapath *datapath, uint32_t ifindex, enum datapath_mode mode,
		      const char *path, enum datapath_mode *used)
{
	int error;

	*used = mode == MODE_AUTO ? MODE_NATIVE : mode;
	error = create_link(datapath, ifindex, *used, path);
	if (mode != MODE_AUTO || !error || error == -EBUSY || error == -EEXIST || error == -EPERM ||
	    error == -ENODEV)
		return error;
	*used = MODE_GENERIC;
	return create_link(datapath, ifindex, *used, path);
}

/* Takes a program that netlink attached off again; one that a bpf_link holds stays. */
static void detach_foreign(uint32_t ifindex)
{
	LIBBPF_OPTS(bpf_xdp_query_opts, query);

	if (bpf_xdp_query((int)ifindex, 0, &query))
		return;
	if (query.skb_prog_id || query.attach_mode == XDP_ATTACHED_SKB)
		bpf_xdp_detach((int)ifindex, XDP_FLAGS_SKB_MODE, NULL);
	if (query.drv_prog_id || query.attach_mode == XDP_ATTACHED_DRV)
		bpf_xdp_detach((int)ifindex, XDP_FLAGS_DRV_MODE, NULL);
}

static bool is_taken(int error)
{
	return error == -EBUSY || error == -EEXIST;
}

/* Of XDP what an earlier lbd had goes after, so that no packet goes unseen. */
static int attach_tc(struct datapath *datapath, const char *interface, uint32_t ifindex,
		     enum datapath_mode *used, struct refusal *refusal)
{
	const int error = datapath_attach_tc(datapath, interface, ifindex, TC_INGRESS, refusal);

	if (error)
		return error;
	link_pin_drop(datapath, XDP_PINS, interface);
	*used = MODE_TC;
	return 0;
}

int datapath_attach(struct datapath *datapath, const char *interface, uint32_t ifindex,
		    enum datapath_mode mode, enum datapath_mode *used, struct refusal *refusal)
{
	enum datapath_mode taken;
	char path[PIN_PATH_MAX];
	int answer;

	if (mode == MODE_TC)
		return attach_tc(datapath, interface, ifindex, used, refusal);
	if (mode == MODE_OFFLOAD)
		return refuse_offload(interface, refusal);
	answer = link_pin_path(datapath, XDP_PINS, interface, path);
	if (!answer)
		answer = adopt_link(datapath, ifindex, mode, path, &taken);
	if (!answer) {
		answer = attach_new(datapath, ifindex, mode, path, &taken);
		if (is_taken(answer) && datapath_may_run(datapath, ifindex))
			return refuse_with(
				refusal, EAGAIN,
				"%s has lbd's program still, by a link whose pin is gone",
				interface);
		if (is_taken(answer) && datapath->replace) {
			detach_foreign(ifindex);
			answer = attach_new(datapath, ifindex, mode, path, &taken);
		}
	}
	if (is_taken(answer))
		return refuse_foreign(datapath, interface, ifindex, refusal);
	if (answer < 0)
		return refuse_with(refusal, -answer, "%s: cannot attach in %s mode: %s", interface,
				   datapath_mode_name(mode), strerror(-answer));
	datapath_detach_tc(datapath, interface, TC_INGRESS); /* what an earlier lbd had */
	*used = taken;
	return 0;
}
