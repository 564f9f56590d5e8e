/*
 * src/import/sp_sort.c
 *
 * Heapsort.  The C library's qsort may allocate memory behind our back, and
 * the usual quicksorts have inputs that take them quadratic time.
 */
#include <stdbool.h>

#include "import/sp_sort.h"

static bool
sp_key_less(const int64_t *keys, uint32_t a, uint32_t b)
{
	return keys[a] < keys[b] || (keys[a] == keys[b] && a < b);
}

/* Move the element at top down until the heap order holds below it. */
static void
sp_sift_down(uint32_t *order, size_t top, size_t n, const int64_t *keys)
{
	uint32_t	moved = order[top];

	for (;;)
	{
		size_t		child = 2 * top + 1;

		if (child >= n)
			break;
		if (child + 1 < n && sp_key_less(keys, order[child], order[child + 1]))
			child++;
		if (!sp_key_less(keys, moved, order[child]))
			break;
		order[top] = order[child];
		top = child;
	}
	order[top] = moved;
}

void
sp_sort_by_key(uint32_t *order, size_t n, const int64_t *keys)
{
	size_t		i;

	for (i = 1; i < n; i++)
	{
		if (sp_key_less(keys, order[i], order[i - 1]))
			break;
	}
	if (i >= n)
		return;					/* files are nearly always in order */
	for (i = n / 2; i > 0; i--)
		sp_sift_down(order, i - 1, n, keys);
	for (i = n - 1; i > 0; i--)
	{
		uint32_t	largest = order[0];

		order[0] = order[i];
		order[i] = largest;
		sp_sift_down(order, 0, i, keys);
	}
}

size_t
sp_find_by_key(const uint32_t *order, size_t n, const int64_t *keys, int64_t key)
{
	size_t		low = 0;
	size_t		high = n;

	while (low < high)
	{
		size_t		middle = low + (high - low) / 2;

		if (keys[order[middle]] < key)
			low = middle + 1;
		else
			high = middle;
	}
	return low < n && keys[order[low]] == key ? low : n;
}
