/*
 * src/ir/sp_builder_weights.c
 *
 * Steps with an SpGeneral that have weights: dense, kernel, recurrent and
 * convolution layers.
 */
#include "ir/sp_builder_check.h"

static SpStatus
check_finite(const SpCheck *check, SpType type)
{
	for (uint32_t at = 0; at < check->spec->n_numbers; at++)
		if (!sp_is_finite_as(check->spec->numbers[at], type))
			return sp_check_refuse(check, "a number is not finite");
	return SP_OK;
}

SpStatus
sp_check_matrix(SpCheck *check)
{
	const uint32_t *dims = check->spec->dims;

	SP_TRY(sp_check_float(check));
	check->type = check->in[0].type;
	if (dims[0] == 0 || dims[1] == 0 || check->in[0].width % dims[0] != 0 ||
		(uint64_t) dims[0] * dims[1] + dims[1] != check->spec->n_numbers)
		return sp_check_refuse(check, "weights do not fit the input");
	check->width = (uint64_t) (check->in[0].width / dims[0]) * dims[1];
	return check_finite(check, check->type);
}

SpStatus
sp_check_kernel(SpCheck *check)
{
	SP_TRY(sp_check_float(check));
	SP_TRY(sp_check_kind(check, SP_KERNEL_END));
	if ((uint64_t) check->spec->dims[0] * check->in[0].width != check->spec->n_numbers)
		return sp_check_refuse(check, "vectors do not fit the input");
	check->type = check->in[0].type;
	check->width = check->spec->dims[0];
	return check_finite(check, check->type);
}

SpStatus
sp_check_recurrent(SpCheck *check)
{
	const SpGeneral *spec = check->spec;
	uint64_t	steps = spec->dims[0];
	uint64_t	columns = spec->dims[1];
	uint64_t	hidden = spec->dims[2];
	bool		is_lstm = spec->kind == SP_RECURRENT_LSTM;
	uint64_t	gates = sp_recurrent_gates((SpRecurrent) spec->kind);
	uint32_t	n_functions = sp_recurrent_functions((SpRecurrent) spec->kind);

	SP_TRY(sp_check_kind(check, SP_RECURRENT_END));
	SP_TRY(sp_check_inputs(check, 1, is_lstm ? 3 : 2));
	if (steps == 0 || columns == 0 || hidden == 0 || columns > SP_ROW_CAP || hidden > SP_ROW_CAP / 8 ||
		steps * columns != check->in[0].width || spec->dims[3] > 15 ||
		(!is_lstm && (spec->dims[3] & (SP_RECURRENT_PEEPHOLES | SP_RECURRENT_INPUT_FORGET))))
		return sp_check_refuse(check, "shape is not possible");
	if (spec->n_indices != n_functions || !(spec->params[0] >= 0) || !sp_is_finite_as(spec->params[0], check->in[0].type))
		return sp_check_refuse(check, "functions are not possible");
	for (uint32_t at = 0; at < n_functions; at++)
		if (spec->indices[at] == 0 || spec->indices[at] >= SP_APPLY_END || spec->indices[at] == SP_APPLY_NOT ||
			spec->indices[at] == SP_APPLY_IS_NAN || spec->indices[at] == SP_APPLY_IS_INF)
			return sp_check_refuse(check, "functions are not possible");
	check->type = check->in[0].type;
	for (uint32_t at = 0; at < spec->n_inputs; at++)
		if (!SP_IS_FLOAT(check->type) || check->in[at].type != check->type ||
			(at > 0 && check->in[at].width != hidden))
			return sp_check_refuse(check, "an input does not fit");
	if (gates * hidden * (columns + hidden + 2) + 2 * n_functions +
		(spec->dims[3] & SP_RECURRENT_PEEPHOLES ? 3 * hidden : 0) != spec->n_numbers)
		return sp_check_refuse(check, "weights do not fit the shape");
	check->width = steps * hidden + (is_lstm ? hidden : 0);
	return check_finite(check, check->type);
}

SpStatus
sp_check_conv(SpCheck *check)
{
	const SpGeneral *spec = check->spec;
	uint64_t	length = spec->dims[1];
	uint64_t	span;
	uint64_t	n_taps;
	uint64_t	n_out;

	SP_TRY(sp_check_float(check));
	for (int at = 0; at < 6; at++)
		if (spec->dims[at] == 0 || spec->dims[at] > SP_ROW_CAP)
			return sp_check_refuse(check, "shape is not possible");
	span = (uint64_t) (spec->dims[2] - 1) * spec->dims[4] + 1;
	n_taps = (uint64_t) (spec->dims[0] / spec->dims[5]) * spec->dims[2];
	if (spec->dims[0] * length != check->in[0].width || spec->dims[0] % spec->dims[5] != 0 || span > length)
		return sp_check_refuse(check, "shape is not possible");
	n_out = spec->n_numbers / (n_taps + 1);
	if (n_out == 0 || n_out % spec->dims[5] != 0 || n_out * (n_taps + 1) != spec->n_numbers)
		return sp_check_refuse(check, "weights do not fit the shape");
	check->type = check->in[0].type;
	check->width = n_out * ((length - span) / spec->dims[3] + 1);
	return check_finite(check, check->type);
}
