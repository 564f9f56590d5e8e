/*
 * src/api/sp_api_predict_batch.c
 *
 * Every output for each row of a two-dimensional array, in blocks.
 */
#include "server/sp_compat.h"

#include <math.h>

#include "catalog/pg_type.h"
#include "fmgr.h"
#include "funcapi.h"
#include "miscadmin.h"
#include "utils/array.h"
#include "utils/builtins.h"
#include "utils/lsyscache.h"

#include "api/sp_call_count.h"
#include "api/sp_call_site.h"
#include "api/sp_drift.h"
#include "api/sp_features_internal.h"
#include "api/sp_result.h"

PG_FUNCTION_INFO_V1(smartpouch_predict_batch);

#define BLOCK_ROWS 128

static void
put_row(ReturnSetInfo *result, const SpCallSite *site, int ordinal, uint32 row)
{
	Datum		values[4] = {Int32GetDatum(ordinal)};
	bool		nulls[4] = {false, true, true, true};

	if (sp_call_site_has(site, SP_OUTPUT_VALUE) && sp_call_site_width(site, SP_OUTPUT_VALUE) == 1)
	{
		values[1] = Float8GetDatum(sp_eval_output_number(site->eval, SP_OUTPUT_VALUE, row, 0));
		nulls[1] = false;
	}
	if (sp_call_site_has(site, SP_OUTPUT_LABEL))
	{
		uint32		label = (uint32) sp_eval_output_number(site->eval, SP_OUTPUT_LABEL, row, 0);

		values[2] = PointerGetDatum(sp_text_from_utf8(sp_image_label(site->model->image, label)));
		nulls[2] = false;
		/* an outlier detector has a score of its own */
		if (nulls[1] && site->model->label_numbers)
		{
			values[1] = Float8GetDatum(site->model->label_numbers[label]);
			nulls[1] = false;
		}
	}
	if (sp_call_site_has(site, SP_OUTPUT_PROBABILITIES))
	{
		values[3] = sp_output_array(site->eval, SP_OUTPUT_PROBABILITIES, row);
		nulls[3] = false;
	}
	tuplestore_putvalues(result->setResult, result->setDesc, values, nulls);
}

static void
check_array(const SpCallSite *site, ArrayType *array, Oid element)
{
	if (!sp_is_number_type(element))
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
				 errmsg("features cannot be an array of type %s", format_type_be(ARR_ELEMTYPE(array))),
				 errhint("Pass a two-dimensional array of numbers, one row after the other.")));
	if (ARR_NDIM(array) != 2)
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
				 errmsg("features must be a two-dimensional array, this one has %d dimensions",
						ARR_NDIM(array)),
				 errhint("predict() takes one row as a one-dimensional array.")));
	if ((uint32) ARR_DIMS(array)[1] != site->binder.n_features)
		sp_refuse_length(&site->binder, ARR_DIMS(array)[1]);
}

static Datum
predict_batch(FunctionCallInfo fcinfo)
{
	SpCallSite *site = sp_call_site_own(fcinfo, BLOCK_ROWS);
	ReturnSetInfo *result = (ReturnSetInfo *) fcinfo->resultinfo;
	ArrayType  *array = PG_GETARG_ARRAYTYPE_P(1);
	Oid			element = getBaseType(ARR_ELEMTYPE(array));
	const char *next = ARR_DATA_PTR(array);
	MemoryContext block_mcx;
	MemoryContext old;
	uint32		wanted;
	int			rows;
	int			width;

	InitMaterializedSRF(fcinfo, 0);
	sp_call_site_use(site, PG_GETARG_TEXT_PP(0));
	sp_count_site(site);
	if (ARR_NDIM(array) == 0)
		return (Datum) 0;
	check_array(site, array, element);
	wanted = sp_image_outputs(site->model->image) & ~(1u << SP_OUTPUT_RAW);
	rows = ARR_DIMS(array)[0];
	width = ARR_DIMS(array)[1];
	sp_count_rows((uint64) rows);
	block_mcx = AllocSetContextCreate(CurrentMemoryContext, "smartpouch block", ALLOCSET_DEFAULT_SIZES);
	old = MemoryContextSwitchTo(block_mcx);
	for (int first = 0; first < rows; first += BLOCK_ROWS)
	{
		int			count = Min(rows - first, BLOCK_ROWS);
		bool		has_missing = false;

		CHECK_FOR_INTERRUPTS();
		for (int row = 0; row < count; row++)
		{
			site->binder.row_number = first + row + 1;
			next = sp_bind_elements(&site->binder, element, next, ARR_NULLBITMAP(array),
									(first + row) * width, width, (uint32) row, &has_missing);
		}
		sp_call_site_run(site, (uint32) count, wanted, has_missing);
		sp_drift_sample(site, (uint32) count, NULL);
		for (int row = 0; row < count; row++)
			put_row(result, site, first + row + 1, (uint32) row);
		MemoryContextReset(block_mcx);
	}
	MemoryContextSwitchTo(old);
	MemoryContextDelete(block_mcx);
	return (Datum) 0;
}

Datum
smartpouch_predict_batch(PG_FUNCTION_ARGS)
{
	return sp_counted_batch(fcinfo, predict_batch);
}
