/*
 * Loading: a program that the kernel refuses is named, and why it does.
 */
#include <linux/capability.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>
#include "lb/datapath_internal.h"
#include "test/bpf/scene.h"

static struct datapath_options chosen;

static void keep(struct datapath_options *options)
{
	chosen = *options;
}

static void bit_set(__u32 *words, unsigned int bit, bool wanted)
{
	words[bit / 32] = (words[bit / 32] & ~(1u << bit % 32)) | (__u32)wanted << bit % 32;
}

/* Without them, pointers are a secret (kernel/bpf/verifier.c, allow_ptr_leaks). */
static void let_the_verifier_trust_us(bool wanted)
{
	struct __user_cap_header_struct header = {.version = _LINUX_CAPABILITY_VERSION_3};
	struct __user_cap_data_struct sets[2] = {};
	__u32 effective[2];

	assert_int_equal(syscall(SYS_capget, &header, sets), 0);
	effective[0] = sets[0].effective;
	effective[1] = sets[1].effective;
	bit_set(effective, CAP_SYS_ADMIN, wanted);
	bit_set(effective, CAP_PERFMON, wanted);
	sets[0].effective = effective[0];
	sets[1].effective = effective[1];
	assert_int_equal(syscall(SYS_capset, &header, sets), 0);
}

static void a_program_that_is_refused_is_named(void **state)
{
	struct datapath *datapath = NULL;
	struct refusal refusal;
	bool adopted;
	int error;

	assert_int_equal(scene_open_changed(state, keep), 0);
	chosen.pin_path = "/sys/fs/bpf/lbt-refused";

	let_the_verifier_trust_us(false);
	error = datapath_open(&chosen, &datapath, &adopted, &refusal);
	let_the_verifier_trust_us(true);

	printf("# %s\n", refusal.text);
	assert_true(error < 0);
	assert_null(datapath);
	assert_non_null(strstr(refusal.text, "prog '"));
	assert_non_null(strstr(refusal.text, "pointer")); /* how it goes on depends on which */
	assert_int_equal(scene_close(state), 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_program_that_is_refused_is_named),
	};

	return cmocka_run_group_tests(tests, network_make, NULL);
}
