/*
 * test/fuzz/fuzz_stored.c
 *
 * The stored form, as a superuser may have edited it in the table.
 */
#include "sp_fuzz.h"

extern int	LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);
extern size_t LLVMFuzzerCustomMutator(uint8_t *data, size_t size, size_t max, unsigned int seed);

size_t
LLVMFuzzerCustomMutator(uint8_t *data, size_t size, size_t max, unsigned int seed)
{
	return sp_mutate(sp_mutate_stored, data, size, max, seed);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	SpFuzz		fuzz;
	SpModel    *model;

	sp_fuzz_begin(&fuzz, size);
	if (sp_fuzz_accepted(&fuzz, sp_model_read(&fuzz.cx, data, size, &model)))
		sp_fuzz_predict(&fuzz, model);
	sp_fuzz_end(&fuzz);
	return 0;
}
