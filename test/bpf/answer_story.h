/*
 * What the tests of answers share: a packet that is refused, and what its sender gets for it.
 */
#pragma once

#include "test/bpf/answer_builder.h"
#include "test/bpf/scene.h"

/* What becomes of a packet of this kind for which there is nobody. */
enum verdict refusal_of(const struct kind *kind);

/* What is sent back for a frame, or a packet, that ends with `verdict`. */
void answer_frame(const struct refused_frame *refused, enum verdict verdict, struct frame *answer);
void answer_packet(const struct blueprint *packet, enum verdict verdict, struct frame *answer);

/* As expect does, of a packet that is answered with `verdict`. */
#define expect_answer(scene, ...) ((scene)->line = __LINE__, expect_answered((scene), __VA_ARGS__))
void expect_answered(struct scene *scene, enum interface in, const struct blueprint *packet,
		     enum verdict verdict);
#define expect_answer_to(scene, ...)                                                               \
	((scene)->line = __LINE__, expect_answered_frame((scene), __VA_ARGS__))
void expect_answered_frame(struct scene *scene, enum interface in,
			   const struct refused_frame *refused, enum verdict verdict);
/* Of a packet that is larger than its way out takes. */
#define expect_too_big(scene, ...)                                                                 \
	((scene)->line = __LINE__, expect_told_size((scene), __VA_ARGS__))
void expect_told_size(struct scene *scene, enum interface in, const struct blueprint *packet,
		      uint32_t mtu);
