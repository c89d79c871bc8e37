/*
 * Why a packet's walk ended. One name for each reason, the same in the datapath, in counters, on
 * the command line and in the documentation.
 */
#pragma once

/*
 * name, what lbctl says of it. PASS_: goes to the kernel's stack, DROP_: ends here, the rest is
 * sent by us. The order is the index in the map verdict_counters: append only.
 */
#define VERDICTS(_)                                                                                \
	_(CONTINUE, "continue", "not a verdict: the next step decides")                            \
	_(PASS_PROTOCOL, "pass-protocol", "not TCP or UDP over IPv4 or IPv6: the stack's")         \
	_(PASS_MALFORMED, "pass-malformed", "cut short or inconsistent: the stack judges it")      \
	_(PASS_FRAGMENT, "pass-fragment", "a fragment of nothing that is ours: the stack's")       \
	_(PASS_OTHER_HOST, "pass-other-host", "sent to another MAC address: not for this node")    \
	_(PASS_NO_SERVICE, "pass-no-service", "of no service and no known connection")             \
	_(PASS_HOP_LIMIT, "pass-hop-limit", "hop limit used up: the stack answers time exceeded")  \
	_(PASS_TOO_BIG, "pass-too-big", "larger than the MTU of its way out: not to be answered")  \
	_(PASS_UNRESOLVED, "pass-unresolved", "translated, next hop unknown: the stack forwards")  \
	_(PASS_BY_STACK, "pass-by-stack", "translated, its way out takes no such XDP frames")      \
	_(DROP_NO_BACKEND, "drop-no-backend", "the service has no backend to send it to")          \
	_(DROP_BACKEND_GONE, "drop-backend-gone", "of a connection whose backend is gone")         \
	_(DROP_COLLISION, "drop-collision", "no backend where its replies would be its own")       \
	_(DROP_TABLE, "drop-table", "the connection table refused the entry")                      \
	_(TX, "tx", "sent back out of the interface it came in by")                                \
	_(REDIRECT, "redirect", "sent out of another interface")                                   \
	_(DROP_MARTIAN, "drop-martian", "from an address that nobody sends from")                  \
	_(DROP_SOURCE_RANGE, "drop-source-range", "from outside of the service's source ranges")   \
	_(DROP_DENIED, "drop-denied", "from a source that is denied")                              \
	_(ANSWER_RESET, "answer-reset", "refused: its sender gets a TCP reset from us")            \
	_(ANSWER_UNREACHABLE, "answer-unreachable", "refused: its sender gets port unreachable")   \
	_(DROP_RATE_LIMITED, "drop-rate-limited", "no ICMP error about it: enough were sent")      \
	_(ANSWER_TOO_BIG, "answer-too-big", "larger than its way's MTU: its sender is told")       \
	_(DROP_FRAGMENT, "drop-fragment", "a fragment that hides its ports, or follows a drop")    \
	_(DROP_FRAGMENT_HELD, "drop-fragment-held", "came before its first: lbd runs it again")    \
	_(DROP_FRAGMENT_EARLY, "drop-fragment-early", "the same, but lbd had no room to hold it")  \
	_(ANSWER_ECHO, "answer-echo", "an echo request (ping) to a service's address: answered")   \
	_(DROP_NOT_SERVED, "drop-not-served", "for a service's address, not for a service of it")  \
	_(DROP_UNSERVED, "drop-unserved",                                                          \
	  "the service has no backend here: nobody is to hear of it")                              \
	_(PASS_TAKEOVER, "pass-takeover", "of a connection that netfilter may know: the stack's")  \
	_(DROP_MASQUERADE, "drop-masquerade",                                                      \
	  "no address or port of this node is free to send it from")

enum verdict {
#define VERDICT_MEMBER(name, text, meaning) VERDICT_##name,
	VERDICTS(VERDICT_MEMBER)
#undef VERDICT_MEMBER
		_VERDICT_COUNT,
};
