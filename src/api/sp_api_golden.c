/*
 * src/api/sp_api_golden.c
 *
 * Rows with known answers, kept with a version.
 */
#include "server/sp_compat.h"

#include <math.h>

#include "fmgr.h"
#include "funcapi.h"
#include "miscadmin.h"
#include "utils/builtins.h"

#include "api/sp_arguments.h"
#include "api/sp_call_site.h"
#include "api/sp_golden.h"
#include "api/sp_model_ref.h"
#include "registry/sp_registry.h"
#include "server/sp_snapshot.h"

PG_FUNCTION_INFO_V1(smartpouch_add_golden);
PG_FUNCTION_INFO_V1(smartpouch_drop_golden);
PG_FUNCTION_INFO_V1(smartpouch_check_golden);

Datum
smartpouch_add_golden(PG_FUNCTION_ARGS)
{
	sp_require_arguments(fcinfo);

	SpCallSite *site = sp_call_site_own(fcinfo, 1);
	SpGoldenRow golden = {
		.features = PG_GETARG_JSONB_P(1),
		.expected = PG_GETARG_JSONB_P(2),
		.tolerance = PG_GETARG_FLOAT8(3)
	};
	char	   *mismatch;

	if (!isfinite(golden.tolerance) || golden.tolerance < 0)
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
				 errmsg("tolerance must be a number of 0 or more")));
	sp_call_site_use(site, PG_GETARG_TEXT_PP(0));
	mismatch = sp_golden_mismatch(&site->binder, golden.features, golden.expected, golden.tolerance);
	if (mismatch != NULL)
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
				 errmsg("the golden row does not match %s: %s", site->binder.subject, mismatch)));
	PG_RETURN_INT32(sp_registry_add_golden(&site->resolved.rows, &golden));
}

Datum
smartpouch_drop_golden(PG_FUNCTION_ARGS)
{
	sp_require_arguments(fcinfo);

	text	   *ref = PG_GETARG_TEXT_PP(0);
	SpResolved	resolved;

	sp_model_ref(ref, SP_MAY_OWN, &resolved);
	sp_registry_drop_golden(&resolved.rows, PG_GETARG_INT32(1));
	PG_RETURN_VOID();
}

Datum
smartpouch_check_golden(PG_FUNCTION_ARGS)
{
	SpCallSite *site = sp_call_site_own(fcinfo, 1);
	ReturnSetInfo *result = (ReturnSetInfo *) fcinfo->resultinfo;
	SpGoldenRow *golden;
	int			count;

	InitMaterializedSRF(fcinfo, 0);
	sp_call_site_use(site, PG_GETARG_TEXT_PP(0));
	golden = sp_registry_golden(&site->resolved.rows,
								sp_active_snapshot(), &count);
	for (int i = 0; i < count; i++)
	{
		char	   *mismatch;
		Datum		values[3];
		bool		nulls[3] = {false, false, false};

		CHECK_FOR_INTERRUPTS();
		site->binder.row_number = golden[i].seq;
		mismatch = sp_golden_mismatch(&site->binder, golden[i].features, golden[i].expected,
									  golden[i].tolerance);
		values[0] = Int32GetDatum(golden[i].seq);
		values[1] = BoolGetDatum(mismatch == NULL);
		values[2] = mismatch ? CStringGetTextDatum(mismatch) : (Datum) 0;
		nulls[2] = mismatch == NULL;
		tuplestore_putvalues(result->setResult, result->setDesc, values, nulls);
	}
	return (Datum) 0;
}
