/*
 * src/import/sp_onnx_linear.c
 *
 * LinearClassifier and LinearRegressor of ai.onnx.ml
 * (onnxruntime/core/providers/cpu/ml/linearclassifier.cc, linearregressor.cc).
 */
#include <string.h>

#include "import/sp_onnx_internal.h"

typedef struct SpOnnxLinear
{
	uint32_t	in;				/* F32 */
	uint32_t	width;
	double	   *weights;		/* n_out * width */
	size_t		n_weights;
	double	   *bias;
	size_t		n_bias;
	SpOnnxPost	post;
} SpOnnxLinear;

static SpStatus
sp_onnx_read_linear(SpOnnx *onnx, const SpOnnx__NodeProto *node, SpOnnxLinear *linear)
{
	memset(linear, 0, sizeof(*linear));
	SP_TRY(sp_onnx_input_numbers(onnx, node, &linear->in));
	linear->width = sp_builder_value(onnx->builder, linear->in).width;
	SP_TRY(sp_onnx_attribute_numbers(onnx, node, "coefficients", NULL,
									 &linear->weights, &linear->n_weights));
	SP_TRY(sp_onnx_attribute_numbers(onnx, node, "intercepts", NULL, &linear->bias, &linear->n_bias));
	return sp_onnx_post_transform(onnx, node, &linear->post);
}

/* coefficients: one row for each output */
static SpStatus
sp_onnx_check_weights(SpOnnx *onnx, const SpOnnx__NodeProto *node, const SpOnnxLinear *linear,
					  size_t n_out)
{
	size_t		expected;

	if (!sp_mul_size(n_out, linear->width, &expected) || linear->n_weights != expected)
		return sp_onnx_fail(onnx, node, SP_ERR_FORMAT, "%zu coefficients for %zu outputs of %u features",
							linear->n_weights, n_out, linear->width);
	return SP_OK;
}

/* Is the first row the second with all signs turned? */
static bool
sp_onnx_is_mirrored(const SpOnnxLinear *linear)
{
	uint32_t	i;

	for (i = 0; i < linear->width; i++)
	{
		if (linear->weights[i] != -linear->weights[linear->width + i])
			return false;
	}
	return linear->bias[0] == -linear->bias[1];
}

SpStatus
sp_onnx_linear_classifier(SpOnnx *onnx, const SpOnnx__NodeProto *node)
{
	SpOnnxLinear linear;
	uint32_t	scores;
	size_t		skipped = 0;

	SP_TRY(sp_onnx_read_linear(onnx, node, &linear));
	SP_TRY(sp_onnx_labels(onnx, node, "classlabels_ints"));
	if (linear.n_bias == 0)
		return sp_onnx_fail(onnx, node, SP_ERR_UNSUPPORTED, "a classifier without intercepts is not supported");
	SP_TRY(sp_onnx_check_weights(onnx, node, &linear, linear.n_bias));
	if (linear.n_bias != onnx->n_labels && !(linear.n_bias == 1 && onnx->n_labels == 2))
		return sp_onnx_fail(onnx, node, SP_ERR_FORMAT, "%zu intercepts for %u labels",
							linear.n_bias, onnx->n_labels);

	/*
	 * Converters write a binary model as a row and its mirror image.  Float
	 * arithmetic turns signs exactly, so one row says it all, and the margin
	 * is the one that scikit-learn calls the decision function.
	 */
	if (linear.n_bias == 2 && (linear.post == SP_ONNX_POST_LOGISTIC || linear.post == SP_ONNX_POST_NONE) &&
		sp_onnx_is_mirrored(&linear))
		skipped = 1;
	SP_TRY(sp_onnx_cast(onnx, linear.in, SP_TYPE_F32, &linear.in));
	SP_TRY(sp_builder_linear(onnx->builder, linear.in, (uint32_t) (linear.n_bias - skipped),
							 linear.weights + skipped * linear.width, linear.bias + skipped, &scores));
	if (linear.n_bias - skipped == 1)
		return sp_onnx_classify_binary(onnx, node, scores, 0.0, linear.post, false);
	return sp_onnx_classify(onnx, node, scores, linear.post, false);
}

SpStatus
sp_onnx_linear_regressor(SpOnnx *onnx, const SpOnnx__NodeProto *node)
{
	SpOnnxLinear linear;
	uint32_t	score;
	int64_t		n_targets;

	SP_TRY(sp_onnx_read_linear(onnx, node, &linear));
	SP_TRY(sp_onnx_attribute_int(onnx, node, "targets", 1, &n_targets));
	if (n_targets < 1 || n_targets > onnx->cx->limits.max_labels)
		return sp_onnx_fail(onnx, node, SP_ERR_UNSUPPORTED, "%lld targets are not supported",
							(long long) n_targets);
	if (sp_builder_value(onnx->builder, linear.in).type != SP_TYPE_F32)
		return sp_onnx_fail(onnx, node, SP_ERR_UNSUPPORTED, "inputs other than float are not supported, as in ONNX Runtime");
	SP_TRY(sp_onnx_check_weights(onnx, node, &linear, (size_t) n_targets));
	if (linear.n_bias != 0 && linear.n_bias != (size_t) n_targets)
		return sp_onnx_fail(onnx, node, SP_ERR_FORMAT, "%zu intercepts for %lld targets", linear.n_bias, (long long) n_targets);
	SP_TRY(sp_builder_linear(onnx->builder, linear.in, (uint32_t) n_targets, linear.weights,
							 linear.n_bias > 0 ? linear.bias : NULL, &score));
	return sp_onnx_regress(onnx, node, score, linear.post, SP_TYPE_F32);
}
