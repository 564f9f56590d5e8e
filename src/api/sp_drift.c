/*
 * src/api/sp_drift.c
 */
#include "server/sp_compat.h"

#include <math.h>

#include "common/pg_prng.h"
#include "miscadmin.h"
#include "utils/memutils.h"

#include "api/sp_drift.h"
#include "registry/sp_registry_baseline.h"
#include "server/sp_drift_counts.h"
#include "server/sp_guc.h"

/* What a site knows of the baseline of its version. */
struct SpSampler
{
	MemoryContext mcx;			/* of what follows */
	uint64		generation;		/* of the registry when it was looked up */
	SpDriftKey	key;
	bool		exists;
	SpBaseline	baseline;
	int			n_variables;	/* whose bins have room */
	int			n_cells;
	int			slot;
	uint16	   *cells;
};

/* Rows of this session until the next one is sampled, drawn for a percentage. */
static double gap = 0;
static double gap_percent = 0;

int
sp_drift_variables(const SpCallSite *site)
{
	return 1 + (int) site->binder.n_features;
}

static double
feature_value(const SpCallSite *site, uint32 feature, uint32 row)
{
	const SpImage *image = site->model->image;
	const SpImageFeature *info;
	const void *input;
	Size		at;
	int64		number;

	if (site->binder.single != NULL)
		return site->binder.single[(Size) row * site->binder.n_features + feature];
	info = &sp_image_features(image)[feature];
	at = (Size) row * sp_image_values(image)[info->input].width + info->column;
	input = sp_eval_input(site->eval, info->input);
	switch ((SpType) info->type)
	{
		case SP_TYPE_F32:
			return ((const float *) input)[at];
		case SP_TYPE_F64:
			return ((const double *) input)[at];
		default:
			number = ((const int64 *) input)[at];
			/* a category that the model does not know */
			return info->type == SP_TYPE_STRING && number < 0 ? NAN : (double) number;
	}
}

static double
best_label(const SpCallSite *site, uint32 row)
{
	uint32		best = 0;

	for (uint32 i = 1; i < sp_call_site_width(site, SP_OUTPUT_PROBABILITIES); i++)
		if (sp_eval_output_number(site->eval, SP_OUTPUT_PROBABILITIES, row, i) >
			sp_eval_output_number(site->eval, SP_OUTPUT_PROBABILITIES, row, best))
			best = i;
	return best;
}

static bool
was_asked(const SpCallSite *site, SpOutput output)
{
	return (site->outputs & (1u << output)) != 0;
}

/* The value, or the number of the label; missing where the call has asked for neither. */
static double
prediction(const SpCallSite *site, uint32 row)
{
	if (sp_call_site_has(site, SP_OUTPUT_VALUE) && sp_call_site_width(site, SP_OUTPUT_VALUE) == 1)
		return was_asked(site, SP_OUTPUT_VALUE) ? sp_eval_output_number(site->eval, SP_OUTPUT_VALUE, row, 0) : NAN;
	if (was_asked(site, SP_OUTPUT_LABEL))
		return sp_eval_output_number(site->eval, SP_OUTPUT_LABEL, row, 0);
	return was_asked(site, SP_OUTPUT_PROBABILITIES) ? best_label(site, row) : NAN;
}

double
sp_drift_value(const SpCallSite *site, int variable, uint32 row)
{
	return variable == 0 ? prediction(site, row) : feature_value(site, (uint32) variable - 1, row);
}

/* Counted without branches: where a value is cannot be foreseen, and a wrong guess takes as long as all the rest. */
int
sp_drift_bin(const double *bounds, int n, double value)
{
	Size		below = 0;

	if (isnan(value))
		return n + 1;
	for (Size left = (Size) n; left > 0;)
	{
		Size		half = (left + 1) / 2;

		/* the first half of those that are left is below if its last one is */
		below += half & -(Size) (value > bounds[below + half - 1]);
		left -= half;
	}
	return (int) below;
}

static struct SpSampler *
sampler_of(SpCallSite *site)
{
	struct SpSampler *sampler = site->sampler;
	const SpVersionRow *version = &site->resolved.rows.version;

	if (sampler == NULL)
	{
		sampler = MemoryContextAllocZero(site->mcx, sizeof(*sampler));
		sampler->mcx = AllocSetContextCreate(site->mcx, "smartpouch baseline", ALLOCSET_SMALL_SIZES);
		site->sampler = sampler;
	}
	if (sampler->generation == sp_registry_generation && sampler->key.version == version->version &&
		memcmp(&sampler->key.model_id, &version->model_id, sizeof(version->model_id)) == 0)
		return sampler;
	MemoryContextReset(sampler->mcx);
	sampler->exists = false;
	sampler->key.database = MyDatabaseId;
	sampler->key.version = version->version;
	sampler->key.model_id = version->model_id;
	sampler->generation = sp_registry_generation;
	/* the latest, so that a session with an old snapshot need not look again when it is over */
	if (!sp_registry_baseline(&version->model_id, version->version, NULL, sampler->mcx, &sampler->baseline))
		return sampler;
	sampler->key.set_at = sampler->baseline.set_at;
	sampler->slot = -1;
	sampler->n_variables = 0;
	sampler->n_cells = 0;
	for (int i = 0; i < Min(sampler->baseline.n_variables, sp_drift_variables(site)); i++)
	{
		if (sampler->n_cells + sampler->baseline.n_bounds[i] + 2 > SP_DRIFT_CELLS)
			break;
		sampler->n_cells += sampler->baseline.n_bounds[i] + 2;
		sampler->n_variables++;
	}
	sampler->cells = MemoryContextAlloc(sampler->mcx, Max(1, mul_size(sampler->n_variables, sizeof(uint16))));
	sampler->exists = true;
	return sampler;
}

static void
sample_row(const SpCallSite *site, struct SpSampler *sampler, uint32 row)
{
	const double *bounds = sampler->baseline.bounds;
	int			first_cell = 0;
	int			count = 0;

	for (int i = 0; i < sampler->n_variables; i++)
	{
		int			n = sampler->baseline.n_bounds[i];
		double		value = sp_drift_value(site, i, row);

		/* not every call asks for what the baseline has of the prediction */
		if (i > 0 || !isnan(value))
			sampler->cells[count++] = (uint16) (first_cell + sp_drift_bin(bounds, n, value));
		bounds += n;
		first_cell += n + 2;
	}
	sp_drift_count(&sampler->key, sampler->n_cells, &sampler->slot, sampler->cells, count);
}

/* Of rows that are taken independently with a probability, this many lie between two. */
static double
draw_gap(double percent)
{
	if (percent >= 100)
		return 0;
	return floor(log(1 - pg_prng_double(&pg_global_prng_state)) / log1p(-percent / 100));
}

void
sp_drift_sample_rows(SpCallSite *site, uint32 rows, const bool *is_null)
{
	struct SpSampler *sampler = NULL;
	double		row;

	if (gap_percent != sp_sample_percent)
	{
		gap_percent = sp_sample_percent;
		gap = draw_gap(gap_percent);
	}
	for (row = gap; row < rows; row += 1 + draw_gap(gap_percent))
	{
		uint32		number = (uint32) row;

		if (sampler == NULL && sp_drift_counts_available())
			sampler = sampler_of(site);
		if (sampler != NULL && sampler->exists && (is_null == NULL || !is_null[number]))
			sample_row(site, sampler, number);
	}
	gap = row - rows;
}
