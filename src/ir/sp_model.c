/*
 * src/ir/sp_model.c
 *
 * Names of the enums, and places of categories.
 */
#include <string.h>

#include "ir/sp_model.h"

/* As strcmp: ascending by bytes, a beginning before the whole. */
static int
compare_text(const char *text, SpStr wanted)
{
	size_t		size = strlen(text);
	size_t		common = size < wanted.size ? size : wanted.size;
	int			order = common > 0 ? memcmp(text, wanted.data, common) : 0;

	return order != 0 ? order : (size > wanted.size) - (size < wanted.size);
}

int64_t
sp_categories_find_text(const SpCategories *categories, SpStr text)
{
	uint32_t	low = 0;
	uint32_t	high = categories->n;

	while (low < high)
	{
		uint32_t	middle = low + (high - low) / 2;
		int			order = compare_text(categories->texts[categories->order[middle]], text);

		if (order == 0)
			return categories->order[middle];
		if (order < 0)
			low = middle + 1;
		else
			high = middle;
	}
	return -1;
}

int64_t
sp_categories_find_number(const SpCategories *categories, double number)
{
	uint32_t	low = 0;
	uint32_t	high = categories->n;

	while (low < high)
	{
		uint32_t	middle = low + (high - low) / 2;
		double		at = categories->numbers[categories->order[middle]];

		if (at == number)
			return categories->order[middle];
		if (at < number)
			low = middle + 1;
		else
			high = middle;
	}
	return -1;
}

const char *
sp_unseen_name(SpUnseen unseen)
{
	switch (unseen)
	{
		case SP_UNSEEN_SOURCE:
			return "source";
		case SP_UNSEEN_ERROR:
			return "error";
		case SP_UNSEEN_MISSING:
			return "missing";
	}
	return "unknown";
}

const char *
sp_type_name(SpType type)
{
	switch (type)
	{
		case SP_TYPE_F32:
			return "float32";
		case SP_TYPE_F64:
			return "float64";
		case SP_TYPE_I64:
			return "int64";
		case SP_TYPE_STRING:
			return "string";
	}
	return "unknown";
}

const char *
sp_task_name(SpTask task)
{
	switch (task)
	{
		case SP_TASK_REGRESSION:
			return "regression";
		case SP_TASK_CLASSIFICATION:
			return "classification";
		case SP_TASK_RANKING:
			return "ranking";
		case SP_TASK_SURVIVAL:
			return "survival";
		case SP_TASK_SCORE:
			return "score";
		case SP_TASK_OUTLIER:
			return "outlier";
		case SP_TASK_CLUSTERING:
			return "clustering";
		case SP_TASK_TRANSFORM:
			return "transform";
	}
	return "unknown";
}

const char *
sp_output_name(SpOutput output)
{
	switch (output)
	{
		case SP_OUTPUT_VALUE:
			return "value";
		case SP_OUTPUT_LABEL:
			return "label";
		case SP_OUTPUT_PROBABILITIES:
			return "probabilities";
		case SP_OUTPUT_RAW:
			return "raw";
	}
	return "unknown";
}

const char *
sp_op_name(SpOp op)
{
	switch (op)
	{
		case SP_OP_TREES:
			return "trees";
		case SP_OP_LINEAR:
			return "linear";
		case SP_OP_SCALE:
			return "scale";
		case SP_OP_NORMALIZE:
			return "normalize";
		case SP_OP_CAST:
			return "cast";
		case SP_OP_MAP:
			return "map";
		case SP_OP_SOFTMAX:
			return "softmax";
		case SP_OP_COMPLEMENT:
			return "complement";
		case SP_OP_ARGMAX:
			return "argmax";
		case SP_OP_ABOVE:
			return "above";
		case SP_OP_CONSTANT:
			return "constant";
		case SP_OP_GATHER:
			return "gather";
		case SP_OP_CONCAT:
			return "concat";
		case SP_OP_BINARY:
			return "binary";
		case SP_OP_WHERE:
			return "where";
		case SP_OP_APPLY:
			return "apply";
		case SP_OP_REDUCE:
			return "reduce";
		case SP_OP_GROUP:
			return "group";
		case SP_OP_MATRIX:
			return "matrix";
		case SP_OP_TAKE:
			return "take";
		case SP_OP_ENCODE:
			return "encode";
		case SP_OP_KERNEL:
			return "kernel";
		case SP_OP_COUPLE:
			return "couple";
		case SP_OP_TOPK:
			return "topk";
		case SP_OP_PRODUCT:
			return "product";
		case SP_OP_RECURRENT:
			return "recurrent";
		case SP_OP_CONV:
			return "conv";
	}
	return "unknown";
}
