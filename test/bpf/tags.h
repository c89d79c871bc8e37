/*
 * VLAN tags as tests write them.
 */
#pragma once

#include "include/abi.h"

#define CUSTOMER 0x8100 /* 802.1Q */
#define PROVIDER 0x88a8 /* 802.1ad */

#define IN_NETWORK_ORDER(word) ((__be16)((word) << 8 | (word) >> 8))
#define TAG(of, control_word)                                                                      \
	{                                                                                          \
		.type = IN_NETWORK_ORDER(of), .control = IN_NETWORK_ORDER(control_word)            \
	}

#define NO_TAGS ((union tags){})
#define VLAN(number) ((union tags){.tag = {TAG(CUSTOMER, number)}})
#define VLAN_IN_VLAN(outer, inner)                                                                 \
	((union tags){.tag = {TAG(PROVIDER, outer), TAG(CUSTOMER, inner)}})
#define PRIORITY(class) ((class) << 13)
