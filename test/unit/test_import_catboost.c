/*
 * test/unit/test_import_catboost.c
 *
 * CatBoost JSON files: a small one by hand, wrong fields, damaged bytes.
 */
#include "sp_test_import.h"

#define FEATURE(number, treatment) \
	"{\"borders\":[0.5],\"feature_id\":\"\",\"feature_index\":" number ",\"flat_feature_index\":" number \
	",\"has_nans\":true,\"nan_value_treatment\":\"" treatment "\"}"
#define SPLIT(feature, border) \
	"{\"border\":" border ",\"float_feature_index\":" feature ",\"split_index\":0,\"split_type\":\"FloatFeature\"}"
#define SMALL \
	"{\"features_info\":{\"float_features\":[" FEATURE("0", "AsTrue") "," FEATURE("1", "AsFalse") "]}," \
	"\"model_info\":{\"class_params\":{\"class_names\":[\"no\",\"yes\"]},\"params\":{\"loss_function\":{\"params\":{}," \
	"\"type\":\"Logloss\"}}},\"oblivious_trees\":[{\"leaf_values\":[1,2,3,4],\"leaf_weights\":[1,1,1,1],\"splits\":[" \
	SPLIT("0", "0.5") "," SPLIT("1", "-1.5") "]},{\"leaf_values\":[0.25],\"splits\":null}],\"scale_and_bias\":[1,[0.125]]}"

#define NESTED \
	"{\"features_info\":{\"float_features\":[" FEATURE("0", "AsTrue") "," FEATURE("1", "AsFalse") "]}," \
	"\"model_info\":{\"params\":{\"loss_function\":{\"type\":\"RMSEWithUncertainty\"}}},\"scale_and_bias\":[2,[0.5,1]]," \
	"\"trees\":[{\"left\":{\"value\":[1,2],\"weight\":3},\"right\":{\"split\":" SPLIT("0", "0.5") \
	",\"left\":{\"value\":[3,4]},\"right\":{\"value\":[5,6],\"weight\":4}},\"split\":" SPLIT("1", "-1.5") "}]}"

/* A part of a text is another one, and the file is refused. */
typedef struct Change
{
	const char *from;
	const char *to;
	SpStatus	status;
	const char *text;
} Change;

static void
test_changes(const char *whole, const Change *changes, size_t n_changes)
{
	for (size_t at = 0; at < n_changes; at++)
	{
		const char *place = strstr(whole, changes[at].from);
		char		text[4000];

		snprintf(text, sizeof(text), "%.*s%s%s", (int) (place - whole), whole, changes[at].to,
				 place + strlen(changes[at].from));
		sp_test_refused(SP_FORMAT_UNKNOWN, text, strlen(text), changes[at].status, changes[at].text, "%zu: %s", at,
						changes[at].to);
	}
}

static void
test_wrong_fields(void)
{
	static const Change changes[] = {
		{"AsTrue", "AsMaybe", SP_ERR_UNSUPPORTED, "AsMaybe"},
		{"Logloss", "Logless", SP_ERR_UNSUPPORTED, "Logless"},
		{"Logloss", "MultiClass", SP_ERR_FORMAT, "1 classes"},
		{"\"no\",\"yes\"", "\"no\"", SP_ERR_FORMAT, "1 class_names for 2"},
		{"\"no\",\"yes\"", "\"no\",null", SP_ERR_FORMAT, "class_names"},
		{"\"no\",\"yes\"", "\"no\",\"no\"", SP_ERR_FORMAT, "used twice"},
		{"[1,2,3,4]", "[1,2,3]", SP_ERR_FORMAT, "3 leaf values for 4"},
		{"[1,2,3,4]", "[1,2,3,1e999]", SP_ERR_FORMAT, "not finite"},
		{"FloatFeature", "OnlineCtr", SP_ERR_UNSUPPORTED, "OnlineCtr"},
		{"\"float_feature_index\":1", "\"float_feature_index\":2", SP_ERR_FORMAT, "float feature 2 of 2"},
		{"\"flat_feature_index\":1", "\"flat_feature_index\":0", SP_ERR_FORMAT, "used twice"},
		{"\"flat_feature_index\":1", "\"flat_feature_index\":2", SP_ERR_FORMAT, "out of range"},
		{"\"feature_index\":1", "\"feature_index\":0", SP_ERR_FORMAT, "feature_index"},
		{"[1,[0.125]]", "[1e999,[0.125]]", SP_ERR_FORMAT, "scale_and_bias"},
		{"Logloss", "RMSEWithUncertainty", SP_ERR_FORMAT, "1 outputs"},
		{"[1,[0.125]]", "[1,[]]", SP_ERR_FORMAT, "no bias"},
		{"[1,[0.125]]", "[1,[0,0]]", SP_ERR_FORMAT, "2 outputs"},
		{"[1,[0.125]]", "[[1]]", SP_ERR_FORMAT, "scale_and_bias"},
		{"oblivious_trees", "trees", SP_ERR_FORMAT, "neither a leaf with a value nor a split"},
		{"oblivious_trees", "no_trees", SP_ERR_FORMAT, "oblivious_trees"},
		{"\"scale_and_bias\"", "\"trees\":[],\"scale_and_bias\"", SP_ERR_FORMAT, "both"},
		{"{\"float_features\"", "{\"ctrs\":[{}],\"float_features\"", SP_ERR_UNSUPPORTED, "ctrs"},
		{"{\"float_features\"", "{\"categorical_features\":[{}],\"float_features\"", SP_ERR_FORMAT, "no member \"feature_index\""},
		{"{\"float_features\"", "{\"text_features\":[{}],\"float_features\"", SP_ERR_UNSUPPORTED, "text_features"},
		{"\"float_features\"", "\"no_features\"", SP_ERR_FORMAT, "has no features"},
	};

	test_changes(SMALL, changes, sizeof(changes) / sizeof(changes[0]));
}

/* Trees that are not oblivious: the members of a split in any order, two outputs. */
static void
test_nested(void)
{
	static const Change changes[] = {
		{"\"value\":[3,4]", "\"value\":[3]", SP_ERR_FORMAT, "1 values instead of 2"},
		{"\"value\":[3,4]", "\"value\":3", SP_ERR_FORMAT, "1 values instead of 2"},
		{"\"value\":[3,4]", "\"value\":[3,null]", SP_ERR_FORMAT, "value"},
		{"\"value\":[3,4]", "\"value\":[3,4],\"value\":[3,4]", SP_ERR_FORMAT, "two members \"value\""},
		{"\"value\":[3,4]", "\"value\":[3,4],\"left\":{\"value\":[1,1]}", SP_ERR_FORMAT, "neither a leaf"},
		{"\"value\":[3,4]", "\"weight\":1", SP_ERR_FORMAT, "neither a leaf"},
		{"\"left\":{\"value\":[1,2],\"weight\":3}", "\"left\":[]", SP_ERR_FORMAT, "left"},
		{"\"right\":{\"value\":[5,6]", "\"left\":{\"value\":[5,6]", SP_ERR_FORMAT, "two members \"left\""},
		{"FloatFeature", "OneHotFeature", SP_ERR_FORMAT, "no member \"cat_feature_index\""},
		{"\"float_feature_index\":1", "\"float_feature_index\":2", SP_ERR_FORMAT, "feature 2 of 2"},
	};
	SpTestImport import;

	sp_test_import(&import, SP_FORMAT_UNKNOWN, NESTED, strlen(NESTED));
	if (ok(import.status == SP_OK && import.used == SP_FORMAT_CATBOOST_JSON, "nested: imported: %s",
		   import.cx.error.message))
	{
		const SpTrees *trees = &import.model->steps[0].u.trees;

		ok(trees->n_targets == 2 && trees->first_node[1] == 5 && trees->nodes[0].feature == 1 &&
		   trees->nodes[0].flags == (SP_NODE_LE | SP_NODE_MISSING_LEFT), "the split that comes last is the root");
		ok(import.model->n_steps == 8 && import.model->values[import.model->outputs[SP_OUTPUT_VALUE]].width == 2,
		   "scale, bias, mean and variance");
	}
	sp_test_import_end(&import);
	test_changes(NESTED, changes, sizeof(changes) / sizeof(changes[0]));
	sp_test_hostile("nested", SP_FORMAT_CATBOOST_JSON, NESTED, strlen(NESTED), false);
}

/* A category between two numbers; red is 3052168893, 2957118694 is the text 10. */
#define ONE_HOT(value) \
	"{\"cat_feature_index\":0,\"split_index\":9,\"split_type\":\"OneHotFeature\",\"value\":" value "}"
#define CATEGORIES \
	"{\"features_info\":{\"cat_features_hash\":[{\"hash\":3052168893,\"value\":\"red\"},{\"hash\":7,\"value\":\"?\"}]," \
	"\"categorical_features\":[{\"feature_id\":\"color\",\"feature_index\":0,\"flat_feature_index\":1,\"values\":" \
	"[-1242798403,-1337848602]}],\"float_features\":[" FEATURE("0", "AsFalse") ",{\"feature_index\":1," \
	"\"flat_feature_index\":2,\"nan_value_treatment\":\"AsIs\"}]}," \
	"\"model_info\":{\"params\":{\"loss_function\":{\"type\":\"RMSE\"}}},\"oblivious_trees\":[{\"leaf_values\":[1,2,4,8]," \
	"\"splits\":[" ONE_HOT("-1337848602") "," ONE_HOT("-1242798403") "]},{\"leaf_values\":[16,32],\"splits\":[" \
	SPLIT("1", "-1.5") "]}],\"scale_and_bias\":[1,[0]]}"

static void
test_categories(void)
{
	static const Change changes[] = {
		{"\"values\":[-1242798403,-1337848602]", "\"values\":[-1242798403]", SP_ERR_FORMAT, "category -1337848602"},
		{"\"values\":[-1242798403,", "\"values\":[4294967296,", SP_ERR_FORMAT, "32 bits"},
		{"\"values\":[-1242798403,", "\"values\":[\"red\",", SP_ERR_FORMAT, "32 bits"},
		{"\"hash\":7", "\"hash\":-7.5", SP_ERR_FORMAT, "32 bits"},
		{"\"hash\":7,", "", SP_ERR_FORMAT, "no member \"hash\""},
		{"\"cat_feature_index\":0", "\"cat_feature_index\":1", SP_ERR_FORMAT, "categorical feature 1 of 1"},
		{"\"cat_feature_index\":0", "\"cat_feature_index\":-1", SP_ERR_FORMAT, "categorical feature -1 of 1"},
		{"\"value\":-1337848602", "\"value\":1.5", SP_ERR_FORMAT, "whole number"},
		{"\"value\":-1337848602", "\"value\":18446744072371703014", SP_ERR_FORMAT, "value"},
		{"\"flat_feature_index\":1", "\"flat_feature_index\":2", SP_ERR_FORMAT, "used twice"},
	};
	SpTestImport import;

	sp_test_import(&import, SP_FORMAT_UNKNOWN, CATEGORIES, strlen(CATEGORIES));
	if (ok(import.status == SP_OK, "categories: imported: %s", import.cx.error.message))
	{
		const SpCategories *list = &import.model->features[1].categories;
		const SpTrees *trees = &import.model->steps[0].u.trees;

		ok(list->kind == SP_CATEGORIES_HASH && !list->is_partial && list->n == 3 && list->numbers[0] == 7 &&
		   list->numbers[1] == 2957118694, "hashes of splits and table, once each");
		ok(trees->n_sets == 3 && trees->categories[trees->first_category[(int) trees->nodes[0].threshold]] == 2 &&
		   trees->nodes[0].feature == 1 && trees->nodes[0].flags == SP_NODE_CATEGORY, "the root asks for red");
		ok(trees->weights[trees->nodes[trees->nodes[trees->nodes[0].left].left].left].value == 8, "what is a member goes left");
		ok(trees->nodes[7].feature == 2 && import.model->features[0].categories.kind == SP_CATEGORIES_NONE, "float features keep their places");
	}
	sp_test_import_end(&import);
	test_changes(CATEGORIES, changes, sizeof(changes) / sizeof(changes[0]));
	sp_test_hostile("categories", SP_FORMAT_CATBOOST_JSON, CATEGORIES, strlen(CATEGORIES), false);
}

static void
test_iterations(void)
{
	SpTestImport import;
	SpOverrides overrides = {.first_iteration = 1};

	sp_test_context(&import.cx, &import.region);
	ok(sp_import(&import.cx, SP_FORMAT_CATBOOST_JSON, SMALL, strlen(SMALL), &overrides, &import.used, &import.model) == SP_OK &&
	   import.model->n_trees == 1 && import.model->steps[0].u.trees.weights[0].value == 0.25 &&
	   import.model->steps[0].u.trees.base[0] == 0, "the second tree only has no bias");
	overrides = (SpOverrides) {.n_iterations = 1};
	ok(sp_import(&import.cx, SP_FORMAT_CATBOOST_JSON, SMALL, strlen(SMALL), &overrides, &import.used, &import.model) == SP_OK &&
	   import.model->n_trees == 1 && import.model->steps[0].u.trees.base[0] == 0.125, "the first tree only has it");
	overrides = (SpOverrides) {.first_iteration = 2};
	fails_with(&import.cx, sp_import(&import.cx, SP_FORMAT_CATBOOST_JSON, SMALL, strlen(SMALL), &overrides, &import.used,
									 &import.model), SP_ERR_VALUE, "2 iterations, fewer than 3", "no iterations");
	overrides = (SpOverrides) {.first_iteration = 1, .n_iterations = 2};
	fails_with(&import.cx, sp_import(&import.cx, SP_FORMAT_CATBOOST_JSON, SMALL, strlen(SMALL), &overrides, &import.used,
									 &import.model), SP_ERR_VALUE, "2 iterations, fewer than 3", "an iteration too far");
	overrides = (SpOverrides) {.best_iteration = true};
	fails_with(&import.cx, sp_import(&import.cx, SP_FORMAT_CATBOOST_JSON, SMALL, strlen(SMALL), &overrides, &import.used,
									 &import.model), SP_ERR_VALUE, "best iteration", "a best iteration");
	sp_test_import_end(&import);
}

int
main(int argc, char **argv)
{
	const char *data = sp_test_data(argc, argv);

	SpTestImport import;
	const SpTrees *trees;

	sp_test_import(&import, SP_FORMAT_UNKNOWN, SMALL, strlen(SMALL));
	if (ok(import.status == SP_OK && import.used == SP_FORMAT_CATBOOST_JSON, "imported: %s", import.cx.error.message))
	{
		trees = &import.model->steps[0].u.trees;
		ok(import.model->n_trees == 2 && trees->nodes[0].feature == 1 && trees->nodes[0].threshold == -1.5 &&
		   trees->nodes[0].flags == (SP_NODE_LE | SP_NODE_MISSING_LEFT) && trees->nodes[1].flags == SP_NODE_LE,
		   "the last split is the root");
		ok(!strcmp(import.model->labels[1], "yes") && trees->base[0] == 0.125, "labels and bias");
	}
	sp_test_import_end(&import);
	test_wrong_fields();
	test_nested();
	test_categories();
	test_iterations();
	sp_test_fixture(data, "cat_wine_multiclass", "model.json", SP_FORMAT_CATBOOST_JSON, "catboost 1.2.10");
	sp_test_fixture(data, "cat_diabetes_depthwise", "model.json", SP_FORMAT_CATBOOST_JSON, "catboost 1.2.10");
	sp_test_hostile("small", SP_FORMAT_CATBOOST_JSON, SMALL, strlen(SMALL), false);
	return done_testing();
}
