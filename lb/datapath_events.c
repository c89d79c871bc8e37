/*
 * What packets hand to lbd, and frames that lbd sends through the datapath again.
 */
#include <bpf/bpf.h>
#include <bpf/libbpf.h>
#include <errno.h>
#include <linux/bpf.h>
#include <time.h>
#include "include/fragment.h"
#include "lb/datapath_internal.h"

/* What a call of datapath_take_events is for. */
struct taking {
	early_fragment_visitor visit;
	void *context;
	unsigned int left;
};

/*
 * Of another lbd's datapath, records may be of kinds that we do not know. A negative answer ends
 * the call; the record it is given to counts as read all the same.
 */
static int take_event(void *context, void *record, size_t size)
{
	const struct datapath *datapath = context;
	const struct early_fragment *early = record;
	struct taking *taking = datapath->taking;

	if (size >= sizeof(*early) && early->kind == EVENT_EARLY_FRAGMENT &&
	    early->length <= EVENT_FRAME_MAX)
		taking->visit(taking->context, early);
	return --taking->left ? 0 : -EAGAIN;
}

int datapath_open_events(struct datapath *datapath)
{
	const int map = bpf_map__fd(datapath->skeleton->maps.events);

	datapath->events = ring_buffer__new(map, take_event, datapath, NULL);
	return datapath->events ? ring_buffer__epoll_fd(datapath->events) : -errno;
}

void events_close(struct datapath *datapath)
{
	ring_buffer__free(datapath->events);
}

int datapath_take_events(struct datapath *datapath, unsigned int most, early_fragment_visitor visit,
			 void *context)
{
	struct taking taking = {.visit = visit, .context = context, .left = most};
	int error;

	datapath->taking = &taking;
	error = ring_buffer__consume(datapath->events);
	datapath->taking = NULL;
	return error < 0 && error != -EAGAIN ? error : 0;
}

bool datapath_has_first_fragment(struct datapath *datapath, const struct fragment_key *key)
{
	const int map = bpf_map__fd(datapath->skeleton->maps.fragments);
	struct fragment first;
	struct timespec now;

	if (bpf_map_lookup_elem(map, key, &first))
		return false;
	clock_gettime(CLOCK_MONOTONIC_COARSE, &now);
	return !fragment_is_over(&first, (__u16)now.tv_sec);
}

int datapath_send_again(struct datapath *datapath, uint32_t ifindex, const void *frame,
			uint32_t length)
{
	struct xdp_md ctx = {.data_end = length, .ingress_ifindex = ifindex};
	LIBBPF_OPTS(bpf_test_run_opts, options, .data_in = frame, .data_size_in = length,
		    .ctx_in = &ctx, .ctx_size_in = sizeof(ctx), .repeat = 1, .batch_size = 1,
		    .flags = BPF_F_TEST_XDP_LIVE_FRAMES);

	return bpf_prog_test_run_opts(bpf_program__fd(datapath->skeleton->progs.lb), &options);
}
