/*
 * The requests about services and backends. Each answers with a result of the caller's, or NULL
 * with a refusal, and then nothing has changed.
 */
#pragma once

#include <jansson.h>
#include "control/daemon.h"
#include "lb/refusal.h"

json_t *request_service_add(struct daemon *daemon, const json_t *request, struct refusal *refusal);
json_t *request_service_set(struct daemon *daemon, const json_t *request, struct refusal *refusal);
json_t *request_service_del(struct daemon *daemon, const json_t *request, struct refusal *refusal);
json_t *request_service_list(struct daemon *daemon, const json_t *request, struct refusal *refusal);
json_t *request_service_show(struct daemon *daemon, const json_t *request, struct refusal *refusal);
json_t *request_backend_add(struct daemon *daemon, const json_t *request, struct refusal *refusal);
json_t *request_backend_set(struct daemon *daemon, const json_t *request, struct refusal *refusal);
json_t *request_backend_del(struct daemon *daemon, const json_t *request, struct refusal *refusal);
json_t *request_backend_list(struct daemon *daemon, const json_t *request, struct refusal *refusal);
