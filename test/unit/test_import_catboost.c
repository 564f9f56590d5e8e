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

static void
test_wrong_fields(void)
{
	static const struct
	{
		const char *from;
		const char *to;
		SpStatus	status;
		const char *text;
	}			cases[] = {
		{"AsTrue", "AsMaybe", SP_ERR_UNSUPPORTED, "AsMaybe"},
		{"Logloss", "Logless", SP_ERR_UNSUPPORTED, "Logless"},
		{"Logloss", "MultiClass", SP_ERR_FORMAT, "1 classes"},
		{"\"no\",\"yes\"", "\"no\"", SP_ERR_FORMAT, "1 class_names for 2"},
		{"\"no\",\"yes\"", "\"no\",1.5", SP_ERR_FORMAT, "class_names"},
		{"\"no\",\"yes\"", "\"no\",\"no\"", SP_ERR_FORMAT, "used twice"},
		{"[1,2,3,4]", "[1,2,3]", SP_ERR_FORMAT, "3 leaf values for 4"},
		{"[1,2,3,4]", "[1,2,3,1e999]", SP_ERR_FORMAT, "not finite"},
		{"FloatFeature", "OnlineCtr", SP_ERR_UNSUPPORTED, "OnlineCtr"},
		{"\"float_feature_index\":1", "\"float_feature_index\":2", SP_ERR_FORMAT, "feature 2 of 2"},
		{"\"flat_feature_index\":1", "\"flat_feature_index\":0", SP_ERR_FORMAT, "flat_feature_index"},
		{"[1,[0.125]]", "[2,[0.125]]", SP_ERR_UNSUPPORTED, "scale 2"},
		{"[1,[0.125]]", "[1,[]]", SP_ERR_FORMAT, "no bias"},
		{"[1,[0.125]]", "[1,[0,0]]", SP_ERR_FORMAT, "2 outputs"},
		{"[1,[0.125]]", "[[1]]", SP_ERR_FORMAT, "scale_and_bias"},
		{"oblivious_trees", "trees", SP_ERR_UNSUPPORTED, "not symmetric"},
		{"{\"float_features\"", "{\"ctrs\":[{}],\"float_features\"", SP_ERR_UNSUPPORTED, "ctrs"},
		{"{\"float_features\"", "{\"categorical_features\":[{}],\"float_features\"", SP_ERR_UNSUPPORTED, "categorical_features"},
	};

	for (size_t at = 0; at < sizeof(cases) / sizeof(cases[0]); at++)
	{
		const char *place = strstr(SMALL, cases[at].from);
		char		text[4000];

		snprintf(text, sizeof(text), "%.*s%s%s", (int) (place - SMALL), SMALL, cases[at].to,
				 place + strlen(cases[at].from));
		sp_test_refused(SP_FORMAT_UNKNOWN, text, strlen(text), cases[at].status, cases[at].text, "%zu: %s", at,
						cases[at].to);
	}
}

int
main(void)
{
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
	sp_test_hostile("small", SP_FORMAT_CATBOOST_JSON, SMALL, strlen(SMALL), false);
	return done_testing();
}
