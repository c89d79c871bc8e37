/*
 * Sequences as text: see op.h. What is as usual is not said.
 */
#include <linux/in.h>
#include <linux/in6.h>
#include "lb/service.h"
#include "test/model/op_words.h"

static void print_service(FILE *file, const struct op_service *service)
{
	fprintf(file, " %s:%u/%s%c", station_name(service->station), service->port,
		protocol_name(service->protocol), service->family == IPV6 ? '6' : '4');
	if (service->scope == SCOPE_INSIDE)
		fprintf(file, "/inside");
}

static void print_prefix(FILE *file, const struct op_prefix *prefix)
{
	fprintf(file, "%s/%u/%c", station_name(prefix->station), prefix->length,
		prefix->family == IPV6 ? '6' : '4');
}

static void print_backend(FILE *file, const struct op_backend *backend)
{
	fprintf(file, " %s:%u", station_name(backend->station), backend->port);
	if (backend->weight != 1)
		fprintf(file, "*%u", backend->weight);
	if (backend->is_remote)
		fprintf(file, "+remote");
	if (backend->state != BACKEND_ACTIVE)
		fprintf(file, "/%s", OP_STATES[backend->state]);
}

static void print_offer(FILE *file, const struct op_offer *offer)
{
	fprintf(file, "offer");
	print_service(file, &offer->service);
	fprintf(file, " %s", algorithm_name(offer->algorithm));
	if (offer->has_inside)
		fprintf(file, " has-inside");
	if (offer->drops_unserved)
		fprintf(file, " unserved=drop");
	if (offer->masquerade)
		fprintf(file, " masquerade=%s", masquerade_name(offer->masquerade));
	if (offer->affinity_seconds)
		fprintf(file, " affinity=%u", offer->affinity_seconds);
	for (uint32_t i = 0; i < offer->range_count; i++) {
		fprintf(file, " only=");
		print_prefix(file, &offer->ranges[i]);
	}
	for (uint32_t i = 0; i < offer->backend_count; i++)
		print_backend(file, &offer->backends[i]);
}

static bool has_ports(const struct op_segment *segment)
{
	return protocol_name(segment->protocol);
}

static void print_protocol(FILE *file, const struct op_segment *segment)
{
	const char family = segment->family == IPV6 ? '6' : '4';

	if (has_ports(segment))
		fprintf(file, " %s%c", protocol_name(segment->protocol), family);
	else if (segment->protocol == (family == '6' ? IPPROTO_ICMPV6 : IPPROTO_ICMP))
		fprintf(file, " icmp%c", family);
	else
		fprintf(file, " ip%c.%u", family, segment->protocol);
}

static void print_numbers(FILE *file, enum op_owner owner, const void *of)
{
	for (size_t i = 0; i < OP_NUMBER_COUNT; i++) {
		const struct op_number *number = &OP_NUMBERS[i];
		const uint32_t value = op_get(number, of);

		if (number->owner != owner || value == number->usually)
			continue;
		fprintf(file, number->base == 16 ? " %s=%x" : " %s=%u", number->key, value);
	}
}

static void print_segment(FILE *file, const struct op_segment *segment)
{
	print_protocol(file, segment);
	if (has_ports(segment))
		fprintf(file, " %s:%u > %s:%u", station_name(segment->src), segment->src_port,
			station_name(segment->dst), segment->dst_port);
	else
		fprintf(file, " %s > %s", station_name(segment->src), station_name(segment->dst));
	if (segment->protocol == IPPROTO_TCP) {
		fprintf(file, " flags=");
		for (int bit = 0; bit < 8; bit++)
			if (segment->tcp_flags >> bit & 1)
				fputc(OP_FLAGS[bit], file);
	}
	for (uint8_t i = 0; i < segment->extension_count; i++)
		fprintf(file, " ext=%u.%u.%x", segment->extensions[i].type,
			segment->extensions[i].units, segment->extensions[i].word);
	print_numbers(file, OWNER_SEGMENT, segment);
}

static void print_packet(FILE *file, const struct op_packet *packet)
{
	fprintf(file, "packet %s", OP_INTERFACES[packet->in]);
	if (packet->to != _STATION_COUNT)
		fprintf(file, " to=%s", station_name(packet->to));
	if (packet->from != packet->segment.src)
		fprintf(file, " from=%s", station_name(packet->from));
	for (uint8_t i = 0; i < packet->tag_count; i++)
		fprintf(file, " tag=%x", packet->tags[i]);
	print_numbers(file, OWNER_PACKET, packet);
	for (uint32_t i = 0; i < packet->edit_count; i++)
		fprintf(file, " set=%u:%02x", packet->edits[i].at, packet->edits[i].value);
	print_segment(file, &packet->segment);
	if (packet->is_error) {
		fprintf(file, " about");
		print_segment(file, &packet->quoted);
	}
}

void op_print(FILE *file, const struct op *op)
{
	switch (op->kind) {
	case OP_OFFER:
		print_offer(file, &op->offer);
		break;
	case OP_WITHDRAW:
		fprintf(file, "withdraw");
		print_service(file, &op->service);
		break;
	case OP_DENY:
		fprintf(file, "deny ");
		print_prefix(file, &op->prefix);
		break;
	case OP_ALLOW:
		fprintf(file, "allow");
		break;
	case OP_NETWORK:
		fprintf(file, "network ");
		print_prefix(file, &op->network.prefix);
		fprintf(file, " %s", OP_NETWORKS[op->network.network]);
		break;
	case OP_SOURCE:
		fprintf(file, "source %s %s", OP_INTERFACES[op->source.interface],
			op->source.station == _STATION_COUNT ? "none"
							     : station_name(op->source.station));
		break;
	case OP_MOVE:
		fprintf(file, "move %s %s", station_name(op->move.station),
			OP_INTERFACES[op->move.interface]);
		break;
	case OP_PORT:
		fprintf(file, "port %s mtu=%u flags=%u", OP_INTERFACES[op->port.interface],
			op->port.mtu, op->port.flags);
		break;
	case OP_PASS:
		fprintf(file, "pass %u", op->seconds);
		break;
	case OP_PACKET:
		print_packet(file, &op->packet);
		break;
	case _OP_KIND_COUNT:
		break;
	}
	fputc('\n', file);
}

void sequence_print(FILE *file, const struct sequence *sequence)
{
	for (uint32_t i = 0; i < sequence->count; i++)
		op_print(file, &sequence->ops[i]);
}
