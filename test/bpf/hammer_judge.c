/*
 * What must hold of each packet, whatever other CPUs do meanwhile: see hammer_thread.h. What leaves
 * is compared byte for byte.
 */
#include <arpa/inet.h>
#include <bpf/bpf.h>
#include <linux/bpf.h>
#include <stdio.h>
#include <string.h>
#include "test/bpf/frame_diff.h"
#include "test/bpf/hammer_thread.h"
#include "test/bpf/tags.h"

static void find(struct hammer_thread *thread, const struct caller *caller, const char *what,
		 uint32_t service, uint32_t backend)
{
	const struct caller *to = callers_find_mac(thread->callers, thread->left.bytes);

	if (thread->findings++)
		return;
	snprintf(thread->finding, sizeof(thread->finding),
		 "%s: caller %td (%s, enum calling %d), service %u, backend %u, action %u, to %td",
		 what, caller - thread->callers->all, caller->kind->name, (int)caller->calling,
		 service, backend, thread->action, to ? to - thread->callers->all : -1);
}

static void run(struct hammer_thread *thread, enum interface in, const struct blueprint *packet)
{
	struct xdp_md context = {.ingress_ifindex = network_ifindex(in)};
	LIBBPF_OPTS(bpf_test_run_opts, options, .data_in = thread->sent.bytes,
		    .data_out = thread->left.bytes, .data_size_out = FRAME_MAX, .ctx_in = &context,
		    .ctx_size_in = sizeof(context));

	frame_build(packet, &thread->sent);
	options.data_size_in = context.data_end = (__u32)thread->sent.length;
	thread->action = XDP_ABORTED;
	if (!bpf_prog_test_run_opts(thread->program, &options))
		thread->action = options.retval;
	thread->left.length = options.data_size_out;
}

static bool leaves_as(struct hammer_thread *thread, const struct blueprint *wanted)
{
	frame_build(wanted, &thread->wanted);
	return frame_equal(&thread->left, &thread->wanted);
}

static size_t tags_of(const struct frame *frame)
{
	size_t at = ETH_HLEN - 2;

	while (frame->bytes[at] == CUSTOMER >> 8 || frame->bytes[at] == PROVIDER >> 8)
		at += sizeof(struct tag);
	return at + 2 - ETH_HLEN;
}

/* From whom the packet was for to whom it came from; a hairpin goes back as from the service. */
static bool is_answer(const struct hammer_thread *thread)
{
	const size_t network = ETH_HLEN + tags_of(&thread->sent);
	const bool is_ipv4 = thread->sent.bytes[network] >> 4 == 4;
	const uint8_t *sent = &thread->sent.bytes[network + (is_ipv4 ? 12 : 8)];
	const uint8_t *left = &thread->left.bytes[network + (is_ipv4 ? 12 : 8)];
	const size_t length = is_ipv4 ? 4 : 16;

	return !memcmp(left + length, sent, length) && !memcmp(left, sent + length, length);
}

static enum fate fate_of(struct hammer_thread *thread)
{
	enum fate fate;

	if (thread->action == XDP_TX && is_answer(thread))
		fate = FATE_ANSWERED;
	else if (thread->action == XDP_TX)
		fate = FATE_SENT_BACK;
	else if (thread->action == XDP_REDIRECT)
		fate = FATE_REDIRECTED;
	else if (thread->action == XDP_DROP)
		fate = FATE_DROPPED;
	else
		fate = frame_equal(&thread->sent, &thread->left) ? FATE_PASSED : FATE_UNRESOLVED;
	thread->fates[fate]++;
	return fate;
}

static bool is_sent(enum fate fate)
{
	return fate == FATE_SENT_BACK || fate == FATE_REDIRECTED;
}

/* By the MAC address that it is sent to. */
static enum role backend_left_for(const struct hammer_thread *thread)
{
	for (int role = 0; role < _ROLE_COUNT; role++)
		if (!memcmp(thread->left.bytes, role_mac((enum role)role), ETH_ALEN))
			return (enum role)role;
	return _ROLE_COUNT;
}

static __be16 source_port(const struct hammer_thread *thread, const struct caller *caller)
{
	const size_t at =
		ETH_HLEN + tags_of(&thread->left) + (caller->kind->family == IPV4 ? 20 : 40);
	__be16 port;

	memcpy(&port, &thread->left.bytes[at], sizeof(port));
	return port;
}

/* Of its caller's, that a request left with; PORTS: none of those. */
static uint32_t port_left_with(const struct hammer_thread *thread, const struct caller *caller)
{
	return caller_port_number(thread->callers, caller, source_port(thread, caller));
}

static bool is_right_request(struct hammer_thread *thread, const struct caller *caller,
			     const struct blueprint *request, enum role backend)
{
	struct blueprint wanted = forwarded_to(request, backend, POD);
	const uint32_t port = port_left_with(thread, caller);

	if (port == PORTS)
		return false;
	wanted.src_port = caller_port(thread->callers, caller, port);
	wanted.tags = NO_TAGS; /* pods have none, and whoever is sent back to one neither */
	if (caller->calling == CALLS_HAIRPIN && backend == BACKEND_A)
		wanted.src = hairpin_address(caller->kind->family);
	return leaves_as(thread, &wanted);
}

/* Nobody else has this backend's replies to that port any more. */
static void learn_of_kin(struct hammer_thread *thread, const struct caller *caller,
			 enum role backend)
{
	const uint32_t port = port_left_with(thread, caller->kin);

	if (port == PORTS)
		return;
	caller->kin->service_at[backend][port] = 0;
	caller->kin->macs_at[backend][port] = 0;
}

/* A lone FIN or RST leaves without an entry: replies are still those of the service before. */
static void learn(struct hammer_thread *thread, struct caller *caller, uint32_t service,
		  uint8_t flags, uint32_t mac)
{
	const enum role backend = backend_left_for(thread);
	const uint32_t port = port_left_with(thread, caller);

	if (port == PORTS || backend == _ROLE_COUNT)
		return;
	thread->aliased += port != 0;
	if (caller->calling == CALLS_SHARED)
		return;
	if (caller->kind->protocol == IPPROTO_UDP || !(flags & (FIN | RST))) {
		caller->service_at[backend][port] = (uint8_t)(service + 1);
		caller->macs_at[backend][port] = 0;
		if (caller->kin)
			learn_of_kin(thread, caller, backend);
	}
	caller->macs_at[backend][port] |= (uint8_t)(1u << mac);
}

static void judge_request(struct hammer_thread *thread, const struct caller *caller,
			  const struct blueprint *request, uint32_t service, enum fate fate)
{
	const enum role backend = backend_left_for(thread);
	const bool back = caller_interface(caller) == POD;

	if (caller->calling == CALLS_KEEPER &&
	    (!is_sent(fate) || backend != caller->keeper_backend || port_left_with(thread, caller)))
		find(thread, caller, "an established connection changes its backend", service,
		     backend);
	else if (fate == FATE_PASSED && !thread->lbd)
		find(thread, caller, "a request finds no service", service, backend);
	else if (fate == FATE_UNRESOLVED)
		find(thread, caller, "a request has no next hop", service, backend);
	if (!is_sent(fate))
		return;
	if (!(BACKENDS_OF[service] & 1u << backend))
		find(thread, caller, "a request leaves for another service's backend", service,
		     backend);
	else if (!is_right_request(thread, caller, request, backend))
		find(thread, caller, "a request leaves wrongly translated", service, backend);
	else if (fate != (back ? FATE_SENT_BACK : FATE_REDIRECTED))
		find(thread, caller, "a request leaves by the wrong way", service, backend);
}

void hammer_request(struct hammer_thread *thread, struct caller *caller, uint32_t service,
		    uint8_t flags, uint32_t mac)
{
	struct blueprint request = caller_request(caller, service, mac);
	enum fate fate;

	request.tcp_flags = flags;
	atomic_fetch_or(&caller->called, 1u << service);
	atomic_fetch_or(&caller->macs_used, 1u << mac);
	run(thread, caller_interface(caller), &request);
	fate = fate_of(thread);
	thread->requests[caller->kind - KINDS][service]++;
	judge_request(thread, caller, &request, service, fate);
	if (is_sent(fate))
		learn(thread, caller, service, flags, mac);
}

/* By the port that it comes from; SERVICES: by none. */
static uint32_t service_left_as(const struct hammer_thread *thread, const struct caller *caller)
{
	const uint32_t port = ntohs(source_port(thread, caller));

	return port - SERVICE_PORT < SERVICES ? port - SERVICE_PORT : SERVICES;
}

static bool may_come_from(const struct caller *caller, uint32_t service, struct spot from)
{
	if (service == SERVICES || !(BACKENDS_OF[service] & 1u << from.backend))
		return false;
	if (caller->calling == CALLS_SHARED)
		return atomic_load(&caller->called) & 1u << service;
	return caller->service_at[from.backend][from.port] == service + 1;
}

static bool may_go_to(const struct caller *caller, struct spot from, uint32_t mac)
{
	if (caller->calling == CALLS_SHARED)
		return atomic_load(&caller->macs_used) & 1u << mac;
	return caller->macs_at[from.backend][from.port] & 1u << mac;
}

static bool is_right_reply(struct hammer_thread *thread, const struct caller *caller,
			   const struct blueprint *reply, struct spot from, bool sent)
{
	struct blueprint wanted = sent ? returned_from_service(reply, caller_interface(caller))
				       : translated_from_service(reply);

	wanted.src_port = htons((uint16_t)(SERVICE_PORT + service_left_as(thread, caller)));
	wanted.dst = caller->address;
	wanted.dst_port = caller->port;
	for (uint32_t mac = 0; mac < MACS; mac++) {
		if (sent) {
			memcpy(wanted.to_mac, caller->mac[mac], ETH_ALEN);
			wanted.tags = caller->tags[mac];
		}
		if ((!sent || may_go_to(caller, from, mac)) && leaves_as(thread, &wanted))
			return true;
		if (caller->calling == CALLS_HAIRPIN)
			break;
	}
	return caller->calling == CALLS_HAIRPIN && leaves_as(thread, &wanted);
}

/* What a backend that is gone says first leaves as a reset. */
static bool is_right_reset(struct hammer_thread *thread, const struct caller *caller,
			   const struct blueprint *reply, struct spot from, bool sent)
{
	struct blueprint reset = *reply;

	if (!thread->lbd || caller->kind->protocol != IPPROTO_TCP)
		return false;
	reset.tcp_flags = RST | (reply->tcp_flags & ACK);
	return is_right_reply(thread, caller, &reset, from, sent);
}

static void judge_reply(struct hammer_thread *thread, const struct caller *caller,
			const struct blueprint *reply, struct spot from, enum fate fate)
{
	const uint32_t service = service_left_as(thread, caller);
	const enum role backend = from.backend;

	if (caller->calling == CALLS_KEEPER && !is_sent(fate) &&
	    !(thread->lbd && fate == FATE_UNRESOLVED))
		find(thread, caller, "an established connection gets no reply", service, backend);
	if (fate == FATE_UNRESOLVED && !thread->lbd)
		find(thread, caller, "a reply has no way back", service, backend);
	if (fate == FATE_PASSED || fate == FATE_DROPPED || fate == FATE_ANSWERED)
		return;
	if (!may_come_from(caller, service, from))
		find(thread, caller, "a reply leaves as from a service it is not of", service,
		     backend);
	else if (!is_right_reply(thread, caller, reply, from, is_sent(fate)) &&
		 !is_right_reset(thread, caller, reply, from, is_sent(fate)))
		find(thread, caller, "a reply leaves wrongly translated or the wrong way", service,
		     backend);
}

/* Whose a reply is that comes from there; then that is one of this one's ports. */
static const struct caller *receiver_of(const struct hammer_thread *thread,
					const struct caller *caller, struct spot *from)
{
	const __be16 port = caller_port(thread->callers, caller, from->port);
	uint32_t number = PORTS;

	if (caller->kin)
		number = caller_port_number(thread->callers, caller->kin, port);
	if (number == PORTS || !caller->kin->service_at[from->backend][number])
		return caller;
	from->port = number;
	return caller->kin;
}

void hammer_reply(struct hammer_thread *thread, const struct caller *caller, struct spot from,
		  uint8_t flags)
{
	struct blueprint reply;
	uint32_t service;
	enum fate fate;

	caller = receiver_of(thread, caller, &from);
	reply = caller_reply(caller, from.backend, caller_port(thread->callers, caller, from.port));
	reply.tcp_flags = flags;
	run(thread, POD, &reply);
	fate = fate_of(thread);
	service = service_left_as(thread, caller);
	if ((is_sent(fate) || fate == FATE_UNRESOLVED) && service < SERVICES)
		thread->replies[caller->kind - KINDS][service]++;
	judge_reply(thread, caller, &reply, from, fate);
}
