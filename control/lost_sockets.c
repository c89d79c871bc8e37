/*
 * Ending sockets: see lost_sockets.h. The kernel ends one by its addresses and its cookie
 * (SOCK_DESTROY of sock_diag), to be asked for in its network namespace. Those are read from a dump
 * of the namespace's connected UDP sockets.
 */
#include "control/lost_sockets.h"

#include <errno.h>
#include <linux/inet_diag.h>
#include <linux/sock_diag.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <netlink/msg.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include "control/log.h"
#include "control/namespace.h"
#include "control/netlink.h"

/*
 * A socket that was led just before its backend went may be noted just after they were looked for,
 * so each change is followed by two looks.
 */
#define LOOKS 2

struct socket_ender {
	struct datapath *datapath;
	uint64_t changes; /* that there were at the last look */
	unsigned int looks;
	bool told_end;   /* that the kernel ends none, ... */
	bool told_enter; /* ... and that pods cannot be entered */
};

/* The sockets of one namespace that are to be ended, and those of them that are there. */
struct ending {
	struct socket_ender *ender;
	const struct lost_socket *lost; /* by cookie */
	size_t lost_count;
	struct inet_diag_msg *found;
	size_t count;
	size_t ended;
};

struct socket_ender *socket_ender_new(struct datapath *datapath)
{
	struct socket_ender *ender = calloc(1, sizeof(*ender));

	if (!ender)
		return NULL;
	ender->datapath = datapath;
	ender->changes = UINT64_MAX; /* what an earlier lbd has not come to */
	return ender;
}

void socket_ender_free(struct socket_ender *ender)
{
	free(ender);
}

static int compare(const void *a, const void *b)
{
	const struct lost_socket *one = a, *other = b;

	if (one->namespace != other->namespace)
		return one->namespace < other->namespace ? -1 : 1;
	if (one->cookie != other->cookie)
		return one->cookie < other->cookie ? -1 : 1;
	return 0;
}

static bool is_lost(const struct ending *ending, const struct inet_diag_msg *found)
{
	const struct lost_socket wanted = {
		(uint64_t)found->id.idiag_cookie[1] << 32 | found->id.idiag_cookie[0],
		ending->lost->namespace,
	};

	return bsearch(&wanted, ending->lost, ending->lost_count, sizeof(wanted), compare);
}

static void read_socket(void *context, const struct nlmsghdr *message)
{
	const struct inet_diag_msg *found = nlmsg_data(message);
	struct ending *ending = context;

	if (nlmsg_valid_hdr(message, sizeof(*found)) && ending->count < ending->lost_count &&
	    is_lost(ending, found))
		ending->found[ending->count++] = *found;
}

static int ask(struct netlink *netlink, int type, struct inet_diag_req_v2 *request,
	       struct ending *ending)
{
	const bool dumps = type == SOCK_DIAG_BY_FAMILY;
	struct nl_msg *message = nlmsg_alloc_simple(type, dumps ? NLM_F_DUMP : 0);
	int error = -ENOMEM;

	if (message && !nlmsg_append(message, request, sizeof(*request), NLMSG_ALIGNTO))
		error = netlink_ask(netlink, message, dumps ? read_socket : NULL, ending);
	nlmsg_free(message);
	return error;
}

static int find_family(struct netlink *netlink, struct ending *ending, uint8_t family)
{
	struct inet_diag_req_v2 request = {
		.sdiag_family = family,
		.sdiag_protocol = IPPROTO_UDP,
		.idiag_states = 1u << TCP_ESTABLISHED, /* as connected UDP sockets are called */
	};

	return ask(netlink, SOCK_DIAG_BY_FAMILY, &request, ending);
}

static void end(struct netlink *netlink, struct ending *ending, const struct inet_diag_msg *found)
{
	struct inet_diag_req_v2 request = {
		.sdiag_family = found->idiag_family,
		.sdiag_protocol = IPPROTO_UDP,
		.id = found->id,
	};
	const int error = ask(netlink, SOCK_DESTROY, &request, ending);

	ending->ended += !error;
	if (!error || error == -ENOENT || ending->ender->told_end)
		return;
	ending->ender->told_end = true;
	log_warning("udp-sockets-not-ended", "reason=%s means=%s", log_quote(strerror(-error)),
		    log_quote("connected UDP sockets whose backend is gone wait in vain; the "
			      "kernel needs CONFIG_INET_DIAG_DESTROY to end them"));
}

static void end_found(struct netlink *netlink, struct ending *ending)
{
	int error;

	ending->found = calloc(ending->lost_count, sizeof(*ending->found));
	if (!ending->found)
		return;
	error = find_family(netlink, ending, AF_INET);
	if (!error)
		error = find_family(netlink, ending, AF_INET6);
	if (error)
		log_warning("udp-sockets-not-listed", "reason=%s", log_quote(strerror(-error)));
	for (size_t i = 0; i < ending->count; i++)
		end(netlink, ending, &ending->found[i]);
	free(ending->found);
}

/* In whichever namespace the thread is. */
static int open_here(void *context)
{
	struct netlink **netlink = context;

	*netlink = netlink_open_diag();
	return *netlink ? 0 : -errno;
}

static int open_there(uint64_t cookie, struct netlink **netlink)
{
	const int namespace = namespace_open_cookie(cookie);
	int error;

	if (namespace < 0)
		return namespace;
	error = namespace_visit(namespace, open_here, netlink);
	close(namespace);
	return error;
}

/* A pod that is gone has taken its sockets along; but one that may not be looked at has not. */
static void tell_not_entered(struct socket_ender *ender, int error)
{
	if (ender->told_enter || error == -ENOENT)
		return;
	ender->told_enter = true;
	log_warning("pods-not-entered", "reason=%s means=%s", log_quote(strerror(-error)),
		    log_quote("connected UDP sockets of pods whose backend is gone are not ended"));
}

/* Those of one namespace; how many. */
static size_t end_some(struct socket_ender *ender, const struct lost_socket *lost, size_t count)
{
	struct ending ending = {.ender = ender, .lost = lost, .lost_count = count};
	const bool is_own = lost->namespace == datapath_own_namespace(ender->datapath);
	struct netlink *netlink = NULL;
	const int error = is_own ? open_here(&netlink) : open_there(lost->namespace, &netlink);

	if (error)
		tell_not_entered(ender, error);
	else
		end_found(netlink, &ending);
	netlink_close(netlink);
	for (size_t i = 0; i < count; i++)
		datapath_forget_socket(ender->datapath, lost[i].cookie);
	return ending.ended;
}

static void end_all(struct socket_ender *ender, struct lost_sockets *lost)
{
	size_t first = 0, ended = 0;

	qsort(lost->list, lost->count, sizeof(*lost->list), compare);
	for (size_t i = 1; i <= lost->count; i++) {
		if (i < lost->count && lost->list[i].namespace == lost->list[first].namespace)
			continue;
		ended += end_some(ender, &lost->list[first], i - first);
		first = i;
	}
	log_info("udp-sockets-ended", "count=%zu of=%zu why=%s", ended, lost->count,
		 log_quote("their backends serve no more"));
}

void socket_ender_look(struct socket_ender *ender, uint64_t changes)
{
	struct lost_sockets lost;

	if (changes != ender->changes)
		ender->looks = LOOKS;
	ender->changes = changes;
	if (!ender->looks)
		return;
	ender->looks--;
	if (!datapath_find_lost_sockets(ender->datapath, &lost) && lost.count)
		end_all(ender, &lost);
	free(lost.list);
}
