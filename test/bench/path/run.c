/*
 * Sends packets by BPF_PROG_TEST_RUN with live frames and tells what that cost. The generator's
 * batch, the node and the sink all run in softirqs of the same CPU before the next batch, in this
 * thread or in that CPU's ksoftirqd: their CPU time is what the packets cost.
 */
#include <dirent.h>
#include <errno.h>
#include <pthread.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <bpf/bpf.h>
#include <bpf/libbpf.h>

#include "test/bench/path/bench_path.h"
#include "test/bench/path/generator.skel.h"

#define LEAST_CPU_SHARE 0.4 /* below it softirqs are not booked on the thread */

/* CPU time: the wall clock has the waits for RCU in it that end each of these system calls. */
static double now_ns(void)
{
	struct timespec time;

	clock_gettime(CLOCK_THREAD_CPUTIME_ID, &time);
	return time.tv_sec * 1e9 + time.tv_nsec;
}

int pin_to_cpu(uint32_t cpu)
{
	cpu_set_t set;

	CPU_ZERO(&set);
	CPU_SET(cpu, &set);
	return sched_setaffinity(0, sizeof(set), &set) ? -errno : 0;
}

/* The process id of ksoftirqd/CPU, 0 where there is none. */
static int find_ksoftirqd(int cpu)
{
	char path[300], wanted[32], comm[32];
	struct dirent *entry;
	DIR *proc = opendir("/proc");
	int found = 0;

	snprintf(wanted, sizeof(wanted), "ksoftirqd/%d\n", cpu);
	while (proc && !found && (entry = readdir(proc))) {
		FILE *file;

		snprintf(path, sizeof(path), "/proc/%s/comm", entry->d_name);
		file = fopen(path, "r");
		if (!file)
			continue;
		if (fgets(comm, sizeof(comm), file) && !strcmp(comm, wanted))
			found = atoi(entry->d_name);
		fclose(file);
	}
	if (proc)
		closedir(proc);
	return found;
}

/* The time that the ksoftirqd of this thread's CPU has run, in ns. */
static double softirq_ns(void)
{
	static __thread int pid, pid_cpu = -1;
	const int cpu = sched_getcpu();
	unsigned long long spent = 0;
	char path[64];
	FILE *file;

	if (cpu != pid_cpu) {
		pid = find_ksoftirqd(cpu);
		pid_cpu = cpu;
	}
	snprintf(path, sizeof(path), "/proc/%d/schedstat", pid);
	file = fopen(path, "r");
	if (!file)
		return 0;
	if (fscanf(file, "%llu", &spent) != 1)
		spent = 0;
	fclose(file);
	return spent;
}

int run_packets(struct lane *lane, uint32_t generator, uint64_t packets, struct cost *cost)
{
	static const uint8_t frame[MAX_FRAME_BYTES];
	const uint64_t whole = (packets + lane->batch - 1) / lane->batch * lane->batch;
	LIBBPF_OPTS(bpf_test_run_opts, options, .data_in = frame,
		    .data_size_in = lane->generator[generator]->bss->settings.frame_bytes,
		    .repeat = whole, .flags = BPF_F_TEST_XDP_LIVE_FRAMES,
		    .batch_size = lane->batch);
	int error;

	if (setns(lane->client_ns, CLONE_NEWNET))
		return -errno;
	*cost = (struct cost){.packets = whole};
	cost->cpu_ns = -now_ns() - softirq_ns();
	error = bpf_prog_test_run_opts(bpf_program__fd(lane->generator[generator]->progs.generate),
				       &options);
	cost->cpu_ns += now_ns() + softirq_ns();
	cost->kernel_ns = (double)options.duration * whole;
	return error;
}

double cost_per_packet(const struct cost *cost)
{
	const bool fits = cost->cpu_ns > LEAST_CPU_SHARE * cost->kernel_ns;

	return (fits ? cost->cpu_ns : cost->kernel_ns) / cost->packets;
}

struct job {
	pthread_t thread;
	pthread_barrier_t *start;
	struct lane *lane;
	uint32_t number;
	uint64_t packets;
	struct cost *cost;
	int error;
};

static void *run_job(void *context)
{
	struct job *job = context;

	job->error = pin_to_cpu(job->number);
	pthread_barrier_wait(job->start);
	if (!job->error)
		job->error = run_packets(job->lane, job->number, job->packets, job->cost);
	return NULL;
}

int run_on_cpus(struct lane *lane, uint64_t packets, struct cost cost[MAX_CPUS])
{
	struct job jobs[MAX_CPUS];
	pthread_barrier_t start;
	int error = 0;

	pthread_barrier_init(&start, NULL, MAX_CPUS);
	for (uint32_t i = 0; i < MAX_CPUS; i++) {
		jobs[i] = (struct job){.start = &start,
				       .lane = lane,
				       .number = i,
				       .packets = packets,
				       .cost = &cost[i]};
		if (pthread_create(&jobs[i].thread, NULL, run_job, &jobs[i]))
			abort(); /* the barrier would wait for ever */
	}
	for (uint32_t i = 0; i < MAX_CPUS; i++) {
		pthread_join(jobs[i].thread, NULL);
		error = error ? error : jobs[i].error;
	}
	pthread_barrier_destroy(&start);
	return error;
}
