/*
 * What the files of the datapath share about tc: the objects bpf/tc.bpf.c and bpf/egress.bpf.c,
 * which work on the maps of the XDP object. Nobody else includes this.
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>
#include "lb/datapath.h"
#include "lb/repair.h"

struct bpf_object;
struct bpf_program;
struct datapath;

struct tc_object {
	struct bpf_object *object; /* NULL: not loaded */
	struct bpf_program *program;
	uint32_t program_id;
};

struct tc {
	struct tc_object side[_TC_SIDE_COUNT];
	bool by_filter; /* by filters of clsact, because the kernel has no tcx, or as asked for */
};

/* datapath_tc.c. 0 or -errno with a refusal. */
int tc_load(struct datapath *datapath, enum tc_side side, struct refusal *refusal);

/* As programs_join, of the objects that are loaded; and pins their maps of parts. 0 or -errno. */
int tc_join(struct datapath *datapath);
void tc_close(struct datapath *datapath);
/* The parts of sides that are not loaded. */
void tc_unpin_unused(const struct datapath *datapath);
/* Put back the parts, and their maps' pins. */
void tc_audit(struct datapath *datapath, struct repairs *repairs);
void tc_audit_pins(struct datapath *datapath, struct repairs *repairs);

/*
 * datapath_clsact.c: filters, DIR/filter_SIDE/IFINDEX:INTERFACE, and the qdiscs that we have made
 * for them, DIR/clsact/IFINDEX:INTERFACE. 0 or -errno (-ENOENT: there is none).
 */
int clsact_attach(const struct datapath *datapath, const char *interface, uint32_t ifindex,
		  enum tc_side side);
int clsact_detach(const struct datapath *datapath, const char *interface, enum tc_side side);
/* 1, 0 or -errno. */
int clsact_is_attached(const struct datapath *datapath, const char *interface, uint32_t ifindex,
		       enum tc_side side);
int clsact_visit(const struct datapath *datapath, enum tc_side side,
		 void (*visit)(void *context, const char *interface), void *context);
