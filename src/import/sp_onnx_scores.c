/*
 * src/import/sp_onnx_scores.c
 *
 * What follows the scores of an estimator: labels, post_transform, outputs.
 *
 * Formulas and decisions are those of ONNX Runtime (write_scores and
 * batched_update_scores_inplace in onnxruntime/core/providers/cpu/ml/ml_common.h,
 * _set_score_binary in tree_ensemble_aggregator.h, linearclassifier.cc), tried
 * against its version 1.32.  It works in float after the sum.
 */
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "import/sp_onnx_internal.h"

/* digits of a 64-bit label, its sign and zero byte */
#define SP_ONNX_LABEL_SIZE 24

SpStatus
sp_onnx_post_transform(SpOnnx *onnx, const SpOnnx__NodeProto *node, SpOnnxPost *post)
{
	static const char *const names[] = {"NONE", "LOGISTIC", "SOFTMAX", "SOFTMAX_ZERO", "PROBIT"};
	char		shown[SP_PRINTABLE_SIZE];
	SpStr		text;
	size_t		i;

	SP_TRY(sp_onnx_attribute_text(onnx, node, "post_transform", "NONE", &text));
	for (i = 0; i < sizeof(names) / sizeof(names[0]); i++)
	{
		if (sp_str_is(text, names[i]))
		{
			*post = (SpOnnxPost) i;
			return SP_OK;
		}
	}
	return sp_onnx_fail(onnx, node, SP_ERR_UNSUPPORTED, "post_transform \"%s\" is not supported",
						sp_printable(text, shown));
}

static SpStatus
sp_onnx_read_labels(SpOnnx *onnx, const SpOnnx__NodeProto *node, const char *ints_name,
					SpStr **labels, uint32_t *n_labels, SpType *type)
{
	SpContext  *cx = onnx->cx;
	const SpOnnx__AttributeProto *ints;
	const SpOnnx__AttributeProto *strings;
	void	   *memory;
	char	   *text;
	size_t		count;
	size_t		i;

	SP_TRY(sp_onnx_attribute(onnx, node, ints_name, SP_ONNX_ATTR_INTS, &ints));
	SP_TRY(sp_onnx_attribute(onnx, node, "classlabels_strings", SP_ONNX_ATTR_STRINGS, &strings));
	if (strings && strings->n_strings == 0)
		strings = NULL;
	if ((strings != NULL) == (ints != NULL && ints->n_ints > 0))
		return sp_onnx_fail(onnx, node, SP_ERR_FORMAT, "there must be labels either in %s or in classlabels_strings",
							ints_name);
	count = strings ? strings->n_strings : ints->n_ints;
	if (count > cx->limits.max_labels)
		return sp_over_limit(cx, "max_labels",
								 sp_onnx_fail(onnx, node, SP_ERR_LIMIT, "%zu labels are more than the limit of %u",
							count, cx->limits.max_labels));
	SP_TRY(sp_alloc_array(cx, count, sizeof(SpStr), &memory));
	*labels = memory;
	*n_labels = (uint32_t) count;
	*type = strings ? SP_TYPE_STRING : SP_TYPE_I64;
	if (strings)
	{
		for (i = 0; i < count; i++)
			(*labels)[i] = sp_onnx_str(strings->strings[i]);
		return SP_OK;
	}
	SP_TRY(sp_alloc_array(cx, count, SP_ONNX_LABEL_SIZE, &memory));
	text = memory;
	for (i = 0; i < count; i++)
	{
		char	   *label = text + i * SP_ONNX_LABEL_SIZE;

		(*labels)[i].data = label;
		(*labels)[i].size = (size_t) snprintf(label, SP_ONNX_LABEL_SIZE, "%" PRId64, ints->ints[i]);
	}
	return SP_OK;
}

SpStatus
sp_onnx_labels(SpOnnx *onnx, const SpOnnx__NodeProto *node, const char *ints_name)
{
	SP_TRY(sp_onnx_read_labels(onnx, node, ints_name, &onnx->labels, &onnx->n_labels,
							   &onnx->label_type));
	if (onnx->n_labels < 2)
		return sp_onnx_fail(onnx, node, SP_ERR_UNSUPPORTED, "a classifier with one label is not supported");
	return SP_OK;
}

SpStatus
sp_onnx_same_labels(SpOnnx *onnx, const SpOnnx__NodeProto *node, bool after_classifier)
{
	SpStr	   *labels;
	uint32_t	n_labels;
	SpType		type;
	uint32_t	i;

	SP_TRY(sp_onnx_read_labels(onnx, node, "classlabels_int64s", &labels, &n_labels, &type));
	if (!after_classifier)
	{
		onnx->zipmap = labels;
		onnx->n_zipmap = n_labels;
		return SP_OK;
	}
	for (i = 0; i < n_labels && i < onnx->n_labels; i++)
	{
		if (!sp_str_eq(labels[i], onnx->labels[i]))
			break;
	}
	if (i != n_labels || i != onnx->n_labels)
		return sp_onnx_fail(onnx, node, SP_ERR_UNSUPPORTED, "labels that differ from the classifier's are not supported");
	return SP_OK;
}

/* A link function on two or more float scores. */
static SpStatus
sp_onnx_link(SpOnnx *onnx, uint32_t scores, SpOnnxPost post, uint32_t *out)
{
	switch (post)
	{
		case SP_ONNX_POST_LOGISTIC:
			return sp_builder_map(onnx->builder, scores, SP_MAP_SIGMOID, out);
		case SP_ONNX_POST_SOFTMAX:
			return sp_builder_softmax(onnx->builder, scores, SP_SOFTMAX_ALL, out);
		case SP_ONNX_POST_SOFTMAX_ZERO:
			return sp_builder_softmax(onnx->builder, scores, SP_SOFTMAX_NONZERO, out);
		case SP_ONNX_POST_PROBIT:
			return sp_builder_map(onnx->builder, scores, SP_MAP_PROBIT, out);
		default:
			*out = scores;
			return SP_OK;
	}
}

/* The number that a label was printed from; one above 2^53 is refused where it is computed with. */
static double
sp_onnx_label_number(SpStr label)
{
	bool		negative = label.size > 0 && label.data[0] == '-';
	double		number = 0;

	for (size_t at = negative; at < label.size; at++)
		number = number * 10 + (label.data[at] - '0');
	return negative ? -number : number;
}

/* Labels as a list: integers become numbers again. */
static SpStatus
sp_onnx_label_list(SpOnnx *onnx, SpOnnxList **list)
{
	void	   *memory;

	SP_TRY(sp_onnx_memory(onnx, 1, sizeof(SpOnnxList), &memory));
	*list = memory;
	(*list)->count = onnx->n_labels;
	if (onnx->label_type == SP_TYPE_STRING)
	{
		(*list)->texts = onnx->labels;
		return SP_OK;
	}
	SP_TRY(sp_onnx_memory(onnx, onnx->n_labels, sizeof(double), &memory));
	(*list)->numbers = memory;
	for (uint32_t at = 0; at < onnx->n_labels; at++)
		(*list)->numbers[at] = sp_onnx_label_number(onnx->labels[at]);
	return SP_OK;
}

SpStatus
sp_onnx_define_classes(SpOnnx *onnx, const SpOnnx__NodeProto *node, uint32_t label,
					   uint32_t scores, bool are_probabilities)
{
	SpOnnxValue value = {.kind = SP_ONNX_LABEL, .value = label, .rank = 1, .dims = {1}};
	SpOnnxList *list;

	SP_TRY(sp_onnx_label_list(onnx, &list));
	value.labels = list;
	value.label_type = onnx->label_type;
	value.elem = onnx->label_type == SP_TYPE_STRING ? SP_ONNX_STRING : SP_ONNX_INT64;
	value.n_results = onnx->n_labels;

	onnx->estimator = node;
	onnx->label = label;
	SP_TRY(sp_onnx_define_output(onnx, node, 0, value));
	value = sp_onnx_row(onnx, scores, sp_builder_value(onnx->builder, scores).type == SP_TYPE_F64 ? SP_ONNX_DOUBLE : SP_ONNX_FLOAT);
	value.kind = SP_ONNX_SCORES;
	value.is_probability = are_probabilities;
	value.is_first = sp_str_is(sp_onnx_str(node->op_type), "SVMClassifier");
	return sp_onnx_define_output(onnx, node, 1, value);
}

SpStatus
sp_onnx_classify(SpOnnx *onnx, const SpOnnx__NodeProto *node, uint32_t scores, SpOnnxPost post,
				 bool are_probabilities)
{
	uint32_t	label;
	uint32_t	singles;
	uint32_t	linked;

	SP_TRY(sp_builder_argmax(onnx->builder, scores, &label));
	SP_TRY(sp_onnx_cast(onnx, scores, SP_TYPE_F32, &singles));
	SP_TRY(sp_onnx_link(onnx, singles, post, &linked));
	if (post != SP_ONNX_POST_NONE || !are_probabilities)
		onnx->raw = scores;
	return sp_onnx_define_classes(onnx, node, label, linked,
								  are_probabilities || post != SP_ONNX_POST_NONE);
}

SpStatus
sp_onnx_classify_binary(SpOnnx *onnx, const SpOnnx__NodeProto *node, uint32_t score, double cut,
						SpOnnxPost post, bool are_probabilities)
{
	uint32_t	label;
	uint32_t	pair = score;

	/* one column of probits, and another of whatever was in memory */
	if (post == SP_ONNX_POST_PROBIT)
		return sp_onnx_fail(onnx, node, SP_ERR_UNSUPPORTED,
							"post_transform PROBIT with two classes and one score is not supported");
	SP_TRY(sp_builder_above(onnx->builder, score, cut, &label));
	if (post == SP_ONNX_POST_LOGISTIC)
	{
		SP_TRY(sp_onnx_cast(onnx, score, SP_TYPE_F32, &pair));
		SP_TRY(sp_builder_map(onnx->builder, pair, SP_MAP_SIGMOID, &pair));
		SP_TRY(sp_builder_complement(onnx->builder, pair, &pair));
		onnx->raw = score;
		return sp_onnx_define_classes(onnx, node, label, pair, true);
	}

	/*
	 * ONNX Runtime does not do the softmaxes here.  It makes two columns of a
	 * margin, whose first says nothing new.
	 */
	if (!are_probabilities)
	{
		onnx->raw = score;
		return sp_onnx_define_classes(onnx, node, label, score, false);
	}
	SP_TRY(sp_builder_complement(onnx->builder, score, &pair));
	SP_TRY(sp_onnx_cast(onnx, pair, SP_TYPE_F32, &pair));
	return sp_onnx_define_classes(onnx, node, label, pair, true);
}

/* ONNX Runtime links several targets as it does classes, and does only PROBIT with one. */
SpStatus
sp_onnx_regress(SpOnnx *onnx, const SpOnnx__NodeProto *node, uint32_t score, SpOnnxPost post, SpType type)
{
	uint32_t	linked;

	SP_TRY(sp_onnx_cast(onnx, score, type, &score));
	if (sp_builder_value(onnx->builder, score).width == 1 && post != SP_ONNX_POST_NONE && post != SP_ONNX_POST_PROBIT)
		return sp_onnx_fail(onnx, node, SP_ERR_UNSUPPORTED,
							"this post_transform with one target is not supported, because ONNX Runtime ignores it");
	SP_TRY(sp_onnx_link(onnx, score, post, &linked));
	if (post != SP_ONNX_POST_NONE)
		onnx->raw = score;
	onnx->estimator = node;
	return sp_onnx_define_output(onnx, node, 0, sp_onnx_row(onnx, linked, type == SP_TYPE_F64 ? SP_ONNX_DOUBLE : SP_ONNX_FLOAT));
}
