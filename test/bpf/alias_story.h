/*
 * What the tests of aliases share: services that have BACKEND_A alone, and CLIENT, who talks to
 * several of them from one port.
 */
#pragma once

#include "test/bpf/scene.h"

#define OTHER_PORT 81 /* of the second service, and of more the ports after it */

extern const struct offer OTHER_ONLY_A;

struct blueprint request_to_other(const struct kind *kind);
/* Both services of every kind. */
void offer_one_backend(struct scene *scene);
/* Both connections of this kind, up and known: that to SERVICE_PORT, then the one with an alias. */
void connect_both(struct scene *scene, const struct kind *kind);
/* Data both ways, of both connections in turn. */
void talk(struct scene *scene, const struct kind *kind);
/* The port that this one gets by an alias, 1 to ALIASES. */
__be16 alias_port(const struct scene *scene, __be16 port, uint8_t alias);
