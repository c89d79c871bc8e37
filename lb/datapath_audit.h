/*
 * Looks at what the datapath holds, and puts back what is otherwise than it was left. Where an int
 * is answered: 0, all is well; 1, it is again; -errno.
 */
#pragma once

#include "lb/datapath.h"
#include "lb/repair.h"

/* Directories, maps and the program; links are those of interfaces. */
void datapath_audit_pins(struct datapath *datapath, struct repairs *repairs);
/* Links of sockets, and the maps that they alone have. */
void datapath_audit_sockets(struct datapath *datapath, struct repairs *repairs);
/* The programs that the first one calls, and the seed of the hash. */
void datapath_audit_programs(struct datapath *datapath, struct repairs *repairs);

/* The next of so many parts of them all; the first follows the last. */
void datapath_audit_filters(struct datapath *datapath, uint32_t parts, struct repairs *repairs);
void datapath_audit_addresses(struct datapath *datapath, uint32_t parts, struct repairs *repairs);

/* A port and the ways by it, while its interface is there. */
int datapath_audit_port(struct datapath *datapath, uint32_t index, const struct port *port);
/*
 * Whether the pinned link of that name is on the interface, with the program of this lbd; also
 * where the interface is not there any more. 1, 0, or -errno: it cannot be told.
 */
int datapath_is_attached(const struct datapath *datapath, const char *interface, uint32_t ifindex);

/* The same of tc. */
int datapath_is_attached_tc(const struct datapath *datapath, const char *interface,
			    uint32_t ifindex, enum tc_side side);

/* Writes what the index was set to before; what tells its packets apart has not changed. */
void datapath_restore_backend(struct datapath *datapath, uint32_t index,
			      const struct backend_record *record);

/* What is denied stays counted by its index. */
int datapath_audit_denied(struct datapath *datapath, const struct prefix *prefix, uint32_t index);
int datapath_audit_denied_count(struct datapath *datapath, uint32_t count);
int datapath_audit_source_range(struct datapath *datapath, uint32_t service,
				const struct prefix *range);
int datapath_audit_network(struct datapath *datapath, const struct prefix *prefix,
			   enum network network);
/* Of a backend that packets may be sent to, where ends are known. */
int datapath_audit_end(struct datapath *datapath, uint32_t index,
		       const struct backend_record *record);

/* The slots of a ring, until the next call that is about rings; NULL: they cannot be mapped. */
const uint32_t *datapath_view_ring(struct datapath *datapath, uint32_t offset, uint32_t length);
