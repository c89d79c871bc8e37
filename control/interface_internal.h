/*
 * What the files of interface share. Nobody else includes this.
 */
#pragma once

#define HASH_NONFATAL_OOM 1
#include <uthash.h>
#include "control/interface.h"

#define REASON_MAX 256

/* A link of this namespace, wanted or not. */
struct interface {
	struct link link;
	uint16_t port; /* 0: none yet */
	bool attached;
	bool receives;   /* frames redirected to it arrive */
	enum datapath_mode mode;
	char peer[REASON_MAX];
	char error[REASON_MAX];
	UT_hash_handle hh; /* by link.ifindex */
};

/* A name or glob that somebody wants attached. */
struct wish {
	char *pattern;
	bool by_tc;
	struct wish *next;
};

struct interfaces {
	struct datapath *datapath;
	enum datapath_mode mode;
	struct interface_hooks hooks;
	struct interface *table;
	struct wish *wishes; /* in the order they came */
	struct slots *ports;
	bool egress;    /* attached ones are to have that program */
	size_t audited; /* the part that comes next */
};

/* The wish that an interface of this name answers, a name before a glob; or NULL. */
const struct wish *interfaces_wish_for(const struct interfaces *interfaces, const char *name);
bool is_glob(const char *pattern);
/* 0, or -ENOMEM with a refusal; -ENOENT where there is none. */
int wish_add(struct interfaces *interfaces, const char *pattern, bool by_tc,
	     struct refusal *refusal);
/* How an interface is to be attached: MODE_TC, or as lbd was told. */
enum datapath_mode wish_mode(const struct interfaces *interfaces, const char *name);
int wish_remove(struct interfaces *interfaces, const char *pattern);
void wishes_free(struct interfaces *interfaces);

bool interface_is_veth(const struct interface *interface);
/* Whether frames that programs redirect to it arrive; otherwise the stack forwards. */
bool port_takes_frames(const struct interfaces *interfaces, const struct interface *interface);
/* A port for it: the one that the table has already, or a free one. 0 or -ENOSPC. */
int port_take(struct interfaces *interfaces, struct interface *interface);
/* Whether the table says of its port that it is this interface's. */
bool port_is_written(const struct interfaces *interfaces, const struct interface *interface);
/* The port's record as the interface is now. */
struct port port_describe(const struct interfaces *interfaces, const struct interface *interface);
/* Writes the port's record as the interface is now; takes a port first. 0 or -errno. */
int port_update(struct interfaces *interfaces, struct interface *interface);
/*
 * Before any interface asks for one: keeps what the tables of an earlier lbd say of ports, because
 * connections and next hops name them. Then, when all have asked: gives back what none claimed.
 */
void ports_reserve(struct interfaces *interfaces);
void ports_drop_unclaimed(struct interfaces *interfaces);
/* Gives the port back; its index rests until no packet looks at it. */
void port_drop(struct interfaces *interfaces, struct interface *interface);

/* Attaches (a veth's other end first) and updates the port. 0, or -errno with interface->error. */
int interface_attach(struct interfaces *interfaces, struct interface *interface);
/*
 * The program, or its link's pin, is not there any more: attaches it again. 1; 0 while the program
 * still runs by a link that cannot be had; or -errno with interface->error.
 */
int interface_attach_again(struct interfaces *interfaces, struct interface *interface);
void interface_detach(struct interfaces *interfaces, struct interface *interface);
/* A veth's other end moved, or something reset it: makes it fit again. 0 or -errno. */
int interface_prepare_peer(struct interfaces *interfaces, struct interface *interface);
/* The program for what leaves: there, or not, as it is to be. 0 or -errno, logged. */
int interface_follow_egress(struct interfaces *interfaces, struct interface *interface);
