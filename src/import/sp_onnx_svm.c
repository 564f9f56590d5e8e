/*
 * src/import/sp_onnx_svm.c
 *
 * SVMClassifier and SVMRegressor of ai.onnx.ml, as ONNX Runtime computes them
 * (onnxruntime/core/providers/cpu/ml/svmclassifier.cc, svmregressor.cc): kernel
 * values in float, sums over support vectors in double for a classifier, one
 * vote for each pair of classes, probabilities of pairs by Platt's sigmoid.
 *
 * With a linear kernel the sum of coefficient * (x vector) is x times the sum
 * of coefficient * vector, which is worked out here, in double: large products
 * cancel in the former, and libsvm, which trained the model, has doubles.
 */
#include <string.h>

#include "import/sp_onnx_internal.h"

typedef struct SpOnnxSvm
{
	SpOnnxValue input;			/* float */
	SpGeneral	kernel;
	double	   *vectors;
	size_t		n_vector_numbers;
	double	   *coefficients;
	size_t		n_coefficients;
	double	   *rho;
	size_t		n_rho;
} SpOnnxSvm;

static SpStatus
sp_onnx_read_svm(SpOnnx *onnx, const SpOnnx__NodeProto *node, SpOnnxSvm *svm)
{
	static const char *const names[] = {"LINEAR", "POLY", "RBF", "SIGMOID"};
	double	   *params;
	size_t		n_params;
	SpStr		text;
	size_t		which = 0;

	memset(svm, 0, sizeof(*svm));
	SP_TRY(sp_onnx_operand(onnx, node, 0, &svm->input));
	if (svm->input.rank != 2 || svm->input.row_axis != 0)
		return sp_onnx_fail(onnx, node, SP_ERR_UNSUPPORTED, "an input that is not a table is not supported");
	SP_TRY(sp_onnx_convert(onnx, node, svm->input, SP_ONNX_FLOAT, &svm->input));
	SP_TRY(sp_onnx_attribute_numbers(onnx, node, "support_vectors", NULL, &svm->vectors, &svm->n_vector_numbers));
	SP_TRY(sp_onnx_attribute_numbers(onnx, node, "coefficients", NULL, &svm->coefficients, &svm->n_coefficients));
	SP_TRY(sp_onnx_attribute_numbers(onnx, node, "rho", NULL, &svm->rho, &svm->n_rho));
	SP_TRY(sp_onnx_attribute_numbers(onnx, node, "kernel_params", NULL, &params, &n_params));
	SP_TRY(sp_onnx_attribute_text(onnx, node, "kernel_type", "LINEAR", &text));
	while (which < 4 && !sp_str_is(text, names[which]))
		which++;
	if (which == 4 || (n_params != 0 && n_params != 3) || svm->n_rho == 0)
		return sp_onnx_fail(onnx, node, SP_ERR_FORMAT, "the kernel is not complete");
	svm->kernel.kind = (uint32_t) which + SP_KERNEL_LINEAR;
	for (size_t at = 0; at < n_params; at++)
		svm->kernel.params[at] = params[at];
	return SP_OK;
}

/* Rows of coefficients of n vectors become rows of weights of the features. */
static SpStatus
sp_onnx_fold_vectors(SpOnnx *onnx, const SpOnnxSvm *svm, size_t n, uint32_t n_rows, const double *coefficients, double **weights)
{
	size_t		n_features = (size_t) svm->input.dims[1];

	SP_TRY(sp_onnx_memory(onnx, n_rows * n_features, sizeof(double), (void **) weights));
	for (uint32_t row = 0; row < n_rows; row++)
	{
		SP_TRY(sp_poll(onnx->cx));
		for (size_t at = 0; at < n; at++)
		{
			double		coefficient = coefficients[row * n + at];

			for (size_t i = 0; coefficient != 0 && i < n_features; i++)
				(*weights)[row * n_features + i] += coefficient * svm->vectors[at * n_features + i];
		}
	}
	return SP_OK;
}

/* Rows of coefficients times the kernel values of n vectors, and a bias for each row; elem: the type of the sums. */
static SpStatus
sp_onnx_machine(SpOnnx *onnx, const SpOnnx__NodeProto *node, SpOnnxSvm *svm, size_t n, uint32_t n_rows,
				const double *coefficients, int32_t elem, SpOnnxValue *scores)
{
	const SpOnnxValue *input = &svm->input;
	double	   *weights;
	size_t		expected;

	if (!sp_mul_size(n, (size_t) svm->input.dims[1], &expected) || expected != svm->n_vector_numbers || expected > UINT32_MAX)
		return sp_onnx_fail(onnx, node, SP_ERR_FORMAT, "%zu numbers of %zu support vectors with %lld features",
							svm->n_vector_numbers, n, (long long) svm->input.dims[1]);
	if (svm->kernel.kind == SP_KERNEL_LINEAR)
	{
		SP_TRY(sp_onnx_fold_vectors(onnx, svm, n, n_rows, coefficients, &weights));
		SP_TRY(sp_onnx_convert(onnx, node, svm->input, SP_ONNX_DOUBLE, scores));
		SP_TRY(sp_onnx_matrix(onnx, node, *scores, n_rows, weights, svm->rho, scores));
		return sp_onnx_convert(onnx, node, *scores, elem, scores);
	}
	svm->kernel.dims[0] = (uint32_t) n;
	svm->kernel.numbers = svm->vectors;
	svm->kernel.n_numbers = (uint32_t) expected;
	SP_TRY(sp_onnx_step(onnx, node, SP_OP_KERNEL, svm->kernel, &input, 1, scores));
	scores->dims[1] = (int64_t) n;
	SP_TRY(sp_onnx_convert(onnx, node, *scores, elem, scores));
	return sp_onnx_matrix(onnx, node, *scores, n_rows, coefficients, svm->rho, scores);
}

SpStatus
sp_onnx_svm_regressor(SpOnnx *onnx, const SpOnnx__NodeProto *node)
{
	SpOnnxSvm	svm;
	SpOnnxValue scores;
	int64_t		n;
	int64_t		one_class;
	SpOnnxPost	post;

	SP_TRY(sp_onnx_read_svm(onnx, node, &svm));
	SP_TRY(sp_onnx_attribute_int(onnx, node, "n_supports", 0, &n));
	SP_TRY(sp_onnx_attribute_int(onnx, node, "one_class", 0, &one_class));
	SP_TRY(sp_onnx_post_transform(onnx, node, &post));
	if (post != SP_ONNX_POST_NONE || n <= 0 || (size_t) n != svm.n_coefficients)
		return sp_onnx_fail(onnx, node, SP_ERR_UNSUPPORTED, "%zu coefficients for %lld support vectors are not supported",
							svm.n_coefficients, (long long) n);
	SP_TRY(sp_onnx_machine(onnx, node, &svm, (size_t) n, 1, svm.coefficients, SP_ONNX_FLOAT, &scores));
	if (one_class != 0)
	{
		SpOnnxValue zero = sp_onnx_scalar(onnx, SP_ONNX_FLOAT, 0);

		SP_TRY(sp_onnx_binary(onnx, node, SP_BINARY_GT, scores, zero, &scores));
		SP_TRY(sp_onnx_choose(onnx, node, scores, sp_onnx_scalar(onnx, SP_ONNX_FLOAT, 1),
							  sp_onnx_scalar(onnx, SP_ONNX_FLOAT, -1), &scores));
	}
	onnx->estimator = node;
	return sp_onnx_define_output(onnx, node, 0, scores);
}

/*
 * coefficients [n_classes - 1, n_vectors] as one row for each pair of classes:
 * the vectors of both take part, the others with 0.
 */
static SpStatus
sp_onnx_pair_weights(SpOnnx *onnx, const SpOnnx__NodeProto *node, const SpOnnxSvm *svm, const int64_t *counts,
					 uint32_t n_classes, size_t n_vectors, double **weights)
{
	size_t		n_pairs = (size_t) n_classes * (n_classes - 1) / 2;
	size_t		size;
	size_t		pair = 0;
	size_t		first_i = 0;

	if (!sp_mul_size(n_pairs, n_vectors, &size))
		return sp_onnx_fail(onnx, node, SP_ERR_LIMIT, "there are too many support vectors");
	SP_TRY(sp_onnx_memory(onnx, size, sizeof(double), (void **) weights));
	for (uint32_t i = 0; i < n_classes; first_i += (size_t) counts[i], i++)
	{
		size_t		first_j = first_i + (size_t) counts[i];

		for (uint32_t j = i + 1; j < n_classes; first_j += (size_t) counts[j], j++, pair++)
		{
			double	   *row = *weights + pair * n_vectors;

			memcpy(row + first_i, svm->coefficients + (j - 1) * n_vectors + first_i, (size_t) counts[i] * sizeof(double));
			memcpy(row + first_j, svm->coefficients + i * n_vectors + first_j, (size_t) counts[j] * sizeof(double));
		}
	}
	return SP_OK;
}

/* Votes: each pair's score > 0 counts for the first class, else for the second. */
static SpStatus
sp_onnx_votes(SpOnnx *onnx, const SpOnnx__NodeProto *node, SpOnnxValue scores, uint32_t n_classes, uint32_t *label)
{
	size_t		n_pairs = (size_t) scores.dims[1];
	double	   *weights;
	double	   *bias;
	size_t		pair = 0;

	SP_TRY(sp_onnx_memory(onnx, n_pairs * n_classes, sizeof(double), (void **) &weights));
	SP_TRY(sp_onnx_memory(onnx, n_classes, sizeof(double), (void **) &bias));
	for (uint32_t i = 0; i < n_classes; i++)
		for (uint32_t j = i + 1; j < n_classes; j++, pair++)
		{
			weights[i * n_pairs + pair] = 1;
			weights[j * n_pairs + pair] = -1;
			bias[j] += 1;
		}
	SP_TRY(sp_builder_map(onnx->builder, scores.value, SP_MAP_STEP, &scores.value));
	SP_TRY(sp_onnx_matrix(onnx, node, scores, n_classes, weights, bias, &scores));
	return sp_builder_argmax(onnx->builder, scores.value, label);
}

/* Probabilities of pairs, then of classes. */
static SpStatus
sp_onnx_platt(SpOnnx *onnx, const SpOnnx__NodeProto *node, SpOnnxValue scores, uint32_t n_classes,
			  const double *a, const double *b, uint32_t *probabilities)
{
	SpOnnxValue row = {.kind = SP_ONNX_CONSTANT, .elem = SP_ONNX_FLOAT, .rank = 1, .row_axis = -1};
	const SpOnnxValue *input = &scores;

	row.dims[0] = scores.dims[1];
	row.list = (SpOnnxList) {.count = (size_t) scores.dims[1], .numbers = (double *) a};
	SP_TRY(sp_onnx_binary(onnx, node, SP_BINARY_MUL, scores, row, &scores));
	row.list.numbers = (double *) b;
	SP_TRY(sp_onnx_binary(onnx, node, SP_BINARY_ADD, scores, row, &scores));
	SP_TRY(sp_onnx_apply(onnx, node, SP_APPLY_NEGATE, 0, 0, scores, &scores));
	SP_TRY(sp_onnx_apply(onnx, node, SP_APPLY_SIGMOID, 0, 0, scores, &scores));
	SP_TRY(sp_onnx_apply(onnx, node, SP_APPLY_CLIP, 1e-7f, 1 - 1e-7f, scores, &scores));
	SP_TRY(sp_onnx_step(onnx, node, SP_OP_COUPLE, (SpGeneral) {.dims = {n_classes}}, &input, 1, &scores));
	*probabilities = scores.value;
	return SP_OK;
}

SpStatus
sp_onnx_svm_classifier(SpOnnx *onnx, const SpOnnx__NodeProto *node)
{
	SpOnnxSvm	svm;
	SpOnnxValue scores;
	SpOnnxPost	post;
	const SpOnnx__AttributeProto *counts;
	double	   *platt[2];
	size_t		n_platt[2];
	double	   *weights;
	size_t		n_vectors = 0;
	size_t		n_pairs;
	uint32_t	label;

	SP_TRY(sp_onnx_labels(onnx, node, "classlabels_ints"));
	SP_TRY(sp_onnx_post_transform(onnx, node, &post));
	SP_TRY(sp_onnx_read_svm(onnx, node, &svm));
	SP_TRY(sp_onnx_attribute(onnx, node, "vectors_per_class", SP_ONNX_ATTR_INTS, &counts));
	SP_TRY(sp_onnx_attribute_numbers(onnx, node, "prob_a", NULL, &platt[0], &n_platt[0]));
	SP_TRY(sp_onnx_attribute_numbers(onnx, node, "prob_b", NULL, &platt[1], &n_platt[1]));
	n_pairs = (size_t) onnx->n_labels * (onnx->n_labels - 1) / 2;
	for (size_t at = 0; counts && at < counts->n_ints; at++)
	{
		if (counts->ints[at] < 0 || counts->ints[at] > INT32_MAX)
			return sp_onnx_fail(onnx, node, SP_ERR_FORMAT, "vectors_per_class is not possible");
		n_vectors += (size_t) counts->ints[at];
	}
	if (n_vectors == 0 || counts->n_ints != onnx->n_labels || post != SP_ONNX_POST_NONE)
		return sp_onnx_fail(onnx, node, SP_ERR_UNSUPPORTED, "a classifier without support vectors for each class, or with a post_transform, is not supported");
	if (svm.n_coefficients != (onnx->n_labels - 1) * n_vectors || svm.n_rho != n_pairs ||
		n_platt[0] != n_platt[1] || (n_platt[0] != 0 && n_platt[0] != n_pairs))
		return sp_onnx_fail(onnx, node, SP_ERR_FORMAT, "coefficients, rho and probabilities do not fit %u labels", onnx->n_labels);
	SP_TRY(sp_onnx_pair_weights(onnx, node, &svm, counts->ints, onnx->n_labels, n_vectors, &weights));
	SP_TRY(sp_onnx_machine(onnx, node, &svm, n_vectors, (uint32_t) n_pairs, weights, SP_ONNX_DOUBLE, &scores));
	SP_TRY(sp_onnx_votes(onnx, node, scores, onnx->n_labels, &label));
	SP_TRY(sp_onnx_convert(onnx, node, scores, SP_ONNX_FLOAT, &scores));

	/*
	 * The scores of pairs are not the decision function of scikit-learn, so
	 * they are no margins; but that of two classes is, with its sign turned.
	 */
	if (n_platt[0] == 0 && n_pairs == 1)
		SP_TRY(sp_builder_map(onnx->builder, scores.value, SP_MAP_NEGATE, &scores.value));
	if (n_platt[0] == 0)
		return sp_onnx_define_classes(onnx, node, label, scores.value, false);
	SP_TRY(sp_onnx_platt(onnx, node, scores, onnx->n_labels, platt[0], platt[1], &scores.value));
	return sp_onnx_define_classes(onnx, node, label, scores.value, true);
}
