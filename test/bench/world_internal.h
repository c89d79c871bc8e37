/*
 * What the files of the world share. Nobody else includes this.
 */
#pragma once

#include "test/bench/world.h"

/* The services of number 0. */
#define EXTRA_SERVICES ((uint32_t)(WORLD_KIND_COUNT * _SERVICE_SHAPE_COUNT))
/*
 * Room for eight times their backends: a filter as full as may be passes one packet in eight for
 * nothing, and whether that meets the packet of some row should not hang on chance.
 */
#define EXTRA_BACKENDS ((uint32_t)(8 * WORLD_KIND_COUNT * 1100))

/* The first address of a family (IPv4 as text, IPv6 as text) and `number` addresses on. */
struct address world_numbered(enum family family, const char *ipv4, const char *ipv6,
			      uint32_t number);

/* The service with its backends, algorithm and ranges, the caller's; NULL: no memory, or refused.
 */
struct service *world_make_service(const struct kind *kind, enum service_shape shape,
				   uint32_t number);
