/*
 * An address and port where a Service is reached, as a service of ours. For translate.c alone.
 */
#pragma once

#include "control/kube/translate.h"

/* What is the same for all addresses of one port and family. */
struct part {
	const struct kube_service *service;
	const struct kube_rules *rules;
	const struct kube_port *port;
	struct kube_targets targets;
	bool is_ipv6;
	struct kube_translation *translation;
};

/* An address of a part, and who is to be served there how. */
struct front {
	const struct address *address;
	uint16_t port;
	bool is_local;   /* by endpoints of this node alone */
	bool has_inside; /* clients inside have another */
	bool is_limited; /* to the Service's source ranges */
	enum scope scope;
	enum masquerade masquerade;
};

/*
 * Adds it to the translation. What cannot be served is noted there, and nothing comes of it. 0 or
 * -ENOMEM.
 */
int front_add(struct part *part, const struct front *front);
