/*
 * src/ir/sp_pack_fold.c
 *
 * Scalers next to layers.  W ((x - o) s) + b is (W s) x + (b - W s o), and
 * ((W x + b) - o) s is (W s) x + (b - o) s: a pass less over the rows.
 *
 * The first of these adds up products of x instead of x - o.  Where o is large
 * beside the spread of its column, which is about 1 / s, their roundings are
 * larger than those of the source, and the scaler stays.
 */
#include <math.h>
#include <string.h>

#include "ir/sp_pack_internal.h"

/*
 * Roundings grow with the sizes of a sum's terms, which for a column of spread 1 / s
 * grow from |w| to |w| (1 + |o s|).  So many times is far less than what lies between
 * them and the difference that a result may have.
 */
#define MAX_GROWTH 4

typedef struct Folder
{
	SpContext  *cx;
	SpFolded   *folded;
	SpModel    *model;			/* its */
	uint32_t   *n_readers;		/* by value; an output counts as one */
	uint32_t   *reader;			/* by value: the last step that reads it */
	bool	   *is_folded;		/* by step */
} Folder;

/* Whether a number of the layer stays one of its kind: not lost, not infinite. */
static bool
is_kept(SpType type, double before, double after)
{
	if (type == SP_TYPE_F32)
		after = (float) after;
	return isfinite(after) && (after != 0 || before == 0);
}

/* One result of a layer behind the scaler; false if its numbers cannot be told so. */
static bool
fold_before(const SpScale *scale, SpType type, uint32_t n_in, const double *weights, double *folded, double *bias)
{
	double		size = 0;
	double		grown = 0;

	for (uint32_t i = 0; i < n_in; i++)
	{
		folded[i] = weights[i] * scale->scale[i];
		*bias -= folded[i] * scale->offset[i];
		size += fabs(weights[i]);
		grown += fabs(weights[i]) + fabs(folded[i] * scale->offset[i]);
		if (!is_kept(type, weights[i], folded[i]))
			return false;
	}
	return grown <= MAX_GROWTH * size && is_kept(type, 0, *bias);
}

/* One result of a layer in front of the scaler. */
static bool
fold_after(double offset, double scale, SpType type, uint32_t n_in, const double *weights, double *folded, double *bias)
{
	*bias = (*bias - offset) * scale;
	for (uint32_t i = 0; i < n_in; i++)
	{
		folded[i] = weights[i] * scale;
		if (!is_kept(type, weights[i], folded[i]))
			return false;
	}
	return is_kept(type, 0, *bias);
}

/* Give the layer numbers with the scaler's in them; *is_done is false if that cannot be. */
static SpStatus
fold(Folder *folder, SpLinear *layer, const SpStep *step, const SpScale *scale, bool is_before, bool *is_done)
{
	SpType		type = folder->model->values[step->in].type;
	uint32_t	n_in = folder->model->values[step->in].width;
	void	   *memory;
	double	   *weights;
	double	   *bias;

	SP_TRY(sp_alloc_array(folder->cx, ((size_t) n_in + 1) * layer->n_out, sizeof(double), &memory));
	weights = memory;
	bias = weights + (size_t) n_in * layer->n_out;
	*is_done = true;
	for (uint32_t j = 0; j < layer->n_out && *is_done; j++)
	{
		const double *from = layer->weights + (size_t) j * n_in;
		double	   *to = weights + (size_t) j * n_in;

		SP_TRY(sp_poll(folder->cx));
		bias[j] = layer->bias[j];
		*is_done = is_before ? fold_before(scale, type, n_in, from, to, &bias[j]) :
			fold_after(scale->offset[j], scale->scale[j], type, n_in, from, to, &bias[j]);
	}
	if (*is_done)
	{
		layer->weights = weights;
		layer->bias = bias;
		folder->folded->owned[folder->folded->n_owned++] = memory;
	}
	else
		sp_free(folder->cx, memory);
	return SP_OK;
}

static void
count_readers(Folder *folder)
{
	const SpModel *model = folder->model;

	for (int output = 0; output < SP_N_OUTPUTS; output++)
		if (model->outputs[output] != SP_NO_VALUE)
			folder->n_readers[model->outputs[output]]++;
	for (uint32_t at = 0; at < model->n_steps; at++)
	{
		const SpStep *step = &model->steps[at];

		folder->n_readers[step->in]++;
		folder->reader[step->in] = at;
		for (uint32_t i = 1; SP_OP_IS_GENERAL(step->op) && i < step->u.general.n_inputs; i++)
			folder->n_readers[step->u.general.inputs[i]]++;
	}
}

/*
 * A scaler and a layer that follow each other, with nothing else that reads what is
 * between them: that is no longer made and needs no room.
 */
static SpStatus
fold_pair(Folder *folder, uint32_t at)
{
	SpStep	   *first = &folder->model->steps[at];
	uint32_t	between = first->out;
	uint32_t	next = folder->reader[between];
	SpStep	   *second = &folder->model->steps[next];
	bool		is_done = false;

	if (folder->is_folded[at] || folder->n_readers[between] != 1 || second->in != between)
		return SP_OK;
	if (first->op == SP_OP_SCALE && second->op == SP_OP_LINEAR)
	{
		SP_TRY(fold(folder, &second->u.linear, second, &first->u.scale, true, &is_done));
		second->in = is_done ? first->in : between;
		folder->is_folded[at] = is_done;
	}
	else if (first->op == SP_OP_LINEAR && second->op == SP_OP_SCALE)
	{
		SP_TRY(fold(folder, &first->u.linear, first, &second->u.scale, false, &is_done));
		first->out = is_done ? second->out : between;
		folder->is_folded[next] = is_done;
	}
	if (is_done)
		folder->model->values[between].width = 0;
	return SP_OK;
}

SpStatus
sp_pack_fold(SpContext *cx, const SpModel *model, SpFolded *folded)
{
	Folder		folder = {.cx = cx, .folded = folded, .model = &folded->model};
	uint32_t	n_kept = 0;
	void	   *memory;

	*folded = (SpFolded) {.model = *model};
	SP_TRY(sp_alloc_array(cx, model->n_steps, sizeof(void *), &memory));
	folded->owned = memory;
	SP_TRY(sp_alloc_array(cx, model->n_steps, sizeof(SpStep), &memory));
	folded->model.steps = memory;
	for (uint32_t at = 0; at < model->n_steps; at++)
		folded->model.steps[at] = model->steps[at];
	SP_TRY(sp_alloc_array(cx, model->n_values, sizeof(SpValue), &memory));
	folded->model.values = memcpy(memory, model->values, model->n_values * sizeof(SpValue));
	SP_TRY(sp_alloc_array(cx, model->n_values, 2 * sizeof(uint32_t), &memory));
	folder.n_readers = memory;
	folder.reader = folder.n_readers + model->n_values;
	SP_TRY(sp_alloc_array(cx, model->n_steps, sizeof(bool), &memory));
	folder.is_folded = memory;
	count_readers(&folder);
	for (uint32_t at = 0; at < model->n_steps; at++)
		SP_TRY(fold_pair(&folder, at));
	for (uint32_t at = 0; at < model->n_steps; at++)
		if (!folder.is_folded[at])
			folded->model.steps[n_kept++] = folded->model.steps[at];
	folded->model.n_steps = n_kept;
	sp_free(cx, folder.n_readers);
	sp_free(cx, folder.is_folded);
	return SP_OK;
}

void
sp_pack_fold_free(SpContext *cx, SpFolded *folded)
{
	for (uint32_t at = 0; at < folded->n_owned; at++)
		sp_free(cx, folded->owned[at]);
	sp_free(cx, folded->owned);
	sp_free(cx, folded->model.steps);
	sp_free(cx, folded->model.values);
}
