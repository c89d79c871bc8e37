/*
 * Members of a ring with neighbouring addresses, and how many slots each of them got.
 */
#pragma once

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <arpa/inet.h>
#include <cmocka.h>
#include "lb/maglev.h"

#define MEMBERS_MAX 4096
#define FIRST_ADDRESS 0x0a010005u /* 10.1.0.5 */
#define UNTOUCHED 0xdeadbeefu

static struct ring_member members[MEMBERS_MAX];
static __u32 ring[RING_LENGTH_MAX + 1];
static __u32 other_ring[RING_LENGTH_MAX + 1];
static __u32 shares[MEMBERS_MAX];

/* `count` neighbouring addresses of one port and weight, as a deployment would have. */
static inline void given_members(size_t count, __u16 weight)
{
	for (size_t i = 0; i < count; i++) {
		members[i] = (struct ring_member){
			.address.word = {0, 0, htonl(0xffff), htonl(FIRST_ADDRESS + (__u32)i)},
			.port = htons(8080),
			.weight = weight,
			.backend = (__u32)i,
		};
	}
}

static inline void shuffle(size_t count)
{
	for (size_t i = count - 1; i > 0; i--) {
		size_t j = (size_t)rand() % (i + 1);
		struct ring_member member = members[i];

		members[i] = members[j];
		members[j] = member;
	}
}

static inline void count_shares(size_t count, __u32 length)
{
	memset(shares, 0, sizeof(shares));
	for (__u32 slot = 0; slot < length; slot++) {
		assert_true(ring[slot] < count);
		shares[ring[slot]]++;
	}
}
