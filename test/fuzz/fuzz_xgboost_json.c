/*
 * test/fuzz/fuzz_xgboost_json.c
 *
 * The importer of XGBoost's JSON.
 */
#include "sp_fuzz.h"

extern int	LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);
extern size_t LLVMFuzzerCustomMutator(uint8_t *data, size_t size, size_t max, unsigned int seed);

size_t
LLVMFuzzerCustomMutator(uint8_t *data, size_t size, size_t max, unsigned int seed)
{
	return sp_mutate(sp_mutate_json, data, size, max, seed);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	SpFuzz		fuzz;

	sp_fuzz_begin(&fuzz, size);
	sp_fuzz_import(&fuzz, SP_FORMAT_XGBOOST_JSON, data, size);
	sp_fuzz_end(&fuzz);
	return 0;
}
