/*
 * Chance: see chance.h. SplitMix64 (Steele, Lea, Flood 2014).
 */
#include "test/bpf/chance.h"

#include <stdlib.h>
#include <string.h>
#include <sys/random.h>

#define USUAL_SEED 20240607u

uint32_t chance_setting(const char *variable, uint32_t otherwise)
{
	const char *text = getenv(variable);

	return text ? (uint32_t)strtoul(text, NULL, 0) : otherwise;
}

uint64_t chance_seed(void)
{
	return chance_setting("LBT_SEED", USUAL_SEED);
}

struct chance chance_of(uint64_t stream)
{
	struct chance chance = {.state = chance_seed() << 32 ^ stream};

	chance.state = chance_word(&chance);
	return chance;
}

uint64_t chance_word(struct chance *chance)
{
	uint64_t word = chance->state += 0x9E3779B97F4A7C15ull;

	word = (word ^ word >> 30) * 0xBF58476D1CE4E5B9ull;
	word = (word ^ word >> 27) * 0x94D049BB133111EBull;
	return word ^ word >> 31;
}

uint32_t chance_below(struct chance *chance, uint32_t count)
{
	return (uint32_t)((chance_word(chance) >> 32) * count >> 32);
}

bool chance_percent(struct chance *chance, uint32_t percent)
{
	return chance_below(chance, 100) < percent;
}

/* What the datapath asks for the seed of its hash: the C library's is not linked in. */
ssize_t getrandom(void *buffer, size_t length, unsigned int flags)
{
	struct chance chance = chance_of(~0ull);
	const uint64_t word = chance_word(&chance);

	(void)flags;
	memset(buffer, 0, length);
	memcpy(buffer, &word, length < sizeof(word) ? length : sizeof(word));
	return (ssize_t)length;
}
