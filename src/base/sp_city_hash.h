/*
 * src/base/sp_city_hash.h
 *
 * CityHash64 in its first version, which CatBoost keeps for good (catboost
 * util/digest/city.cpp), and what CatBoost makes of it.
 */
#ifndef SP_CITY_HASH_H
#define SP_CITY_HASH_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

extern uint64_t sp_city_hash64(const void *bytes, size_t size);

/* The number that stands for a category in CatBoost: the low half (CalcCatFeatureHash). */
static inline uint32_t
sp_cat_hash(const void *bytes, size_t size)
{
	return (uint32_t) sp_city_hash64(bytes, size);
}

/* The decimal text of an integer of at most 64 bits; false for any other number. */
#define SP_DECIMAL_SIZE 24
extern bool sp_integer_text(double number, char text[SP_DECIMAL_SIZE]);

#endif
