/*
 * test/fuzz/fuzz_predict.c
 *
 * Any file that can be imported: stored, read back, packed, evaluated.
 */
#include "sp_fuzz.h"

extern int	LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);
extern size_t LLVMFuzzerCustomMutator(uint8_t *data, size_t size, size_t max, unsigned int seed);

static SpMutator
mutator_for(const uint8_t *data, size_t size)
{
	SpFuzz		fuzz;
	SpFormat	format;

	sp_fuzz_begin(&fuzz, size);
	if (sp_detect_format(&fuzz.cx, data, size, &format) != SP_OK)
		format = SP_FORMAT_ONNX;
	sp_fuzz_end(&fuzz);
	switch (format)
	{
		case SP_FORMAT_XGBOOST_UBJ:
			return sp_mutate_ubjson;
		case SP_FORMAT_LIGHTGBM:
			return sp_mutate_lightgbm;
		case SP_FORMAT_XGBOOST_JSON:
		case SP_FORMAT_CATBOOST_JSON:
			return sp_mutate_json;
		default:
			return sp_mutate_onnx;
	}
}

size_t
LLVMFuzzerCustomMutator(uint8_t *data, size_t size, size_t max, unsigned int seed)
{
	return sp_mutate(mutator_for(data, size), data, size, max, seed);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	SpFuzz		fuzz;
	SpModel    *model;

	sp_fuzz_begin(&fuzz, size);
	model = sp_fuzz_import(&fuzz, SP_FORMAT_UNKNOWN, data, size);
	if (model)
		sp_fuzz_predict(&fuzz, model);
	sp_fuzz_end(&fuzz);
	return 0;
}
