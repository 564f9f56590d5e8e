/*
 * src/import/sp_xgboost_columns.c
 *
 * The categories that the columns of a data frame had in training, which
 * XGBoost writes since version 3.1 (xgboost src/encoder/ordinal.h,
 * src/data/cat_container.cc): "enc" has an object for each column, empty arrays
 * for a column of plain numbers.  With "offsets", "values" are the bytes of all
 * texts one after the other; without, they are whole numbers.  A category's
 * place in its list is the code that the trees know.
 *
 * Version 3.2 cuts texts of pandas after as many bytes as they have characters,
 * so beyond ASCII a list says nothing for sure.  Such a column has no list here,
 * and takes codes.
 *
 * The library refuses a category that training had not (version 3.2 takes some
 * unseen texts for the next one in its sorted list; here all are refused).
 */
#include <math.h>

#include "import/sp_xgboost_internal.h"

/* From here on integers share a double with others. */
#define SP_XGB_EXACT 9007199254740992.0

static SpStatus
sp_xgb_read_values(SpXgboost *xgb, SpTokens *tokens, SpXgbColumn *column)
{
	SpContext  *cx = xgb->cx;
	SpToken		token;

	for (;;)
	{
		SP_TRY(sp_tokens_next(tokens, &token));
		if (token.kind == SP_TOKEN_ARRAY_END)
			return SP_OK;
		if (token.kind != SP_TOKEN_NUMBER || !token.is_integer)
			return sp_wrong_kind(cx, &token, "values", "an array of whole numbers");
		if (column->n_values >= cx->limits.max_elements)
			return sp_fail_limit(cx, "max_elements", "a column has more values of categories than the limit of %llu",
								 (unsigned long long) cx->limits.max_elements);
		SP_TRY(sp_grow_array(cx, (void **) &column->values, &column->values_capacity, column->n_values + 1,
							 sizeof(double)));
		column->values[column->n_values++] = token.number;
	}
}

static SpStatus
sp_xgb_read_column(SpXgboost *xgb, SpTokens *tokens, const SpToken *start, SpXgbColumn *column)
{
	static const char *const names[] = {"offsets", "values", NULL};
	SpMembers	members = {.cx = xgb->cx, .tokens = tokens, .what = "enc", .names = names};
	int			which;

	if (start->kind != SP_TOKEN_OBJECT)
		return sp_wrong_kind(xgb->cx, start, "enc", "an array of objects");
	for (;;)
	{
		SP_TRY(sp_members_next(&members, &which));
		if (which == SP_NO_MEMBER)
			break;
		if (which == 0)
			SP_TRY(sp_xgb_read_integers(xgb->cx, tokens, "offsets", INT32_MAX, &column->offsets));
		else
		{
			SP_TRY(sp_array_open(xgb->cx, tokens, "values"));
			SP_TRY(sp_xgb_read_values(xgb, tokens, column));
		}
	}
	column->is_text = members.seen & 1;
	return sp_members_require(&members, 2);
}

SpStatus
sp_xgb_read_columns(SpXgboost *xgb, SpTokens *tokens)
{
	static const char *const names[] = {"enc", NULL};
	SpContext  *cx = xgb->cx;
	SpMembers	members;
	SpToken		token;
	int			which;

	SP_TRY(sp_members_open(&members, cx, tokens, "cats", names));
	for (;;)
	{
		SP_TRY(sp_members_next(&members, &which));
		if (which == SP_NO_MEMBER)
			return SP_OK;
		SP_TRY(sp_array_open(cx, tokens, "enc"));
		for (;;)
		{
			SP_TRY(sp_tokens_next(tokens, &token));
			if (token.kind == SP_TOKEN_ARRAY_END)
				break;
			if (xgb->n_columns >= cx->limits.max_features)
				return sp_fail_limit(cx, "max_features", "enc has more columns than the limit of %u features",
									 cx->limits.max_features);
			SP_TRY(sp_grow_array(cx, (void **) &xgb->columns, &xgb->columns_capacity, xgb->n_columns + 1,
								 sizeof(SpXgbColumn)));
			xgb->columns[xgb->n_columns] = (SpXgbColumn) {0};
			SP_TRY(sp_xgb_read_column(xgb, tokens, &token, &xgb->columns[xgb->n_columns]));
			xgb->n_columns++;
		}
	}
}

static SpStatus
sp_xgb_check_offsets(const SpXgboost *xgb, size_t feature)
{
	const SpXgbColumn *column = &xgb->columns[feature];
	const SpXgbIntegers *offsets = &column->offsets;

	if (offsets->count == 0)
		return column->n_values == 0 ? SP_OK :
			sp_fail(xgb->cx, SP_ERR_FORMAT, "the categories of feature %zu have no offsets", feature);
	for (size_t i = 1; i < offsets->count; i++)
		if (offsets->at[i] < offsets->at[i - 1])
			return sp_fail(xgb->cx, SP_ERR_FORMAT, "the offsets of feature %zu's categories do not ascend", feature);
	if (offsets->at[0] != 0 || offsets->at[offsets->count - 1] != column->n_values)
		return sp_fail(xgb->cx, SP_ERR_FORMAT, "the offsets of feature %zu's categories do not fit their %zu bytes",
					   feature, column->n_values);
	return SP_OK;
}

/* The bytes of all texts of a column, which are signed in the file; *usable is false unless all are printable ASCII. */
static SpStatus
sp_xgb_text_bytes(const SpXgboost *xgb, size_t feature, char **bytes, bool *usable)
{
	const SpXgbColumn *column = &xgb->columns[feature];
	void	   *memory;

	SP_TRY(sp_alloc_array(xgb->cx, column->n_values, 1, &memory));
	*bytes = memory;
	*usable = true;
	for (size_t i = 0; i < column->n_values; i++)
	{
		if (column->values[i] < -128 || column->values[i] > 255)
			return sp_fail(xgb->cx, SP_ERR_FORMAT, "%g is no byte of feature %zu's categories", column->values[i], feature);
		*usable = *usable && column->values[i] >= ' ' && column->values[i] <= '~';
		(*bytes)[i] = (char) (uint8_t) (int) column->values[i];
	}
	return SP_OK;
}

static SpStatus
sp_xgb_add_texts(const SpXgboost *xgb, SpBuilder *builder, uint32_t feature)
{
	SpContext  *cx = xgb->cx;
	const SpXgbIntegers *offsets = &xgb->columns[feature].offsets;
	SpCategoriesSpec spec = {.kind = SP_CATEGORIES_TEXT, .unseen = SP_UNSEEN_ERROR};
	bool		usable;
	char	   *bytes;
	void	   *memory;
	SpStr	   *texts;

	SP_TRY(sp_xgb_check_offsets(xgb, feature));
	if (offsets->count < 2)
		return SP_OK;
	SP_TRY(sp_xgb_text_bytes(xgb, feature, &bytes, &usable));
	spec.n = (uint32_t) (offsets->count - 1);
	SP_TRY(sp_alloc_array(cx, spec.n, sizeof(SpStr), &memory));
	texts = memory;
	for (uint32_t i = 0; i < spec.n; i++)
		texts[i] = (SpStr) {bytes + offsets->at[i], offsets->at[i + 1] - offsets->at[i]};
	spec.texts = texts;
	if (usable)
		SP_TRY(sp_builder_categories(builder, feature, &spec));
	sp_free(cx, texts);
	sp_free(cx, bytes);
	return SP_OK;
}

/* Without a list, numbers would be taken for codes. */
static SpStatus
sp_xgb_add_numbers(const SpXgboost *xgb, SpBuilder *builder, uint32_t feature)
{
	const SpXgbColumn *column = &xgb->columns[feature];
	SpCategoriesSpec spec = {
		.kind = SP_CATEGORIES_NUMBER, .unseen = SP_UNSEEN_ERROR,
		.n = (uint32_t) (column->n_values > UINT32_MAX ? UINT32_MAX : column->n_values), .numbers = column->values
	};

	for (size_t i = 0; i < column->n_values; i++)
	{
		if (fabs(column->values[i]) < SP_XGB_EXACT)
			continue;
		sp_fail(xgb->cx, SP_ERR_UNSUPPORTED, "XGBoost categories that are whole numbers of more than 53 bits are not supported (feature %u)",
				feature);
		return sp_fail_hint(xgb->cx, "Train with strings as categories.");
	}
	return sp_builder_categories(builder, feature, &spec);
}

SpStatus
sp_xgb_add_columns(const SpXgboost *xgb, SpBuilder *builder)
{
	if (xgb->n_columns > 0 && xgb->n_columns != xgb->num_feature)
		return sp_fail(xgb->cx, SP_ERR_FORMAT, "enc has %zu columns for %u features", xgb->n_columns, xgb->num_feature);
	for (uint32_t feature = 0; feature < xgb->n_columns; feature++)
	{
		const SpXgbColumn *column = &xgb->columns[feature];

		if (column->is_text)
			SP_TRY(sp_xgb_add_texts(xgb, builder, feature));
		else if (column->n_values > 0)
			SP_TRY(sp_xgb_add_numbers(xgb, builder, feature));
	}
	return SP_OK;
}
