/*
 * src/import/sp_sort.h
 *
 * Sorting numbers of things by a key that the things have.
 */
#ifndef SP_SORT_H
#define SP_SORT_H

#include <stddef.h>
#include <stdint.h>

/*
 * Sort order[0 .. n-1] so that keys[order[i]] ascends, equal keys by their
 * number.  In place, without memory, n log n whatever the keys.
 */
extern void sp_sort_by_key(uint32_t *order, size_t n, const int64_t *keys);

/* Position of key in such an order, or n. */
extern size_t sp_find_by_key(const uint32_t *order, size_t n, const int64_t *keys, int64_t key);

#endif
