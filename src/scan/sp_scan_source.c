/*
 * src/scan/sp_scan_source.c
 */
#include "server/sp_compat.h"

#include "executor/executor.h"
#include "utils/builtins.h"

#include "api/sp_call_count.h"
#include "api/sp_drift.h"
#include "api/sp_model_ref.h"
#include "api/sp_result.h"
#include "scan/sp_scan_source.h"

/* An evaluator leaves room for the model in a processor's cache of the second level. */
#define EVALUATOR_BYTES (512 * 1024)

/* The value of an argument that is the same for all rows, in memory of the query; NULL if it is NULL. */
static text *
fixed_text(ExprState *argument, ExprContext *context)
{
	MemoryContext old = MemoryContextSwitchTo(context->ecxt_per_query_memory);
	bool		null;
	Datum		value = ExecEvalExprSwitchContext(argument, context, &null);
	text	   *copy = null ? NULL : DatumGetTextPCopy(value);

	MemoryContextSwitchTo(old);
	return copy;
}

/* What the call reads of the model that is served; false if the model has no such thing. */
static bool
find_output(SpCallSite *site, SpCall *call, ExprContext *context, SpOutput *output)
{
	switch (call->kind)
	{
		case SP_CALL_NUMBER:
			call->is_value = sp_call_site_has(site, SP_OUTPUT_VALUE);
			*output = call->is_value ? SP_OUTPUT_VALUE : SP_OUTPUT_LABEL;
			if (call->is_value)
				return sp_call_site_width(site, SP_OUTPUT_VALUE) == 1;
			return site->model->label_numbers != NULL && sp_call_site_has(site, SP_OUTPUT_LABEL);
		case SP_CALL_LABEL:
			*output = SP_OUTPUT_LABEL;
			break;
		case SP_CALL_PROBABILITIES:
			*output = SP_OUTPUT_PROBABILITIES;
			break;
		case SP_CALL_PROBABILITY:
			*output = SP_OUTPUT_PROBABILITIES;
			if (call->label_text == NULL)
				call->label_text = fixed_text(call->label_value, context);
			if (call->label_text == NULL)
				return false;
			call->label = sp_call_site_label(site, call->label_text);
			if (call->label == site->model->image->n_labels)
				return false;
			break;
		case SP_CALL_RAW:
			*output = SP_OUTPUT_RAW;
			break;
	}
	return sp_call_site_has(site, *output);
}

static bool
find_outputs(SpSource *source, SpCall *calls, int n_calls, ExprContext *context)
{
	source->wanted = 0;
	for (int i = 0; i < n_calls; i++)
	{
		SpOutput	output = SP_OUTPUT_VALUE;

		if (calls[i].source != source)
			continue;
		if (!find_output(source->site, &calls[i], context, &output))
			return false;
		source->wanted |= 1u << output;
	}
	return true;
}

bool
sp_source_ready(SpSource *source, SpCall *calls, int n_calls, ExprContext *context, int *rows)
{
	if (source->is_hopeless)
		return false;
	if (source->site == NULL)
	{
		SpResolved	resolved;

		source->model = fixed_text(source->model_value, context);
		source->is_hopeless = source->model == NULL || !sp_model_ref_try(source->model, SP_MAY_PREDICT, &resolved);
		if (source->is_hopeless)
			return false;
		source->site = sp_call_site_make(context->ecxt_per_query_memory, (uint32) *rows, EVALUATOR_BYTES);
	}
	sp_call_site_use(source->site, source->model);
	source->is_hopeless = !find_outputs(source, calls, n_calls, context);
	*rows = Min(*rows, (int) source->site->capacity);
	return !source->is_hopeless;
}

bool
sp_source_bind(SpSource *source, ExprContext *context, int row)
{
	bool		null;
	Datum		features;

	if (row == 0)
		source->has_missing = false;
	if (source->is_whole_row)
		return sp_bind_slot_try(&source->site->binder, source->argtype, context->ecxt_outertuple, (uint32) row,
								&source->has_missing);
	features = ExecEvalExpr(source->features, context, &null);
	source->is_null[row] = null;
	if (!null)
		return sp_bind_try(&source->site->binder, source->argtype, features, (uint32) row, &source->has_missing);
	/* what an earlier block left in this row of the evaluator is harmless, but may be a NaN */
	source->has_missing = true;
	return true;
}

void
sp_source_check(SpSource *source)
{
	if (source->site != NULL)
		sp_call_site_use(source->site, source->model);
}

void
sp_source_run(SpSource *source, int rows)
{
	sp_counted_run(source->site, (uint32) rows, source->wanted, source->has_missing);
	sp_drift_sample(source->site, (uint32) rows, source->is_null);
}

Datum
sp_call_result(const SpCall *call, int row, bool *is_null)
{
	const SpCallSite *site = call->source->site;
	const SpEval *eval = site->eval;
	uint32		label;

	*is_null = call->source->is_null[row];
	if (*is_null)
		return (Datum) 0;
	if (site->tally != NULL)
		site->tally->count.seen.rows++;
	switch (call->kind)
	{
		case SP_CALL_NUMBER:
			if (call->is_value)
				return Float8GetDatum(sp_eval_output_number(eval, SP_OUTPUT_VALUE, (uint32) row, 0));
			label = (uint32) sp_eval_output_number(eval, SP_OUTPUT_LABEL, (uint32) row, 0);
			return Float8GetDatum(site->model->label_numbers[label]);
		case SP_CALL_LABEL:
			label = (uint32) sp_eval_output_number(eval, SP_OUTPUT_LABEL, (uint32) row, 0);
			return PointerGetDatum(sp_text_from_utf8(sp_image_label(site->model->image, label)));
		case SP_CALL_PROBABILITIES:
			return sp_output_array(eval, SP_OUTPUT_PROBABILITIES, (uint32) row);
		case SP_CALL_PROBABILITY:
			return Float8GetDatum(sp_eval_output_number(eval, SP_OUTPUT_PROBABILITIES, (uint32) row, call->label));
		case SP_CALL_RAW:
			return sp_output_array(eval, SP_OUTPUT_RAW, (uint32) row);
	}
	return (Datum) 0;
}

/* The number of the parameter that an argument is, or 0. */
static int
parameter_number(Expr *argument)
{
	while (IsA(argument, RelabelType))
		argument = ((RelabelType *) argument)->arg;
	return IsA(argument, Param) ? ((Param *) argument)->paramid : 0;
}

static char *
shown_model(const SpSource *source, ExprContext *context)
{
	int			number = parameter_number(source->model_argument);
	const text *model = source->model;
	SpResolved	resolved;

	/* EXPLAIN (GENERIC_PLAN) has no values */
	if (number > 0 && context->ecxt_param_list_info == NULL)
		return psprintf("$%d", number);
	if (model == NULL)
		model = fixed_text(source->model_value, context);
	if (model == NULL)
		return pstrdup("NULL");
	if (!sp_model_ref_try(model, SP_MAY_PREDICT, &resolved))
		return psprintf("%s not available", text_to_cstring(model));
	return psprintf("%s version %d", text_to_cstring(model), resolved.rows.version.version);
}

List *
sp_sources_shown(const SpSource *sources, int n, ExprContext *context)
{
	List	   *models = NIL;

	for (int i = 0; i < n; i++)
	{
		char	   *model = shown_model(&sources[i], context);
		bool		is_new = true;
		ListCell   *cell;

		foreach(cell, models)
			is_new = is_new && strcmp(lfirst(cell), model) != 0;
		if (is_new)
			models = lappend(models, model);
	}
	return models;
}
