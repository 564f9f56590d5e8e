/*
 * src/ir/sp_pack_panels.c
 *
 * Weights of convolutions and recurrent layers in panels (sp_pack.h).
 */
#include "ir/sp_pack_internal.h"

static uint64_t
conv_outputs(const SpGeneral *general, uint64_t n_taps)
{
	return general->n_numbers / (n_taps + 1) / general->dims[5];
}

uint64_t
sp_pack_panels_count(const SpPacker *packer, const SpStep *step)
{
	const SpGeneral *general = &step->u.general;
	const uint32_t *dims = general->dims;
	uint64_t	n = dims[2];
	uint64_t	gates = sp_recurrent_gates((SpRecurrent) general->kind);
	uint64_t	n_taps;

	(void) packer;
	if (step->op == SP_OP_CONV)
	{
		n_taps = (uint64_t) (dims[0] / dims[5]) * dims[2];
		return dims[5] * sp_panels_size(n_taps, conv_outputs(general, n_taps));
	}
	return sp_panels_size(dims[1], gates * n) +
		(general->kind == SP_RECURRENT_GRU ? sp_panels_size(n, 2 * n) + sp_panels_size(n, n) : sp_panels_size(n, gates * n)) +
		(dims[3] & SP_RECURRENT_PEEPHOLES ? 3 * n : 0) + 2 * (uint64_t) general->n_indices;
}

/* Write the panels of one matrix; gives the offset behind them. */
static SpStatus
put_panels(SpPacker *packer, SpType type, const double *weights, const double *bias, uint64_t n_in, uint64_t n_out,
		   uint64_t *offset)
{
	for (uint64_t first = 0; first < n_out; first += SP_PANEL)
	{
		SP_TRY(sp_poll(packer->cx));
		for (uint64_t at = 0; at <= n_in; at++)
		{
			double		panel[SP_PANEL] = {0};

			for (uint64_t j = 0; j < SP_PANEL && first + j < n_out; j++)
				panel[j] = at == 0 ? bias[first + j] : weights[(first + j) * n_in + at - 1];
			sp_pack_numbers(packer, *offset, panel, SP_PANEL, type);
			*offset += SP_PANEL * (type == SP_TYPE_F32 ? sizeof(float) : sizeof(double));
		}
	}
	return SP_OK;
}

SpStatus
sp_pack_panels_fill(SpPacker *packer, const SpStep *step, uint64_t offset)
{
	const SpGeneral *general = &step->u.general;
	const uint32_t *dims = general->dims;
	SpType		type = packer->model->values[step->in].type;
	uint64_t	n = dims[2];
	uint64_t	rows = sp_recurrent_gates((SpRecurrent) general->kind) * n;
	const double *weights = general->numbers;
	const double *bias;
	const double *rest;

	if (step->op == SP_OP_CONV)
	{
		uint64_t	n_taps = (uint64_t) (dims[0] / dims[5]) * dims[2];
		uint64_t	n_out = conv_outputs(general, n_taps);

		bias = weights + dims[5] * n_out * n_taps;
		for (uint64_t group = 0; group < dims[5]; group++)
			SP_TRY(put_panels(packer, type, weights + group * n_out * n_taps, bias + group * n_out, n_taps, n_out, &offset));
		return SP_OK;
	}
	bias = weights + rows * (dims[1] + n);
	rest = bias + 2 * rows;
	SP_TRY(put_panels(packer, type, weights, bias, dims[1], rows, &offset));
	weights += rows * dims[1];
	bias += rows;
	if (general->kind == SP_RECURRENT_GRU)
	{
		SP_TRY(put_panels(packer, type, weights, bias, n, 2 * n, &offset));
		SP_TRY(put_panels(packer, type, weights + 2 * n * n, bias + 2 * n, n, n, &offset));
	}
	else
		SP_TRY(put_panels(packer, type, weights, bias, n, rows, &offset));
	sp_pack_numbers(packer, offset, rest, (uint64_t) (general->numbers + general->n_numbers - rest), type);
	return SP_OK;
}
