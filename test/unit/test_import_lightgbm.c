/*
 * test/unit/test_import_lightgbm.c
 *
 * LightGBM text files: small ones by hand, every field wrong, damaged bytes.
 */
#include "ir/sp_pack.h"
#include "kernel/sp_eval.h"
#include "sp_test_import.h"

#include <math.h>

#define HEAD "tree\nversion=v4\nnum_class=1\nnum_tree_per_iteration=1\nlabel_index=0\nmax_feature_idx=2\n"
#define NAMES "feature_names=a b c\nfeature_infos=[0:1] none 0:1:2\n"
#define OBJECTIVE "objective=regression\n"
#define TREE0 "Tree=0\nnum_leaves=3\nnum_cat=1\nsplit_feature=0 2\nthreshold=0.5 0\ndecision_type=10 1\n" \
	"left_child=-1 -2\nright_child=1 -3\nleaf_value=1 2.5 -3\ncat_boundaries=0 1\ncat_threshold=10\nis_linear=0\n" \
	"shrinkage=1\n\n\n"
#define TREE1 "Tree=1\nnum_leaves=1\nnum_cat=0\nleaf_value=0.25\n\n\n"
#define TAIL "end of trees\n\nparameters:\n[boosting: gbdt]\nend of parameters\n"
#define SMALL HEAD OBJECTIVE NAMES "tree_sizes=1 2\n\n" TREE0 TREE1 TAIL
#define LINEAR HEAD OBJECTIVE NAMES "tree_sizes=1\n\nTree=0\nnum_leaves=2\nnum_cat=0\nsplit_feature=1\nthreshold=1\n" \
	"decision_type=4\nleft_child=-1\nright_child=-2\nleaf_value=7 8\nis_linear=1\nleaf_const=1 2\nnum_features=2 0\n" \
	"leaf_features=0 2  \nleaf_coeff=10 100  \n\n\n" TAIL

/* The value of one row; NaN when the import fails. */
static double
value_of(const char *text, SpOutput output, double a, double b, double c)
{
	SpTestImport import;
	SpImage    *image = NULL;
	double		value = NAN;

	if (sp_test_import(&import, SP_FORMAT_LIGHTGBM, text, strlen(text)) == SP_OK &&
		sp_pack(&import.cx, import.model, &image) == SP_OK)
	{
		size_t		size = sp_eval_size(image, 1);
		void	   *memory = aligned_alloc(64, size);
		SpEval	   *eval = sp_eval_init(memory, image, 1, NULL, NULL);
		double	   *row = sp_eval_input(eval, 0);

		row[0] = a;
		row[1] = b;
		row[2] = c;
		sp_eval_run(eval, 1, 1 << output, true);
		value = sp_eval_output_number(eval, output, 0, 0);
		free(memory);
	}
	else
		printf("# %s\n", import.cx.error.message);
	sp_test_import_end(&import);
	return value;
}

/* Three features: a number, and two of categories. */
#define LISTED(infos, indices, lists) HEAD OBJECTIVE "feature_names=a b c\nfeature_infos=" infos "\n" "tree_sizes=1 2\n\n" TREE0 TREE1 \
	"end of trees\n\nparameters:\n[boosting: gbdt]\n[categorical_feature: " indices "]\nend of parameters\n\n" \
	"pandas_categorical:" lists "\n"
#define INFOS "[0:1] -1:1:0 1:0:2:3"

/* The kinds of the lists of b and c. */
static void
lists_are(const char *text, SpCategoryKind b, SpCategoryKind c, const char *name)
{
	SpTestImport import;

	sp_test_import(&import, SP_FORMAT_LIGHTGBM, text, strlen(text));
	ok(import.status == SP_OK && import.model->features[0].categories.kind == SP_CATEGORIES_NONE &&
	   import.model->features[1].categories.kind == b && import.model->features[2].categories.kind == c, "%s: %s", name,
	   import.cx.error.message);
	sp_test_import_end(&import);
}

#define COLORS "[\"x\",\"y\"],[\"red\",\"gr\\u00fcn\",\"\",\"blue\"]"

static void
test_columns(void)
{
	static const char whole[] = LISTED(INFOS, "1,2", "[" COLORS "]");
	SpTestImport import;

	sp_test_import(&import, SP_FORMAT_LIGHTGBM, whole, strlen(whole));
	if (ok(import.status == SP_OK, "lists: %s", import.cx.error.message))
	{
		const SpCategories *list = &import.model->features[2].categories;

		ok(list->kind == SP_CATEGORIES_TEXT && list->n == 4 && !strcmp(list->texts[1], "gr\xc3\xbcn") &&
		   list->unseen == SP_UNSEEN_MISSING && !list->is_partial, "texts in their order");
	}
	sp_test_import_end(&import);
	lists_are(LISTED(INFOS, "1,2", "[[7,-2.5],[3,2,1,0]]"), SP_CATEGORIES_NUMBER, SP_CATEGORIES_NUMBER, "numbers");
	lists_are(LISTED(INFOS, "1,2", "[[false,true],[\"a\",\"b\",1,\"d\"]]"), SP_CATEGORIES_NUMBER, SP_CATEGORIES_CODE, "truth values, and a mixture");
	lists_are(LISTED(INFOS, "1,2", "[[],[null,1,[2],3]]"), SP_CATEGORIES_CODE, SP_CATEGORIES_CODE, "an empty list, and nothing to pass");
	lists_are(LISTED(INFOS, "1,2", "[[1e300,2],[\"a\\nb\",\"b\",\"c\",\"d\"]]"), SP_CATEGORIES_CODE, SP_CATEGORIES_CODE, "too large, and a control character");
	lists_are(LISTED(INFOS, "1,2", "null"), SP_CATEGORIES_CODE, SP_CATEGORIES_CODE, "no lists");
	lists_are(LISTED(INFOS, "2", "[" COLORS "]"), SP_CATEGORIES_CODE, SP_CATEGORIES_CODE, "more lists than features: ordered ones among them");
	lists_are(LISTED(INFOS, "1,2", "[[\"x\",\"y\"]]"), SP_CATEGORIES_CODE, SP_CATEGORIES_CODE, "fewer lists than features");
	lists_are(LISTED(INFOS, "2,1", "[" COLORS "]"), SP_CATEGORIES_CODE, SP_CATEGORIES_CODE, "features that do not ascend");
	lists_are(LISTED(INFOS, "1,3", "[" COLORS "]"), SP_CATEGORIES_CODE, SP_CATEGORIES_CODE, "a feature that is not there");
	lists_are(LISTED(INFOS, "1,x", "[" COLORS "]"), SP_CATEGORIES_CODE, SP_CATEGORIES_CODE, "features by name");
	lists_are(LISTED("[0:1] -1:1:0 1:0:2:4", "1,2", "[" COLORS "]"), SP_CATEGORIES_CODE, SP_CATEGORIES_CODE, "a code outside of the list");
	lists_are(LISTED("[0:1] [0:1] 1:0:2", "1,2", "[" COLORS "]"), SP_CATEGORIES_NONE, SP_CATEGORIES_CODE, "a list of a number");
	lists_are(LISTED("[0:1] none 1:0:2", "1,2", "[" COLORS "]"), SP_CATEGORIES_TEXT, SP_CATEGORIES_TEXT, "a feature without use");
	sp_test_hostile("lists", SP_FORMAT_LIGHTGBM, whole, strlen(whole), true);
}

static void
test_refused_columns(void)
{
	static const struct
	{
		const char *text;
		const char *message;
	}			cases[] = {
		{LISTED("[0:1] none", "1,2", "null"), "feature_infos"},
		{LISTED("[0:1] none 1:2 3", "1,2", "null"), "feature_infos"},
		{LISTED("[0:1] none 1:x", "", "null"), "feature 2"},
		{LISTED("[0:1] none 1::2", "", "null"), "feature 2"},
		{LISTED("[0:1] none 1:2:1", "", "null"), "same category twice"},
		{LISTED("[0:1] none 1:99999999999", "", "null"), "feature 2"},
		{LISTED(INFOS, "1,2", "[[\"x\",\"x\"],[1,2,3,4]]"), "same category twice"},
		{LISTED(INFOS, "1,2", "[[\"x\""), NULL},
		{LISTED(INFOS, "1,2", "[1]"), "array of arrays"},
		{LISTED(INFOS, "1,2", "[[],[],[],[]]"), "more lists than there are features"},
		{LISTED(INFOS, "1,2", "[[\"\xff\"]]"), NULL},
	};

	for (size_t at = 0; at < sizeof(cases) / sizeof(cases[0]); at++)
		sp_test_refused(SP_FORMAT_LIGHTGBM, cases[at].text, strlen(cases[at].text), SP_ERR_FORMAT, cases[at].message,
						"columns %zu", at);
}

/* Without its end a file may lack the list of categories, and texts would be refused or codes mean others. */
static void
test_cut_off(void)
{
	static const char file[] = LISTED(INFOS, "1,2", "[[\"x\", \"y\"], [1, 2, 3, 4]]");
	static const char version2[] = "tree\nversion=v2\nnum_class=1\nnum_tree_per_iteration=1\nmax_feature_idx=2\n" OBJECTIVE
		NAMES "\n" TREE0 "end of trees\n";
	const char *end = strstr(file, "end of parameters\n");
	const char *list = strstr(file, "pandas_categorical");
	const char *cut;
	int			wrong = 0;

	for (cut = strstr(file, "end of trees\n") + strlen("end of trees\n"); cut <= list + strlen("pandas_categorical:"); cut++)
	{
		const char *text = cut < end + strlen("end of parameters") ? "before the line \"end of parameters\"" :
			cut > list ? "within the line pandas_categorical" : "";
		SpTestImport import;

		sp_test_import(&import, SP_FORMAT_LIGHTGBM, file, (size_t) (cut - file));
		if (*text == '\0' ? import.status != SP_OK :
			import.status != SP_ERR_FORMAT || strstr(import.cx.error.message, text) == NULL)
		{
			wrong++;
			sp_test_complain(&import, "cut off", (size_t) (cut - file));
		}
		sp_test_import_end(&import);
	}
	ok(wrong == 0, "a file with categories is refused where it ends early, but not where no list follows it");
	sp_test_refused(SP_FORMAT_LIGHTGBM, version2, strlen(version2), SP_OK, NULL, "version 2 had no parameters at first");
}

static void
test_decisions(void)
{
	ok(value_of(SMALL, SP_OUTPUT_VALUE, 0.5, 0, 0) == 1.25, "a number at its threshold goes left");
	ok(value_of(SMALL, SP_OUTPUT_VALUE, NAN, 0, 0) == 1.25, "NaN goes the default way");
	ok(value_of(SMALL, SP_OUTPUT_VALUE, 1, 0, 1) == 2.75, "category 1 is in the set");
	ok(value_of(SMALL, SP_OUTPUT_VALUE, 1, 0, 3.9) == 2.75, "so is 3.9");
	ok(value_of(SMALL, SP_OUTPUT_VALUE, 1, 0, 2) == -2.75, "category 2 is not");
	ok(value_of(SMALL, SP_OUTPUT_VALUE, 1, 0, NAN) == -2.75 && value_of(SMALL, SP_OUTPUT_VALUE, 1, 0, -1) == -2.75 &&
	   value_of(SMALL, SP_OUTPUT_VALUE, 1, 0, 33) == -2.75 && value_of(SMALL, SP_OUTPUT_VALUE, 1, 0, 1e300) == -2.75,
	   "nor NaN, -1, 33, 1e300");
	ok(value_of(LINEAR, SP_OUTPUT_VALUE, 2, 0.5, 3) == 321, "a linear leaf");
	ok(value_of(LINEAR, SP_OUTPUT_VALUE, NAN, 0.5, 3) == 7, "with a missing feature");
	ok(value_of(LINEAR, SP_OUTPUT_VALUE, NAN, 0, 3) == 2, "zero is missing: right");
	ok(value_of(LINEAR, SP_OUTPUT_VALUE, NAN, 1e-36, 3) == 2 && value_of(LINEAR, SP_OUTPUT_VALUE, NAN, 1e-34, 3) == 7,
	   "what is near zero, too");
}

/* The small file with one piece replaced. */
static char *
replaced(const char *text, const char *from, const char *to)
{
	const char *at = strstr(text, from);
	char	   *made = malloc(strlen(text) + strlen(to) + 1);

	if (at == NULL)
		abort();
	sprintf(made, "%.*s%s%s", (int) (at - text), text, to, at + strlen(from));
	return made;
}

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
		{"version=v4", "version=v5", SP_ERR_UNSUPPORTED, "version \"v5\""},
		{"tree\n", "trie\n", SP_ERR_FORMAT, "not \"tree\""},
		{"num_class=1\n", "", SP_ERR_FORMAT, "no line num_class"},
		{"num_class=1", "num_class=0", SP_ERR_FORMAT, "no classes"},
		{"num_class=1", "num_class=x", SP_ERR_FORMAT, "num_class \"x\""},
		{"num_class=1", "num_class=1\nnum_class=1", SP_ERR_FORMAT, "two lines num_class"},
		{"iteration=1", "iteration=2", SP_ERR_FORMAT, "2 trees in each iteration"},
		{"iteration=1", "iteration=-1", SP_ERR_FORMAT, "\"-1\""},
		{"idx=2", "idx=3", SP_ERR_FORMAT, "fewer feature names"},
		{"idx=2", "idx=1", SP_ERR_FORMAT, "more feature names"},
		{"idx=2", "idx=2147483646", SP_ERR_LIMIT, "features, more than"},
		{"a b c", "a b b", SP_ERR_FORMAT, "used twice"},
		{"=regression\n", "=regress\n", SP_ERR_UNSUPPORTED, "objective \"regress\""},
		{"=regression\n", "=regression cubic\n", SP_ERR_UNSUPPORTED, "option \"cubic\""},
		{"=regression\n", "=huber sqrt\n", SP_ERR_UNSUPPORTED, "option \"sqrt\""},
		{"=regression\n", "=binary sigmoid:0\n", SP_ERR_FORMAT, "not above 0"},
		{"=regression\n", "=binary sigmoid:x\n", SP_ERR_FORMAT, "\"x\""},
		{"=regression\n", "=multiclass num_class:3\n", SP_ERR_FORMAT, "3 classes"},
		{"=regression\n", "=multiclass num_class:1\n", SP_ERR_FORMAT, "1 classes"},
		{"sizes=1 2", "sizes=1", SP_ERR_FORMAT, "tree_sizes 1"},
		{"leaves=3", "leaves=2", SP_ERR_FORMAT, "split_feature has more"},
		{"leaves=3", "leaves=4", SP_ERR_FORMAT, "split_feature has 2"},
		{"leaves=3", "leaves=0", SP_ERR_FORMAT, "0 leaves"},
		{"leaves=3", "leaves=2147483647", SP_ERR_FORMAT, "leaves"},
		{"num_leaves=3\n", "", SP_ERR_FORMAT, "no line num_leaves"},
		{"num_cat=1", "num_cat=0", SP_ERR_FORMAT, "by set 0 of 0"},
		{"num_cat=1", "num_cat=9", SP_ERR_FORMAT, "9 sets"},
		{"feature=0 2", "feature=0 3", SP_ERR_FORMAT, "whole number from 0 to 2"},
		{"feature=0 2", "feature=0 -1", SP_ERR_FORMAT, "whole number from 0 to 2"},
		{"feature=0 2", "feature=0 1.5", SP_ERR_FORMAT, "whole number"},
		{"threshold=0.5 0", "threshold=nan 0", SP_ERR_FORMAT, "\"nan\""},
		{"threshold=0.5 0", "threshold=0.5 1", SP_ERR_FORMAT, "by set 1 of 1"},
		{"type=10 1", "type=14 1", SP_ERR_UNSUPPORTED, "decision type 14"},
		{"type=10 1", "type=16 1", SP_ERR_FORMAT, "from 0 to 15"},
		{"left_child=-1 -2", "left_child=-1 -4", SP_ERR_FORMAT, "left_child has -4"},
		{"left_child=-1 -2", "left_child=-1 0", SP_ERR_FORMAT, "parent"},
		{"left_child=-1 -2", "left_child=-2 -2", SP_ERR_FORMAT, "more than one parent"},
		{"right_child=1 -3", "right_child=2 -3", SP_ERR_FORMAT, "right_child has 2"},
		{"value=1 2.5 -3", "value=1 2.5 inf", SP_ERR_FORMAT, "not finite"},
		{"value=1 2.5 -3", "value=1 2.5 1e999", SP_ERR_FORMAT, "not a finite number"},
		{"value=1 2.5 -3", "value=1 2.5", SP_ERR_FORMAT, "leaf_value has 2"},
		{"boundaries=0 1", "boundaries=1 0", SP_ERR_FORMAT, "do not ascend"},
		{"boundaries=0 1", "boundaries=0 2", SP_ERR_FORMAT, "cat_threshold has 1"},
		{"cat_threshold=10", "cat_threshold=0", SP_ERR_FORMAT, "no categories"},
		{"cat_threshold=10", "cat_threshold=4294967296", SP_ERR_FORMAT, "whole number"},
		{"cat_threshold=10\n", "", SP_ERR_FORMAT, "no line cat_threshold"},
		{"is_linear=0", "is_linear=2", SP_ERR_FORMAT, "is_linear"},
		{"is_linear=0", "is_linear=1", SP_ERR_FORMAT, "no line leaf_const"},
		{"shrinkage=1", "shrinkage", SP_ERR_FORMAT, "no \"=\""},
		{"shrinkage=1", "num_leaves=3", SP_ERR_FORMAT, "two lines num_leaves"},
		{"end of trees", "end", SP_ERR_FORMAT, "end of trees"},
	};

	for (size_t at = 0; at < sizeof(cases) / sizeof(cases[0]); at++)
	{
		char	   *text = replaced(SMALL, cases[at].from, cases[at].to);

		sp_test_refused(SP_FORMAT_LIGHTGBM, text, strlen(text), cases[at].status, cases[at].text,
						"%zu: \"%.30s\"", at, cases[at].to);
		free(text);
	}
}

/* Its trees are counted from their first lines. */
static void
test_tree_in_tree(void)
{
	static const char text[] = HEAD OBJECTIVE NAMES "\n" "Tree=0\n" TREE0 TREE1 TAIL;

	sp_test_refused(SP_FORMAT_LIGHTGBM, text, sizeof(text) - 1, SP_ERR_FORMAT, "no empty line between tree 0",
					"a tree within a tree");
}

static void
test_wrong_linear(void)
{
	static const char *const cases[][3] = {
		{"leaf_const=1 2", "leaf_const=1", "leaf_const has 1"},
		{"num_features=2 0", "num_features=2 4", "whole number"},
		{"num_features=2 0", "num_features=3 0", "leaf_features has 2"},
		{"leaf_features=0 2", "leaf_features=0 3", "whole number"},
		{"leaf_coeff=10 100", "leaf_coeff=10", "leaf_coeff has 1"},
		{"leaf_coeff=10 100", "leaf_coeff=10 inf", "coefficient"},
		{"leaf_const=1 2", "leaf_const=1 inf", "constant"}
	};

	for (size_t at = 0; at < sizeof(cases) / sizeof(cases[0]); at++)
	{
		char	   *text = replaced(LINEAR, cases[at][0], cases[at][1]);

		sp_test_refused(SP_FORMAT_LIGHTGBM, text, strlen(text), SP_ERR_FORMAT, cases[at][2], "linear %zu", at);
		free(text);
	}
}

static void
test_objectives(void)
{
	static const struct
	{
		const char *objective;
		SpTask		task;
		double		value;
	}			cases[] = {
		{"regression", SP_TASK_REGRESSION, -2.75}, {"regression sqrt", SP_TASK_REGRESSION, -2.75 * 2.75},
		{"huber", SP_TASK_REGRESSION, -2.75}, {"mape", SP_TASK_REGRESSION, -2.75},
		{"poisson", SP_TASK_REGRESSION, 0.06392786120670757}, {"lambdarank", SP_TASK_RANKING, -2.75},
		{"cross_entropy", SP_TASK_REGRESSION, 0.06008665017400762},
		{"cross_entropy_lambda", SP_TASK_REGRESSION, 0.061967589003198625}, {"custom", SP_TASK_SCORE, -2.75}
	};
	SpTestImport import;

	for (size_t at = 0; at < sizeof(cases) / sizeof(cases[0]); at++)
	{
		char	   *text = replaced(SMALL, "regression", cases[at].objective);

		sp_test_import(&import, SP_FORMAT_UNKNOWN, text, strlen(text));
		ok(import.status == SP_OK && import.model->task == cases[at].task &&
		   import.model->features[0].type == SP_TYPE_F64 && import.model->accepts_missing &&
		   import.model->accepts_infinite && !strcmp(import.model->producer, "lightgbm v4"),
		   "objective %s", cases[at].objective);
		sp_test_import_end(&import);
		ok(fabs(value_of(text, SP_OUTPUT_VALUE, 1, 0, 2) - cases[at].value) < 1e-15, "its value");
		free(text);
	}
}

static void
test_iterations(void)
{
	SpTestImport import;
	SpOverrides overrides = {.n_iterations = 1};

	sp_test_context(&import.cx, &import.region);
	ok(sp_import(&import.cx, SP_FORMAT_LIGHTGBM, SMALL, strlen(SMALL), &overrides, &import.used, &import.model) == SP_OK &&
	   import.model->n_trees == 1, "the first iteration only");
	overrides = (SpOverrides) {.first_iteration = 1};
	ok(sp_import(&import.cx, SP_FORMAT_LIGHTGBM, SMALL, strlen(SMALL), &overrides, &import.used, &import.model) == SP_OK &&
	   import.model->n_trees == 1, "from the second iteration on");
	overrides.n_iterations = 2;
	fails_with(&import.cx, sp_import(&import.cx, SP_FORMAT_LIGHTGBM, SMALL, strlen(SMALL), &overrides, &import.used,
									 &import.model), SP_ERR_VALUE, "2 iterations, fewer than 3", "an iteration too far");
	overrides = (SpOverrides) {.first_iteration = 2};
	fails_with(&import.cx, sp_import(&import.cx, SP_FORMAT_LIGHTGBM, SMALL, strlen(SMALL), &overrides, &import.used,
									 &import.model), SP_ERR_VALUE, "2 iterations, fewer than 3", "no iterations");
	overrides = (SpOverrides) {.first_iteration = UINT32_MAX, .n_iterations = UINT32_MAX};
	fails_with(&import.cx, sp_import(&import.cx, SP_FORMAT_LIGHTGBM, SMALL, strlen(SMALL), &overrides, &import.used,
									 &import.model), SP_ERR_VALUE, "2 iterations", "far too many iterations");
	overrides = (SpOverrides) {.n_iterations = 3};
	fails_with(&import.cx, sp_import(&import.cx, SP_FORMAT_LIGHTGBM, SMALL, strlen(SMALL), &overrides, &import.used,
									 &import.model), SP_ERR_VALUE, "2 iterations, fewer than 3", "too many iterations");
	overrides = (SpOverrides) {.best_iteration = true};
	fails_with(&import.cx, sp_import(&import.cx, SP_FORMAT_LIGHTGBM, SMALL, strlen(SMALL), &overrides, &import.used,
									 &import.model), SP_ERR_VALUE, "best iteration", "a best iteration");
	sp_test_import_end(&import);
}

int
main(int argc, char **argv)
{
	const char *data = sp_test_data(argc, argv);

	test_columns();
	test_refused_columns();
	test_cut_off();
	test_decisions();
	test_wrong_fields();
	test_tree_in_tree();
	test_wrong_linear();
	test_objectives();
	test_iterations();
	sp_test_hostile("small", SP_FORMAT_LIGHTGBM, SMALL, strlen(SMALL), true);
	sp_test_hostile("linear", SP_FORMAT_LIGHTGBM, LINEAR, strlen(LINEAR), true);
	sp_test_fixture(data, "lgb_cancer_binary", "model.txt", SP_FORMAT_LIGHTGBM, "lightgbm v4");
	sp_test_fixture(data, "lgb_diabetes_linear", "model.txt", SP_FORMAT_LIGHTGBM, "lightgbm v4");
	sp_test_fixture(data, "lgb33_diabetes_categorical", "model.txt", SP_FORMAT_LIGHTGBM, "lightgbm v3");
	return done_testing();
}
