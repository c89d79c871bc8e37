/*
 * Metrics of the datapath: verdicts, and how full its maps are.
 */
#include "control/metrics_internal.h"

static void write_verdict(struct metrics_text *text, const char *name, const char *help,
			  const uint64_t *values)
{
#define VERDICT_TEXT(name, text, meaning) text,
	static const char *const names[] = {VERDICTS(VERDICT_TEXT)};
#undef VERDICT_TEXT

	metrics_describe(text, name, METRIC_COUNTER, help);
	for (int i = VERDICT_CONTINUE + 1; i < _VERDICT_COUNT; i++) {
		const struct metric_label label = {"verdict", names[i]};

		metrics_add(text, name, (struct metric_labels){&label, 1}, values[i]);
	}
}

static void write_verdicts(struct metrics_text *text, const struct daemon *daemon)
{
	struct counter counters[_VERDICT_COUNT] = {};
	uint64_t packets[_VERDICT_COUNT], bytes[_VERDICT_COUNT];

	if (datapath_read_verdicts(daemon->datapath, counters))
		return;
	for (int i = 0; i < _VERDICT_COUNT; i++) {
		packets[i] = counters[i].packets;
		bytes[i] = counters[i].bytes;
	}
	write_verdict(text, "lbd_verdict_packets_total", "Packets by what became of them", packets);
	write_verdict(text, "lbd_verdict_bytes_total", "Bytes by what became of their packets",
		      bytes);
}

/* Slots of rings in use: those that there was one of before the last change have two. */
static uint64_t count_ring_slots(const struct daemon *daemon)
{
	const struct entry *entry = NULL;
	uint64_t granules = 0;

	while ((entry = reconcile_next(daemon->reconcile, entry)))
		granules += ring_granules(entry->placement->ring.length) +
			    ring_granules(entry->placement->previous.length);
	return granules * RING_GRANULE;
}

struct fill {
	const char *map;
	uint64_t used;
	uint64_t limit;
};

static void write_fill(struct metrics_text *text, const struct fill *fills, size_t count)
{
	metrics_describe(text, "lbd_map_entries", METRIC_GAUGE,
			 "Entries in use (connections, masquerades, client_hops: at the last "
			 "sweep, every 10 seconds)");
	for (size_t i = 0; i < count; i++) {
		const struct metric_label label = {"map", fills[i].map};

		metrics_add(text, "lbd_map_entries", (struct metric_labels){&label, 1},
			    fills[i].used);
	}
	metrics_describe(text, "lbd_map_max_entries", METRIC_GAUGE, "Entries there is room for");
	for (size_t i = 0; i < count; i++) {
		const struct metric_label label = {"map", fills[i].map};

		metrics_add(text, "lbd_map_max_entries", (struct metric_labels){&label, 1},
			    fills[i].limit);
	}
}

static void write_maps(struct metrics_text *text, const struct daemon *daemon)
{
	const struct datapath_options *options = &daemon->options.datapath;
	const struct fill fills[] = {
		{"services", reconcile_count_services(daemon->reconcile), options->max_services},
		{"backends", reconcile_count_backends(daemon->reconcile), options->max_backends},
		{"ring_slots", count_ring_slots(daemon), datapath_capacity_rings(daemon->datapath)},
		{"connections", daemon->connections,
		 datapath_capacity_connections(daemon->datapath)},
		/* A connection that has gone may have left one of its two elements. */
		{"masquerades", (daemon->masquerade_sweep.left + 1) / 2, options->max_masquerades},
		{"client_hops", daemon->sweep.hops_left, CLIENT_HOPS - 1},
		{"denied", deny_list_count(daemon->deny), MAX_DENIED},
	};

	write_fill(text, fills, sizeof(fills) / sizeof(fills[0]));
}

static void write_evictions(struct metrics_text *text, const struct daemon *daemon)
{
	static const struct metric_label label = {"map", "connections"};
	uint64_t evictions;

	if (datapath_read_evictions(daemon->datapath, &evictions))
		return;
	metrics_describe(text, "lbd_map_evictions_total", METRIC_COUNTER,
			 "Entries that gave way to new ones before they were removed");
	metrics_add(text, "lbd_map_evictions_total", (struct metric_labels){&label, 1}, evictions);
}

static void write_sources(struct metrics_text *text, const struct daemon *daemon)
{
	metrics_describe(text, "lbd_services", METRIC_GAUGE, "Services, by who brought them");
	for (enum source source = 0; source < _SOURCE_COUNT; source++) {
		const struct metric_label label = {"source", source_name(source)};

		metrics_add(text, "lbd_services", (struct metric_labels){&label, 1},
			    reconcile_count_source(daemon->reconcile, source));
	}
}

static void write_fragments(struct metrics_text *text, const struct fragments *fragments)
{
	const struct fragment_counts counts = fragments_count(fragments);

	metrics_add_single(text, "lbd_fragments_held", METRIC_GAUGE,
			   "Fragments that wait for the first of their datagram", counts.held);
	metrics_add_single(text, "lbd_fragments_sent_again_total", METRIC_COUNTER,
			   "Fragments that waited, and their first has come", counts.sent);
	metrics_add_single(text, "lbd_fragments_given_up_total", METRIC_COUNTER,
			   "Fragments that waited in vain", counts.given_up);
}

bool metrics_write_datapath(struct scrape *scrape)
{
	const struct daemon *daemon = scrape->daemon;
	struct metrics_text *text = &scrape->text;

	write_verdicts(text, daemon);
	write_maps(text, daemon);
	write_evictions(text, daemon);
	write_sources(text, daemon);
	write_fragments(text, daemon->fragments);
	metrics_add_single(text, "lbd_metadata_missing_packets_total", METRIC_COUNTER,
			   "Packets that passed without the metadata they should carry",
			   datapath_metadata_missing(daemon->datapath));
	metrics_add_single(text, "lbd_detail_omitted", METRIC_GAUGE,
			   "1: more services and backends than --metrics-detail, so none is told "
			   "by itself",
			   !metrics_has_detail(daemon));
	return true;
}
