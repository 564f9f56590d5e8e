/*
 * test/fuzz/sp_mutate.h
 *
 * Mutations that keep a file whole but for one field: random bytes rarely get
 * past a reader's first checks, a valid file with one wrong number does.
 */
#ifndef SP_MUTATE_H
#define SP_MUTATE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* A file of size bytes in a buffer of max bytes. */
typedef struct SpMutation
{
	uint8_t    *data;
	size_t		size;
	size_t		max;
	uint64_t	random;			/* state of the generator */
} SpMutation;

/* Changes one field; leaves a file as it is in which it finds none. */
typedef void (*SpMutator) (SpMutation *mutation);

extern void sp_mutate_json(SpMutation *mutation);
extern void sp_mutate_ubjson(SpMutation *mutation);
extern void sp_mutate_lightgbm(SpMutation *mutation);	/* lines of key=value, values apart by blanks */
extern void sp_mutate_onnx(SpMutation *mutation);		/* protocol buffers without a schema */
extern void sp_mutate_stored(SpMutation *mutation);		/* random bytes, size and checksum made right again */

/*
 * The body of LLVMFuzzerCustomMutator: half of the time by the mutator, once
 * to four times, half of the time as libFuzzer does by itself.
 */
extern size_t sp_mutate(SpMutator mutator, uint8_t *data, size_t size, size_t max, unsigned int seed);

/* For mutators: 0 .. n-1, and 0 for n = 0. */
extern size_t sp_mutate_below(SpMutation *mutation, size_t n);

/* Put count bytes, which may be of the file itself, in the place of old_count at start; false without room. */
extern bool sp_mutate_replace(SpMutation *mutation, size_t start, size_t old_count, const void *bytes, size_t count);

/* Let libFuzzer change count bytes at start, its dictionary at hand, to at most twice and 16; the new count. */
extern size_t sp_mutate_bytes(SpMutation *mutation, size_t start, size_t count);

/* A number at the edge of some type, as text and as bits. */
extern const char *sp_mutate_number_text(SpMutation *mutation);
extern double sp_mutate_number(SpMutation *mutation);
extern uint64_t sp_mutate_integer(SpMutation *mutation);

#endif
