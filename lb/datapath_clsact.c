/*
 * The programs for tc as filters of the clsact qdisc, for kernels before 6.6. A filter is not held
 * by a pin: it stays until somebody removes it or its interface goes. So what says that we have put
 * one there is a pin of the program, named after the interface's index and name; and another one
 * says that the qdisc is ours, too, and goes with the last filter, whoever's that is.
 */
#include <bpf/bpf.h>
#include <bpf/libbpf.h>
#include <dirent.h>
#include <errno.h>
#include <linux/pkt_sched.h>
#include <linux/rtnetlink.h>
#include <net/if.h>
#include <netlink/msg.h>
#include <netlink/netlink.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include "lb/datapath_internal.h"

/* By which ours are known among other filters: "lb", "lbd", as numbers. */
#define FILTER_PRIORITY 0x6c62
#define FILTER_HANDLE 0x6c6264

#define QDISC_PINS "clsact"

static const struct {
	const char *pins;
	enum bpf_tc_attach_point point;
} SIDES[_TC_SIDE_COUNT] = {
	[TC_INGRESS] = {"filter_ingress", BPF_TC_INGRESS},
	[TC_EGRESS] = {"filter_egress", BPF_TC_EGRESS},
};

static int pin_path(const struct datapath *datapath, const char *kind, const char *interface,
		    uint32_t ifindex, char path[PIN_PATH_MAX])
{
	char name[64];

	if (snprintf(name, sizeof(name), "%u:%s", ifindex, interface) >= (int)sizeof(name))
		return -ENAMETOOLONG;
	for (char *dot = name; *dot; dot++)
		if (*dot == '.')
			*dot = ':'; /* a pin's name has none */
	return datapath_pin_path(datapath, kind, name, path);
}

/* The index and the name that a pin is named after. */
static uint32_t read_name(const char *pin, char interface[IF_NAMESIZE])
{
	const char *colon = strchr(pin, ':');

	snprintf(interface, IF_NAMESIZE, "%s", colon ? colon + 1 : "");
	for (char *dot = interface; *dot; dot++)
		if (*dot == ':')
			*dot = '.';
	return (uint32_t)strtoul(pin, NULL, 10);
}

static DIR *open_pins(const struct datapath *datapath, const char *kind)
{
	char path[PIN_PATH_MAX];

	return datapath_pin_path(datapath, kind, "", path) ? NULL : opendir(path);
}

/* The index of the interface whose pin this is; 0: there is none. */
static uint32_t find_pin(const struct datapath *datapath, const char *kind, const char *interface)
{
	DIR *pins = open_pins(datapath, kind);
	char name[IF_NAMESIZE];
	struct dirent *entry;
	uint32_t ifindex = 0;

	while (pins && !ifindex && (entry = readdir(pins))) {
		const uint32_t index = read_name(entry->d_name, name);

		if (entry->d_name[0] != '.' && !strcmp(name, interface))
			ifindex = index;
	}
	if (pins)
		closedir(pins);
	return ifindex;
}

static int pin(const struct datapath *datapath, const char *kind, const char *interface,
	       uint32_t ifindex, int program)
{
	char path[PIN_PATH_MAX];
	int error = pin_path(datapath, kind, interface, ifindex, path);

	if (error)
		return error;
	unlink(path); /* of an earlier lbd's program */
	return bpf_obj_pin(program, path) ? -errno : 0;
}

static void unpin(const struct datapath *datapath, const char *kind, const char *interface,
		  uint32_t ifindex)
{
	char path[PIN_PATH_MAX];

	if (!pin_path(datapath, kind, interface, ifindex, path))
		unlink(path);
}

/* 0, also where somebody else has made it. */
static int make_qdisc(const struct datapath *datapath, const char *interface, uint32_t ifindex,
		      int program)
{
	LIBBPF_OPTS(bpf_tc_hook, hook, .ifindex = (int)ifindex,
		    .attach_point = BPF_TC_INGRESS | BPF_TC_EGRESS);
	const int error = bpf_tc_hook_create(&hook);

	if (error == -EEXIST)
		return 0;
	return error ? error : pin(datapath, QDISC_PINS, interface, ifindex, program);
}

static int note_filter(struct nl_msg *message, void *context)
{
	(void)message;
	*(bool *)context = true;
	return NL_OK;
}

/* Of any kind, while libbpf only tells of BPF's. True where the kernel does not say. */
static bool has_filters(uint32_t ifindex, uint32_t side)
{
	struct tcmsg question = {.tcm_ifindex = (int)ifindex,
				 .tcm_parent = TC_H_MAKE(TC_H_CLSACT, side)};
	struct nl_sock *socket = nl_socket_alloc();
	bool found = false;

	if (!socket || nl_connect(socket, NETLINK_ROUTE) ||
	    nl_socket_modify_cb(socket, NL_CB_VALID, NL_CB_CUSTOM, note_filter, &found) ||
	    nl_send_simple(socket, RTM_GETTFILTER, NLM_F_DUMP, &question, sizeof(question)) < 0 ||
	    nl_recvmsgs_default(socket) < 0)
		found = true;
	nl_socket_free(socket);
	return found;
}

/* What others have put there while it was ours makes it theirs. */
static void remove_qdisc(const struct datapath *datapath, const char *interface, uint32_t ifindex)
{
	LIBBPF_OPTS(bpf_tc_hook, hook, .ifindex = (int)ifindex,
		    .attach_point = BPF_TC_INGRESS | BPF_TC_EGRESS);

	if (find_pin(datapath, SIDES[TC_INGRESS].pins, interface) ||
	    find_pin(datapath, SIDES[TC_EGRESS].pins, interface) ||
	    find_pin(datapath, QDISC_PINS, interface) != ifindex)
		return;
	if (!has_filters(ifindex, TC_H_MIN_INGRESS) && !has_filters(ifindex, TC_H_MIN_EGRESS))
		bpf_tc_hook_destroy(&hook);
	unpin(datapath, QDISC_PINS, interface, ifindex);
}

int clsact_attach(const struct datapath *datapath, const char *interface, uint32_t ifindex,
		  enum tc_side side)
{
	const int program = bpf_program__fd(datapath->tc.side[side].program);
	LIBBPF_OPTS(bpf_tc_hook, hook, .ifindex = (int)ifindex, .attach_point = SIDES[side].point);
	LIBBPF_OPTS(bpf_tc_opts, filter, .prog_fd = program, .flags = BPF_TC_F_REPLACE,
		    .handle = FILTER_HANDLE, .priority = FILTER_PRIORITY);
	int error = make_qdisc(datapath, interface, ifindex, program);

	if (!error)
		error = bpf_tc_attach(&hook, &filter);
	if (!error)
		error = pin(datapath, SIDES[side].pins, interface, ifindex, program);
	return error;
}

int clsact_detach(const struct datapath *datapath, const char *interface, enum tc_side side)
{
	const uint32_t ifindex = find_pin(datapath, SIDES[side].pins, interface);
	LIBBPF_OPTS(bpf_tc_hook, hook, .ifindex = (int)ifindex, .attach_point = SIDES[side].point);
	LIBBPF_OPTS(bpf_tc_opts, filter, .handle = FILTER_HANDLE, .priority = FILTER_PRIORITY);

	if (!ifindex)
		return -ENOENT;
	bpf_tc_detach(&hook, &filter);
	unpin(datapath, SIDES[side].pins, interface, ifindex);
	remove_qdisc(datapath, interface, ifindex);
	return 0;
}

int clsact_is_attached(const struct datapath *datapath, const char *interface, uint32_t ifindex,
		       enum tc_side side)
{
	LIBBPF_OPTS(bpf_tc_hook, hook, .ifindex = (int)ifindex, .attach_point = SIDES[side].point);
	LIBBPF_OPTS(bpf_tc_opts, filter, .handle = FILTER_HANDLE, .priority = FILTER_PRIORITY);
	const int error = bpf_tc_query(&hook, &filter);

	if (error == -ENOENT || error == -EINVAL)
		return 0; /* the qdisc is gone, or the filter */
	if (error)
		return error;
	return filter.prog_id == datapath->tc.side[side].program_id &&
	       find_pin(datapath, SIDES[side].pins, interface) == ifindex;
}

int clsact_visit(const struct datapath *datapath, enum tc_side side,
		 void (*visit)(void *context, const char *interface), void *context)
{
	DIR *pins = open_pins(datapath, SIDES[side].pins);
	char name[IF_NAMESIZE];
	struct dirent *entry;

	while (pins && (entry = readdir(pins))) {
		read_name(entry->d_name, name);
		if (entry->d_name[0] != '.')
			visit(context, name);
	}
	if (pins)
		closedir(pins);
	return 0;
}
