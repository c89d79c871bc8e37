/*
 * Tells systemd that the service is up (sd_notify(3), READY=1), where it asked to be told.
 */
#pragma once

/* Does nothing without NOTIFY_SOCKET; never fails loudly: nobody waits who is not there. */
void notify_ready(void);
