/*
 * Table files: all are decoded before any is applied.
 */
#include "control/files.h"

#include <errno.h>
#include <pthread.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include "control/json_scratch.h"
#include "control/log.h"
#include "control/tables.h"
#include "lb/privilege.h"

struct changes {
	struct change *list;
	size_t count;
	size_t capacity;
};

struct denials {
	struct deny_change *list;
	size_t count;
};

struct files {
	char *const *paths;
	size_t count;
	struct changes changes;
	struct denials denied;
	int error; /* of reading, with the refusal */
	struct refusal refusal;
	pthread_t thread;
	bool is_reading; /* all above is the thread's */
};

static int add(struct changes *changes, struct change change)
{
	struct change *list = changes->list;

	if (changes->count == changes->capacity) {
		changes->capacity = changes->capacity ? 2 * changes->capacity : 64;
		list = realloc(changes->list, changes->capacity * sizeof(*list));
		if (!list)
			return -ENOMEM;
		changes->list = list;
	}
	list[changes->count++] = change;
	return 0;
}

/* `path: reason`, the file named before what is wrong in it. */
static int refuse_in_file(const char *path, int error, struct refusal *refusal)
{
	struct refusal reason = *refusal;

	if (!strncmp(reason.text, path, strlen(path)))
		return error;
	return refuse_with(refusal, -error, "%s: %.400s", path, reason.text);
}

/* Room for so many more. */
static int reserve_denied(struct denials *denied, size_t room)
{
	struct deny_change *list =
		reallocarray(denied->list, denied->count + room + 1, sizeof(*list));

	if (!list)
		return -ENOMEM;
	denied->list = list;
	return 0;
}

static int read_file(const char *path, struct changes *changes, struct denials *denied,
		     struct refusal *refusal)
{
	struct tables tables = {};
	int error = tables_read_file(path, SOURCE_FILE, &tables, refusal);

	if (error)
		return refuse_in_file(path, error, refusal);
	if (reserve_denied(denied, tables.deny_count))
		error = refuse_with(refusal, ENOMEM, "out of memory");
	for (size_t i = 0; !error && i < tables.deny_count; i++)
		denied->list[denied->count++] = (struct deny_change){tables.deny[i], DENY_FOREVER};
	for (size_t i = 0; !error && i < tables.service_count; i++) {
		error = add(changes, (struct change){.key = tables.services[i]->key,
						     .service = tables.services[i]});
		if (error)
			refuse(refusal, "out of memory");
		else
			tables.services[i] = NULL;
	}
	tables_finish(&tables);
	return error;
}

static int compare(const void *a, const void *b)
{
	const struct change *x = a, *y = b;

	return memcmp(&x->key, &y->key, sizeof(x->key));
}

static int refuse_duplicates(const struct changes *changes, struct refusal *refusal)
{
	char text[ENDPOINT_TEXT_MAX];

	for (size_t i = 1; i < changes->count; i++)
		if (!compare(&changes->list[i - 1], &changes->list[i]))
			return refuse_with(refusal, EEXIST, "%s is in more than one --tables file",
					   service_key_format(&changes->list[i].key, text));
	return 0;
}

/* What the files brought before and do not bring now. */
static int add_removals(const struct reconcile *reconcile, struct changes *changes)
{
	const size_t put = changes->count;
	const struct entry *entry = NULL;
	struct change change;
	int error = 0;

	while (!error && (entry = reconcile_next(reconcile, entry))) {
		change = (struct change){.key = entry->service->key};
		if (entry->service->source == SOURCE_FILE &&
		    (!put || !bsearch(&change, changes->list, put, sizeof(change), compare)))
			error = add(changes, change);
	}
	return error;
}

static int compare_prefixes(const void *a, const void *b)
{
	const struct deny_change *x = a, *y = b;
	const int order = memcmp(&x->prefix.address, &y->prefix.address, sizeof(struct address));

	return order ? order : x->prefix.length - y->prefix.length;
}

/* That two files deny the same is no contradiction. */
static void sort_denied(struct denials *denied)
{
	size_t kept = 0;

	if (denied->count)
		qsort(denied->list, denied->count, sizeof(*denied->list), compare_prefixes);
	for (size_t i = 0; i < denied->count; i++)
		if (!kept || compare_prefixes(&denied->list[kept - 1], &denied->list[i]))
			denied->list[kept++] = denied->list[i];
	denied->count = kept;
}

/* What the files denied before and do not deny now. */
static int add_allowed(const struct deny_list *deny, struct denials *denied)
{
	const struct deny_entry *entry = NULL;
	const size_t put = denied->count;
	struct deny_change change;

	if (reserve_denied(denied, deny_list_count(deny)))
		return -ENOMEM;
	while ((entry = deny_list_next(deny, entry))) {
		change = (struct deny_change){.prefix = entry->prefix};
		if (entry->until_ms[SOURCE_FILE] != DENY_NEVER &&
		    !bsearch(&change, denied->list, put, sizeof(change), compare_prefixes))
			denied->list[denied->count++] = change;
	}
	return 0;
}

/* What the files say, by key. It knows nothing of what is in force, so it may run beside it. */
static void read_files(struct files *files)
{
	struct changes *changes = &files->changes;

	for (size_t i = 0; !files->error && i < files->count; i++)
		files->error = read_file(files->paths[i], changes, &files->denied, &files->refusal);
	if (files->error)
		return;
	sort_denied(&files->denied);
	if (!changes->count)
		return;
	qsort(changes->list, changes->count, sizeof(*changes->list), compare);
	files->error = refuse_duplicates(changes, &files->refusal);
}

static void *run_reading(void *context)
{
	privilege_drop_all();
	read_files(context);
	return NULL;
}

static void wait_for_reading(struct files *files)
{
	if (files->is_reading)
		pthread_join(files->thread, NULL);
	files->is_reading = false;
}

static struct files *new_files(char *const *paths, size_t count)
{
	struct files *files = calloc(1, sizeof(*files));

	if (!files)
		return NULL;
	files->paths = paths;
	files->count = count;
	return files;
}

struct files *files_read_ahead(char *const *paths, size_t count)
{
	struct files *files = new_files(paths, count);

	if (!files || !count)
		return files;
	json_scratch_install();
	files->is_reading = !pthread_create(&files->thread, NULL, run_reading, files);
	if (!files->is_reading)
		read_files(files); /* without a thread it takes longer, and no more */
	return files;
}

void files_drop(struct files *files)
{
	if (!files)
		return;
	wait_for_reading(files);
	for (size_t i = 0; i < files->changes.count; i++)
		service_free(files->changes.list[i].service);
	free(files->changes.list);
	free(files->denied.list);
	free(files);
}

/* Both are checked before either is written. */
static int bring(struct files *files, struct reconcile *reconcile, struct deny_list *deny,
		 struct refusal *refusal)
{
	struct transaction_counts counts, denied_counts = {};
	struct denials *denied = &files->denied;
	struct changes *changes = &files->changes;
	struct transaction *transaction;
	int error, failed;

	if (add_removals(reconcile, changes) || add_allowed(deny, denied))
		return refuse_with(refusal, ENOMEM, "out of memory");
	error = deny_list_check(deny, SOURCE_FILE, denied->list, denied->count, &denied_counts,
				refusal);
	if (error)
		return error;
	error = reconcile_prepare(reconcile, SOURCE_FILE, changes->list, changes->count,
				  &transaction, refusal);
	changes->count = 0; /* consumed either way */
	if (error)
		return error;
	counts = transaction_counts(transaction);
	failed = deny_list_apply(deny, SOURCE_FILE, denied->list, denied->count);
	error = reconcile_apply(reconcile, transaction);
	error = error ? error : failed;
	if (error)
		return refuse_with(refusal, -error, "cannot write the tables: %s",
				   strerror(-error));
	log_info("tables-loaded", "added=%zu changed=%zu removed=%zu unchanged=%zu denied=%zu",
		 counts.added, counts.changed, counts.removed, counts.unchanged,
		 denied_counts.added + denied_counts.unchanged);
	return 0;
}

int files_bring(struct files *files, struct reconcile *reconcile, struct deny_list *deny,
		struct refusal *refusal)
{
	int error;

	wait_for_reading(files);
	error = files->error;
	if (error)
		*refusal = files->refusal;
	else
		error = bring(files, reconcile, deny, refusal);
	files_drop(files);
	return error;
}

int files_load(struct reconcile *reconcile, struct deny_list *deny, char *const *paths,
	       size_t count, struct refusal *refusal)
{
	struct files *files = new_files(paths, count);

	if (!files)
		return refuse_with(refusal, ENOMEM, "out of memory");
	read_files(files);
	return files_bring(files, reconcile, deny, refusal);
}
