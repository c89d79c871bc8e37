/*
 * Reads and writes the tables. Arrays are mapped memory: what a packet may look at meanwhile is
 * written in aligned words, the word that makes the rest count last.
 */
#include <bpf/bpf.h>
#include <bpf/libbpf.h>
#include <errno.h>
#include <linux/membarrier.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>
#include "lb/datapath_audit.h"
#include "lb/datapath_internal.h"

#define RING_WINDOW_BYTES (64u << 10) /* 256 of the shortest rings; mapping it takes 1 µs */
#define SETTLE_FALLBACK_NS 100000000  /* far more than a packet's walk takes */

/* Each word is one store; a release order keeps them in this one. Sizes are multiples of eight. */
static void store_words(void *to, const void *from, size_t size)
{
	uint64_t *target = to;
	uint64_t word;

	for (size_t i = 0; i < size / sizeof(word); i++) {
		memcpy(&word, (const char *)from + i * sizeof(word), sizeof(word));
		__atomic_store_n(&target[i], word, __ATOMIC_RELEASE);
	}
}

static void *element(const struct mapping *mapping, uint32_t index, size_t size)
{
	return (char *)mapping->memory + (size_t)index * size;
}

uint32_t datapath_capacity_services(const struct datapath *datapath)
{
	return bpf_map__max_entries(datapath->skeleton->maps.service_counters);
}

uint32_t datapath_capacity_backends(const struct datapath *datapath)
{
	return bpf_map__max_entries(datapath->skeleton->maps.backends);
}

uint32_t datapath_capacity_rings(const struct datapath *datapath)
{
	return bpf_map__max_entries(datapath->skeleton->maps.rings) * RING_ROW_SLOTS;
}

uint32_t datapath_capacity_ports(const struct datapath *datapath)
{
	return bpf_map__max_entries(datapath->skeleton->maps.ports);
}

uint32_t datapath_capacity_connections(const struct datapath *datapath)
{
	return datapath->max_connections;
}

/* What an index still says of a backend that is gone counts too: its late replies are known by it.
 */
void datapath_set_backend(struct datapath *datapath, uint32_t index,
			  const struct backend_record *record)
{
	struct backend_record old;

	datapath_get_backend(datapath, index, &old);
	if (record->handle)
		filters_add_backend(datapath, record);
	ends_add(datapath, index, record);
	store_words(element(&datapath->backends, index, sizeof(*record)), record, sizeof(*record));
	ends_remove(datapath, index, &old);
	if (old.handle)
		filters_remove_backend(datapath, &old);
}

void datapath_restore_backend(struct datapath *datapath, uint32_t index,
			      const struct backend_record *record)
{
	store_words(element(&datapath->backends, index, sizeof(*record)), record, sizeof(*record));
}

void datapath_get_backend(const struct datapath *datapath, uint32_t index,
			  struct backend_record *record)
{
	memcpy(record, element(&datapath->backends, index, sizeof(*record)), sizeof(*record));
}

static bool window_holds(const struct datapath *datapath, uint32_t offset, uint32_t length)
{
	const uint64_t from = (uint64_t)datapath->rings_first;

	return offset >= from &&
	       (uint64_t)offset + length <= from + datapath->rings.size / sizeof(uint32_t);
}

/*
 * Rings are by far the largest table and seldom written, and what is mapped counts as resident: so
 * only a window is, from this ring on, which the next new services' rings fall into as well.
 */
static int move_window(struct datapath *datapath, uint32_t offset, uint32_t length)
{
	const size_t page = (size_t)sysconf(_SC_PAGESIZE);
	const size_t table = (size_t)datapath_capacity_rings(datapath) * sizeof(uint32_t);
	const size_t from = (size_t)offset * sizeof(uint32_t) / page * page;
	size_t until = ((size_t)offset + length) * sizeof(uint32_t);
	struct mapping *window = &datapath->rings;
	void *memory;

	if (until < from + RING_WINDOW_BYTES)
		until = from + RING_WINDOW_BYTES < table ? from + RING_WINDOW_BYTES : table;
	memory = mmap(NULL, until - from, PROT_READ | PROT_WRITE, MAP_SHARED,
		      bpf_map__fd(datapath->skeleton->maps.rings), (off_t)from);
	if (memory == MAP_FAILED)
		return -errno;
	if (window->memory)
		munmap(window->memory, window->size);
	*window = (struct mapping){.memory = memory, .size = until - from};
	datapath->rings_first = (uint32_t)(from / sizeof(uint32_t));
	return 0;
}

const uint32_t *datapath_view_ring(struct datapath *datapath, uint32_t offset, uint32_t length)
{
	if (!window_holds(datapath, offset, length) && move_window(datapath, offset, length))
		return NULL;
	return element(&datapath->rings, offset - datapath->rings_first, sizeof(uint32_t));
}

/* Slot by slot: a ring that is in use is rewritten in place, and each slot is the old or the new.
 */
int datapath_set_ring(struct datapath *datapath, uint32_t offset, const uint32_t *slots,
		      uint32_t length)
{
	uint32_t *target;
	int error = 0;

	if (!window_holds(datapath, offset, length))
		error = move_window(datapath, offset, length);
	if (error)
		return error;
	target = element(&datapath->rings, offset - datapath->rings_first, sizeof(*slots));
	for (uint32_t i = 0; i < length; i++)
		__atomic_store_n(&target[i], slots[i], __ATOMIC_RELEASE);
	return 0;
}

void datapath_set_nexthop(struct datapath *datapath, uint32_t index, const struct nexthop *hop)
{
	store_words(element(&datapath->nexthops, index, sizeof(*hop)), hop, sizeof(*hop));
}

void datapath_get_nexthop(const struct datapath *datapath, uint32_t index, struct nexthop *hop)
{
	memcpy(hop, element(&datapath->nexthops, index, sizeof(*hop)), sizeof(*hop));
}

/* The way in of an interface and its place among those to transmit by: of a VLAN, its parent's. */
static void forget_way(struct datapath *datapath, uint32_t index, const struct port *port)
{
	int ways = bpf_map__fd(datapath->skeleton->maps.ingresses);
	int transmit = bpf_map__fd(datapath->skeleton->maps.transmit);
	struct ingress way;

	/* Only while the way in is still this port's: the interface may have another one by now. */
	if (!port->ifindex || (port->flags & PORT_TAGGED) ||
	    bpf_map_lookup_elem(ways, &port->ifindex, &way) || way.port != index)
		return;
	bpf_map_delete_elem(ways, &port->ifindex);
	bpf_map_delete_elem(transmit, &port->ifindex);
}

/*
 * The ifindex comes last, so a port counts only once all else is there. While one that is there
 * becomes that of another interface, the stack has its packets.
 */
int datapath_set_port(struct datapath *datapath, uint32_t index, const struct port *port)
{
	struct port *element_port = element(&datapath->ports, index, sizeof(*port));
	int ways = bpf_map__fd(datapath->skeleton->maps.ingresses);
	int transmit = bpf_map__fd(datapath->skeleton->maps.transmit);
	const bool has_way = port->ifindex && !(port->flags & PORT_TAGGED);
	struct ingress ingress = {.port = index};
	struct port old, fresh = *port;

	datapath_get_port(datapath, index, &old);
	if (old.ifindex != port->ifindex)
		forget_way(datapath, index, &old);
	if (has_way && bpf_map_update_elem(transmit, &port->ifindex, &port->ifindex, BPF_ANY))
		return -errno;
	if (old.ifindex != port->ifindex || old.tags.word != port->tags.word)
		fresh.flags |= PORT_BY_STACK;
	store_words(element_port, &fresh, sizeof(fresh));
	__atomic_store_n(&element_port->flags, port->flags, __ATOMIC_RELEASE);
	if (has_way && bpf_map_update_elem(ways, &port->ifindex, &ingress, BPF_ANY))
		return -errno;
	return 0;
}

void datapath_get_port(const struct datapath *datapath, uint32_t index, struct port *port)
{
	memcpy(port, element(&datapath->ports, index, sizeof(*port)), sizeof(*port));
}

/*
 * MEMBARRIER_CMD_GLOBAL waits for an RCU grace period (kernel/sched/membarrier.c), and XDP programs
 * run inside RCU read-side sections. Kernels with nohz_full refuse it; there, time must do.
 */
void datapath_settle(struct datapath *datapath)
{
	const struct timespec wait = {.tv_nsec = SETTLE_FALLBACK_NS};

	(void)datapath;
	if (syscall(SYS_membarrier, MEMBARRIER_CMD_GLOBAL, 0, 0))
		nanosleep(&wait, NULL);
}

void datapath_mend(struct datapath *datapath)
{
	ends_mend(datapath);
	addresses_mend(datapath);
	sources_mend(datapath);
}
