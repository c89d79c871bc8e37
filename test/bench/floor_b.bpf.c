/*
 * Floor B: the textbook's load balancer, without a feature. A service lookup in a hash, a
 * connection lookup in an LRU hash, translation of the destination with checksums, sent back. IPv4
 * only. A new flow is recorded in both directions, for replies must find it too.
 */
#include "test/bench/floor.h"
#include "test/bench/floor_b.h"

struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__type(key, struct floor_service_key);
	__type(value, struct floor_service);
	__uint(max_entries, 1024);
} services SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_LRU_HASH);
	__type(key, struct floor_flow);
	__type(value, struct floor_connection);
	__uint(max_entries, 2); /* the loader sets it */
} connections SEC(".maps");

__u64 new_flows; /* for the loader to see what was timed */

static __always_inline __u64 difference_of(__u32 from, __u32 to)
{
	return (__u64)(__u32)~from + to;
}

static __always_inline __sum16 update_checksum(__sum16 checksum, __u64 difference)
{
	__u64 sum = difference + (__u16)~checksum;

	sum = (sum & 0xffffffff) + (sum >> 32);
	sum = (sum & 0xffff) + (sum >> 16);
	sum = (sum & 0xffff) + (sum >> 16);
	sum = (sum & 0xffff) + (sum >> 16);
	return (__u16)~sum;
}

static __always_inline void pick(const struct floor_flow *flow, const struct floor_service *service,
				 struct floor_connection *connection)
{
	__u64 hash = ((__u64)flow->src << 16 | flow->src_port) * 0x9E3779B97F4A7C15ull;
	__u32 number = (hash >> 32) * service->backend_count >> 32;

	connection->address = bpf_htonl(bpf_ntohl(service->first_backend) + number);
	connection->port = service->port;
}

static __always_inline void record(const struct floor_flow *flow,
				   const struct floor_connection *connection)
{
	const struct floor_flow reply = {
		.src = connection->address,
		.dst = flow->src,
		.src_port = connection->port,
		.dst_port = flow->src_port,
		.protocol = flow->protocol,
	};
	const struct floor_connection back = {.address = flow->dst, .port = flow->dst_port};

	bpf_map_update_elem(&connections, &reply, &back, BPF_ANY);
	bpf_map_update_elem(&connections, flow, connection, BPF_ANY);
	new_flows++;
}

static __always_inline void translate(struct headers *headers,
				      const struct floor_connection *connection)
{
	const __u64 address = difference_of(headers->ipv4->daddr, connection->address);
	const __u64 port = difference_of(headers->ports->dest, connection->port);

	headers->ipv4->check = update_checksum(headers->ipv4->check, address);
	*headers->checksum = update_checksum(*headers->checksum, address + port);
	headers->ipv4->daddr = connection->address;
	headers->ports->dest = connection->port;
}

SEC("xdp.frags")
int floor_b(struct xdp_md *ctx)
{
	struct floor_connection *known, connection = {};
	struct floor_service_key key = {};
	struct headers headers = {};
	struct floor_service *service;
	struct floor_flow flow = {};

	if (!find_headers(ctx, &headers) || !headers.ipv4)
		return XDP_PASS;
	key.address = flow.dst = headers.ipv4->daddr;
	key.port = flow.dst_port = headers.ports->dest;
	key.protocol = flow.protocol = headers.protocol;
	service = bpf_map_lookup_elem(&services, &key);
	if (!service)
		return XDP_PASS;
	flow.src = headers.ipv4->saddr;
	flow.src_port = headers.ports->source;
	known = bpf_map_lookup_elem(&connections, &flow);
	if (known) {
		connection = *known;
	} else {
		pick(&flow, service, &connection);
		record(&flow, &connection);
	}
	translate(&headers, &connection);
	swap_macs(headers.ethernet);
	return XDP_TX;
}

char _license[] SEC("license") = "GPL";
