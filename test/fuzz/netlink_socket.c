/*
 * The kernel's end of netlink, and the loop: see netlink.h. They stand in the place of the C
 * library's socket functions and of control/loop.c.
 */
#include <errno.h>
#include <linux/rtnetlink.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/socket.h>
#include "test/fuzz/fuzz.h"
#include "test/fuzz/netlink.h"

#define MAX_FDS 1024
#define FIRST_TIMER 100000

/* Of a message's first byte, above its type. */
enum oddity {
	ODD_MORE = 1 << 4,   /* another message in the same datagram */
	ODD_RAW = 1 << 5,    /* the body is the message, with its header */
	ODD_SENDER = 1 << 6, /* not the kernel's */
	ODD_MULTI = 1 << 7,  /* one of several that answer: NLM_F_MULTI */
};

struct handler {
	int fd; /* -1: removed */
	loop_handler call;
	void *context;
};

struct input netlink_input;
static uint32_t sequences[MAX_FDS];
static struct handler handlers[MAX_HANDLERS];
static size_t handlers_used;

/* Of the address sanitizer, where there is one. */
void __asan_poison_memory_region(const volatile void *at, size_t size) __attribute__((weak));
void __asan_unpoison_memory_region(const volatile void *at, size_t size) __attribute__((weak));

uint8_t input_byte(void)
{
	return netlink_input.at < netlink_input.end ? *netlink_input.at++ : 0;
}

bool input_is_over(void)
{
	return netlink_input.at == netlink_input.end;
}

static uint16_t type_of(uint8_t first)
{
	static const uint16_t TYPES[16] = {
		RTM_NEWLINK,   RTM_DELLINK,  RTM_NEWNEIGH,   RTM_DELNEIGH,
		RTM_NEWROUTE,  RTM_DELROUTE, RTM_NEWADDR,    RTM_DELADDR,
		RTM_NEWRULE,   RTM_DELRULE,  NLMSG_ERROR,    NLMSG_DONE,
		NLMSG_OVERRUN, NLMSG_NOOP,   RTM_NEWNEXTHOP, 0,
	};

	return TYPES[first & 15];
}

/* Appends a message to the datagram. Its length. */
static size_t add_message(uint8_t first, uint32_t sequence, uint8_t *to, size_t room)
{
	struct nlmsghdr header = {.nlmsg_type = type_of(first), .nlmsg_seq = sequence};
	size_t body = input_byte(), left = (size_t)(netlink_input.end - netlink_input.at);

	body = body < left ? body : left;
	header.nlmsg_flags = first & ODD_MULTI ? NLM_F_MULTI : 0;
	header.nlmsg_len = NLMSG_LENGTH((uint32_t)body);
	if (NLMSG_SPACE(body) > room)
		return 0;
	memset(to, 0, NLMSG_SPACE(body));
	if (!(first & ODD_RAW))
		memcpy(to, &header, sizeof(header));
	if (body)
		memcpy(to + (first & ODD_RAW ? 0 : NLMSG_HDRLEN), netlink_input.at, body);
	if (first & ODD_RAW && body >= sizeof(header))
		memcpy(to + offsetof(struct nlmsghdr, nlmsg_seq), &sequence, sizeof(sequence));
	netlink_input.at += body;
	return first & ODD_RAW ? body : NLMSG_SPACE(body);
}

ssize_t __wrap_recvfrom(int fd, void *buffer, size_t size, int flags, struct sockaddr *sender,
			socklen_t *length);
ssize_t __wrap_recvfrom(int fd, void *buffer, size_t size, int flags, struct sockaddr *sender,
			socklen_t *length)
{
	static const int ERRORS[] = {ENOBUFS, EAGAIN, ENOMEM, ENOBUFS};
	struct sockaddr_nl *from = (void *)sender;
	size_t used = 0;
	uint8_t first;

	must(flags & MSG_TRUNC && *length == sizeof(*from), "it is asked as it should be");
	if (__asan_unpoison_memory_region)
		__asan_unpoison_memory_region(buffer, size);
	if (input_is_over()) {
		errno = EAGAIN;
		return -1;
	}
	do {
		first = input_byte();
		if (!type_of(first)) {
			errno = ERRORS[first >> 4 & 3];
			return -1;
		}
		used += add_message(first, sequences[fd], (uint8_t *)buffer + used, size - used);
	} while (first & ODD_MORE && !input_is_over());
	*from = (struct sockaddr_nl){.nl_family = AF_NETLINK, .nl_pid = first & ODD_SENDER ? 1 : 0};
	/* What lies behind the datagram is nobody's. */
	if (__asan_poison_memory_region)
		__asan_poison_memory_region((char *)buffer + used, size - used);
	return (ssize_t)used;
}

ssize_t __wrap_send(int fd, const void *bytes, size_t size, int flags);
ssize_t __wrap_send(int fd, const void *bytes, size_t size, int flags)
{
	const struct nlmsghdr *header = bytes;

	must(!flags && size >= sizeof(*header) && header->nlmsg_len == size, "a question is whole");
	must(header->nlmsg_flags & NLM_F_REQUEST, "and a question");
	sequences[fd] = header->nlmsg_seq;
	return (ssize_t)size;
}

int __wrap_socket(int domain, int type, int protocol);
int __wrap_socket(int domain, int type, int protocol)
{
	const int fd = eventfd(0, EFD_CLOEXEC);

	(void)type;
	must(domain == AF_NETLINK && protocol == NETLINK_ROUTE, "only rtnetlink is spoken");
	must(fd >= 0 && fd < MAX_FDS, "no socket is lost");
	sequences[fd] = 0;
	return fd;
}

int __wrap_bind(int fd, const struct sockaddr *address, socklen_t length);
int __wrap_bind(int fd, const struct sockaddr *address, socklen_t length)
{
	(void)fd;
	(void)address;
	(void)length;
	return 0;
}

int __wrap_setsockopt(int fd, int level, int option, const void *value, socklen_t length);
int __wrap_setsockopt(int fd, int level, int option, const void *value, socklen_t length)
{
	(void)fd;
	(void)level;
	(void)option;
	(void)value;
	(void)length;
	return 0;
}

static int add_handler(int fd, loop_handler call, void *context)
{
	must(handlers_used < MAX_HANDLERS, "few handlers are enough");
	handlers[handlers_used++] = (struct handler){.fd = fd, .call = call, .context = context};
	return 0;
}

static void remove_handler(int fd)
{
	for (size_t i = 0; i < handlers_used; i++)
		if (handlers[i].fd == fd)
			handlers[i].fd = -1;
	while (handlers_used && handlers[handlers_used - 1].fd < 0)
		handlers_used--;
}

int __wrap_loop_add(struct loop *loop, int fd, uint32_t events, loop_handler handler,
		    void *context);
int __wrap_loop_add(struct loop *loop, int fd, uint32_t events, loop_handler handler, void *context)
{
	(void)loop;
	must(events == EPOLLIN, "it waits for something to read");
	return add_handler(fd, handler, context);
}

void __wrap_loop_remove(struct loop *loop, int fd);
void __wrap_loop_remove(struct loop *loop, int fd)
{
	(void)loop;
	remove_handler(fd);
}

int __wrap_loop_add_timer(struct loop *loop, loop_handler handler, void *context);
int __wrap_loop_add_timer(struct loop *loop, loop_handler handler, void *context)
{
	const int timer = FIRST_TIMER + (int)handlers_used;

	(void)loop;
	add_handler(timer, handler, context);
	return timer;
}

int __wrap_loop_set_timer(int timer, unsigned int delay_ms, unsigned int interval_ms);
int __wrap_loop_set_timer(int timer, unsigned int delay_ms, unsigned int interval_ms)
{
	(void)delay_ms;
	(void)interval_ms;
	must(timer >= FIRST_TIMER, "a timer is set that was added");
	return 0;
}

void __wrap_loop_remove_timer(struct loop *loop, int timer);
void __wrap_loop_remove_timer(struct loop *loop, int timer)
{
	(void)loop;
	remove_handler(timer);
}

size_t handler_count(void)
{
	return handlers_used;
}

void handler_call(size_t index)
{
	if (handlers[index].fd >= 0)
		handlers[index].call(handlers[index].context, 1);
}
