/*
 * src/api/sp_api_predict_json.c
 *
 * All outputs of one row as jsonb.
 */
#include "server/sp_compat.h"

#include "catalog/pg_type.h"
#include "fmgr.h"
#include "utils/builtins.h"

#include "api/sp_call_count.h"
#include "api/sp_call_site.h"
#include "api/sp_predict_json.h"
#include "api/sp_result.h"
#include "api/sp_routing.h"
#include "api/sp_shadow.h"

PG_FUNCTION_INFO_V1(smartpouch_predict_json);
PG_FUNCTION_INFO_V1(smartpouch_predict_json_for);

static void
push_label(JsonbParseState **state, const SpCallSite *site)
{
	uint32		label = (uint32) sp_eval_output_number(site->eval, SP_OUTPUT_LABEL, 0, 0);

	sp_json_key(state, "label");
	if (site->model->image->label_type == SP_TYPE_I64)
		sp_json_numeric(state, WJB_VALUE, sp_image_label(site->model->image, label));
	else
		sp_json_string(state, WJB_VALUE, sp_image_label(site->model->image, label));
}

static void
push_probabilities(JsonbParseState **state, const SpCallSite *site)
{
	const SpImage *image = site->model->image;

	sp_json_key(state, "probabilities");
	(void) pushJsonbValue(state, WJB_BEGIN_OBJECT, NULL);
	for (uint32 i = 0; i < image->n_labels; i++)
	{
		sp_json_key(state, sp_image_label(image, i));
		sp_json_number(state, WJB_VALUE,
					   sp_eval_output_number(site->eval, SP_OUTPUT_PROBABILITIES, 0, i));
	}
	(void) pushJsonbValue(state, WJB_END_OBJECT, NULL);
}

static void
push_vector(JsonbParseState **state, const SpCallSite *site, SpOutput output)
{
	sp_json_key(state, sp_output_name(output));
	(void) pushJsonbValue(state, WJB_BEGIN_ARRAY, NULL);
	for (uint32 i = 0; i < sp_call_site_width(site, output); i++)
		sp_json_number(state, WJB_ELEM, sp_eval_output_number(site->eval, output, 0, i));
	(void) pushJsonbValue(state, WJB_END_ARRAY, NULL);
}

/* One value is a number, several are an array. */
static void
push_value(JsonbParseState **state, const SpCallSite *site)
{
	if (sp_call_site_width(site, SP_OUTPUT_VALUE) != 1)
	{
		push_vector(state, site, SP_OUTPUT_VALUE);
		return;
	}
	sp_json_key(state, "value");
	sp_json_number(state, WJB_VALUE, sp_eval_output_number(site->eval, SP_OUTPUT_VALUE, 0, 0));
}

static Datum
outputs_json(const SpCallSite *site)
{
	JsonbParseState *state = NULL;

	(void) pushJsonbValue(&state, WJB_BEGIN_OBJECT, NULL);
	sp_json_key(&state, "model");
	sp_json_string(&state, WJB_VALUE, site->resolved.rows.model.name);
	sp_json_key(&state, "version");
	sp_json_integer(&state, WJB_VALUE, site->resolved.rows.version.version);
	if (sp_call_site_has(site, SP_OUTPUT_VALUE))
		push_value(&state, site);
	if (sp_call_site_has(site, SP_OUTPUT_LABEL))
		push_label(&state, site);
	if (sp_call_site_has(site, SP_OUTPUT_PROBABILITIES))
		push_probabilities(&state, site);
	if (sp_call_site_has(site, SP_OUTPUT_RAW))
		push_vector(&state, site, SP_OUTPUT_RAW);
	return JsonbPGetDatum(JsonbValueToJsonb(pushJsonbValue(&state, WJB_END_OBJECT, NULL)));
}

Datum
sp_predict_json(SpCallSite *site, Jsonb *features)
{
	bool		has_missing = sp_bind_jsonb(&site->binder, features, 0);

	sp_call_site_run(site, 1, sp_image_outputs(site->model->image), has_missing);
	return outputs_json(site);
}

static Datum
call_predict_json(FunctionCallInfo fcinfo)
{
	return sp_predict_json(sp_call_site(fcinfo, PG_GETARG_TEXT_PP(0)), PG_GETARG_JSONB_P(1));
}

static Datum
call_predict_json_for(FunctionCallInfo fcinfo)
{
	SpCallSite *site = sp_route(fcinfo);
	Datum		answer = sp_predict_json(site, PG_GETARG_JSONB_P(2));

	sp_shadow(site, JSONBOID, PG_GETARG_DATUM(2));
	return answer;
}

Datum
smartpouch_predict_json(PG_FUNCTION_ARGS)
{
	return sp_counted(fcinfo, call_predict_json);
}

Datum
smartpouch_predict_json_for(PG_FUNCTION_ARGS)
{
	return sp_counted(fcinfo, call_predict_json_for);
}
