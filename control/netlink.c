/*
 * Sockets of rtnetlink. Asking is synchronous: the kernel does the work inside send, so that the
 * answer lies in the socket when send returns, and no event loop is needed to await it.
 */
#include "control/netlink.h"

#include <arpa/inet.h>
#include <errno.h>
#include <netlink/attr.h>
#include <netlink/msg.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>
#include "lb/address.h"

#define EVENT_BUFFER_BYTES (32 << 20)   /* some 40,000 neighbours may change between two reads */
#define MESSAGE_BUFFER_BYTES (64 << 10) /* af_netlink.c fills 32 KiB of a dump at most */
#define MAX_DATAGRAMS_PER_READ 256
#define MAX_DATAGRAMS_HELD                                                                         \
	(EVENT_BUFFER_BYTES / 512) /* each takes more of the buffer than that                      \
				    */
#define MAX_DUMPS 5 /* a table that changes all the while is told by its events anyway */

struct netlink {
	int fd;
	uint32_t sequence; /* of the last question */
	_Alignas(struct nlmsghdr) char buffer[MESSAGE_BUFFER_BYTES];
};

static struct netlink *open_socket(int protocol, int flags)
{
	struct sockaddr_nl address = {.nl_family = AF_NETLINK};
	struct netlink *netlink;
	int error;

	netlink = calloc(1, sizeof(*netlink));
	if (!netlink)
		return NULL;
	netlink->fd = socket(AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC | flags, protocol);
	if (netlink->fd >= 0 &&
	    bind(netlink->fd, (struct sockaddr *)&address, sizeof(address)) == 0)
		return netlink;
	error = errno;
	netlink_close(netlink);
	errno = error;
	return NULL;
}

struct netlink *netlink_open(void)
{
	return open_socket(NETLINK_ROUTE, 0);
}

struct netlink *netlink_open_diag(void)
{
	return open_socket(NETLINK_SOCK_DIAG, 0);
}

static int join(int fd, const uint32_t *groups, size_t count)
{
	int bytes = EVENT_BUFFER_BYTES;

	/* A smaller buffer still works: what it loses is mended after ENOBUFS. */
	if (setsockopt(fd, SOL_SOCKET, SO_RCVBUFFORCE, &bytes, sizeof(bytes)))
		setsockopt(fd, SOL_SOCKET, SO_RCVBUF, &bytes, sizeof(bytes));
	for (size_t i = 0; i < count; i++) {
		if (setsockopt(fd, SOL_NETLINK, NETLINK_ADD_MEMBERSHIP, &groups[i],
			       sizeof(groups[i])))
			return -errno;
	}
	return 0;
}

struct netlink *netlink_listen(const uint32_t *groups, size_t count)
{
	struct netlink *netlink = open_socket(NETLINK_ROUTE, SOCK_NONBLOCK);
	int error;

	if (!netlink)
		return NULL;
	error = join(netlink->fd, groups, count);
	if (!error)
		return netlink;
	netlink_close(netlink);
	errno = -error;
	return NULL;
}

void netlink_close(struct netlink *netlink)
{
	if (!netlink)
		return;
	if (netlink->fd >= 0)
		close(netlink->fd);
	free(netlink);
}

int netlink_fd(const struct netlink *netlink)
{
	return netlink->fd;
}

/* One datagram of the kernel's; those of other processes count as empty. Bytes or -errno. */
static ssize_t receive(struct netlink *netlink)
{
	struct sockaddr_nl sender = {0};
	socklen_t length = sizeof(sender);
	ssize_t bytes;

	do
		bytes = recvfrom(netlink->fd, netlink->buffer, sizeof(netlink->buffer), MSG_TRUNC,
				 (struct sockaddr *)&sender, &length);
	while (bytes < 0 && errno == EINTR);
	if (bytes < 0)
		return -errno;
	if ((size_t)bytes > sizeof(netlink->buffer))
		return -EMSGSIZE;
	return sender.nl_pid ? 0 : bytes;
}

struct question {
	netlink_handler handler;
	void *context;
	bool inconsistent; /* the table changed while it was dumped */
	bool answered;
};

/* 0, or the -errno the message carries. */
static int take_answer(struct question *question, const struct nlmsghdr *message)
{
	if (message->nlmsg_flags & NLM_F_DUMP_INTR)
		question->inconsistent = true;
	if (message->nlmsg_type == NLMSG_ERROR) {
		question->answered = true;
		if (!nlmsg_valid_hdr(message, sizeof(struct nlmsgerr)))
			return -EBADMSG;
		return ((const struct nlmsgerr *)nlmsg_data(message))->error;
	}
	if (message->nlmsg_type == NLMSG_DONE) {
		question->answered = true;
		return 0;
	}
	if (question->handler)
		question->handler(question->context, message);
	question->answered = !(message->nlmsg_flags & NLM_F_MULTI);
	return 0;
}

static int await_answer(struct netlink *netlink, struct question *question)
{
	ssize_t bytes;
	int left, error = 0;

	while (!question->answered) {
		bytes = receive(netlink);
		if (bytes < 0)
			return (int)bytes;
		left = (int)bytes;
		for (struct nlmsghdr *message = (void *)netlink->buffer; nlmsg_ok(message, left);
		     message = nlmsg_next(message, &left)) {
			if (message->nlmsg_seq == netlink->sequence)
				error = take_answer(question, message);
		}
	}
	return error;
}

int netlink_ask(struct netlink *netlink, struct nl_msg *message, netlink_handler handler,
		void *context)
{
	struct nlmsghdr *header = nlmsg_hdr(message);
	bool dump = (header->nlmsg_flags & NLM_F_DUMP) == NLM_F_DUMP;
	struct question question;
	int error;

	header->nlmsg_flags |= NLM_F_REQUEST;
	if (!dump && !handler)
		header->nlmsg_flags |= NLM_F_ACK;
	for (int i = 0; i < MAX_DUMPS; i++) {
		question = (struct question){.handler = handler, .context = context};
		header->nlmsg_seq = ++netlink->sequence;
		if (send(netlink->fd, header, header->nlmsg_len, 0) < 0)
			return -errno;
		error = await_answer(netlink, &question);
		if (error || !question.inconsistent)
			return error;
	}
	return -EAGAIN;
}

int netlink_read(struct netlink *netlink, netlink_handler handler, void *context)
{
	bool overrun = false;
	ssize_t bytes;
	int left;

	for (int i = 0; i < (overrun ? MAX_DATAGRAMS_HELD : MAX_DATAGRAMS_PER_READ); i++) {
		bytes = receive(netlink);
		if (bytes == -EAGAIN)
			break;
		if (bytes == -ENOBUFS)
			overrun = true;
		else if (bytes < 0)
			return (int)bytes;
		left = bytes < 0 ? 0 : (int)bytes;
		for (struct nlmsghdr *message = (void *)netlink->buffer; nlmsg_ok(message, left);
		     message = nlmsg_next(message, &left))
			handler(context, message);
	}
	return overrun ? -ENOBUFS : 0;
}

uint8_t netlink_family(const struct address *address)
{
	return address_is_ipv4(address) ? AF_INET : AF_INET6;
}

int netlink_put_address(struct nl_msg *message, int type, const struct address *address)
{
	int error;

	if (address_is_ipv4(address))
		error = nla_put(message, type, sizeof(address->word[3]), &address->word[3]);
	else
		error = nla_put(message, type, sizeof(address->word), address->word);
	return error ? -ENOMEM : 0;
}

bool netlink_read_address(const void *bytes, size_t length, struct address *address)
{
	switch (length) {
	case sizeof(struct in_addr):
		*address = (struct address){.word = {[2] = htonl(0xffff)}};
		memcpy(&address->word[3], bytes, length);
		return true;
	case sizeof(struct in6_addr):
		memcpy(address->word, bytes, length);
		return true;
	default:
		return false;
	}
}

bool netlink_get_address(const struct nlattr *attribute, struct address *address)
{
	return attribute &&
	       netlink_read_address(nla_data(attribute), (size_t)nla_len(attribute), address);
}
