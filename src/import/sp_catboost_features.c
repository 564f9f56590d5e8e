/*
 * src/import/sp_catboost_features.c
 *
 * The features of a CatBoost JSON model: features_info, where every kind of
 * feature has a list of its own and flat_feature_index is the place among all.
 *
 * A categorical feature has the hashes of the categories that splits ask for
 * (CalcCatFeatureHash, sp_cat_hash), as signed numbers.  cat_features_hash, which
 * is there if save_model() was given a pool, has the hashes of all categories of
 * all features (catboost/libs/model/model_export/json_model_helpers.cpp).
 */
#include <string.h>

#include "import/sp_catboost_internal.h"
#include "import/sp_members.h"
#include "import/sp_sort.h"

static SpStatus
sp_cat_read_treatment(SpCatboost *cat, SpTokens *tokens, bool *missing_right)
{
	char		shown[SP_PRINTABLE_SIZE];
	SpStr		text;

	SP_TRY(sp_read_text(cat->cx, tokens, "nan_value_treatment", &text));
	*missing_right = sp_str_is(text, "AsTrue");
	if (*missing_right || sp_str_is(text, "AsFalse") || sp_str_is(text, "AsIs"))
		return SP_OK;
	return sp_fail(cat->cx, SP_ERR_UNSUPPORTED, "nan_value_treatment \"%s\" of CatBoost is not supported",
				   sp_printable(text, shown));
}

static SpStatus
sp_cat_add_hash(SpCatboost *cat, SpCatHashes *hashes, const SpToken *token, const char *what)
{
	if (token->kind != SP_TOKEN_NUMBER || !token->is_integer || token->integer < INT32_MIN || token->integer > UINT32_MAX)
		return sp_wrong_kind(cat->cx, token, what, "a number of 32 bits");
	if (hashes->n >= cat->cx->limits.max_features)
		return sp_fail_limit(cat->cx, "max_features", "the model has more categories than the limit of %u",
							 cat->cx->limits.max_features);
	SP_TRY(sp_grow_array(cat->cx, (void **) &hashes->at, &hashes->capacity, (size_t) hashes->n + 1, sizeof(int64_t)));
	hashes->at[hashes->n++] = (uint32_t) token->integer;
	return SP_OK;
}

static SpStatus
sp_cat_read_hashes(SpCatboost *cat, SpTokens *tokens, SpCatHashes *hashes)
{
	SpToken		token;

	SP_TRY(sp_array_open(cat->cx, tokens, "values"));
	for (;;)
	{
		SP_TRY(sp_tokens_next(tokens, &token));
		if (token.kind == SP_TOKEN_ARRAY_END)
			return SP_OK;
		SP_TRY(sp_cat_add_hash(cat, hashes, &token, "values"));
	}
}

/* One feature of either kind, number index of its list. */
static SpStatus
sp_cat_read_feature(SpCatboost *cat, SpTokens *tokens, const SpToken *start, bool is_category, uint32_t index)
{
	static const char *const names[] = {
		"feature_index", "flat_feature_index", "feature_id", "nan_value_treatment", "values", NULL
	};
	SpMembers	members = {.cx = cat->cx, .tokens = tokens, .what = "features_info", .names = names};
	SpCatFeature *feature;
	const char *copy;
	SpToken		token;
	int			which;

	if (start->kind != SP_TOKEN_OBJECT)
		return sp_wrong_kind(cat->cx, start, "features_info", "arrays of objects");
	if (cat->n_features >= cat->cx->limits.max_features)
		return sp_fail_limit(cat->cx, "max_features", "the model has more features than the limit of %u",
							 cat->cx->limits.max_features);
	SP_TRY(sp_grow_array(cat->cx, (void **) &cat->features, &cat->features_capacity, cat->n_features + 1,
						 sizeof(SpCatFeature)));
	feature = &cat->features[cat->n_features++];
	*feature = (SpCatFeature) {.is_category = is_category, .name = SP_STR("")};
	for (;;)
	{
		SP_TRY(sp_members_next(&members, &which));
		if (which == SP_NO_MEMBER)
			return sp_members_require(&members, is_category ? 3 : 11);
		if (which == 3)
		{
			SP_TRY(sp_cat_read_treatment(cat, tokens, &feature->missing_right));
			continue;
		}
		if (which == 4)
		{
			SP_TRY(sp_cat_read_hashes(cat, tokens, &feature->hashes));
			continue;
		}
		SP_TRY(sp_tokens_next(tokens, &token));
		if (which == 2 && token.kind != SP_TOKEN_STRING)
			return sp_wrong_kind(cat->cx, &token, names[which], "a string");
		if (which < 2 && (token.kind != SP_TOKEN_NUMBER || !token.is_integer || token.integer < 0 ||
						  token.integer > INT32_MAX || (which == 0 && token.integer != index)))
			return sp_wrong_kind(cat->cx, &token, names[which], "the number of the feature");
		if (which == 1)
			feature->flat = (uint32_t) token.integer;
		else if (which == 2)
		{
			SP_TRY(sp_copy_str(cat->cx, token.text, &copy));
			feature->name = (SpStr) {copy, token.text.size};
		}
	}
}

/* [{"hash": 3055766120, "value": "red"}, ...] */
static SpStatus
sp_cat_read_table(SpCatboost *cat, SpTokens *tokens, const SpToken *start)
{
	static const char *const names[] = {"hash", NULL};
	SpMembers	members = {.cx = cat->cx, .tokens = tokens, .what = "cat_features_hash", .names = names};
	SpToken		token;
	int			which;

	if (start->kind != SP_TOKEN_OBJECT)
		return sp_wrong_kind(cat->cx, start, "cat_features_hash", "an array of objects");
	for (;;)
	{
		SP_TRY(sp_members_next(&members, &which));
		if (which == SP_NO_MEMBER)
			return sp_members_require(&members, 1);
		SP_TRY(sp_tokens_next(tokens, &token));
		SP_TRY(sp_cat_add_hash(cat, &cat->table, &token, "hash"));
	}
}

static SpStatus
sp_cat_refuse_list(SpCatboost *cat, const char *name, bool is_ctr)
{
	sp_fail(cat->cx, SP_ERR_UNSUPPORTED, "CatBoost models with %s are not supported", name);
	return sp_fail_hint(cat->cx, "%s", is_ctr ?
						"Train with one_hot_max_size of at least the number of categories, so that splits ask for categories by themselves." :
						"Train on numbers and categories only.");
}

/* What the lists say by place among all features: each is there once. */
static SpStatus
sp_cat_order_features(SpCatboost *cat)
{
	SpContext  *cx = cat->cx;
	uint8_t    *is_used;
	void	   *memory;

	SP_TRY(sp_alloc_array(cx, cat->n_features, 1, (void **) &is_used));
	SP_TRY(sp_alloc_array(cx, cat->n_features, sizeof(SpStr), &memory));
	cat->names = memory;
	cat->has_names = cat->n_features > 0;
	for (uint32_t at = 0; at < cat->n_features; at++)
	{
		uint32_t	flat = cat->features[at].flat;

		if (flat >= cat->n_features || is_used[flat])
			return sp_fail(cx, SP_ERR_FORMAT, "flat_feature_index %u of %zu features is %s", flat, cat->n_features,
						   flat >= cat->n_features ? "out of range" : "used twice");
		is_used[flat] = 1;
		cat->names[flat] = cat->features[at].name;
		cat->has_names = cat->has_names && cat->names[flat].size > 0;
	}
	sp_free(cx, is_used);
	return SP_OK;
}

SpStatus
sp_cat_read_features(SpCatboost *cat, SpTokens *tokens)
{
	static const char *const names[] = {
		"float_features", "categorical_features", "cat_features_hash", "ctrs", "text_features", "embedding_features",
		NULL
	};
	SpMembers	members;
	SpToken		token;
	int			which;

	SP_TRY(sp_members_open(&members, cat->cx, tokens, "features_info", names));
	for (;;)
	{
		SP_TRY(sp_members_next(&members, &which));
		if (which == SP_NO_MEMBER)
			break;
		SP_TRY(sp_tokens_next(tokens, &token));
		if (token.kind == SP_TOKEN_NULL)
			continue;
		if (token.kind != SP_TOKEN_ARRAY)
			return sp_wrong_kind(cat->cx, &token, names[which], "an array");
		if (which < 2)
			cat->first[which] = (uint32_t) cat->n_features;
		for (uint32_t index = 0;; index++)
		{
			SP_TRY(sp_tokens_next(tokens, &token));
			if (token.kind == SP_TOKEN_ARRAY_END)
				break;
			if (which > 2)
				return sp_cat_refuse_list(cat, names[which], which == 3);
			if (which == 2)
				SP_TRY(sp_cat_read_table(cat, tokens, &token));
			else
			{
				SP_TRY(sp_cat_read_feature(cat, tokens, &token, which == 1, index));
				cat->count[which]++;
			}
		}
	}
	return sp_cat_order_features(cat);
}

SpStatus
sp_cat_find_feature(const SpCatboost *cat, bool is_category, int64_t index, const SpCatFeature **feature)
{
	if (index < 0 || index >= cat->count[is_category])
		return sp_fail(cat->cx, SP_ERR_FORMAT, "a split is on %s feature %lld of %u", is_category ? "categorical" : "float",
					   (long long) index, cat->count[is_category]);
	*feature = &cat->features[cat->first[is_category] + index];
	return SP_OK;
}

/* Hashes in a list of categories, each once: places by ascending hash. */
static SpStatus
sp_cat_sort_hashes(SpCatboost *cat, SpCatHashes *hashes)
{
	uint32_t   *order;
	int64_t    *sorted;
	uint32_t	n = 0;

	SP_TRY(sp_alloc_array(cat->cx, hashes->n, sizeof(uint32_t), (void **) &order));
	SP_TRY(sp_alloc_array(cat->cx, hashes->n, sizeof(int64_t), (void **) &sorted));
	for (uint32_t at = 0; at < hashes->n; at++)
		order[at] = at;
	sp_sort_by_key(order, hashes->n, hashes->at);
	for (uint32_t at = 0; at < hashes->n; at++)
		if (n == 0 || sorted[n - 1] != hashes->at[order[at]])
			sorted[n++] = hashes->at[order[at]];
	sp_free(cat->cx, order);
	sp_free(cat->cx, hashes->at);
	hashes->at = sorted;
	hashes->capacity = hashes->n;
	hashes->n = n;
	return SP_OK;
}

SpStatus
sp_cat_find_hash(const SpCatboost *cat, const SpCatFeature *feature, int64_t value, uint32_t *place)
{
	int64_t		hash = (uint32_t) value;
	uint32_t	low = 0;
	uint32_t	high = feature->hashes.n;

	while (low < high)
	{
		uint32_t	middle = low + (high - low) / 2;

		if (feature->hashes.at[middle] < hash)
			low = middle + 1;
		else
			high = middle;
	}
	*place = low;
	return value >= INT32_MIN && value <= UINT32_MAX && low < feature->hashes.n && feature->hashes.at[low] == hash ? SP_OK :
		sp_fail(cat->cx, SP_ERR_FORMAT, "a split is on category %lld, which feature %u does not have", (long long) value,
				feature->flat);
}

/*
 * The table adds what the splits do not ask for: a list with it is complete.
 * All features share the table, so it is left out where it would outgrow the file.
 */
static SpStatus
sp_cat_add_list(SpCatboost *cat, SpBuilder *builder, SpCatFeature *feature, bool with_table)
{
	SpCategoriesSpec spec = {.kind = SP_CATEGORIES_HASH, .is_partial = !with_table};
	SpToken		token = {.kind = SP_TOKEN_NUMBER, .is_integer = true};
	double	   *numbers;

	for (uint32_t at = 0; with_table && at < cat->table.n; at++)
	{
		token.integer = cat->table.at[at];
		SP_TRY(sp_cat_add_hash(cat, &feature->hashes, &token, "hash"));
	}
	SP_TRY(sp_cat_sort_hashes(cat, &feature->hashes));
	spec.n = feature->hashes.n;
	SP_TRY(sp_alloc_array(cat->cx, spec.n, sizeof(double), (void **) &numbers));
	for (uint32_t at = 0; at < spec.n; at++)
		numbers[at] = (double) feature->hashes.at[at];
	spec.numbers = numbers;
	SP_TRY(sp_builder_categories(builder, feature->flat, &spec));
	sp_free(cat->cx, numbers);
	return SP_OK;
}

SpStatus
sp_cat_add_categories(SpCatboost *cat, SpBuilder *builder)
{
	bool		with_table = cat->table.n > 0 && (uint64_t) cat->table.n * cat->count[1] <= cat->size;

	for (uint32_t index = 0; index < cat->count[1]; index++)
	{
		SP_TRY(sp_poll(cat->cx));
		SP_TRY(sp_cat_add_list(cat, builder, &cat->features[cat->first[1] + index], with_table));
	}
	return SP_OK;
}
