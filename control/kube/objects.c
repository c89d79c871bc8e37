/*
 * What Services, slices and Nodes have in common, and Nodes: see objects.h.
 */
#include "control/kube/objects.h"

#include <errno.h>
#include <netinet/in.h>
#include <stdlib.h>
#include <string.h>
#include "control/kube/reader.h"

#define ZONE_LABEL "topology.kubernetes.io/zone"
#define AUTOSCALER_TAINT "ToBeDeletedByClusterAutoscaler"

__u8 kube_protocol(const char *word)
{
	if (!strcmp(word, "TCP"))
		return IPPROTO_TCP;
	if (!strcmp(word, "UDP"))
		return IPPROTO_UDP;
	return strcmp(word, "SCTP") ? 0 : IPPROTO_SCTP;
}

void kube_ports_free(struct kube_port *ports, size_t count)
{
	for (size_t i = 0; ports && i < count; i++)
		free(ports[i].name);
	free(ports);
}

bool kube_texts_equal(const char *a, const char *b)
{
	return a && b ? !strcmp(a, b) : a == b;
}

bool kube_ports_equal(const struct kube_port *a, const struct kube_port *b, size_t count)
{
	for (size_t i = 0; i < count; i++)
		if (a[i].port != b[i].port || a[i].node_port != b[i].node_port ||
		    a[i].protocol != b[i].protocol || !kube_texts_equal(a[i].name, b[i].name))
			return false;
	return true;
}

char *kube_object_name(const json_t *object)
{
	struct refusal ignored;
	struct reader reader = {.refusal = &ignored};
	const json_t *metadata = reader_object(&reader, object, "metadata");

	return reader_name(&reader, metadata, reader_text(&reader, metadata, "name", ""));
}

static void add_range(struct reader *reader, const char *text, struct kube_node *node)
{
	if (text[0] && reader_prefix(reader, text, &node->pod_ranges[node->range_count]))
		node->range_count++;
}

static void read_ranges(struct reader *reader, const json_t *spec, struct kube_node *node)
{
	const json_t *list = reader_list(reader, spec, "podCIDRs");
	const size_t count = json_array_size(list);

	node->pod_ranges = reader_room(reader, count ? count : 1, sizeof(*node->pod_ranges));
	if (!node->pod_ranges)
		return;
	for (size_t i = 0; i < count; i++)
		add_range(reader, reader_element(reader, list, i), node);
	if (!count)
		add_range(reader, reader_text(reader, spec, "podCIDR", ""), node);
}

static bool has_taint(struct reader *reader, const json_t *spec)
{
	const json_t *list = reader_list(reader, spec, "taints");

	for (size_t i = 0; i < json_array_size(list); i++)
		if (!strcmp(reader_text(reader, reader_item(reader, list, i), "key", ""),
			    AUTOSCALER_TAINT))
			return true;
	return false;
}

int kube_node_decode(const json_t *object, struct kube_node **decoded, struct refusal *refusal)
{
	struct reader reader = {.refusal = refusal};
	const json_t *metadata = reader_object(&reader, object, "metadata");
	const json_t *labels = reader_object(&reader, metadata, "labels");
	const json_t *spec = reader_object(&reader, object, "spec");
	struct kube_node *node = reader_room(&reader, 1, sizeof(*node));

	if (!node)
		return reader.error;
	node->zone = reader_copy(&reader, reader_text(&reader, labels, ZONE_LABEL, ""));
	read_ranges(&reader, spec, node);
	node->is_leaving = reader_text(&reader, metadata, "deletionTimestamp", NULL) ||
			   has_taint(&reader, spec);
	if (!reader.error)
		*decoded = node;
	else
		kube_node_free(node);
	return reader.error;
}

void kube_node_free(struct kube_node *node)
{
	if (!node)
		return;
	free(node->zone);
	free(node->pod_ranges);
	free(node);
}

static bool ranges_equal(const struct kube_node *a, const struct kube_node *b)
{
	for (size_t i = 0; i < a->range_count && i < b->range_count; i++)
		if (!prefix_equal(&a->pod_ranges[i], &b->pod_ranges[i]))
			return false;
	return a->range_count == b->range_count;
}

bool kube_node_equal(const struct kube_node *a, const struct kube_node *b)
{
	return a->is_leaving == b->is_leaving && kube_texts_equal(a->zone, b->zone) &&
	       ranges_equal(a, b);
}
