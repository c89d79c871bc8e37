/*
 * Server: the listening socket, who may connect, and the timers of all sessions.
 */
#include "control/server.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>
#include "control/log.h"
#include "control/session.h"

#define MAX_SESSIONS 64
#define WATCH_INTERVAL_MS 500
#define SETTLE_INTERVAL_MS 2

struct server {
	struct loop *loop;
	struct server_hooks hooks;
	struct admission admission;
	char *path;
	int fd;
	int watch;  /* timer: ends who takes too long */
	int settle; /* timer: sends answers that waited */
	struct session *sessions;
	size_t count;
};

static void session_ended(void *context, struct session *session)
{
	struct server *server = context;
	struct session *before = server->sessions;

	if (before == session) {
		server->sessions = session_next(session);
	} else {
		while (session_next(before) != session)
			before = session_next(before);
		session_link(before, session_next(session));
	}
	server->count--;
	session_free(session);
}

static void session_begins_to_wait(void *context)
{
	struct server *server = context;

	loop_set_timer(server->settle, SETTLE_INTERVAL_MS, SETTLE_INTERVAL_MS);
}

/* Who has made no progress for longest makes room. */
static void evict_idlest(struct server *server)
{
	struct session *idlest = server->sessions;

	for (struct session *each = idlest; each; each = session_next(each))
		if (session_active_ms(each) < session_active_ms(idlest))
			idlest = each;
	if (idlest)
		session_ended(server, idlest);
}

static void accept_session(void *context, uint32_t events)
{
	struct server *server = context;
	const struct session_hooks hooks = {server, session_ended, session_begins_to_wait};
	struct server_hooks server_hooks = server->hooks;
	struct session *session;
	struct ucred peer = {};
	enum level level;
	int fd;

	(void)events;
	fd = accept4(server->fd, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC);
	if (fd < 0 && (errno == EMFILE || errno == ENFILE))
		evict_idlest(server); /* the next round has an fd for whoever waits */
	if (fd < 0)
		return;
	if (server->count == MAX_SESSIONS)
		evict_idlest(server);
	level = admission_level(&server->admission, fd, &peer);
	if (level == LEVEL_READ)
		server_hooks.answer = server->hooks.answer_reader;
	session = session_new(server->loop, fd, &server_hooks, &hooks);
	if (!session) {
		close(fd);
		return;
	}
	session_link(session, server->sessions);
	server->sessions = session;
	server->count++;
	if (level != LEVEL_NONE)
		return;
	log_warning("client-refused", "uid=%u", peer.uid);
	session_refuse(session, "permission denied: only root, the user of lbd and members of its "
				"--socket-group may ask it");
}

static void watch(void *context, uint32_t events)
{
	struct server *server = context;
	struct session *session, *next;

	(void)events;
	for (session = server->sessions; session; session = next) {
		next = session_next(session);
		session_watch(session);
	}
}

static void send_settled(void *context, uint32_t events)
{
	struct server *server = context;
	bool settled = server->hooks.is_settled(server->hooks.context);
	struct session *session, *next;
	bool waiting = false;

	(void)events;
	for (session = server->sessions; session; session = next) {
		next = session_next(session);
		session_settle(session, settled);
	}
	for (session = server->sessions; session; session = session_next(session))
		waiting |= session_waits(session);
	if (!waiting)
		loop_set_timer(server->settle, 0, 0);
}

static int make_directory(const char *path)
{
	char directory[108];
	char *slash;

	snprintf(directory, sizeof(directory), "%s", path);
	slash = strrchr(directory, '/');
	if (!slash || slash == directory)
		return 0;
	*slash = '\0';
	return mkdir(directory, 0755) && errno != EEXIST ? -errno : 0;
}

/* Is somebody listening there? A socket left behind by a killed lbd refuses connections. */
static bool answers(const struct sockaddr_un *address)
{
	int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	bool answered;

	if (fd < 0)
		return false;
	answered =
		!connect(fd, (const struct sockaddr *)address, sizeof(*address)) || errno == EAGAIN;
	close(fd);
	return answered;
}

/* Anything but a socket is not lbd's to remove. 0 or -errno. */
static int remove_stale(const char *path)
{
	struct stat found;

	if (lstat(path, &found))
		return errno == ENOENT ? 0 : -errno;
	if (!S_ISSOCK(found.st_mode))
		return -EEXIST;
	return unlink(path) ? -errno : 0;
}

static int listen_at(const char *path, struct refusal *refusal)
{
	struct sockaddr_un address = {.sun_family = AF_UNIX};
	mode_t mask;
	int fd, failed;

	if (strlen(path) >= sizeof(address.sun_path))
		return refuse(refusal, "--socket %s: longer than %zu characters", path,
			      sizeof(address.sun_path) - 1);
	strcpy(address.sun_path, path);
	if (answers(&address))
		return refuse_with(refusal, EADDRINUSE, "--socket %s: another lbd answers there",
				   path);
	failed = make_directory(path);
	if (!failed)
		failed = remove_stale(path);
	fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	mask = umask(0177);
	if (!failed)
		failed = fd < 0 || bind(fd, (struct sockaddr *)&address, sizeof(address)) ||
					 listen(fd, MAX_SESSIONS)
				 ? -errno
				 : 0;
	umask(mask);
	if (!failed)
		return fd;
	if (fd >= 0)
		close(fd);
	return refuse_with(refusal, -failed, "--socket %s: %s", path, strerror(-failed));
}

struct server *server_open(struct loop *loop, const char *path, const struct server_hooks *hooks,
			   struct refusal *refusal)
{
	struct server *server = calloc(1, sizeof(*server));
	int error;

	if (!server)
		goto memory;
	server->loop = loop;
	server->hooks = *hooks;
	server->fd = listen_at(path, refusal);
	if (server->fd < 0) {
		free(server);
		return NULL;
	}
	server->path = strdup(path);
	server->watch = loop_add_timer(loop, watch, server);
	server->settle = loop_add_timer(loop, send_settled, server);
	error = loop_add(loop, server->fd, EPOLLIN, accept_session, server);
	if (server->path && server->watch >= 0 && server->settle >= 0 && !error) {
		loop_set_timer(server->watch, WATCH_INTERVAL_MS, WATCH_INTERVAL_MS);
		return server;
	}
	server_close(server);
memory:
	refuse(refusal, "out of memory");
	return NULL;
}

int server_admit(struct server *server, const struct admission *admission, struct refusal *refusal)
{
	const int error = admission_open(admission, server->path, refusal);

	if (!error)
		server->admission = *admission;
	return error;
}

void server_close(struct server *server)
{
	if (!server)
		return;
	while (server->sessions)
		session_ended(server, server->sessions);
	if (server->watch >= 0)
		loop_remove_timer(server->loop, server->watch);
	if (server->settle >= 0)
		loop_remove_timer(server->loop, server->settle);
	loop_remove(server->loop, server->fd);
	close(server->fd);
	if (server->path)
		unlink(server->path);
	free(server->path);
	free(server);
}
