/*
 * The programs that tail calls go on in.
 */
#include <bpf/bpf.h>
#include <bpf/libbpf.h>
#include <errno.h>
#include "test/interpreter/interpreter_internal.h"

static uint32_t id_of(const struct bpf_program *program)
{
	struct bpf_prog_info info = {};
	__u32 size = sizeof(info);

	return bpf_obj_get_info_by_fd(bpf_program__fd(program), &info, &size) ? 0 : info.id;
}

static struct code find(const struct bpf_object *object, uint32_t id)
{
	struct bpf_program *program;

	bpf_object__for_each_program(program, object) if (id_of(program) == id) return (
		struct code){bpf_program__insns(program), bpf_program__insn_cnt(program)};
	return (struct code){};
}

int interpreter_add_parts(struct interpreter *interpreter, const struct bpf_object *object,
			  int programs)
{
	uint32_t id;

	for (uint32_t index = 0; index < MAX_PARTS; index++) {
		if (bpf_map_lookup_elem(programs, &index, &id))
			continue; /* nothing there, or past the end */
		interpreter->parts[index] = find(object, id);
		if (!interpreter->parts[index].first)
			return -ENOENT;
	}
	return 0;
}
