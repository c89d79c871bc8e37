/*
 * Removes what an lbd leaves: see cleanup.h.
 */
#include "control/cleanup.h"

#include <errno.h>
#include <stdlib.h>
#include <unistd.h>
#include "control/log.h"
#include "control/loop.h"
#include "control/server.h"
#include "lb/bpffs.h"
#include "lb/privilege.h"

/* Whoever has the socket is the one lbd of these paths; its file goes when it is closed. */
static int take_socket(const char *path, struct refusal *refusal)
{
	const struct server_hooks nobody = {};
	struct loop *loop = loop_new();
	struct server *server = loop ? server_open(loop, path, &nobody, refusal) : NULL;

	server_close(server);
	loop_free(loop);
	if (!loop)
		return refuse_with(refusal, ENOMEM, "out of memory");
	return server ? 0 : -EBUSY;
}

int cleanup(const struct options *options, struct refusal *refusal)
{
	enum bpffs_made made;
	char *pin_path = NULL;
	int lock, error = privilege_check(refusal);

	if (!error)
		error = take_socket(options->socket_path, refusal);
	if (!error)
		error = bpffs_prepare(options->pin_path, &pin_path, &made, refusal);
	if (error)
		return error;
	lock = bpffs_lock(pin_path, refusal);
	if (lock < 0) {
		free(pin_path);
		return lock;
	}
	if (datapath_clean(pin_path))
		log_info("removed", "pin=%s", log_quote(options->pin_path));
	else
		log_info("nothing-to-remove", "pin=%s", log_quote(options->pin_path));
	log_info("kept", "state=%s why=%s", log_quote(options->state_path),
		 log_quote("what the operator has changed is there; remove it by hand"));
	free(pin_path);
	close(lock);
	return 0;
}
