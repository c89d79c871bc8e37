/*
 * Finding network namespaces by id or cookie. Candidates are asked for theirs one by one, each only
 * once however many processes are in it. Reading those of other users' processes takes
 * CAP_SYS_PTRACE, entering one CAP_SYS_ADMIN; each is effective no longer than that.
 */
#include "control/namespace.h"

#include <ctype.h>
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/net_namespace.h>
#include <netlink/attr.h>
#include <netlink/msg.h>
#include <sched.h>
#include <stdbool.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>
#include "control/log.h"
#include "control/netlink.h"
#include "lb/privilege.h"

#define MAX_RETURNS 10
#define RETURN_PAUSE_NS 10000000
#define MAX_NAMESPACES_SEEN 4096 /* beyond it some are asked again, which only takes time */

struct search {
	bool (*is_wanted)(const struct search *search, int namespace);
	struct netlink *question; /* by id */
	int netnsid;
	uint64_t cookie; /* by cookie */
	size_t seen_count;
	ino_t seen[MAX_NAMESPACES_SEEN];
};

static void read_netnsid(void *context, const struct nlmsghdr *message)
{
	struct nlattr *attribute;
	int *netnsid = context;

	attribute =
		nlmsg_find_attr((struct nlmsghdr *)message, sizeof(struct rtgenmsg), NETNSA_NSID);
	if (attribute && nla_len(attribute) == sizeof(*netnsid))
		*netnsid = nla_get_s32(attribute);
}

/* The id of an open namespace here, or negative: it has none, or the fd is of something else. */
static int ask_netnsid(struct netlink *question, int namespace)
{
	struct rtgenmsg header = {.rtgen_family = AF_UNSPEC};
	int netnsid = NETNSA_NSID_NOT_ASSIGNED;
	struct nl_msg *message;

	message = nlmsg_alloc_simple(RTM_GETNSID, 0);
	if (!message)
		return -ENOMEM;
	if (!nlmsg_append(message, &header, sizeof(header), NLMSG_ALIGNTO) &&
	    !nla_put_u32(message, NETNSA_FD, (uint32_t) namespace))
		netlink_ask(question, message, read_netnsid, &netnsid);
	nlmsg_free(message);
	return netnsid;
}

static bool is_new(struct search *search, ino_t inode)
{
	for (size_t i = 0; i < search->seen_count; i++) {
		if (search->seen[i] == inode)
			return false;
	}
	if (search->seen_count < MAX_NAMESPACES_SEEN)
		search->seen[search->seen_count++] = inode;
	return true;
}

/* The fd, or -ENOENT where it is another namespace, or none that may be looked at. */
static int try_file(struct search *search, const char *path)
{
	struct stat status;
	int fd;

	if (stat(path, &status) || !is_new(search, status.st_ino))
		return -ENOENT;
	fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
	if (fd < 0)
		return -ENOENT;
	if (search->is_wanted(search, fd))
		return fd;
	close(fd);
	return -ENOENT;
}

static int search_named(struct search *search, const char *directory)
{
	DIR *entries = opendir(directory);
	const struct dirent *entry;
	char path[PATH_MAX];
	int fd = -ENOENT;

	if (!entries)
		return -ENOENT;
	while (fd < 0 && (entry = readdir(entries))) {
		snprintf(path, sizeof(path), "%s/%s", directory, entry->d_name);
		if (entry->d_name[0] != '.')
			fd = try_file(search, path);
	}
	closedir(entries);
	return fd;
}

static int search_processes(struct search *search)
{
	DIR *entries = opendir("/proc");
	const struct dirent *entry;
	char path[PATH_MAX];
	int fd = -ENOENT;
	bool raised;

	if (!entries)
		return -errno;
	raised = privilege_raise(CAP_SYS_PTRACE);
	while (fd < 0 && (entry = readdir(entries))) {
		snprintf(path, sizeof(path), "/proc/%s/ns/net", entry->d_name);
		if (isdigit((unsigned char)entry->d_name[0]))
			fd = try_file(search, path);
	}
	if (raised)
		privilege_lower(CAP_SYS_PTRACE);
	closedir(entries);
	return fd;
}

static int search_all(struct search *search)
{
	int fd = search_named(search, "/run/netns");

	if (fd < 0)
		fd = search_named(search, "/var/run/netns");
	return fd < 0 ? search_processes(search) : fd;
}

static bool has_netnsid(const struct search *search, int namespace)
{
	return ask_netnsid(search->question, namespace) == search->netnsid;
}

int namespace_open(int netnsid)
{
	struct search *search;
	int fd;

	search = calloc(1, sizeof(*search));
	if (!search)
		return -ENOMEM;
	search->is_wanted = has_netnsid;
	search->netnsid = netnsid;
	search->question = netlink_open();
	fd = search->question ? search_all(search) : -errno;
	netlink_close(search->question);
	free(search);
	return fd;
}

/* This thread is back home, or lbd ends. */
static int enter(int namespace, int home, namespace_visitor inside, void *context)
{
	const struct timespec pause = {.tv_nsec = RETURN_PAUSE_NS};
	int answer;

	if (setns(namespace, CLONE_NEWNET))
		return -errno;
	answer = inside(context);
	for (int i = 0; setns(home, CLONE_NEWNET); i++) {
		/* Whatever this thread did from now on would befall a pod's namespace. */
		if (i == MAX_RETURNS) {
			log_error("namespace-lost", "error=%d", errno);
			abort();
		}
		nanosleep(&pause, NULL); /* memory may be short for a moment */
	}
	return answer;
}

int namespace_visit(int namespace, namespace_visitor inside, void *context)
{
	bool raised;
	int home, answer;

	home = open("/proc/thread-self/ns/net", O_RDONLY | O_CLOEXEC);
	if (home < 0)
		return -errno;
	raised = privilege_raise(CAP_SYS_ADMIN);
	answer = enter(namespace, home, inside, context);
	if (raised)
		privilege_lower(CAP_SYS_ADMIN);
	close(home);
	return answer;
}

static int open_datagram(void *context)
{
	const int fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);

	(void)context;
	return fd < 0 ? -errno : fd;
}

int namespace_socket(int namespace)
{
	return namespace_visit(namespace, open_datagram, NULL);
}

static bool has_cookie(const struct search *search, int namespace)
{
	const int fd = namespace_socket(namespace);
	uint64_t cookie = 0;
	socklen_t size = sizeof(cookie);

	if (fd < 0)
		return false;
	if (getsockopt(fd, SOL_SOCKET, SO_NETNS_COOKIE, &cookie, &size))
		cookie = 0;
	close(fd);
	return cookie == search->cookie;
}

int namespace_open_cookie(uint64_t cookie)
{
	struct search *search = calloc(1, sizeof(*search));
	int fd;

	if (!search)
		return -ENOMEM;
	search->is_wanted = has_cookie;
	search->cookie = cookie;
	fd = search_all(search);
	free(search);
	return fd;
}
