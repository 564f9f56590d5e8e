/*
 * src/api/sp_api_predict.c
 *
 * The prediction functions for one row.  All are strict: the server answers
 * NULL for a NULL argument without calling them.
 */
#include "server/sp_compat.h"

#include "catalog/pg_type.h"
#include "fmgr.h"
#include "nodes/nodes.h"
#include "utils/array.h"
#include "utils/builtins.h"

#include "api/sp_call_count.h"
#include "api/sp_call_site.h"
#include "api/sp_result.h"
#include "api/sp_routing.h"
#include "api/sp_shadow.h"
#include "api/sp_slot_row.h"

PG_FUNCTION_INFO_V1(smartpouch_predict);
PG_FUNCTION_INFO_V1(smartpouch_predict_version);
PG_FUNCTION_INFO_V1(smartpouch_predict_for);
PG_FUNCTION_INFO_V1(smartpouch_predict_label);
PG_FUNCTION_INFO_V1(smartpouch_predict_label_for);
PG_FUNCTION_INFO_V1(smartpouch_predict_proba);
PG_FUNCTION_INFO_V1(smartpouch_predict_proba_label);
PG_FUNCTION_INFO_V1(smartpouch_predict_raw);

/* What the features in argument number arg are: the same for all calls of a site. */
static void
look_at_features(FmgrInfo *flinfo, SpCallSite *site, int arg)
{
	Node	   *call = flinfo->fn_expr;

	site->argtype = get_fn_expr_argtype(flinfo, arg);
	site->in_slot = call != NULL && IsA(call, FuncExpr) && sp_is_slot_row(list_nth(((FuncExpr *) call)->args, arg));
}

/* Bind them and evaluate. */
static void
predict_row(FunctionCallInfo fcinfo, SpCallSite *site, int arg, uint32 wanted)
{
	bool		has_missing;

	if (unlikely(!OidIsValid(site->argtype)))
		look_at_features(fcinfo->flinfo, site, arg);
	has_missing = site->in_slot ?
		sp_bind_slot(&site->binder, site->argtype, sp_slot_of(PG_GETARG_DATUM(arg)), 0) :
		sp_bind(&site->binder, site->argtype, PG_GETARG_DATUM(arg), 0);
	sp_call_site_run(site, 1, wanted, has_missing);
}

static uint32
label_index(const SpCallSite *site)
{
	return (uint32) sp_eval_output_number(site->eval, SP_OUTPUT_LABEL, 0, 0);
}

/* The value, or the label as a number. */
static Datum
predict_number(FunctionCallInfo fcinfo, SpCallSite *site, int arg)
{
	if (sp_call_site_has(site, SP_OUTPUT_VALUE))
	{
		if (sp_call_site_width(site, SP_OUTPUT_VALUE) != 1)
			ereport(ERROR,
					(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
					 errmsg("%s predicts %u values", site->binder.subject,
							sp_call_site_width(site, SP_OUTPUT_VALUE)),
					 errhint("Use predict_json() for all of them.")));
		predict_row(fcinfo, site, arg, 1u << SP_OUTPUT_VALUE);
		PG_RETURN_FLOAT8(sp_eval_output_number(site->eval, SP_OUTPUT_VALUE, 0, 0));
	}
	if (site->model->label_numbers == NULL)
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
				 errmsg("the labels of %s are not numbers", site->binder.subject),
				 errhint("Use predict_label() for the label as text.")));
	predict_row(fcinfo, site, arg, 1u << SP_OUTPUT_LABEL);
	PG_RETURN_FLOAT8(site->model->label_numbers[label_index(site)]);
}

static Datum
call_predict(FunctionCallInfo fcinfo)
{
	return predict_number(fcinfo, sp_call_site(fcinfo, PG_GETARG_TEXT_PP(0)), 1);
}

static Datum
call_predict_version(FunctionCallInfo fcinfo)
{
	return predict_number(fcinfo, sp_call_site_by_program(fcinfo, PG_GETARG_BYTEA_PP(0)), 1);
}

static Datum
call_predict_for(FunctionCallInfo fcinfo)
{
	SpCallSite *site = sp_route(fcinfo);
	Datum		number = predict_number(fcinfo, site, 2);

	sp_shadow(site, site->argtype, PG_GETARG_DATUM(2));
	return number;
}

static Datum
predict_label(FunctionCallInfo fcinfo, SpCallSite *site, int arg)
{
	predict_row(fcinfo, site, arg, 1u << SP_OUTPUT_LABEL);
	PG_RETURN_TEXT_P(sp_text_from_utf8(sp_image_label(site->model->image, label_index(site))));
}

static Datum
call_predict_label(FunctionCallInfo fcinfo)
{
	return predict_label(fcinfo, sp_call_site(fcinfo, PG_GETARG_TEXT_PP(0)), 1);
}

static Datum
call_predict_label_for(FunctionCallInfo fcinfo)
{
	SpCallSite *site = sp_route(fcinfo);
	Datum		label = predict_label(fcinfo, site, 2);

	sp_shadow(site, site->argtype, PG_GETARG_DATUM(2));
	return label;
}

/* An output of any width as double precision[]. */
static Datum
predict_vector(FunctionCallInfo fcinfo, SpOutput output)
{
	SpCallSite *site = sp_call_site(fcinfo, PG_GETARG_TEXT_PP(0));

	predict_row(fcinfo, site, 1, 1u << output);
	return sp_output_array(site->eval, output, 0);
}

static Datum
call_predict_proba(FunctionCallInfo fcinfo)
{
	return predict_vector(fcinfo, SP_OUTPUT_PROBABILITIES);
}

static Datum
call_predict_raw(FunctionCallInfo fcinfo)
{
	return predict_vector(fcinfo, SP_OUTPUT_RAW);
}

static void
refuse_label(const SpCallSite *site, text *label)
{
	const SpImage *image = site->model->image;
	StringInfoData list;

	initStringInfo(&list);
	for (uint32 i = 0; i < Min(image->n_labels, 10); i++)
		appendStringInfo(&list, "%s\"%s\"", i > 0 ? ", " : "",
						 sp_from_utf8(sp_image_label(image, i)));
	if (image->n_labels > 10)
		appendStringInfo(&list, " and %u more", image->n_labels - 10);
	ereport(ERROR,
			(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
			 errmsg("%s has no label \"%s\"", site->binder.subject, text_to_cstring(label)),
			 errdetail("Its labels are: %s.", list.data)));
}

static Datum
call_predict_proba_label(FunctionCallInfo fcinfo)
{
	SpCallSite *site = sp_call_site(fcinfo, PG_GETARG_TEXT_PP(0));
	text	   *label = PG_GETARG_TEXT_PP(2);
	uint32		i;

	predict_row(fcinfo, site, 1, 1u << SP_OUTPUT_PROBABILITIES);
	i = sp_call_site_label(site, label);
	if (i == site->model->image->n_labels)
		refuse_label(site, label);
	PG_RETURN_FLOAT8(sp_eval_output_number(site->eval, SP_OUTPUT_PROBABILITIES, 0, i));
}

/* ---- as SQL calls them ---- */

Datum
smartpouch_predict(PG_FUNCTION_ARGS)
{
	return sp_counted(fcinfo, call_predict);
}

Datum
smartpouch_predict_version(PG_FUNCTION_ARGS)
{
	return sp_counted(fcinfo, call_predict_version);
}

Datum
smartpouch_predict_for(PG_FUNCTION_ARGS)
{
	return sp_counted(fcinfo, call_predict_for);
}

Datum
smartpouch_predict_label(PG_FUNCTION_ARGS)
{
	return sp_counted(fcinfo, call_predict_label);
}

Datum
smartpouch_predict_label_for(PG_FUNCTION_ARGS)
{
	return sp_counted(fcinfo, call_predict_label_for);
}

Datum
smartpouch_predict_proba(PG_FUNCTION_ARGS)
{
	return sp_counted(fcinfo, call_predict_proba);
}

Datum
smartpouch_predict_proba_label(PG_FUNCTION_ARGS)
{
	return sp_counted(fcinfo, call_predict_proba_label);
}

Datum
smartpouch_predict_raw(PG_FUNCTION_ARGS)
{
	return sp_counted(fcinfo, call_predict_raw);
}
