/*
 * The kernel as a load balancer: see kernel.h.
 */
#include "test/model/kernel.h"

#include <arpa/inet.h>
#include <linux/if_packet.h>
#include <limits.h>
#include <linux/in.h>
#include <net/if.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <unistd.h>
#include "test/bpf/scene.h"

#define MARKER_PORT 9 /* discard (RFC 863): no service's, no client's */

static const char *address_text(enum station station, enum family family, char *text)
{
	const struct address address = station_address(station, family);

	if (family == IPV6)
		inet_ntop(AF_INET6, &address, text, INET6_ADDRSTRLEN);
	else
		inet_ntop(AF_INET, &address.word[3], text, INET6_ADDRSTRLEN);
	return text;
}

static const char *ip_of(enum family family)
{
	return family == IPV6 ? "ip6" : "ip";
}

static void tell_way(FILE *ip, enum station station, enum family family)
{
	const char *link = station_home(station) == POD ? "pod" : "uplink";
	const uint8_t *mac = station_mac(station);
	char text[INET6_ADDRSTRLEN];

	address_text(station, family, text);
	fprintf(ip, "route add %s dev %s\n", text, link);
	fprintf(ip, "neigh add %s lladdr %02x:%02x:%02x:%02x:%02x:%02x dev %s nud permanent\n",
		text, mac[0], mac[1], mac[2], mac[3], mac[4], mac[5], link);
}

/* A pod that reaches itself sees the hairpin address. */
static void tell_hairpin(FILE *nft, enum station station, enum family family)
{
	char pod[INET6_ADDRSTRLEN], hairpin[INET6_ADDRSTRLEN];

	address_text(station, family, pod);
	fprintf(nft, "add element inet oracle hairpin_%s { %s . %s : %s }\n", ip_of(family), pod,
		pod, address_text(STATION_H, family, hairpin));
}

/* Of each station that has a place, up to the last. */
static int tell(const char *command, void (*write)(FILE *, enum station, enum family),
		enum station last)
{
	FILE *tool = popen(command, "w");

	if (!tool)
		return -1;
	for (int station = 0; station <= (int)last; station++)
		for (int family = 0; family < _FAMILY_COUNT; family++)
			if (station_home((enum station)station) != NOWHERE)
				write(tool, (enum station)station, (enum family)family);
	return pclose(tool);
}

int kernel_make_network(void **state)
{
	char command[PATH_MAX];

	snprintf(command, sizeof(command), "%s %d %d", KERNEL_SCRIPT, SCENE_MTU, MARKER_PORT);
	if (network_make(state) || system(command) || tell("ip -batch -", tell_way, STATION_X) ||
	    tell("nft -f -", tell_hairpin, STATION_E))
		return -1;
	return 0;
}

static int open_end(const char *name)
{
	const struct timeval patience = {.tv_sec = 5};
	const struct sockaddr_ll end = {
		.sll_family = AF_PACKET,
		.sll_protocol = htons(ETH_P_ALL),
		.sll_ifindex = (int)if_nametoindex(name),
	};
	const int fd = socket(AF_PACKET, SOCK_RAW | SOCK_CLOEXEC, 0), yes = 1;

	assert_true(fd >= 0);
	assert_int_equal(setsockopt(fd, SOL_PACKET, PACKET_IGNORE_OUTGOING, &yes, sizeof(yes)), 0);
	assert_int_equal(setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof(patience)), 0);
	assert_int_equal(bind(fd, (const struct sockaddr *)&end, sizeof(end)), 0);
	return fd;
}

void kernel_open(struct kernel *kernel)
{
	*kernel = (struct kernel){
		.sockets = {[UPLINK] = open_end("uplink_peer"), [POD] = open_end("pod_peer")}};
}

void kernel_close(struct kernel *kernel)
{
	close(kernel->sockets[UPLINK]);
	close(kernel->sockets[POD]);
}

void kernel_serve(const struct op *offers, uint32_t count)
{
	FILE *shell = popen("sh -e", "w");

	assert_non_null(shell);
	fputs("nft -f - <<END\n", shell);
	for (int i = 0; i < 4; i++)
		fprintf(shell, "flush map inet oracle %s_%s\n", i & 1 ? "tcp" : "udp",
			i & 2 ? "ip6" : "ip");
	for (uint32_t i = 0; i < count; i++) {
		const struct op_service *service = &offers[i].offer.service;
		const struct op_backend *backend = &offers[i].offer.backends[0];
		char from[INET6_ADDRSTRLEN], to[INET6_ADDRSTRLEN];

		fprintf(shell, "add element inet oracle %s_%s { %s . %u : %s . %u }\n",
			service->protocol == IPPROTO_TCP ? "tcp" : "udp", ip_of(service->family),
			address_text(service->station, service->family, from), service->port,
			address_text(backend->station, service->family, to), backend->port);
	}
	fputs("END\nconntrack -F 2>/dev/null\n", shell);
	assert_int_equal(pclose(shell), 0);
}

/* Frames keep their order, so what has not left before this one does not leave. */
static void send_marker(struct kernel *kernel, enum interface in, enum station to)
{
	static struct frame marker;
	struct op_segment segment = op_segment_of(IPV4, IPPROTO_UDP, STATION_R, to);
	struct op_packet packet;

	segment.src_port = kernel->turn;
	segment.dst_port = MARKER_PORT;
	packet = op_packet_of(in, &segment);
	op_build(&packet, &marker);
	assert_int_equal(send(kernel->sockets[in], marker.bytes, marker.length, 0), marker.length);
}

static bool is_marker(const struct kernel *kernel, const struct frame *frame)
{
	const uint16_t ports[2] = {htons(kernel->turn), htons(MARKER_PORT)};

	return frame->length == ETH_HLEN + 20 + 8 &&
	       !memcmp(&frame->bytes[ETH_HLEN + 20], ports, sizeof(ports));
}

/* Until the marker: how many others there were. */
static uint32_t drain(const struct kernel *kernel, enum interface out, struct frame *left,
		      uint32_t room)
{
	static struct frame frame;
	uint32_t count = 0;

	for (;;) {
		const ssize_t length =
			recv(kernel->sockets[out], frame.bytes, sizeof(frame.bytes), 0);

		if (length < 0)
			fail_msg("no marker comes out of interface %d", (int)out);
		frame.length = (size_t)length;
		if (is_marker(kernel, &frame))
			return count;
		if (count < room)
			left[count] = frame;
		count++;
	}
}

uint32_t kernel_send(struct kernel *kernel, enum interface in, const struct frame *frame,
		     struct frame *left, uint32_t room)
{
	uint32_t count;

	kernel->turn++;
	assert_int_equal(send(kernel->sockets[in], frame->bytes, frame->length, 0), frame->length);
	send_marker(kernel, in, STATION_X);
	send_marker(kernel, in, STATION_D);
	count = drain(kernel, UPLINK, left, room);
	return count + drain(kernel, POD, &left[count < room ? count : room],
			     count < room ? room - count : 0);
}
