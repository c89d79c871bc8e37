/*
 * The audit of what is pinned and attached, where the kernel does not do what it is asked: brings
 * its own bpf_obj_get, bpf_obj_pin and bpf_link_update, to fail in them.
 */
#include <bpf/bpf.h>
#include <bpf/libbpf.h>
#include <dlfcn.h>
#include <errno.h>
#include <stdio.h>
#include <sys/stat.h>
#include <unistd.h>
#include "lb/datapath_audit.h"
#include "test/bpf/kept.h"
#include "test/bpf/scene.h"

static int get_error, pin_error, update_error; /* errno; 0: they work */

static int fail_with(int error)
{
	errno = error;
	return -error;
}

int bpf_obj_get(const char *path)
{
	int (*real)(const char *path);

	*(void **)&real = dlsym(RTLD_NEXT, "bpf_obj_get");
	return get_error ? fail_with(get_error) : real(path);
}

int bpf_obj_pin(int fd, const char *path)
{
	int (*real)(int fd, const char *path);

	*(void **)&real = dlsym(RTLD_NEXT, "bpf_obj_pin");
	return pin_error ? fail_with(pin_error) : real(fd, path);
}

int bpf_link_update(int link, int program, const struct bpf_link_update_opts *options)
{
	int (*real)(int link, int program, const struct bpf_link_update_opts *options);

	*(void **)&real = dlsym(RTLD_NEXT, "bpf_link_update");
	return update_error ? fail_with(update_error) : real(link, program, options);
}

static int open_pinned(void **state)
{
	get_error = pin_error = update_error = 0;
	kept_datapath_forget();
	return scene_open(state);
}

static void path_of(const struct scene *scene, const char *map, char path[PIN_PATH_MAX])
{
	assert_int_equal(datapath_pin_path(scene->datapath, "map", map, path), 0);
}

static ino_t inode_of(const struct scene *scene, const char *map)
{
	char path[PIN_PATH_MAX];
	struct stat status;

	path_of(scene, map, path);
	return stat(path, &status) ? 0 : status.st_ino;
}

static struct repairs audit_pins(struct scene *scene)
{
	struct repairs repairs = {};

	datapath_audit_pins(scene->datapath, &repairs);
	return repairs;
}

static void a_pin_that_cannot_be_looked_at_stays(void **state)
{
	static const int ERRORS[] = {EMFILE, ENFILE, ENOMEM, EPERM};
	struct scene *scene = *state;
	const ino_t before = inode_of(scene, "connections");
	struct repairs repairs;

	for (size_t row = 0; row < sizeof(ERRORS) / sizeof(ERRORS[0]); row++) {
		get_error = ERRORS[row];
		repairs = audit_pins(scene);
		get_error = 0;
		assert_int_equal(repairs.done[REPAIR_PINS], 0);
		assert_true(repairs.failed[REPAIR_PINS] > 20);
		assert_int_equal(inode_of(scene, "connections"), before);
	}
	repairs = audit_pins(scene);
	assert_int_equal(repairs.done[REPAIR_PINS] + repairs.failed[REPAIR_PINS], 0);
}

/* lbd may end in between. */
static void what_takes_the_place_of_a_pin_gives_way_at_once(void **state)
{
	struct scene *scene = *state;
	char path[PIN_PATH_MAX];
	ino_t other;

	path_of(scene, "connections", path);
	assert_int_equal(unlink(path), 0);
	assert_int_equal(bpf_obj_pin(bpf_map__fd(scene->datapath->skeleton->maps.rings), path), 0);
	other = inode_of(scene, "connections");
	pin_error = ENOSPC;
	assert_int_equal(audit_pins(scene).failed[REPAIR_PINS], 1);
	pin_error = 0;
	assert_int_equal(inode_of(scene, "connections"), other);

	assert_int_equal(audit_pins(scene).done[REPAIR_PINS], 1);
	assert_true(inode_of(scene, "connections") != other);
	assert_int_equal(audit_pins(scene).done[REPAIR_PINS], 0);
}

/* Of an lbd that ended while it was at it. */
static void what_an_audit_has_left_is_removed(void **state)
{
	const struct scene *scene = *state;
	char path[PIN_PATH_MAX];

	path_of(scene, "audit", path);
	assert_int_equal(bpf_obj_pin(bpf_map__fd(scene->datapath->skeleton->maps.rings), path), 0);
	audit_pins(*state);
	assert_int_equal(inode_of(scene, "audit"), 0);
}

/* With the device go its ways, before netlink tells. */
static void the_port_of_a_device_that_is_gone_is_no_fault(void **state)
{
	const uint32_t index = (uint32_t)UPLINK;
	const struct port gone = {.ifindex = 0x7ffffff0};
	struct scene *scene = *state;
	struct port port, other;

	datapath_get_port(scene->datapath, index, &port);
	assert_int_equal(port.ifindex, network_ifindex(UPLINK));
	assert_int_equal(datapath_audit_port(scene->datapath, index, &gone), 0);

	other = port;
	other.mtu++;
	assert_int_equal(datapath_audit_port(scene->datapath, index, &port), 0);
	assert_int_equal(datapath_audit_port(scene->datapath, index, &other), 1);
	assert_int_equal(datapath_audit_port(scene->datapath, index, &other), 0);
}

static bool is_ours(struct scene *scene)
{
	return datapath_is_attached(scene->datapath, "uplink", network_ifindex(UPLINK)) == 1;
}

static int attach(struct scene *scene, enum datapath_mode *mode)
{
	struct refusal refusal;

	return datapath_attach(scene->datapath, "uplink", network_ifindex(UPLINK), MODE_AUTO, mode,
			       &refusal);
}

static void a_link_that_cannot_be_taken_over_runs_on(void **state)
{
	struct scene *scene = *state;
	enum datapath_mode mode = MODE_AUTO;

	assert_int_equal(attach(scene, &mode), 0);
	assert_int_equal(mode, MODE_NATIVE);
	assert_true(is_ours(scene));

	update_error = ENOMEM;
	assert_int_equal(attach(scene, &mode), -ENOMEM);
	update_error = 0;
	assert_true(is_ours(scene));
	assert_true(datapath_may_run(scene->datapath, network_ifindex(UPLINK)));

	get_error = EMFILE;
	assert_int_equal(attach(scene, &mode), -EMFILE);
	assert_int_equal(datapath_is_attached(scene->datapath, "uplink", network_ifindex(UPLINK)),
			 -EMFILE);
	get_error = 0;
	assert_true(is_ours(scene));

	assert_int_equal(mode, MODE_NATIVE);
	assert_int_equal(attach(scene, &mode), 0);
	assert_int_equal(datapath_detach(scene->datapath, "uplink"), 0);
	assert_false(is_ours(scene));
	assert_false(datapath_may_run(scene->datapath, network_ifindex(UPLINK)));
}

/* A driver that does not take the program in place of the other one. */
static void a_link_that_is_refused_for_good_is_made_anew(void **state)
{
	struct scene *scene = *state;
	enum datapath_mode mode = MODE_AUTO;

	assert_int_equal(attach(scene, &mode), 0);
	update_error = EOPNOTSUPP;
	assert_int_equal(attach(scene, &mode), 0);
	update_error = 0;
	assert_true(is_ours(scene));
	assert_int_equal(datapath_detach(scene->datapath, "uplink"), 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(a_pin_that_cannot_be_looked_at_stays, open_pinned,
						scene_close),
		cmocka_unit_test_setup_teardown(what_takes_the_place_of_a_pin_gives_way_at_once,
						open_pinned, scene_close),
		cmocka_unit_test_setup_teardown(what_an_audit_has_left_is_removed, open_pinned,
						scene_close),
		cmocka_unit_test_setup_teardown(the_port_of_a_device_that_is_gone_is_no_fault,
						open_pinned, scene_close),
		cmocka_unit_test_setup_teardown(a_link_that_cannot_be_taken_over_runs_on,
						open_pinned, scene_close),
		cmocka_unit_test_setup_teardown(a_link_that_is_refused_for_good_is_made_anew,
						open_pinned, scene_close),
	};

	return cmocka_run_group_tests(tests, network_make, NULL);
}
