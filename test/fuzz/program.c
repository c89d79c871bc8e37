/*
 * The programs of the datapath, natively: tables as lbd writes them and a few packets of any bytes.
 * Whatever comes, no byte is touched that is not the program's, each packet is counted once, and
 * what becomes of it is what its verdict says. Whether that is the right one is for the target
 * `datapath`.
 */
#include "test/fuzz/program.h"
#include "test/fuzz/fuzz.h"

#define MAX_STEPS 64

enum step {
	STEP_PACKET,
	STEP_PACKET_AGAIN, /* the last one as it came back, from where it went */
	STEP_PACKET_BRIDGED,
	STEP_TIME,
	STEP_TABLES,
	_STEP_COUNT,
};

static void pass_time(struct input *input)
{
	static const uint32_t JIFFIES[] = {1, 250, 2600, 30 * 250 + 1, 121 * 250, 21601 * 250};
	const uint8_t choice = take(input);

	native_kernel.jiffies += JIFFIES[choice % (sizeof(JIFFIES) / sizeof(*JIFFIES))];
}

/* What has come back comes in again. */
static void play_again(struct input *input, struct native_packet *packet)
{
	packet->ifindex = take(input) & 1 ? UPLINK_IFINDEX : POD_IFINDEX;
	if (packet->headroom > NATIVE_HEADROOM)
		packet->headroom = NATIVE_HEADROOM;
	packet_play(native_lb, packet);
}

static void play_step(struct input *input, struct native_packet *packet)
{
	switch ((enum step)(take(input) % _STEP_COUNT)) {
	case STEP_PACKET:
		packet_make(input, packet);
		packet_play(native_lb, packet);
		break;
	case STEP_PACKET_AGAIN:
		play_again(input, packet);
		break;
	case STEP_PACKET_BRIDGED:
		packet_make(input, packet);
		packet_play(native_cross, packet);
		break;
	case STEP_TIME:
		pass_time(input);
		break;
	case STEP_TABLES:
		tables_change(input);
		break;
	case _STEP_COUNT:
		break;
	}
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static struct native_packet packet;
	struct input input = {data, data + size};

	native_kernel = (struct native_kernel){.jiffies = UINT32_MAX - 1000};
	packet.length = 0;
	tables_fill(&input);
	for (int i = 0; i < MAX_STEPS && input.at < input.end; i++)
		play_step(&input, &packet);
	native_clear();
	return 0;
}
