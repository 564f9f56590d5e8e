/*
 * src/ir/sp_builder_features.c
 *
 * What a model says of single features: their categories, and the importer's
 * wishes for missing values and unseen categories.
 */
#include <math.h>
#include <stdio.h>
#include <string.h>

#include "base/sp_city_hash.h"
#include "ir/sp_builder_internal.h"

static SpStr
str_of(const char *text)
{
	return (SpStr) {text, strlen(text)};
}

static SpStatus
get_feature(SpBuilder *builder, uint32_t number, SpFeature **feature)
{
	SP_TRY(sp_builder_ready(builder));
	if (number >= builder->model->n_features)
		return sp_fail(builder->cx, SP_ERR_FORMAT, "feature %u of %u", number, builder->model->n_features);
	*feature = &builder->model->features[number];
	return SP_OK;
}

SpStatus
sp_builder_source_type(SpBuilder *builder, uint32_t number, SpStr type, bool is_category)
{
	SpFeature  *feature = NULL;

	SP_TRY(get_feature(builder, number, &feature));
	feature->is_code = is_category;
	return sp_copy_str(builder->cx, type, &feature->source_type);
}

/* Lists of categories */

static int
compare_places(const SpCategories *categories, uint32_t a, uint32_t b)
{
	if (categories->kind == SP_CATEGORIES_TEXT)
		return strcmp(categories->texts[a], categories->texts[b]);
	return (categories->numbers[a] > categories->numbers[b]) - (categories->numbers[a] < categories->numbers[b]);
}

static void
sift(const SpCategories *categories, uint32_t at, uint32_t n)
{
	uint32_t   *heap = categories->order;

	for (;;)
	{
		uint32_t	child = 2 * at + 1;
		uint32_t	moved = heap[at];

		if (child >= n)
			return;
		if (child + 1 < n && compare_places(categories, heap[child], heap[child + 1]) < 0)
			child++;
		if (compare_places(categories, moved, heap[child]) >= 0)
			return;
		heap[at] = heap[child];
		heap[child] = moved;
		at = child;
	}
}

/* Heapsort: no recursion and no memory, whatever the categories. */
static SpStatus
sort_places(SpBuilder *builder, uint32_t number, SpCategories *categories)
{
	uint32_t   *order;

	SP_TRY(sp_alloc_array(builder->cx, categories->n, sizeof(uint32_t), (void **) &categories->order));
	order = categories->order;
	for (uint32_t at = 0; at < categories->n; at++)
		order[at] = at;
	for (uint32_t at = categories->n / 2; at > 0; at--)
		sift(categories, at - 1, categories->n);
	for (uint32_t left = categories->n; left > 1; left--)
	{
		uint32_t	largest = order[0];

		order[0] = order[left - 1];
		order[left - 1] = largest;
		sift(categories, 0, left - 1);
		if (left % 65536 == 0)
			SP_TRY(sp_poll(builder->cx));
	}
	for (uint32_t at = 1; at < categories->n; at++)
		if (compare_places(categories, order[at - 1], order[at]) == 0)
			return sp_fail(builder->cx, SP_ERR_FORMAT, "feature %u has the same category twice, as number %u and number %u",
						   number, order[at - 1], order[at]);
	return SP_OK;
}

static SpStatus
copy_list(SpBuilder *builder, const SpCategoriesSpec *spec, SpCategories *made)
{
	SpContext  *cx = builder->cx;

	if (spec->kind != SP_CATEGORIES_TEXT)
		return sp_builder_numbers(builder, spec->numbers, spec->n, SP_TYPE_F64, "list of categories", &made->numbers);
	SP_TRY(sp_alloc_array(cx, spec->n, sizeof(char *), (void **) &made->texts));
	for (uint32_t at = 0; at < spec->n; at++)
		SP_TRY(sp_builder_text(builder, spec->texts[at], "category", true, &made->texts[at]));
	return SP_OK;
}

SpStatus
sp_builder_categories(SpBuilder *builder, uint32_t number, const SpCategoriesSpec *spec)
{
	SpContext  *cx = builder->cx;
	uint32_t	cap = cx->limits.max_features < SP_CATEGORIES_CAP ? cx->limits.max_features : SP_CATEGORIES_CAP;
	SpFeature  *feature = NULL;

	SP_TRY(get_feature(builder, number, &feature));
	if (feature->categories.kind != SP_CATEGORIES_NONE)
		return sp_fail(cx, SP_ERR_FORMAT, "feature %u has two lists of categories", number);
	if ((int) spec->kind <= SP_CATEGORIES_NONE || spec->kind > SP_CATEGORIES_HASH ||
		(int) spec->unseen < SP_UNSEEN_SOURCE || spec->unseen > SP_UNSEEN_MISSING)
		return sp_fail(cx, SP_ERR_FORMAT, "the categories of feature %u are of an unknown kind", number);
	if (feature->type != SP_TYPE_F32 && feature->type != SP_TYPE_F64)
		return sp_fail(cx, SP_ERR_FORMAT, "feature %u of type %s has a list of categories", number,
					   sp_type_name(feature->type));
	if (spec->n > cap)
		return sp_fail_limit(cx, "max_features", "feature %u has %u categories, more than the limit of %u", number,
							 spec->n, cap);
	feature->categories = (SpCategories) {
		.kind = spec->kind, .unseen = spec->unseen, .is_partial = spec->is_partial, .n = spec->n
	};
	SP_TRY(copy_list(builder, spec, &feature->categories));
	return sort_places(builder, number, &feature->categories);
}

/* What the stored form says */

SpStatus
sp_builder_policy(SpBuilder *builder, SpMissing on_missing, SpUnseen on_unseen)
{
	SP_TRY(sp_builder_ready(builder));
	if ((int) on_missing < SP_MISSING_SOURCE || on_missing > SP_MISSING_ERROR ||
		(int) on_unseen < SP_UNSEEN_SOURCE || on_unseen > SP_UNSEEN_MISSING)
		return sp_fail(builder->cx, SP_ERR_FORMAT, "unknown rule for missing values or unseen categories");
	builder->model->on_missing = on_missing;
	builder->model->on_unseen = on_unseen;
	return SP_OK;
}

/* Can the number stand in the feature's input? */
static bool
is_possible(const SpModel *model, const SpFeature *feature, double number)
{
	switch (feature->type)
	{
		case SP_TYPE_F32:
		case SP_TYPE_F64:
			return sp_is_finite_as(number, feature->type);
		case SP_TYPE_I64:
			return number == trunc(number) && number >= -0x1p63 && number < 0x1p63;
		case SP_TYPE_STRING:
			return number == trunc(number) && number >= -1 && number < model->n_categories;
	}
	return false;
}

SpStatus
sp_builder_default(SpBuilder *builder, uint32_t number, double value)
{
	SpFeature  *feature = NULL;

	SP_TRY(get_feature(builder, number, &feature));
	if (!is_possible(builder->model, feature, value))
		return sp_fail(builder->cx, SP_ERR_FORMAT, "the default value of feature %u cannot be %g", number, value);
	feature->has_default = true;
	feature->default_value = value;
	return SP_OK;
}

/* The caller's wishes */

static SpStatus
refuse_default(SpBuilder *builder, const SpFeature *feature, const char *why, const char *allowed)
{
	char		shown[SP_PRINTABLE_SIZE];

	sp_fail(builder->cx, SP_ERR_VALUE, "the default value of feature \"%s\" %s",
			sp_printable(str_of(feature->name), shown), why);
	return sp_fail_hint(builder->cx, "It is %s.", allowed);
}

/* As many of the feature's categories as a hint has room for; hashes tell a reader nothing. */
static SpStatus
refuse_category(SpBuilder *builder, const SpFeature *feature)
{
	const SpCategories *categories = &feature->categories;
	bool		is_text = categories->kind == SP_CATEGORIES_TEXT;
	bool		is_shown = is_text || (categories->numbers && categories->kind != SP_CATEGORIES_HASH);
	char		list[240] = "one of its categories";
	size_t		size = strlen(list);
	char		shown[SP_PRINTABLE_SIZE];

	for (uint32_t at = 0; is_shown && at < categories->n && size < sizeof(list) - 90; at++)
	{
		const char *begin = at == 0 ? ": " : ", ";

		size += (size_t) (is_text ?
						  snprintf(list + size, sizeof(list) - size, "%s\"%s\"", begin,
								   sp_printable(str_of(categories->texts[at]), shown)) :
						  snprintf(list + size, sizeof(list) - size, "%s%g", begin, categories->numbers[at]));
		if (at + 1 < categories->n && size >= sizeof(list) - 90)
			snprintf(list + size, sizeof(list) - size, " and %u more", categories->n - at - 1);
	}
	return refuse_default(builder, feature, "is none of its categories", list);
}

/* Only texts that no list can leave out have a place of -1. */
static SpStatus
default_with_place(SpBuilder *builder, uint32_t number, int64_t place, bool may_be_unseen)
{
	if (place < 0 && !may_be_unseen)
		return refuse_category(builder, &builder->model->features[number]);
	return sp_builder_default(builder, number, (double) place);
}

static SpStatus
default_with_text(SpBuilder *builder, uint32_t number, SpStr text)
{
	const SpModel *model = builder->model;
	const SpFeature *feature = &model->features[number];
	const SpCategories *categories = &feature->categories;
	uint32_t	place = 0;

	if (feature->type == SP_TYPE_STRING)
	{
		while (place < model->n_categories && !sp_str_is(text, model->categories[place]))
			place++;
		return default_with_place(builder, number, place < model->n_categories ? (int64_t) place : -1, true);
	}
	if (categories->kind == SP_CATEGORIES_TEXT)
		return default_with_place(builder, number, sp_categories_find_text(categories, text), false);
	if (categories->kind == SP_CATEGORIES_HASH)
		return default_with_place(builder, number,
								  sp_categories_find_number(categories, sp_cat_hash(text.data, text.size)),
								  categories->is_partial);
	return refuse_default(builder, feature, "is a text", "a number");
}

static SpStatus
default_with_number(SpBuilder *builder, uint32_t number, double value)
{
	const SpFeature *feature = &builder->model->features[number];
	const SpCategories *categories = &feature->categories;
	char		digits[SP_DECIMAL_SIZE];

	if (feature->type == SP_TYPE_STRING)
		return refuse_default(builder, feature, "is a number", "a text");
	if (categories->kind == SP_CATEGORIES_HASH)
	{
		if (!sp_integer_text(value, digits))
			return refuse_default(builder, feature, "is neither a text nor an integer", "a text or an integer");
		return default_with_text(builder, number, str_of(digits));
	}
	if (categories->kind == SP_CATEGORIES_NUMBER)
		return default_with_place(builder, number, sp_categories_find_number(categories, value), false);
	if (!is_possible(builder->model, feature, value))
		return refuse_default(builder, feature, "does not fit its type",
							  feature->type == SP_TYPE_I64 ? "an integer" : "a finite number");
	return sp_builder_default(builder, number, value);
}

/* Features by name: places in the order of their names. */
static SpStatus
apply_default(SpBuilder *builder, const SpDefault *wish, const SpCategories *by_name)
{
	int64_t		number = sp_categories_find_text(by_name, wish->feature);
	char		shown[SP_PRINTABLE_SIZE];

	SP_TRY(sp_poll(builder->cx));
	if (number < 0)
	{
		sp_fail(builder->cx, SP_ERR_VALUE, "there is a default value for \"%s\", which is no feature of the model",
				sp_printable(wish->feature, shown));
		return sp_fail_hint(builder->cx, "inspect_model() shows the features of a file.");
	}
	return wish->is_text ? default_with_text(builder, (uint32_t) number, wish->text) :
		default_with_number(builder, (uint32_t) number, wish->number);
}

static SpStatus
apply_defaults(SpBuilder *builder, const SpOverrides *overrides)
{
	const SpModel *model = builder->model;
	SpCategories by_name = {.kind = SP_CATEGORIES_TEXT, .n = model->n_features};

	if (overrides->n_defaults == 0)
		return SP_OK;
	SP_TRY(sp_alloc_array(builder->cx, by_name.n, sizeof(char *), (void **) &by_name.texts));
	for (uint32_t at = 0; at < by_name.n; at++)
		by_name.texts[at] = model->features[at].name;
	SP_TRY(sort_places(builder, 0, &by_name));
	for (uint32_t at = 0; at < overrides->n_defaults; at++)
		SP_TRY(apply_default(builder, &overrides->defaults[at], &by_name));
	sp_free(builder->cx, by_name.texts);
	sp_free(builder->cx, by_name.order);
	return SP_OK;
}

/* Features that trees ask for membership in a set: is_category, by feature. */
static SpStatus
find_category_splits(SpBuilder *builder, uint8_t *is_category)
{
	const SpModel *model = builder->model;

	for (uint32_t at = 0; at < model->n_steps; at++)
	{
		const SpStep *step = &model->steps[at];
		const SpTrees *trees = &step->u.trees;
		uint32_t	first = 0;

		if (step->op != SP_OP_TREES || step->in >= model->n_inputs || trees->n_sets == 0)
			continue;
		for (uint32_t input = 0; input < step->in; input++)
			first += model->values[input].width;
		for (uint32_t tree = 0; tree < trees->n_trees; tree++)
		{
			SP_TRY(sp_poll(builder->cx));
			for (uint32_t node = trees->first_node[tree]; node < trees->first_node[tree + 1]; node++)
				if (trees->nodes[node].feature != SP_LEAF && trees->nodes[node].flags & SP_NODE_CATEGORY)
					is_category[first + (uint32_t) trees->nodes[node].feature] = 1;
		}
	}
	return SP_OK;
}

/* What is unseen only a list of all that the source knows can tell. */
static SpStatus
check_lists(SpBuilder *builder, SpStatus status)
{
	const SpModel *model = builder->model;
	uint8_t    *is_category;
	bool		has_list = false;
	char		shown[SP_PRINTABLE_SIZE];

	SP_TRY(sp_alloc_array(builder->cx, model->n_features, 1, (void **) &is_category));
	SP_TRY(find_category_splits(builder, is_category));
	for (uint32_t at = 0; at < model->n_features; at++)
	{
		const SpFeature *feature = &model->features[at];
		bool		is_listed = feature->categories.kind != SP_CATEGORIES_NONE && !feature->categories.is_partial;

		if (feature->type != SP_TYPE_STRING && !is_listed &&
			(is_category[at] || feature->categories.kind != SP_CATEGORIES_NONE))
		{
			sp_fail(builder->cx, status, "the file does not list the categories of feature \"%s\"",
					sp_printable(str_of(feature->name), shown));
			return sp_fail_hint(builder->cx, "For the unseen categories of this model only \"source\" is possible.");
		}
		has_list = has_list || is_listed || feature->type == SP_TYPE_STRING;
	}
	sp_free(builder->cx, is_category);
	if (has_list)
		return SP_OK;
	sp_fail(builder->cx, status, "the model has no categories, so none can be unseen");
	return sp_fail_hint(builder->cx, "For the unseen categories of this model only \"source\" is possible.");
}

SpStatus
sp_builder_finish_policy(SpBuilder *builder, const SpOverrides *overrides)
{
	if (overrides)
	{
		SP_TRY(apply_defaults(builder, overrides));
		SP_TRY(sp_builder_policy(builder, overrides->on_missing, overrides->on_unseen));
	}
	if (builder->model->on_unseen == SP_UNSEEN_SOURCE)
		return SP_OK;
	return check_lists(builder, overrides ? SP_ERR_VALUE : SP_ERR_FORMAT);
}
