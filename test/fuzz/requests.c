/*
 * Requests, a line each, to the whole control plane but its socket: reconciling, the deny list, the
 * operator's state on disk, over tables in plain memory. A state may come before them, whole but
 * with anything in it. Each is answered, what is refused changes
 * nothing, what was answered is there after a restart, and what is removed leaves nothing behind.
 */
#include "control/requests.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include "control/log.h"
#include "test/fuzz/datapath.h"
#include "test/fuzz/fuzz.h"

#define MAX_REQUESTS 32

static char base[] = "/dev/shm/lbd-fuzz-XXXXXX";
static char state_path[64];
static struct loop *loop;
static struct neighbours *neighbours; /* none is watched: one set does for all lbds */
static struct datapath datapath;
static struct daemon lbd;

static void remove_state(void)
{
	static const char *const SUFFIXES[] = {"", ".journal", ".lock"};
	char path[96];

	for (size_t i = 0; i < sizeof(SUFFIXES) / sizeof(SUFFIXES[0]); i++) {
		snprintf(path, sizeof(path), "%s%s", state_path, SUFFIXES[i]);
		unlink(path);
	}
}

static void remove_directory(void)
{
	remove_state();
	rmdir(base);
}

/* In the place of log_event: nobody reads a million lines. */
void __wrap_log_event(enum log_level level, const char *event, const char *fields, ...)
	__attribute__((format(printf, 3, 4)));
void __wrap_log_event(enum log_level level, const char *event, const char *fields, ...)
{
	must(level <= LOG_LEVEL_INFO && event && fields, "a line is an event");
}

static void ignore_resolved(void *context, uint32_t slot, const struct nexthop *hop)
{
	(void)context;
	(void)slot;
	(void)hop;
}

static uint16_t no_port(void *context, uint32_t ifindex)
{
	(void)context;
	(void)ifindex;
	return 0;
}

static void prepare(void)
{
	const struct neighbour_hooks hooks = {.resolved = ignore_resolved, .port = no_port};

	if (loop)
		return;
	must(mkdtemp(base), "there is a directory in memory");
	snprintf(state_path, sizeof(state_path), "%s/state", base);
	atexit(remove_directory);
	loop = loop_new();
	must(loop, "a loop");
	neighbours = neighbours_new(loop, &hooks);
	must(neighbours, "a set of neighbours");
}

static int hear_added(void *context, const struct address *address, uint32_t slot)
{
	(void)context;
	must(address && slot && slot < FAKE_BACKENDS, "a destination has a slot");
	return 0;
}

static void ignore_change(void *context, uint32_t ifindex)
{
	(void)context;
	(void)ifindex;
}

static void add_links(void)
{
	const struct link links[] = {
		{.ifindex = 1, .name = "lo", .loopback = true, .up = true, .netnsid = -1},
		{.ifindex = 2, .name = "eth0", .has_mac = true, .up = true, .netnsid = -1},
		{.ifindex = 3, .name = "eth1", .has_mac = true, .up = true, .netnsid = -1},
		{.ifindex = 4, .name = "tun0", .up = true, .netnsid = -1},
	};

	for (size_t i = 0; i < sizeof(links) / sizeof(links[0]); i++)
		interfaces_link_changed(lbd.interfaces, &links[i]);
}

/* Of what lbd has written itself nothing is to be put right. */
static void must_be_whole(void)
{
	struct repairs repairs = {};

	fake_must_be_whole(&datapath);
	reconcile_audit(lbd.reconcile, 1, &repairs);
	for (enum repair what = 0; what < _REPAIR_COUNT; what++)
		must(!repairs.done[what] && !repairs.failed[what], "the audit finds all well");
}

/*
 * As daemon_start does; the tables are what an earlier one has left. False where the state is
 * refused.
 */
static bool try_start(void)
{
	const struct interface_hooks interface_hooks = {.changed = ignore_change};
	const struct destination_hooks destination_hooks = {.added = hear_added};
	const struct fragment_hooks no_fragments = {0};
	struct refusal refusal = {0};
	struct operated operated;

	lbd = (struct daemon){.loop = loop, .datapath = &datapath, .ready = true};
	lbd.sweep_timer = lbd.expiry_timer = lbd.drain_timer = lbd.fragment_timer = -1;
	lbd.options.state_path = state_path;
	lbd.interfaces = interfaces_new(&datapath, MODE_AUTO, &interface_hooks);
	lbd.neighbours = neighbours;
	lbd.reconcile = reconcile_new(&datapath, &destination_hooks);
	lbd.deny = deny_list_new(&datapath);
	lbd.fragments = fragments_new(&no_fragments);
	must(lbd.interfaces && lbd.reconcile && lbd.deny && lbd.fragments, "there is memory");
	add_links();
	must(!reconcile_adopt(lbd.reconcile), "what is there is adopted");
	operated = (struct operated){lbd.reconcile, lbd.deny};
	if (operator_open(operated, state_path, &lbd.operator, & refusal)) {
		must_be_readable(&refusal);
		return false;
	}
	deny_list_drop_orphans(lbd.deny);
	must(reconcile_drop_orphans(lbd.reconcile) >= 0, "what nobody wants goes");
	must_be_whole();
	return true;
}

static void start(void)
{
	must(try_start(), "a state that lbd wrote is taken");
}

static void stop(void)
{
	operator_close(lbd.operator);
	interfaces_free(lbd.interfaces);
	reconcile_free(lbd.reconcile);
	deny_list_free(lbd.deny);
	fragments_free(lbd.fragments);
}

static json_t *ask(const json_t *request)
{
	json_t *answer = requests_answer(&lbd, request);
	char *text;

	must(json_object_size(answer) == 1, "an answer is a result or an error");
	must(json_object_get(answer, "result") || json_is_string(json_object_get(answer, "error")),
	     "and nothing else");
	text = json_dumps(answer, JSON_COMPACT);
	must(text && !strchr(text, '\n'), "it can be sent as a line");
	free(text);
	return answer;
}

static json_t *ask_text(const char *text)
{
	json_t *request = json_loads(text, 0, NULL);
	json_t *answer = ask(request);

	json_decref(request);
	return answer;
}

static json_t *export(void)
{
	return ask_text("{\"command\":\"export\"}");
}

static void must_export(const json_t *expected, const char *when)
{
	json_t *found = export();

	must(json_equal(found, expected), when);
	json_decref(found);
}

/* *known: the export before it, and after it. */
static void take_request(const json_t *request, json_t **known)
{
	json_t *answer = ask(request);

	if (json_object_get(answer, "error")) {
		must_export(*known, "what is refused changes nothing");
	} else {
		json_decref(*known);
		*known = export();
	}
	must_be_whole();
	reconcile_settle(lbd.reconcile);
	json_decref(answer);
}

static void take_lines(const char *text, const char *end, json_t **known)
{
	const char *newline;
	struct refusal refusal;
	json_t *request;

	for (int i = 0; i < MAX_REQUESTS && text < end; i++) {
		newline = memchr(text, '\n', (size_t)(end - text));
		newline = newline ? newline : end;
		request = tables_load_text(text, (size_t)(newline - text), &refusal);
		if (json_is_object(request))
			take_request(request, known);
		json_decref(request);
		text = newline + 1;
	}
}

/* Twice: with the tables still there, as after an update, and without, as after a boot. */
static void must_come_back(const json_t *known)
{
	stop();
	start();
	must_export(known, "all is there after a restart");
	must_be_whole();
	stop();
	fake_clear(&datapath);
	start();
	must_export(known, "all is there after a boot");
	must_be_whole();
}

static void must_go(void)
{
	json_decref(ask_text("{\"command\":\"apply\",\"document\":{},\"prune\":true}"));
	deny_list_expire(lbd.deny, DENY_FOREVER - 1);
	fake_must_be_empty(&datapath);
}

/* Appends the line to a file of the state. What follows it. */
static const char *write_line(const char *suffix, const char *line, const char *end)
{
	const char *newline = memchr(line, '\n', (size_t)(end - line));
	const char *next = newline ? newline + 1 : end;
	char path[96];
	FILE *file;

	snprintf(path, sizeof(path), "%s%s", state_path, suffix);
	file = fopen(path, "a");
	must(file && fwrite(line, 1, (size_t)(next - line), file) == (size_t)(next - line) &&
		     !fclose(file),
	     "a file is written");
	return next;
}

/* The first lines may be those of a snapshot and of a journal. What follows them. */
static const char *take_state(const char *text, const char *end)
{
	static const char BEGINNING[] = "{\"sequence\":";
	const size_t length = strlen(BEGINNING);
	const char *suffix = "";

	while ((size_t)(end - text) > length && !memcmp(text, BEGINNING, length)) {
		text = write_line(suffix, text, end);
		suffix = ".journal";
	}
	return text;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	const char *text = (const char *)data, *end = text + size;
	json_t *known;

	prepare();
	remove_state();
	fake_clear(&datapath);
	text = take_state(text, end);
	if (!try_start()) {
		stop();
		return 0;
	}
	known = export();
	take_lines(text, end, &known);
	must_come_back(known);
	must_go();
	json_decref(known);
	stop();
	return 0;
}
