/*
 * test/fuzz/sp_mutate.c
 */
#include <float.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "sp_mutate.h"

extern size_t LLVMFuzzerMutate(uint8_t *data, size_t size, size_t max);

/* splitmix64 */
size_t
sp_mutate_below(SpMutation *mutation, size_t n)
{
	uint64_t	mixed = mutation->random += UINT64_C(0x9e3779b97f4a7c15);

	mixed = (mixed ^ mixed >> 30) * UINT64_C(0xbf58476d1ce4e5b9);
	mixed = (mixed ^ mixed >> 27) * UINT64_C(0x94d049bb133111eb);
	mixed ^= mixed >> 31;
	return n > 0 ? (size_t) (mixed % n) : 0;
}

bool
sp_mutate_replace(SpMutation *mutation, size_t start, size_t old_count, const void *bytes, size_t count)
{
	size_t		behind = start + old_count;
	uint8_t    *copy;

	if (mutation->size - old_count > mutation->max || count > mutation->max - (mutation->size - old_count))
		return false;
	copy = malloc(count + 1);
	if (count > 0)
		memcpy(copy, bytes, count);
	memmove(mutation->data + start + count, mutation->data + behind, mutation->size - behind);
	if (count > 0)
		memcpy(mutation->data + start, copy, count);
	mutation->size = mutation->size - old_count + count;
	free(copy);
	return true;
}

size_t
sp_mutate_bytes(SpMutation *mutation, size_t start, size_t count)
{
	size_t		room = 2 * count + 16;
	uint8_t    *copy = malloc(room);
	size_t		made;

	memcpy(copy, mutation->data + start, count);
	made = LLVMFuzzerMutate(copy, count, room);
	if (!sp_mutate_replace(mutation, start, count, copy, made))
		made = count;
	free(copy);
	return made;
}

const char *
sp_mutate_number_text(SpMutation *mutation)
{
	static const char *const texts[] = {
		"0", "-0", "1", "-1", "2", "3", "7", "8", "31", "32", "63", "64", "100", "127", "128", "255", "256", "1000",
		"32767", "32768", "65535", "65536", "1000000", "2147483646", "2147483647", "2147483648", "-2147483648",
		"-2147483649", "4294967295", "4294967296", "9007199254740993", "9223372036854775807", "9223372036854775808",
		"-9223372036854775808", "18446744073709551615", "1e18", "1e19", "1e20", "0.5", "-0.5", "0.1", "1e-45", "1e-38",
		"3.4028235e38", "3.4028236e38", "1e39", "-1e39", "5e-324", "1e-400", "1.7976931348623157e308", "1e309", "-1e309",
		"NaN", "Infinity", "-Infinity", "nan", "inf", "-inf", "0.99999999999999999", "00", "1e", "0x10", ""
	};

	return texts[sp_mutate_below(mutation, sizeof(texts) / sizeof(texts[0]))];
}

double
sp_mutate_number(SpMutation *mutation)
{
	static const double numbers[] = {
		0.0, -0.0, 1, -1, 0.5, 2, 3, 255, 65536, 2147483647, 2147483648, 4294967296, 9007199254740992, 1e19,
		FLT_MAX, -FLT_MAX, FLT_MIN, DBL_MAX, -DBL_MAX, DBL_MIN, 0x1p-149, 0x1p-1074, 1e39, NAN, INFINITY, -INFINITY
	};

	return numbers[sp_mutate_below(mutation, sizeof(numbers) / sizeof(numbers[0]))];
}

uint64_t
sp_mutate_integer(SpMutation *mutation)
{
	uint64_t	power = UINT64_C(1) << sp_mutate_below(mutation, 64);

	switch (sp_mutate_below(mutation, 5))
	{
		case 0:
			return sp_mutate_below(mutation, 32);
		case 1:
			return -(uint64_t) sp_mutate_below(mutation, 32);
		case 2:
			return power;
		case 3:
			return power - 1;
		default:
			return -power;
	}
}

size_t
sp_mutate(SpMutator mutator, uint8_t *data, size_t size, size_t max, unsigned int seed)
{
	SpMutation	mutation = {.data = data, .size = size, .max = max, .random = seed};
	size_t		times;

	if (size > max || sp_mutate_below(&mutation, 2) == 0)
		return LLVMFuzzerMutate(data, size, max);
	for (times = 1 + sp_mutate_below(&mutation, 4); times > 0; times--)
		mutator(&mutation);
	return mutation.size > 0 ? mutation.size : LLVMFuzzerMutate(data, size, max);
}
