/*
 * test/fuzz/sp_fuzz.h
 *
 * What all fuzz targets share.  A finding is a sanitizer's report or an abort
 * with a line that says which promise was broken.
 */
#ifndef SP_FUZZ_H
#define SP_FUZZ_H

#include "import/sp_import.h"
#include "sp_mutate.h"
#include "sp_test.h"

typedef struct SpFuzz
{
	SpContext	cx;
	SpTestRegion region;
	size_t		size;			/* of the input */
} SpFuzz;

/*
 * A context with limits that keep one execution short, and memory of
 * SP_FUZZ_MEMORY plus SP_FUZZ_MULTIPLE times the size: more is a finding.
 */
#define SP_FUZZ_MEMORY (UINT64_C(64) << 20)
#define SP_FUZZ_MULTIPLE 64

extern void sp_fuzz_begin(SpFuzz *fuzz, size_t size);
extern void sp_fuzz_end(SpFuzz *fuzz);

__attribute__((noreturn, format(printf, 1, 2)))
extern void sp_fuzz_finding(const char *fmt,...);

/*
 * SP_OK, or an error that can be shown to a user: of the kind that a file can
 * cause, with a text, in the file if it has a place.  Anything else is a finding.
 */
extern bool sp_fuzz_accepted(SpFuzz *fuzz, SpStatus status);

/* Import bytes (of one format or any) with options that follow from them; NULL if they are refused. */
extern SpModel *sp_fuzz_import(SpFuzz *fuzz, SpFormat format, const uint8_t *bytes, size_t size);

/*
 * The stored form of the model reads back to the same bytes and the same
 * image; single rows and blocks give the same bits on that, whatever is asked
 * for at once; labels are in range; a damaged image is told.
 */
extern void sp_fuzz_predict(SpFuzz *fuzz, const SpModel *model);

#endif
