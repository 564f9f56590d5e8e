/*
 * src/ir/sp_checksum.c
 *
 * Words go in turn to four independent lanes, so that the multiplications
 * overlap.  One step of a lane (exclusive or, rotation, multiplication by an
 * odd number) can be undone, hence two inputs that differ in one word only
 * leave different lanes, and folding the lanes keeps them apart.
 */
#include <string.h>

#include "ir/sp_checksum.h"

#define N_LANES 4
#define MULTIPLIER UINT64_C(0x9e3779b97f4a7c15)

static uint64_t
mix(uint64_t lane, uint64_t word)
{
	lane ^= word;
	lane = lane << 29 | lane >> 35;
	return lane * MULTIPLIER;
}

/* Up to 8 bytes as a little-endian number, missing ones are zero. */
static uint64_t
load_word(const uint8_t *bytes, size_t size)
{
	uint64_t	word = 0;

	memcpy(&word, bytes, size);
#if __BYTE_ORDER__ == __ORDER_BIG_ENDIAN__
	word = __builtin_bswap64(word);
#endif
	return word;
}

uint64_t
sp_checksum(const void *data, size_t size)
{
	const uint8_t *bytes = data;
	uint64_t	lanes[N_LANES] = {1, 2, 3, 4};
	uint64_t	sum;
	size_t		at = 0;
	int			lane = 0;

	for (; size - at >= 8 * N_LANES; at += 8 * N_LANES)
	{
		lanes[0] = mix(lanes[0], load_word(bytes + at, 8));
		lanes[1] = mix(lanes[1], load_word(bytes + at + 8, 8));
		lanes[2] = mix(lanes[2], load_word(bytes + at + 16, 8));
		lanes[3] = mix(lanes[3], load_word(bytes + at + 24, 8));
	}
	for (; at < size; at += 8)
	{
		lanes[lane] = mix(lanes[lane], load_word(bytes + at, size - at < 8 ? size - at : 8));
		lane++;
	}
	sum = mix(0, size);
	for (lane = 0; lane < N_LANES; lane++)
		sum = mix(sum, lanes[lane]);
	return sum ^ sum >> 32;
}
