/*
 * Scrapes: see metrics.h. Parts are written into a text that the answer takes from.
 */
#include "control/metrics.h"

#include <errno.h>
#include <microhttpd.h>
#include <stdlib.h>
#include <string.h>
#include "control/metrics_internal.h"

#define MAX_CLIENTS 16

static bool write_end(struct scrape *scrape)
{
	metrics_end(&scrape->text);
	return true;
}

static bool (*const PARTS[])(struct scrape *) = {
	metrics_write_node, metrics_write_datapath, metrics_write_proxy, metrics_write_services,
	write_end,
};

/* A scrape that runs out of memory ends short, which OpenMetrics' end lets a client see. */
static size_t read_scrape(void *context, char *bytes, size_t room)
{
	struct scrape *scrape = context;

	while (scrape->text.used < room && !scrape->text.failed &&
	       scrape->part < sizeof(PARTS) / sizeof(PARTS[0]))
		scrape->part += PARTS[scrape->part](scrape);
	return metrics_take(&scrape->text, bytes, room);
}

static void close_scrape(void *context)
{
	struct scrape *scrape = context;

	metrics_text_finish(&scrape->text);
	free(scrape->keys);
	free(scrape);
}

bool metrics_has_detail(const struct daemon *daemon)
{
	return reconcile_count_services(daemon->reconcile) +
		       reconcile_count_backends(daemon->reconcile) <=
	       daemon->options.metrics_detail;
}

static int note_services(struct scrape *scrape)
{
	struct reconcile *reconcile = scrape->daemon->reconcile;
	const size_t count = reconcile_count_services(reconcile);
	const struct entry *entry = NULL;

	if (!count || !metrics_has_detail(scrape->daemon))
		return 0;
	scrape->keys = malloc(count * sizeof(*scrape->keys));
	if (!scrape->keys)
		return -ENOMEM;
	while (scrape->key_count < count && (entry = reconcile_next(reconcile, entry)))
		scrape->keys[scrape->key_count++] = entry->service->key;
	return 0;
}

static struct scrape *new_scrape(const struct daemon *daemon, bool is_open_metrics)
{
	struct scrape *scrape = calloc(1, sizeof(*scrape));

	if (!scrape)
		return NULL;
	scrape->daemon = daemon;
	scrape->text.is_open_metrics = is_open_metrics;
	if (!note_services(scrape))
		return scrape;
	close_scrape(scrape);
	return NULL;
}

static void answer_metrics(struct daemon *daemon, const struct http_request *request,
			   struct http_reply *reply)
{
	const bool is_open_metrics =
		request->accept && strstr(request->accept, "application/openmetrics-text");
	struct scrape *scrape = daemon->ready ? new_scrape(daemon, is_open_metrics) : NULL;

	if (!scrape) {
		reply->status = MHD_HTTP_SERVICE_UNAVAILABLE;
		strcpy(reply->text, "503 not ready\n");
		return;
	}
	reply->status = MHD_HTTP_OK;
	reply->type = is_open_metrics ? "application/openmetrics-text; version=1.0.0; charset=utf-8"
				      : "text/plain; version=0.0.4; charset=utf-8";
	reply->stream = (struct http_stream){read_scrape, close_scrape, scrape};
}

static void answer(void *context, const struct http_request *request, struct http_reply *reply)
{
	if (!strcmp(request->path, "/metrics")) {
		answer_metrics(context, request, reply);
	} else if (!strcmp(request->path, "/proxyMode")) {
		reply->status = MHD_HTTP_OK;
		strcpy(reply->text, "lbd");
	}
}

int metrics_listen(struct daemon *daemon, struct refusal *refusal)
{
	static const struct http_site site = {"metrics", answer, MAX_CLIENTS};

	return http_listen(daemon->http, &site, &daemon->options.metrics.endpoint, daemon, refusal)
		       ? 0
		       : -EINVAL;
}
