/*
 * src/base/sp_city_hash.c
 *
 * Names follow the description of CityHash 1.0 by Pike and Alakuijala (google/cityhash).
 */
#include <math.h>
#include <stdio.h>
#include <string.h>

#include "base/sp_city_hash.h"

#define K0 UINT64_C(0xc3a5c85c97cb3127)
#define K1 UINT64_C(0xb492b66fbe98f273)
#define K2 UINT64_C(0x9ae16a3b2f90404f)
#define K3 UINT64_C(0xc949d7c7509e6557)
#define K_MUL UINT64_C(0x9ddfea08eb382d69)

typedef struct Pair
{
	uint64_t	first;
	uint64_t	second;
} Pair;

/* Little-endian, whatever the machine. */
static uint64_t
fetch(const uint8_t *at, int bytes)
{
	uint64_t	word = 0;

	for (int byte = bytes; byte > 0; byte--)
		word = word << 8 | at[byte - 1];
	return word;
}

static uint64_t
rotate(uint64_t word, unsigned by)
{
	return by == 0 ? word : word >> by | word << (64 - by);
}

static uint64_t
shift_mix(uint64_t word)
{
	return word ^ word >> 47;
}

static uint64_t
hash_pair(uint64_t low, uint64_t high)
{
	uint64_t	a = shift_mix((low ^ high) * K_MUL);
	uint64_t	b = shift_mix((high ^ a) * K_MUL);

	return b * K_MUL;
}

static uint64_t
hash_to_16(const uint8_t *s, size_t size)
{
	if (size > 8)
	{
		uint64_t	end = fetch(s + size - 8, 8);

		return hash_pair(fetch(s, 8), rotate(end + size, (unsigned) size)) ^ end;
	}
	if (size >= 4)
		return hash_pair(size + (fetch(s, 4) << 3), fetch(s + size - 4, 4));
	if (size > 0)
	{
		uint32_t	y = s[0] + ((uint32_t) s[size >> 1] << 8);
		uint32_t	z = (uint32_t) size + ((uint32_t) s[size - 1] << 2);

		return shift_mix(y * K2 ^ z * K3) * K2;
	}
	return K2;
}

static uint64_t
hash_to_32(const uint8_t *s, size_t size)
{
	uint64_t	a = fetch(s, 8) * K1;
	uint64_t	b = fetch(s + 8, 8);
	uint64_t	c = fetch(s + size - 8, 8) * K2;
	uint64_t	d = fetch(s + size - 16, 8) * K0;

	return hash_pair(rotate(a - b, 43) + rotate(c, 30) + d, a + rotate(b ^ K3, 20) - c + size);
}

/* Half of a text of 33 to 64 bytes: four words, seeded with z and a. */
static Pair
hash_half(uint64_t a, uint64_t z, const uint8_t *words)
{
	uint64_t	b = rotate(a + z, 52);
	uint64_t	c = rotate(a, 37);

	a += fetch(words, 8);
	c += rotate(a, 7);
	a += fetch(words + 8, 8);
	return (Pair) {a + z, b + rotate(a, 31) + c};
}

static uint64_t
hash_to_64(const uint8_t *s, size_t size)
{
	Pair		v = hash_half(fetch(s, 8) + (size + fetch(s + size - 16, 8)) * K0, fetch(s + 24, 8), s + 8);
	Pair		w = hash_half(fetch(s + 16, 8) + fetch(s + size - 32, 8), fetch(s + size - 8, 8), s + size - 24);
	uint64_t	r = shift_mix((v.first + w.second) * K2 + (w.first + v.second) * K0);

	return shift_mix(r * K0 + v.second) * K2;
}

/* 32 bytes with the seeds a and b. */
static Pair
weak_hash(const uint8_t *s, uint64_t a, uint64_t b)
{
	uint64_t	c;

	a += fetch(s, 8);
	b = rotate(b + a + fetch(s + 24, 8), 21);
	c = a;
	a += fetch(s + 8, 8) + fetch(s + 16, 8);
	b += rotate(a, 44);
	return (Pair) {a + fetch(s + 24, 8), b + c};
}

static uint64_t
hash_long(const uint8_t *s, size_t size)
{
	uint64_t	x = fetch(s, 8);
	uint64_t	y = fetch(s + size - 16, 8) ^ K1;
	uint64_t	z = fetch(s + size - 56, 8) ^ K0;
	Pair		v = weak_hash(s + size - 64, size, y);
	Pair		w = weak_hash(s + size - 32, size * K1, K0);

	z += shift_mix(v.second) * K1;
	x = rotate(z + x, 39) * K1;
	y = rotate(y, 33) * K1;
	for (size_t left = (size - 1) / 64; left > 0; left--, s += 64)
	{
		uint64_t	swap;

		x = rotate(x + y + v.first + fetch(s + 16, 8), 37) * K1 ^ w.second;
		y = rotate(y + v.second + fetch(s + 48, 8), 42) * K1 ^ v.first;
		z = rotate(z ^ w.first, 33);
		v = weak_hash(s, v.second * K1, x + w.first);
		w = weak_hash(s + 32, z + w.second, y);
		swap = z;
		z = x;
		x = swap;
	}
	return hash_pair(hash_pair(v.first, w.first) + shift_mix(y) * K1 + z,
					 hash_pair(v.second, w.second) + x);
}

uint64_t
sp_city_hash64(const void *bytes, size_t size)
{
	if (size <= 16)
		return hash_to_16(bytes, size);
	if (size <= 32)
		return hash_to_32(bytes, size);
	return size <= 64 ? hash_to_64(bytes, size) : hash_long(bytes, size);
}

bool
sp_integer_text(double number, char text[SP_DECIMAL_SIZE])
{
	if (!(number >= -0x1p63 && number < 0x1p63) || number != trunc(number))
		return false;
	snprintf(text, SP_DECIMAL_SIZE, "%lld", (long long) number);
	return true;
}
