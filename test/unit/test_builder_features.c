/*
 * test/unit/test_builder_features.c
 *
 * Categories of features, defaults and policies: what the builder refuses, the
 * stored form, and what the packed image finds.
 */
#include "base/sp_bytes.h"
#include "base/sp_city_hash.h"
#include "ir/sp_pack.h"
#include "sp_test_import.h"
#include "sp_test_models.h"

static SpContext cx;
static SpTestRegion region;

/* Feature a: float32, b: float64, c: int64, d: string. */
static SpBuilder *
begin(void)
{
	SpBuilder  *builder = NULL;
	SpStr		names[] = {SP_STR("a"), SP_STR("b"), SP_STR("c"), SP_STR("d")};
	uint32_t	values[5];
	int64_t		category;

	sp_test_release_all(&region);
	sp_test_context(&cx, &region);
	if (sp_builder_new(&cx, &builder) != SP_OK ||
		sp_builder_task(builder, SP_TASK_REGRESSION, true) != SP_OK ||
		sp_builder_input(builder, SP_TYPE_F32, 1, &names[0], &values[0]) != SP_OK ||
		sp_builder_input(builder, SP_TYPE_F64, 1, &names[1], &values[1]) != SP_OK ||
		sp_builder_input(builder, SP_TYPE_I64, 1, &names[2], &values[2]) != SP_OK ||
		sp_builder_input(builder, SP_TYPE_STRING, 1, &names[3], &values[3]) != SP_OK ||
		sp_builder_category(builder, SP_STR("left"), &category) != SP_OK ||
		sp_builder_category(builder, SP_STR("right"), &category) != SP_OK ||
		sp_builder_map(builder, values[0], SP_MAP_NEGATE, &values[4]) != SP_OK ||
		sp_builder_output(builder, SP_OUTPUT_VALUE, values[4]) != SP_OK)
		ok(false, "a fresh builder: %s", cx.error.message);
	return builder;
}

static const SpStr colors[] = {SP_STR("red"), SP_STR("gr\xc3\xbcn"), SP_STR(""), SP_STR("re"), SP_STR("blue")};
static const double stores[] = {300, -10, 20.5, 0};
static const SpCategoriesSpec texts = {.kind = SP_CATEGORIES_TEXT, .unseen = SP_UNSEEN_ERROR, .n = 5, .texts = colors};
static const SpCategoriesSpec numbers = {.kind = SP_CATEGORIES_NUMBER, .unseen = SP_UNSEEN_MISSING, .n = 4, .numbers = stores};

static SpCategoriesSpec
hashes(bool is_partial)
{
	static double list[2];

	list[0] = sp_cat_hash("7", 1);
	list[1] = sp_cat_hash("red", 3);
	return (SpCategoriesSpec) {.kind = SP_CATEGORIES_HASH, .is_partial = is_partial, .n = 2, .numbers = list};
}

#define WITH(spec, field, value) ({ SpCategoriesSpec with_ = (spec); with_.field = (value); with_; })

static SpStatus
add(uint32_t feature, SpCategoriesSpec spec)
{
	return sp_builder_categories(begin(), feature, &spec);
}

static void
test_lists(void)
{
	static const double nan_in[] = {1, NAN};
	static const double infinite[] = {1, INFINITY};
	static const double zeros[] = {0.0, -0.0};
	static const SpStr broken[] = {SP_STR("\xff")};
	static const SpStr control[] = {SP_STR("a\nb")};
	static const SpStr twice[] = {SP_STR("b"), SP_STR("a"), SP_STR("b")};
	SpBuilder  *builder;

	fails_with(&cx, add(4, texts), SP_ERR_FORMAT, "feature 4 of 4", "a feature too many");
	fails_with(&cx, add(2, texts), SP_ERR_FORMAT, "int64", "of an integer");
	fails_with(&cx, add(3, texts), SP_ERR_FORMAT, "string", "of a string");
	fails_with(&cx, add(0, WITH(texts, kind, SP_CATEGORIES_NONE)), SP_ERR_FORMAT,
			   "unknown kind", "of no kind");
	fails_with(&cx, add(0, WITH(texts, kind, (SpCategoryKind) 5)), SP_ERR_FORMAT,
			   "unknown kind", "of kind 5");
	fails_with(&cx, add(0, WITH(texts, unseen, (SpUnseen) 3)), SP_ERR_FORMAT,
			   "unknown kind", "unseen 3");
	fails_with(&cx, add(0, WITH(numbers, numbers, nan_in)), SP_ERR_FORMAT, "finite", "NaN");
	fails_with(&cx, add(0, WITH(WITH(numbers, numbers, infinite), n, 2)), SP_ERR_FORMAT, "finite", "infinite");
	fails_with(&cx, add(0, WITH(WITH(numbers, numbers, zeros), n, 2)), SP_ERR_FORMAT,
			   "same category twice, as number", "zeros of both signs");
	fails_with(&cx, add(0, WITH(WITH(texts, texts, broken), n, 1)), SP_ERR_FORMAT,
			   "not well-formed", "broken UTF-8");
	fails_with(&cx, add(0, WITH(WITH(texts, texts, control), n, 1)), SP_ERR_FORMAT,
			   "not well-formed", "a control character");
	fails_with(&cx, add(0, WITH(WITH(texts, texts, twice), n, 3)), SP_ERR_FORMAT,
			   "twice, as number", "a text twice");
	fails_with(&cx, add(0, WITH(texts, n, SP_CATEGORIES_CAP + 1)), SP_ERR_LIMIT,
			   "16777217 categories", "more than float32 holds");
	builder = begin();
	cx.limits.max_features = 4;
	fails_with(&cx, sp_builder_categories(builder, 0, &texts), SP_ERR_LIMIT, "more than the limit of 4", "more than the setting");
	ok(strstr(cx.error.hint, "smartpouch.max_features") != NULL, "which the hint names");
	builder = begin();
	ok(sp_builder_categories(builder, 0, &texts) == SP_OK, "a list");
	fails_with(&cx, sp_builder_categories(builder, 0, &numbers), SP_ERR_FORMAT, "two lists", "a second list");
	ok(add(0, WITH(texts, n, 0)) == SP_OK, "an empty list");
}

/* Finish with one default. */
static SpStatus
finish_with(const SpCategoriesSpec *spec, const char *feature, const char *text, double number, SpModel **model)
{
	SpBuilder  *builder = begin();
	SpDefault	wish = {
		.feature = {feature, strlen(feature)}, .is_text = text != NULL, .text = {text, text ? strlen(text) : 0},
		.number = number
	};

	if (spec && sp_builder_categories(builder, 0, spec) != SP_OK)
		return SP_ERR_INTERNAL;
	return sp_builder_finish(builder, &(SpOverrides) {.defaults = &wish, .n_defaults = 1}, model);
}

static void
defaults_to(const SpCategoriesSpec *spec, uint32_t feature, const char *text, double number, double expected)
{
	SpModel    *model;
	const char	name[2] = {(char) ('a' + feature), 0};

	ok(finish_with(spec, name, text, number, &model) == SP_OK && model->features[feature].has_default &&
	   model->features[feature].default_value == expected, "%s by %s%g: %g", name, text ? text : "", number, expected);
}

static void
refused_default(const SpCategoriesSpec *spec, const char *feature, const char *text, double number, const char *message,
				const char *hint)
{
	SpModel    *model;

	fails_with(&cx, finish_with(spec, feature, text, number, &model), SP_ERR_VALUE, message, "%s by %s%g", feature,
			   text ? text : "", number);
	ok(strstr(cx.error.hint, hint) != NULL, "hint: %s", cx.error.hint);
}

static void
test_defaults(void)
{
	SpCategoriesSpec all = hashes(false);
	SpCategoriesSpec some = hashes(true);

	defaults_to(NULL, 0, NULL, 0.5, 0.5);
	defaults_to(NULL, 1, NULL, 1e300, 1e300);
	defaults_to(NULL, 2, NULL, -7, -7);
	defaults_to(NULL, 3, "right", 0, 1);
	defaults_to(NULL, 3, "up", 0, -1);
	defaults_to(&texts, 0, "re", 0, 3);
	defaults_to(&texts, 0, "", 0, 2);
	defaults_to(&texts, 0, NULL, 4, 4);
	defaults_to(&numbers, 0, NULL, 20.5, 2);
	defaults_to(&all, 0, "red", 0, 1);
	defaults_to(&all, 0, NULL, 7, 0);
	defaults_to(&some, 0, "pink", 0, -1);
	refused_default(NULL, "e", NULL, 0, "no feature of the model", "inspect_model");
	refused_default(NULL, "a", NULL, 1e300, "does not fit", "finite number");
	refused_default(NULL, "b", NULL, INFINITY, "does not fit", "finite number");
	refused_default(NULL, "b", "x", 0, "is a text", "a number");
	refused_default(NULL, "c", NULL, 0.5, "does not fit", "an integer");
	refused_default(NULL, "d", NULL, 1, "is a number", "a text");
	refused_default(&texts, "a", "pink", 0, "none of its categories", "\"red\", \"gr\xc3\xbcn\"");
	refused_default(&numbers, "a", NULL, 1, "none of its categories", "300, -10, 20.5, 0");
	refused_default(&numbers, "a", "300", 0, "is a text", "a number");
	refused_default(&all, "a", "pink", 0, "none of its categories", "one of its categories.");
	refused_default(&all, "a", NULL, 7.5, "neither a text nor an integer", "a text or an integer");
}

static void
test_long_hint(void)
{
	SpModel    *model;
	SpStr		many[200];
	char		names[200][24];
	SpCategoriesSpec spec = WITH(WITH(texts, texts, many), n, 200);

	for (int at = 0; at < 200; at++)
		many[at] = (SpStr) {names[at], (size_t) snprintf(names[at], sizeof(names[at]), "category %d", at)};
	refused_default(&spec, "a", "pink", 0, "none of its categories", " more.");
	ok(finish_with(&spec, "a", "category 199", 0, &model) == SP_OK &&
	   model->features[0].default_value == 199, "the last of many");
}

static SpStatus
finish_unseen(const SpCategoriesSpec *a, const SpCategoriesSpec *b, SpUnseen unseen)
{
	SpBuilder  *builder = begin();
	SpModel    *model;

	if ((a && sp_builder_categories(builder, 0, a) != SP_OK) || (b && sp_builder_categories(builder, 1, b) != SP_OK))
		return SP_ERR_INTERNAL;
	return sp_builder_finish(builder, &(SpOverrides) {.on_unseen = unseen}, &model);
}

static void
test_unseen(void)
{
	SpCategoriesSpec all = hashes(false);
	SpCategoriesSpec some = hashes(true);

	ok(finish_unseen(NULL, NULL, SP_UNSEEN_ERROR) == SP_OK, "strings have a list");
	ok(finish_unseen(&texts, &all, SP_UNSEEN_MISSING) == SP_OK, "so have others");
	fails_with(&cx, finish_unseen(&texts, &some, SP_UNSEEN_ERROR), SP_ERR_VALUE, "feature \"b\"", "a part of a list is none");
	ok(finish_unseen(&texts, &some, SP_UNSEEN_SOURCE) == SP_OK, "which is all the same to the source's rule");
	fails_with(&cx, finish_unseen(NULL, NULL, (SpUnseen) 3), SP_ERR_FORMAT, "unknown rule", "rule 3");
}

/* A model with everything; NULL after an error. */
static SpModel *
everything(void)
{
	SpBuilder  *builder = begin();
	SpCategoriesSpec some = hashes(true);
	SpDefault	wishes[] = {
		{.feature = SP_STR("d"), .is_text = true, .text = SP_STR("right")}, {.feature = SP_STR("a"), .number = 0.25}
	};
	SpModel    *model;

	if (sp_builder_categories(builder, 0, &texts) != SP_OK || sp_builder_categories(builder, 1, &some) != SP_OK ||
		sp_builder_finish(builder, &(SpOverrides) {
		.on_missing = SP_MISSING_ERROR, .defaults = wishes, .n_defaults = 2
	}, &model) != SP_OK)
		return NULL;
	return model;
}

static void
test_stored(void)
{
	SpModel    *model = everything();
	SpModel    *again;
	SpWriter	first;
	SpWriter	second;
	const char *folder = getenv("SP_TEST_SEEDS");
	const SpCategories *list;

	sp_writer_init(&first, &cx);
	sp_writer_init(&second, &cx);
	if (!ok(model != NULL && sp_model_write(&cx, model, &first) == SP_OK, "written: %s", cx.error.message) ||
		!ok(sp_model_read(&cx, first.data, first.size, &again) == SP_OK, "read: %s", cx.error.message))
		return;
	list = &again->features[0].categories;
	ok(list->kind == SP_CATEGORIES_TEXT && list->unseen == SP_UNSEEN_ERROR && !list->is_partial && list->n == 5 &&
	   !strcmp(list->texts[1], "gr\xc3\xbcn") && list->order[0] == 2, "texts");
	list = &again->features[1].categories;
	ok(list->kind == SP_CATEGORIES_HASH && list->is_partial && list->numbers[1] == sp_cat_hash("red", 3), "hashes");
	ok(again->on_missing == SP_MISSING_ERROR && again->on_unseen == SP_UNSEEN_SOURCE && again->features[0].has_default &&
	   again->features[0].default_value == 0.25 && again->features[3].default_value == 1 && !again->features[1].has_default, "policy");
	ok(sp_model_write(&cx, again, &second) == SP_OK && first.size == second.size &&
	   memcmp(first.data, second.data, first.size) == 0, "the same bytes again");
	if (folder)
		sp_test_save(folder, "stored", first.data, first.size);
}

static void
test_found(void)
{
	SpModel    *model = everything();
	SpImage    *image;
	const SpImageFeature *features;

	if (!ok(model != NULL && sp_pack(&cx, model, &image) == SP_OK, "packed: %s", cx.error.message))
		return;
	features = sp_image_features(image);
	for (uint32_t at = 0; at < 5; at++)
		ok(sp_image_find_text(image, &features[0], colors[at].data, colors[at].size) == (int64_t) at &&
		   sp_categories_find_text(&model->features[0].categories, colors[at]) == (int64_t) at, "color %u", at);
	ok(sp_image_find_text(image, &features[0], "r", 1) == -1 && sp_image_find_text(image, &features[0], "redd", 4) == -1 &&
	   sp_categories_find_text(&model->features[0].categories, SP_STR("redd")) == -1, "no other");
	ok(sp_image_find_number(image, &features[0], 4) == 4 && sp_image_find_number(image, &features[0], 5) == -1 &&
	   sp_image_find_number(image, &features[0], 1.5) == -1 && sp_image_find_number(image, &features[0], -1) == -1 &&
	   sp_image_find_number(image, &features[0], 1e300) == -1, "codes of texts");
	ok(sp_image_find_text(image, &features[1], "red", 3) == 1 && sp_image_find_text(image, &features[1], "7", 1) == 0 &&
	   sp_image_find_text(image, &features[1], "pink", 4) == -1, "texts by their hashes");
	ok(image->on_missing == SP_MISSING_ERROR && image->maps_numbers && features[0].has_default &&
	   features[0].default_value == 0.25 && features[0].unseen == SP_UNSEEN_ERROR &&
	   features[0].unseen_number == SP_UNSEEN_SOURCE && features[1].unseen == SP_UNSEEN_SOURCE, "rules");
}

static void
test_fast_path(void)
{
	static const struct
	{
		const SpCategoriesSpec *spec;
		SpUnseen	unseen;
		bool		maps;
	}			cases[] = {
		{NULL, SP_UNSEEN_SOURCE, false}, {&texts, SP_UNSEEN_SOURCE, false}, {&texts, SP_UNSEEN_MISSING, true},
		{&numbers, SP_UNSEEN_SOURCE, true}
	};

	for (size_t at = 0; at < sizeof(cases) / sizeof(cases[0]); at++)
	{
		SpBuilder  *builder = begin();
		SpModel    *model;
		SpImage    *image;

		ok((cases[at].spec == NULL || sp_builder_categories(builder, 0, cases[at].spec) == SP_OK) &&
		   sp_builder_finish(builder, &(SpOverrides) {.on_unseen = cases[at].unseen}, &model) == SP_OK &&
		   sp_pack(&cx, model, &image) == SP_OK && image->maps_numbers == cases[at].maps, "case %zu maps numbers: %d", at,
		   cases[at].maps);
	}
}

int
main(void)
{
	test_lists();
	test_defaults();
	test_long_hint();
	test_unseen();
	test_stored();
	test_found();
	test_fast_path();
	sp_test_release_all(&region);
	return done_testing();
}
