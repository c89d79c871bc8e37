/*
 * What is in force, as JSON for people's tools: the objects of docs/protocol.md. Each returns a
 * value of the caller's, or NULL when out of memory or refused.
 */
#pragma once

#include <jansson.h>
#include "control/daemon.h"
#include "lb/refusal.h"

json_t *report_service(const struct entry *entry);
json_t *report_services(const struct daemon *daemon);
json_t *report_backend(const struct daemon *daemon, const struct entry *entry, size_t i);
json_t *report_backends(const struct daemon *daemon, const struct entry *only);
json_t *report_export(const struct daemon *daemon);
json_t *report_denied(const struct daemon *daemon, const struct deny_entry *entry);
json_t *report_deny_list(const struct daemon *daemon);
/* In the grammar, without what is to end: there is no word for that, and it must not come back. */
json_t *report_exported_deny(const struct daemon *daemon);
json_t *report_interfaces(const struct daemon *daemon);
/* One of them, by its name or the pattern that asks for it; an empty object where there is none. */
json_t *report_interface(const struct daemon *daemon, const char *name);
json_t *report_neighbours(const struct daemon *daemon);
json_t *report_stats(const struct daemon *daemon, const struct entry *only);
json_t *report_status(const struct daemon *daemon);
