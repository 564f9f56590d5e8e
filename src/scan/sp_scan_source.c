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

bool
sp_same_text(const text *a, const text *b)
{
	return VARSIZE_ANY_EXHDR(a) == VARSIZE_ANY_EXHDR(b) &&
		memcmp(VARDATA_ANY(a), VARDATA_ANY(b), VARSIZE_ANY_EXHDR(a)) == 0;
}

/* What the call reads of the model that is served; false if the model has no such thing. */
static bool
find_output(SpCallSite *site, SpCall *call, SpOutput *output)
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
find_outputs(SpSource *source, SpCall *calls, int n_calls)
{
	source->wanted = 0;
	for (int i = 0; i < n_calls; i++)
	{
		SpOutput	output = SP_OUTPUT_VALUE;

		if (calls[i].source != source)
			continue;
		if (!find_output(source->site, &calls[i], &output))
			return false;
		source->wanted |= 1u << output;
	}
	return true;
}

bool
sp_source_ready(SpSource *source, SpCall *calls, int n_calls, MemoryContext mcx, int *rows)
{
	if (source->is_hopeless)
		return false;
	if (source->site == NULL)
	{
		SpResolved	resolved;

		source->is_hopeless = !sp_model_ref_try(source->model, SP_MAY_PREDICT, &resolved);
		if (source->is_hopeless)
			return false;
		source->site = sp_call_site_make(mcx, (uint32) *rows, EVALUATOR_BYTES);
	}
	sp_call_site_use(source->site, source->model);
	source->is_hopeless = !find_outputs(source, calls, n_calls);
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

static bool
is_named_before(const SpSource *sources, int n, const text *model)
{
	for (int i = 0; i < n; i++)
		if (sp_same_text(sources[i].model, model))
			return true;
	return false;
}

List *
sp_sources_shown(const SpSource *sources, int n)
{
	List	   *models = NIL;

	for (int i = 0; i < n; i++)
	{
		const text *model = sources[i].model;
		SpResolved	resolved;

		if (is_named_before(sources, i, model))
			continue;
		models = lappend(models, sp_model_ref_try(model, SP_MAY_PREDICT, &resolved) ?
						 psprintf("%s version %d", text_to_cstring(model), resolved.rows.version.version) :
						 psprintf("%s not available", text_to_cstring(model)));
	}
	return models;
}
