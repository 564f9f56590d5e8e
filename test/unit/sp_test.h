/*
 * test/unit/sp_test.h
 *
 * A test program in one header: TAP output, a tracking allocator that can be
 * told to fail, and a context to pass to pure functions.
 */
#ifndef SP_TEST_H
#define SP_TEST_H

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/sp_status.h"

static int	sp_test_number = 0;
static int	sp_test_failures = 0;

/* Every block carries a header so that the whole region can be released. */
typedef struct SpTestBlock
{
	struct SpTestBlock *next;
	struct SpTestBlock *previous;
	size_t		size;
	size_t		padding;
} SpTestBlock;

typedef struct SpTestRegion
{
	SpTestBlock *blocks;
	size_t		bytes;			/* live now */
	size_t		peak;
	long		calls;
	long		fail_at;		/* this call (counted from 1) and all later ones fail; 0: never */
	size_t		budget;			/* bytes live at once, more fail; 0: no bound */
} SpTestRegion;

__attribute__((unused)) static void
sp_test_link(SpTestRegion *region, SpTestBlock *block)
{
	block->previous = NULL;
	block->next = region->blocks;
	if (region->blocks)
		region->blocks->previous = block;
	region->blocks = block;
	region->bytes += block->size;
	if (region->bytes > region->peak)
		region->peak = region->bytes;
}

__attribute__((unused)) static void
sp_test_unlink(SpTestRegion *region, SpTestBlock *block)
{
	if (block->previous)
		block->previous->next = block->next;
	else
		region->blocks = block->next;
	if (block->next)
		block->next->previous = block->previous;
	region->bytes -= block->size;
}

__attribute__((unused)) static void *
sp_test_resize(void *arg, void *old, size_t size)
{
	SpTestRegion *region = arg;
	SpTestBlock *block;

	region->calls++;
	if (region->fail_at > 0 && region->calls >= region->fail_at)
		return NULL;
	if (size > SIZE_MAX - sizeof(SpTestBlock))
		return NULL;
	if (region->budget > 0 && (size > region->budget || region->bytes > region->budget - size))
		return NULL;
	block = malloc(sizeof(SpTestBlock) + size);
	if (block == NULL)
		return NULL;
	block->size = size;
	/* both live for a moment, as in the server */
	sp_test_link(region, block);
	if (old)
	{
		SpTestBlock *old_block = (SpTestBlock *) old - 1;

		memcpy(block + 1, old, old_block->size < size ? old_block->size : size);
		sp_test_unlink(region, old_block);
		free(old_block);
	}
	return block + 1;
}

__attribute__((unused)) static void *
sp_test_alloc(void *arg, size_t size)
{
	return sp_test_resize(arg, NULL, size);
}

__attribute__((unused)) static void
sp_test_release(void *arg, void *pointer)
{
	if (pointer)
	{
		sp_test_unlink(arg, (SpTestBlock *) pointer - 1);
		free((SpTestBlock *) pointer - 1);
	}
}

__attribute__((unused)) static void
sp_test_release_all(SpTestRegion *region)
{
	while (region->blocks)
		sp_test_release(region, region->blocks + 1);
}

__attribute__((unused)) static void
sp_test_context(SpContext *cx, SpTestRegion *region)
{
	memset(cx, 0, sizeof(*cx));
	memset(region, 0, sizeof(*region));
	cx->alloc.alloc = sp_test_alloc;
	cx->alloc.resize = sp_test_resize;
	cx->alloc.release = sp_test_release;
	cx->alloc.arg = region;
	sp_limits_default(&cx->limits);
	cx->position = SP_NO_OFFSET;
	cx->error.offset = SP_NO_OFFSET;
}

__attribute__((unused, format(printf, 2, 3))) static bool
ok(bool pass, const char *fmt,...)
{
	va_list		args;

	sp_test_number++;
	sp_test_failures += !pass;
	printf("%sok %d - ", pass ? "" : "not ", sp_test_number);
	va_start(args, fmt);
	vprintf(fmt, args);
	va_end(args);
	printf("\n");
	fflush(stdout);
	return pass;
}

/* The status, and for an error a message that contains text (NULL: any). */
__attribute__((unused, format(printf, 5, 6))) static bool
fails_with(const SpContext *cx, SpStatus got, SpStatus expected, const char *text, const char *fmt,...)
{
	char		name[256];
	va_list		args;
	bool		pass = got == expected &&
		(text == NULL || strstr(cx->error.message, text) != NULL ||
		 strstr(cx->error.detail, text) != NULL || strstr(cx->error.hint, text) != NULL);

	va_start(args, fmt);
	vsnprintf(name, sizeof(name), fmt, args);
	va_end(args);
	ok(pass, "%s", name);
	if (!pass)
		printf("# status %d, expected %d; message \"%s\", detail \"%s\", hint \"%s\", offset %lld\n",
			   got, expected, cx->error.message, cx->error.detail, cx->error.hint,
			   (long long) cx->error.offset);
	return pass;
}

__attribute__((unused)) static int
done_testing(void)
{
	printf("1..%d\n", sp_test_number);
	return sp_test_failures > 0 || sp_test_number == 0;
}

#endif
