/*
 * The pins of our links, DIR/link/INTERFACE; of tc's in directories of their own. What a pin is
 * named after may be renamed or vanish while no lbd looks, so links are found by the interface they
 * are on, and pins follow.
 */
#include <bpf/bpf.h>
#include <dirent.h>
#include <errno.h>
#include <net/if.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>
#include "lb/datapath_internal.h"

/* Pinned names may not hold a '.', interface names may not hold a ':' (dev_valid_name). */
static void replace_char(char *text, char from, char to)
{
	for (; *text; text++)
		if (*text == from)
			*text = to;
}

int link_pin_path(const struct datapath *datapath, const char *pins, const char *interface,
		  char path[PIN_PATH_MAX])
{
	char name[64];

	if (strlen(interface) >= sizeof(name))
		return -ENAMETOOLONG;
	strcpy(name, interface);
	replace_char(name, '.', ':');
	return datapath_pin_path(datapath, pins, name, path);
}

/*
 * The interface that a link is on; *ifindex 0: its device is gone. What the kernel tells of links
 * of XDP and of tcx begins with that. 0 or -errno.
 */
static int find_interface(int link, uint32_t *ifindex)
{
	struct bpf_link_info info = {};
	__u32 size = sizeof(info);

	if (bpf_obj_get_info_by_fd(link, &info, &size))
		return -errno;
	*ifindex = info.xdp.ifindex;
	return 0;
}

/* Calls visit for the path of each pin. 0 or -errno. */
static int visit_paths(const struct datapath *datapath, const char *kind,
		       void (*visit)(void *context, const char *path), void *context)
{
	char path[PIN_PATH_MAX];
	struct dirent *entry;
	DIR *pins;

	if (datapath_pin_path(datapath, kind, "", path))
		return -ENAMETOOLONG;
	pins = opendir(path);
	if (!pins)
		return -errno;
	while ((entry = readdir(pins)))
		if (entry->d_name[0] != '.' &&
		    !datapath_pin_path(datapath, kind, entry->d_name, path))
			visit(context, path);
	closedir(pins);
	return 0;
}

struct search {
	uint32_t ifindex;
	int link;  /* -1: not found yet */
	int error; /* one could not be looked at */
	char *path;
};

bool pin_is_not_ours(int error)
{
	return error == ENOENT || error == EACCES;
}

static void compare_pin(void *context, const char *path)
{
	struct search *search = context;
	uint32_t ifindex = 0;
	int link, error = 0;

	if (search->link >= 0)
		return;
	link = bpf_obj_get(path);
	if (link < 0)
		error = pin_is_not_ours(errno) ? 0 : -errno;
	else
		error = find_interface(link, &ifindex);
	if (error)
		search->error = error;
	if (link >= 0 && !error && ifindex == search->ifindex) {
		search->link = link;
		snprintf(search->path, PIN_PATH_MAX, "%s", path);
	} else if (link >= 0) {
		close(link);
	}
}

/* The fd of the pinned link on that interface and the pin's path; -ENOENT or another -errno. */
static int find_on(const struct datapath *datapath, const char *pins, uint32_t ifindex,
		   char found[PIN_PATH_MAX])
{
	struct search search = {.ifindex = ifindex, .link = -1, .path = found};
	const int error = visit_paths(datapath, pins, compare_pin, &search);

	if (search.link >= 0)
		return search.link;
	if (search.error || error)
		return search.error ? search.error : error;
	return -ENOENT;
}

static void count_alive(void *context, const char *path)
{
	int link = bpf_obj_get(path);
	uint32_t ifindex = 0;

	if (link < 0)
		return;
	*(int *)context += find_interface(link, &ifindex) || ifindex;
	close(link);
}

static void count_name(void *context, const char *interface)
{
	*(int *)context += if_nametoindex(interface) != 0;
}

static void switch_link(void *context, const char *path)
{
	const int *program = context;
	int link = bpf_obj_get(path);

	if (link < 0)
		return;
	bpf_link_update(link, *program, NULL);
	close(link);
}

void links_switch(const struct datapath *datapath, int program)
{
	visit_paths(datapath, XDP_PINS, switch_link, &program);
}

bool link_pins_are_alive(struct datapath *datapath)
{
	int alive = 0;

	visit_paths(datapath, XDP_PINS, count_alive, &alive);
	datapath_visit_tc(datapath, TC_INGRESS, count_name, &alive);
	datapath_visit_tc(datapath, TC_EGRESS, count_name, &alive);
	return alive;
}

/*
 * Another interface had that name: its link keeps living under a name no interface can have. 0, or
 * -errno with the pin as it is.
 */
static int move_aside(const struct datapath *datapath, const char *pins, const char *path)
{
	char aside[PIN_PATH_MAX], name[32];
	int link = bpf_obj_get(path);
	uint32_t ifindex = 0;
	int error;

	if (link < 0)
		return pin_is_not_ours(errno) ? 0 : -errno;
	error = find_interface(link, &ifindex);
	close(link);
	if (error)
		return error;
	snprintf(name, sizeof(name), ":%u", ifindex);
	if (!ifindex || datapath_pin_path(datapath, pins, name, aside) || rename(path, aside))
		unlink(path); /* its interface is gone, and the link with it */
	return 0;
}

int link_pin_take(const struct datapath *datapath, const char *pins, uint32_t ifindex,
		  const char *path)
{
	char found[PIN_PATH_MAX];
	int link = find_on(datapath, pins, ifindex, found);
	int error;

	if ((link >= 0 && !strcmp(found, path)) || (link < 0 && link != -ENOENT))
		return link;
	error = move_aside(datapath, pins, path);
	if (!error && link >= 0 && rename(found, path))
		error = -errno;
	if (!error)
		return link;
	if (link >= 0)
		close(link);
	return error;
}

int link_pin_drop(const struct datapath *datapath, const char *pins, const char *interface)
{
	char path[PIN_PATH_MAX];
	int link, error;

	error = link_pin_path(datapath, pins, interface, path);
	if (error)
		return error;
	link = bpf_obj_get(path);
	if (link < 0)
		return -errno;
	bpf_link_detach(link);
	close(link);
	return unlink(path) ? -errno : 0;
}

struct name_visit {
	void (*visit)(void *context, const char *interface);
	void *context;
};

static void visit_name(void *context, const char *path)
{
	const struct name_visit *names = context;
	char name[64];

	snprintf(name, sizeof(name), "%s", strrchr(path, '/') + 1);
	replace_char(name, ':', '.');
	names->visit(names->context, name);
}

int link_pins_visit(const struct datapath *datapath, const char *pins,
		    void (*visit)(void *context, const char *interface), void *context)
{
	struct name_visit names = {.visit = visit, .context = context};

	return visit_paths(datapath, pins, visit_name, &names);
}

int datapath_links(struct datapath *datapath, void (*visit)(void *context, const char *interface),
		   void *context)
{
	const int error = link_pins_visit(datapath, XDP_PINS, visit, context);

	datapath_visit_tc(datapath, TC_INGRESS, visit, context);
	datapath_visit_tc(datapath, TC_EGRESS, visit, context);
	return error;
}

/* Whatever of ours is there. */
int datapath_detach(struct datapath *datapath, const char *interface)
{
	const int link = link_pin_drop(datapath, XDP_PINS, interface);
	const int ingress = datapath_detach_tc(datapath, interface, TC_INGRESS);
	const int egress = datapath_detach_tc(datapath, interface, TC_EGRESS);

	if (!link || !ingress || !egress)
		return 0;
	return link;
}

int link_pin(struct datapath *datapath, int link, const char *path)
{
	struct refusal ignored;

	if (!bpf_obj_pin(link, path))
		return 0;
	if (errno == ENOENT && !pins_make_directories(datapath, &ignored) &&
	    !bpf_obj_pin(link, path))
		return 0;
	return -errno;
}

int link_is_there(const struct datapath *datapath, const char *interface,
		  const struct link_place *place)
{
	struct bpf_link_info info = {};
	__u32 size = sizeof(info);
	char path[PIN_PATH_MAX];
	int error = link_pin_path(datapath, place->pins, interface, path);
	int link;

	if (error)
		return error;
	link = bpf_obj_get(path);
	if (link < 0)
		return pin_is_not_ours(errno) ? 0 : -errno;
	if (bpf_obj_get_info_by_fd(link, &info, &size))
		error = -errno;
	close(link);
	if (error)
		return error;
	return (int)info.type == place->type && info.xdp.ifindex == place->ifindex &&
	       info.prog_id == place->program_id;
}
