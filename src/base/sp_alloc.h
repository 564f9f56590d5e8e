/*
 * src/base/sp_alloc.h
 *
 * The allocator that every pure function gets from its caller.
 *
 * Ownership: an allocator is a region.  Whoever made it releases everything
 * that was allocated through it at once (a memory context in the server, a
 * tracked list in tests), so pure code needs no clean-up paths on errors; it
 * calls sp_free only to give back large temporaries early.
 */
#ifndef SP_ALLOC_H
#define SP_ALLOC_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

typedef struct SpAllocator
{
	/* returns NULL when memory is short; never raises */
	void	   *(*alloc) (void *arg, size_t size);
	/* old may be NULL; on failure returns NULL and leaves old as it was */
	void	   *(*resize) (void *arg, void *old, size_t size);
	void		(*release) (void *arg, void *pointer);
	void	   *arg;
} SpAllocator;

/* Checked size arithmetic: false on overflow, *result untouched then. */
static inline bool
sp_add_size(size_t a, size_t b, size_t *result)
{
	return !__builtin_add_overflow(a, b, result);
}

static inline bool
sp_mul_size(size_t a, size_t b, size_t *result)
{
	return !__builtin_mul_overflow(a, b, result);
}

#endif
