/*
 * test/unit/test_import_xgboost.c
 *
 * XGBoost models: what is read, what is refused, hostile files.
 */
#include <math.h>

#include "sp_test_import.h"

#include "base/sp_bytes.h"
#include "base/sp_tokens.h"

/* The parts of a small model file; a test replaces some. */
typedef struct Parts
{
	const char *version;
	const char *learner_model_param;
	const char *objective;
	const char *names;
	const char *types;
	const char *booster;
	const char *gbtree_model_param;
	const char *model_extra;
	const char *tree_info;
	const char *trees;
} Parts;

#define PARAM(base, classes, features) \
	"{\"base_score\":\"" base "\",\"boost_from_average\":\"1\",\"num_class\":\"" classes \
	"\",\"num_feature\":\"" features "\",\"num_target\":\"1\"}"
#define TARGETS(base) \
	"{\"base_score\":\"" base "\",\"num_class\":\"0\",\"num_feature\":\"2\",\"num_target\":\"2\"}"
#define OBJECTIVE(name) "{\"name\":\"" name "\",\"reg_loss_param\":{\"scale_pos_weight\":\"1\"}}"
#define TREE(id, n, deleted, left, right, feature, condition, default_left) \
	"{\"base_weights\":[0,0,0],\"categories\":[],\"categories_nodes\":[],\"categories_segments\":[]," \
	"\"categories_sizes\":[],\"default_left\":[" default_left "],\"id\":" id ",\"left_children\":[" left "]," \
	"\"loss_changes\":[1E0,0E0],\"parents\":[2147483647,0,0],\"right_children\":[" right "]," \
	"\"split_conditions\":[" condition "],\"split_indices\":[" feature "],\"split_type\":[0,0,0],\"sum_hessian\":[]," \
	"\"tree_param\":{\"num_deleted\":\"" deleted "\",\"num_feature\":\"2\",\"num_nodes\":\"" n "\",\"size_leaf_vector\":\"1\"}}"
#define STUMP(id, value) TREE(id, "3", "0", "1,-1,-1", "2,-1,-1", "1,0,0", "5E-1,-2.5E-1," value, "1,0,0")

static const Parts good = {
	"[3,1,2]", PARAM("5E-1", "0", "2"), OBJECTIVE("reg:squarederror"), "[\"width\",\"height\"]", "[\"float\",\"int\"]",
	"gbtree", "{\"num_parallel_tree\":\"1\",\"num_trees\":\"2\"}", "", "[0,0]",
	"[" STUMP("0", "1.25E0") "," STUMP("1", "2E0") "]"
};

static char json[20000];

static size_t
write_json(const Parts *parts)
{
	return (size_t) snprintf(json, sizeof(json),
							 "{\"learner\":{\"attributes\":{\"note\":\"\\u00fc\"},\"feature_names\":%s,\"feature_types\":%s,"
							 "\"gradient_booster\":{\"model\":{%s\"gbtree_model_param\":%s,\"tree_info\":%s,\"trees\":%s},"
							 "\"name\":\"%s\"},\"learner_model_param\":%s,\"objective\":%s},\"version\":%s}",
							 parts->names, parts->types, parts->model_extra, parts->gbtree_model_param, parts->tree_info,
							 parts->trees, parts->booster, parts->learner_model_param, parts->objective, parts->version);
}

/* Small parts of the writer of UBJSON: JSON in, with typed arrays where XGBoost has them. */
static void
write_length(SpWriter *writer, size_t length)
{
	int			i;

	sp_write_u8(writer, 'L');
	for (i = 7; i >= 0; i--)
		sp_write_u8(writer, (uint8_t) ((uint64_t) length >> (8 * i)));
}

static void
write_number(SpWriter *writer, char type, const SpToken *token)
{
	float		single = sp_token_f32(token);
	uint32_t	bits = (uint32_t) token->integer;
	int			i;

	if (type == 'd')
		memcpy(&bits, &single, sizeof(bits));
	for (i = type == 'U' ? 0 : 3; i >= 0; i--)
		sp_write_u8(writer, (uint8_t) (bits >> (8 * i)));
}

static void
write_typed(SpWriter *writer, SpTokens *tokens, char type)
{
	SpToken		token;
	SpWriter	body;
	size_t		count = 0;

	sp_writer_init(&body, writer->cx);
	while (sp_tokens_next(tokens, &token) == SP_OK && token.kind == SP_TOKEN_NUMBER)
	{
		write_number(&body, type, &token);
		count++;
	}
	sp_write_u8(writer, '[');
	sp_write_u8(writer, '$');
	sp_write_u8(writer, (uint8_t) type);
	sp_write_u8(writer, '#');
	write_length(writer, count);
	sp_write_bytes(writer, body.data, body.size);
}

static char
array_type(SpStr key)
{
	static const char *const ints[] = {"left_children", "right_children", "parents", "split_indices", "categories"};
	size_t		i;

	if (sp_str_is(key, "default_left") || sp_str_is(key, "split_type"))
		return 'U';
	for (i = 0; i < sizeof(ints) / sizeof(ints[0]); i++)
	{
		if (sp_str_is(key, ints[i]))
			return 'l';
	}
	return sp_str_is(key, "split_conditions") || sp_str_is(key, "base_weights") ? 'd' : 0;
}

static void
write_ubjson(SpWriter *writer, size_t json_size)
{
	SpTokens   *tokens;
	SpToken		token;
	char		type = 0;

	sp_tokens_open(writer->cx, SP_TOKENS_JSON, json, json_size, &tokens);
	while (sp_tokens_next(tokens, &token) == SP_OK && token.kind != SP_TOKEN_END)
	{
		static const char marks[] = {0, '{', '}', '[', ']', 0, 'S', 'l', 'T', 'F', 'Z'};

		if (token.kind == SP_TOKEN_ARRAY && type != 0)
		{
			write_typed(writer, tokens, type);
			type = 0;
			continue;
		}
		if (marks[token.kind] != 0)
			sp_write_u8(writer, (uint8_t) marks[token.kind]);
		if (token.kind == SP_TOKEN_NUMBER)
			write_number(writer, 'l', &token);
		if (token.kind == SP_TOKEN_KEY || token.kind == SP_TOKEN_STRING)
		{
			write_length(writer, token.text.size);
			sp_write_bytes(writer, token.text.data, token.text.size);
		}
		type = token.kind == SP_TOKEN_KEY ? array_type(token.text) : 0;
	}
}

static void
check_good(SpFormat format, const void *bytes, size_t size)
{
	SpTestImport import;
	const SpModel *model;
	const SpTrees *trees;

	if (!ok(sp_test_import(&import, SP_FORMAT_UNKNOWN, bytes, size) == SP_OK, "a good model in %s",
			sp_format_name(format)))
	{
		sp_test_complain(&import, "good", 0);
		sp_test_import_end(&import);
		return;
	}
	model = import.model;
	trees = &model->steps[0].u.trees;
	ok(import.used == format && model->task == SP_TASK_REGRESSION && model->accepts_missing &&
	   !model->accepts_infinite, "format and task");
	ok(strcmp(model->producer, "xgboost 3.1.2") == 0 && strcmp(model->objective, "reg:squarederror") == 0, "origin");
	ok(model->n_features == 2 && strcmp(model->features[0].name, "width") == 0 &&
	   strcmp(model->features[1].name, "height") == 0 && model->features[0].type == SP_TYPE_F32, "features");
	ok(trees->n_trees == 2 && trees->base[0] == 0.5 && !trees->base_last && trees->sum_type == SP_TYPE_F32 &&
	   trees->first_node[2] == 6, "trees");
	ok(trees->nodes[0].feature == 1 && trees->nodes[0].threshold == 0.5 && trees->nodes[0].left == 1 &&
	   trees->nodes[0].right == 2 && trees->nodes[0].flags == SP_NODE_MISSING_LEFT, "a split");
	ok(trees->nodes[5].feature == SP_LEAF && trees->nodes[5].right == 1 &&
	   trees->weights[trees->nodes[5].left].value == 2.0 && trees->weights[0].value == -0.25, "leaves");
	ok(model->outputs[SP_OUTPUT_RAW] == model->steps[0].out &&
	   model->outputs[SP_OUTPUT_VALUE] == model->steps[0].out, "outputs");
	sp_test_import_end(&import);
}

static void
test_good(void)
{
	SpContext	cx;
	SpTestRegion region;
	SpWriter	writer;
	size_t		size = write_json(&good);

	sp_test_context(&cx, &region);
	sp_writer_init(&writer, &cx);
	check_good(SP_FORMAT_XGBOOST_JSON, json, size);
	write_ubjson(&writer, size);
	check_good(SP_FORMAT_XGBOOST_UBJ, writer.data, writer.size);
	sp_test_hostile("JSON", SP_FORMAT_XGBOOST_JSON, json, size, false);
	sp_test_hostile("UBJSON", SP_FORMAT_XGBOOST_UBJ, writer.data, writer.size, false);
	sp_test_release_all(&region);
}

/* The objective with that base score, and what the model must be then. */
static void
objective_is(const char *objective, const char *param, SpTask task, double base, int n_steps, unsigned outputs)
{
	Parts		parts = good;
	SpTestImport import;
	size_t		size;
	unsigned	made = 0;
	int			i;

	parts.objective = objective;
	parts.learner_model_param = param;
	size = write_json(&parts);
	if (sp_test_import(&import, SP_FORMAT_UNKNOWN, json, size) != SP_OK)
	{
		ok(false, "%s", objective);
		sp_test_complain(&import, "objective", 0);
		sp_test_import_end(&import);
		return;
	}
	for (i = 0; i < SP_N_OUTPUTS; i++)
		made |= import.model->outputs[i] != SP_NO_VALUE ? 1u << i : 0;
	ok(import.model->task == task && (int) import.model->n_steps == n_steps && made == outputs &&
	   fabs(import.model->steps[0].u.trees.base[0] - base) < 1e-6 * fmax(1, fabs(base)),
	   "%s: base %g, %u steps, outputs %x", objective, import.model->steps[0].u.trees.base[0],
	   import.model->n_steps, made);
	sp_test_import_end(&import);
}

#define VALUE_RAW 9
#define LABEL_PROBABILITIES_RAW 14
#define LABEL_RAW 10

static void
test_objectives(void)
{
	objective_is(OBJECTIVE("reg:linear"), PARAM("-2E0", "0", "2"), SP_TASK_REGRESSION, -2, 1, VALUE_RAW);
	objective_is(OBJECTIVE("reg:logistic"), PARAM("2.5E-1", "0", "2"), SP_TASK_REGRESSION, -1.0986123, 2, VALUE_RAW);
	objective_is(OBJECTIVE("count:poisson"), PARAM("2", "0", "2"), SP_TASK_REGRESSION, 0.6931472, 2, VALUE_RAW);
	objective_is(OBJECTIVE("survival:cox"), PARAM("[5E-1]", "0", "2"), SP_TASK_SURVIVAL, -0.6931472, 2, VALUE_RAW);
	objective_is(OBJECTIVE("rank:ndcg"), PARAM("[ 5E-1 ]", "0", "2"), SP_TASK_RANKING, 0.5, 1, VALUE_RAW);
	objective_is(OBJECTIVE("binary:logitraw"), TARGETS("5E-1"), SP_TASK_REGRESSION, 0.5, 1, VALUE_RAW);
	objective_is(OBJECTIVE("binary:hinge"), TARGETS("5E-1"), SP_TASK_REGRESSION, 0.5, 2, VALUE_RAW);
	objective_is(OBJECTIVE("binary:logitraw"), PARAM("5E-1", "0", "2"), SP_TASK_SCORE, 0.5, 1, VALUE_RAW);
	objective_is(OBJECTIVE("binary:logistic"), PARAM("5E-1", "0", "2"), SP_TASK_CLASSIFICATION, 0, 4,
				 LABEL_PROBABILITIES_RAW);
	objective_is(OBJECTIVE("binary:logistic"), PARAM("1E0", "1", "2"), SP_TASK_CLASSIFICATION, 13.7451725, 4,
				 LABEL_PROBABILITIES_RAW);
	objective_is(OBJECTIVE("binary:hinge"), PARAM("5E-1", "0", "2"), SP_TASK_CLASSIFICATION, 0.5, 2, LABEL_RAW);
	objective_is(OBJECTIVE("multi:softprob"), PARAM("5E-1", "3", "2"), SP_TASK_CLASSIFICATION, 0.5, 3,
				 LABEL_PROBABILITIES_RAW);
	objective_is(OBJECTIVE("multi:softmax"), PARAM("[1E0,2E0,3E0]", "3", "2"), SP_TASK_CLASSIFICATION, 1, 3,
				 LABEL_PROBABILITIES_RAW);
}

static void
refused(SpStatus status, const char *text, Parts parts)
{
	size_t		size = write_json(&parts);

	sp_test_refused(SP_FORMAT_XGBOOST_JSON, json, size, status, text, "refused: %s", text);
}

#define WITH(field, value) \
	({ Parts parts_ = good; parts_.field = (value); parts_; })

#define CATS(columns) WITH(model_extra, "\"cats\":{\"enc\":" columns "},")
#define NO_CATS "{\"offsets\":[],\"values\":[]}"

static void
test_columns(void)
{
	refused(SP_OK, NULL, CATS("[]"));
	refused(SP_OK, NULL, CATS("[" NO_CATS "," NO_CATS "]"));
	refused(SP_OK, NULL, CATS("[{\"offsets\":[0,1,1,3],\"values\":[97,-61,164]},{\"type\":15,\"values\":[3,-1]}]"));
	refused(SP_OK, NULL, CATS("[{\"offsets\":[0,2],\"values\":[97,10]}," NO_CATS "]"));
	refused(SP_ERR_FORMAT, "enc has 1 columns for 2", CATS("[" NO_CATS "]"));
	refused(SP_ERR_FORMAT, "array of objects", CATS("[1,2]"));
	refused(SP_ERR_FORMAT, "no member \"values\"", CATS("[{\"offsets\":[0]}," NO_CATS "]"));
	refused(SP_ERR_FORMAT, "array of whole numbers", CATS("[{\"values\":[1.5]}," NO_CATS "]"));
	refused(SP_ERR_FORMAT, "array of whole numbers", CATS("[{\"values\":[[1]]}," NO_CATS "]"));
	refused(SP_ERR_FORMAT, "have no offsets", CATS("[{\"offsets\":[],\"values\":[97]}," NO_CATS "]"));
	refused(SP_ERR_FORMAT, "do not ascend", CATS("[{\"offsets\":[0,2,1,3],\"values\":[97,98,99]}," NO_CATS "]"));
	refused(SP_ERR_FORMAT, "do not fit", CATS("[{\"offsets\":[1,2],\"values\":[97,98]}," NO_CATS "]"));
	refused(SP_ERR_FORMAT, "do not fit", CATS("[{\"offsets\":[0,3],\"values\":[97,98]}," NO_CATS "]"));
	refused(SP_ERR_FORMAT, "\"offsets\" is not", CATS("[{\"offsets\":[0,-1],\"values\":[97]}," NO_CATS "]"));
	refused(SP_ERR_FORMAT, "256 is no byte", CATS("[{\"offsets\":[0,1],\"values\":[256]}," NO_CATS "]"));
	refused(SP_OK, NULL, CATS("[{\"offsets\":[0,1,2],\"values\":[-61,-61]}," NO_CATS "]"));
	refused(SP_ERR_FORMAT, "same category twice", CATS("[{\"offsets\":[0,1,2],\"values\":[97,97]}," NO_CATS "]"));
	refused(SP_ERR_FORMAT, "same category twice", CATS("[" NO_CATS ",{\"values\":[7,8,7]}]"));
	refused(SP_ERR_UNSUPPORTED, "more than 53 bits", CATS("[" NO_CATS ",{\"values\":[9007199254740993]}]"));
}

static void
test_refused_facts(void)
{
	refused(SP_OK, NULL, WITH(version, "[1,5,2]"));
	refused(SP_ERR_FORMAT, "three numbers", WITH(version, "[1,5]"));
	refused(SP_ERR_FORMAT, "three numbers", WITH(version, "[\"3\",1,0]"));
	refused(SP_ERR_UNSUPPORTED, "\"my:objective\"", WITH(objective, OBJECTIVE("my:objective")));
	refused(SP_ERR_FORMAT, "no member \"name\"", WITH(objective, "{}"));
	refused(SP_ERR_FORMAT, "not an object", WITH(objective, "[]"));
	refused(SP_ERR_FORMAT, "weight_drop", WITH(booster, "dart"));
	refused(SP_ERR_UNSUPPORTED, "booster \"tree\"", WITH(booster, "tree"));
	refused(SP_ERR_FORMAT, "no weights", WITH(booster, "gblinear"));
	refused(SP_OK, NULL, WITH(model_extra, "\"weight_drop\":[1E0,5E-1],"));
	refused(SP_ERR_FORMAT, "weight_drop has 1", WITH(model_extra, "\"weight_drop\":[1E0],"));
	refused(SP_ERR_FORMAT, "ascending tree numbers", WITH(model_extra, "\"iteration_indptr\":[0,2,1],"));
	refused(SP_OK, NULL, WITH(types, "[\"float\",\"c\"]"));
	refused(SP_OK, NULL, WITH(learner_model_param, TARGETS("0")));
	refused(SP_ERR_UNSUPPORTED, "several targets",
			({ Parts ranking = WITH(learner_model_param, TARGETS("0")); ranking.objective = OBJECTIVE("rank:ndcg"); ranking; }));
	refused(SP_ERR_LIMIT, "outputs are more than",
			WITH(learner_model_param, "{\"base_score\":\"0\",\"num_class\":\"0\",\"num_feature\":\"2\",\"num_target\":\"2147483647\"}"));
	refused(SP_ERR_UNSUPPORTED, "with 3 classes", WITH(learner_model_param, PARAM("0", "3", "2")));
	refused(SP_ERR_FORMAT, "num_feature is 0", WITH(learner_model_param, PARAM("0", "0", "0")));
	refused(SP_ERR_FORMAT, "1 feature types for 2", WITH(types, "[\"float\"]"));
	refused(SP_ERR_FORMAT, "feature_types", WITH(types, "[1, 2]"));
	refused(SP_OK, NULL, WITH(types, "[]"));
	refused(SP_ERR_FORMAT, "2 feature names for 3", WITH(learner_model_param, PARAM("0", "0", "3")));
	refused(SP_ERR_FORMAT, "number in a string", WITH(learner_model_param, PARAM("0", "-1", "2")));
	refused(SP_ERR_FORMAT, "larger than", WITH(learner_model_param, PARAM("0", "0", "99999999999999999999")));
	refused(SP_ERR_FORMAT, "base_score \"x\"", WITH(learner_model_param, PARAM("x", "0", "2")));
	refused(SP_ERR_FORMAT, "base_score \"[]\"", WITH(learner_model_param, PARAM("[]", "0", "2")));
	refused(SP_ERR_FORMAT, "base_score \"[1] 2\"", WITH(learner_model_param, PARAM("[1] 2", "0", "2")));
	refused(SP_ERR_FORMAT, "base_score has 2 numbers", WITH(learner_model_param, PARAM("[1,2]", "0", "2")));
	refused(SP_ERR_FORMAT, "base_score nan", WITH(learner_model_param, PARAM("NaN", "0", "2")));
	refused(SP_ERR_FORMAT, "no member \"num_feature\"", WITH(learner_model_param, "{\"base_score\":\"0\",\"num_class\":\"0\"}"));
	refused(SP_ERR_FORMAT, "comes twice",
			WITH(learner_model_param, "{\"base_score\":\"0\",\"base_score\":\"1\",\"num_class\":\"0\",\"num_feature\":\"2\"}"));
	refused(SP_ERR_FORMAT, "array of strings", WITH(names, "[\"a\",1]"));
	refused(SP_ERR_FORMAT, "UTF-8", WITH(names, "[\"a\",\"\xff\"]"));
	refused(SP_ERR_FORMAT, NULL, WITH(names, "[\"a\",\"a\"]"));
	refused(SP_ERR_FORMAT, NULL, WITH(names, "[\"a\",\"\"]"));
}

static void
test_refused_trees(void)
{
	Parts		no_trees = good;
	Parts		logistic = good;

	no_trees.trees = "[]";
	no_trees.tree_info = "[]";
	no_trees.gbtree_model_param = "{\"num_trees\":\"0\"}";
	refused(SP_ERR_FORMAT, "no trees", no_trees);
	logistic.objective = OBJECTIVE("binary:logistic");
	logistic.learner_model_param = PARAM("1.5E0", "0", "2");
	refused(SP_ERR_FORMAT, "between 0 and 1", logistic);
	refused(SP_ERR_FORMAT, "tree_info has 1 entries", WITH(tree_info, "[0]"));
	refused(SP_ERR_FORMAT, "output 1 of 1", WITH(tree_info, "[0,1]"));
	refused(SP_ERR_FORMAT, "output numbers", WITH(tree_info, "[0,-1]"));
	refused(SP_ERR_FORMAT, "output numbers", WITH(tree_info, "[0,0.5]"));
	refused(SP_ERR_FORMAT, "there are 1 trees", WITH(trees, "[" STUMP("0", "1") "]"));
	refused(SP_ERR_FORMAT, "more trees than", WITH(trees, "[" STUMP("0", "1") "," STUMP("1", "1") "," STUMP("2", "1") "]"));
	refused(SP_ERR_FORMAT, "array of objects", WITH(trees, "[1,2]"));
	refused(SP_ERR_FORMAT, "\"trees\" is not an array", WITH(trees, "{}"));
	refused(SP_ERR_FORMAT, "id 1", WITH(trees, "[" STUMP("1", "1") "," STUMP("0", "1") "]"));
	refused(SP_ERR_FORMAT, "no member", WITH(trees, "[{},{}]"));
#define ONE(...) WITH(trees, "[" TREE("0", __VA_ARGS__) "," STUMP("1", "1") "]")
	refused(SP_ERR_FORMAT, "num_nodes is 4", ONE("4", "0", "1,-1,-1", "2,-1,-1", "1,0,0", "1,2,3", "1,0,0"));
	refused(SP_ERR_FORMAT, "right_children has 2", ONE("3", "0", "1,-1,-1", "2,-1", "1,0,0", "1,2,3", "1,0,0"));
	refused(SP_ERR_FORMAT, "split_indices has 4", ONE("3", "0", "1,-1,-1", "2,-1,-1", "1,0,0,0", "1,2,3", "1,0,0"));
	refused(SP_ERR_FORMAT, "no nodes", ONE("0", "0", "", "", "", "", ""));
	refused(SP_ERR_FORMAT, "left_children has 3", ONE("1000000000", "0", "1,-1,-1", "2,-1,-1", "1,0,0", "1,2,3", "1,0,0"));
	refused(SP_ERR_FORMAT, "num_deleted is 1", ONE("3", "1", "1,-1,-1", "2,-1,-1", "1,0,0", "1,2,3", "1,0,0"));
	refused(SP_ERR_FORMAT, "not a number", ONE("3", "0", "1,-1,-1", "2,-1,-1", "1,0,0", "NaN,2,3", "1,0,0"));
	refused(SP_ERR_FORMAT, "not finite", ONE("3", "0", "1,-1,-1", "2,-1,-1", "1,0,0", "1,Infinity,3", "1,0,0"));
	refused(SP_ERR_FORMAT, "not finite", ONE("3", "0", "1,-1,-1", "2,-1,-1", "1,0,0", "1,1e300,3", "1,0,0"));
	refused(SP_ERR_FORMAT, "feature 2 of 2", ONE("3", "0", "1,-1,-1", "2,-1,-1", "2,0,0", "1,2,3", "1,0,0"));
	refused(SP_ERR_FORMAT, "feature numbers", ONE("3", "0", "1,-1,-1", "2,-1,-1", "-1,0,0", "1,2,3", "1,0,0"));
	refused(SP_ERR_FORMAT, "out of range", ONE("3", "0", "2,-1,-1", "3,-1,-1", "1,0,0", "1,2,3", "1,0,0"));
	refused(SP_ERR_FORMAT, "more than one parent", ONE("3", "0", "0,-1,-1", "1,-1,-1", "1,0,0", "1,2,3", "1,0,0"));
	refused(SP_ERR_FORMAT, "more than one parent", ONE("3", "0", "1,1,-1", "2,2,-1", "1,0,0", "1,2,3", "1,0,0"));
	refused(SP_ERR_FORMAT, "not neighbors", ONE("4", "0", "1,-1,-1,-1", "3,-1,-1,-1", "1,0,0,0", "1,2,3,4", "1,0,0,0"));
	refused(SP_ERR_FORMAT, "array of numbers", ONE("3", "0", "1,-1,-1", "2,-1,-1", "1,0,0", "1,\"2\",3", "1,0,0"));
	refused(SP_ERR_FORMAT, "node or feature", ONE("3", "0", "1,\"-1\",-1", "2,-1,-1", "1,0,0", "1,2,3", "1,0,0"));
	refused(SP_ERR_FORMAT, "node or feature", ONE("3", "0", "1.5,-1,-1", "2,-1,-1", "1,0,0", "1,2,3", "1,0,0"));
	refused(SP_ERR_FORMAT, "node or feature", ONE("3", "0", "1,-1,-1", "2,4294967296,-1", "1,0,0", "1,2,3", "1,0,0"));
	refused(SP_ERR_FORMAT, "numbers from 0 to 1", WITH(trees, "[{\"split_type\":[2,0,0]}," STUMP("1", "1") "]"));
	refused(SP_ERR_FORMAT, "size_leaf_vector is 2",
			WITH(trees, "[{\"tree_param\":{\"num_nodes\":\"1\",\"size_leaf_vector\":\"2\"}}," STUMP("1", "1") "]"));
}

#define CATEGORY_TREE(types, categories, nodes, segments, sizes) \
	"{\"categories\":[" categories "],\"categories_nodes\":[" nodes "],\"categories_segments\":[" segments "]," \
	"\"categories_sizes\":[" sizes "],\"default_left\":[1,0,0],\"id\":0,\"left_children\":[1,-1,-1]," \
	"\"right_children\":[2,-1,-1],\"split_conditions\":[0,1,2],\"split_indices\":[1,0,0],\"split_type\":[" types "]," \
	"\"tree_param\":{\"num_deleted\":\"0\",\"num_nodes\":\"3\",\"size_leaf_vector\":\"1\"}}"
#define CATEGORIES(types, categories, nodes, segments, sizes) \
	WITH(trees, "[" CATEGORY_TREE(types, categories, nodes, segments, sizes) "," STUMP("1", "2E0") "]")

static void
test_categories(void)
{
	Parts		parts = CATEGORIES("1,0,0", "0,3,16777215", "0", "0", "3");
	size_t		size = write_json(&parts);
	SpTestImport import;
	const SpNode *root;

	sp_test_import(&import, SP_FORMAT_XGBOOST_JSON, json, size);
	ok(import.status == SP_OK && import.model->steps[0].u.trees.n_sets == 1, "a categorical split");
	root = import.model->steps[0].u.trees.nodes;
	ok(root->flags == SP_NODE_CATEGORY && root->left == 2 && root->right == 1, "members and missing are turned");
	sp_test_import_end(&import);
	sp_test_hostile("categorical", SP_FORMAT_XGBOOST_JSON, json, size, false);
	refused(SP_ERR_FORMAT, "from 0 to 16777215", CATEGORIES("1,0,0", "0,3,16777216", "0", "0", "3"));
	refused(SP_ERR_FORMAT, "do not ascend", CATEGORIES("1,0,0", "3,0", "0", "0", "2"));
	refused(SP_ERR_FORMAT, "out of range", CATEGORIES("1,0,0", "0,3", "0", "0", "3"));
	refused(SP_ERR_FORMAT, "out of range", CATEGORIES("1,0,0", "0,3", "0", "1", "1"));
	refused(SP_ERR_FORMAT, "out of range", CATEGORIES("1,0,0", "0,3", "0", "0", "0"));
	refused(SP_ERR_FORMAT, "belong to no node", CATEGORIES("1,0,0", "0,3", "0", "0", "1"));
	refused(SP_ERR_FORMAT, "node 3 of 3", CATEGORIES("1,0,0", "0", "3", "0", "1"));
	refused(SP_ERR_FORMAT, "no categorical split", CATEGORIES("0,0,0", "0", "0", "0", "1"));
	refused(SP_ERR_FORMAT, "without categories", CATEGORIES("1,0,0", "", "", "", ""));
	refused(SP_ERR_FORMAT, "differ in length", CATEGORIES("1,0,0", "0", "0", "0,1", "1"));
	refused(SP_ERR_FORMAT, "split_type has 2", CATEGORIES("1,0", "0", "0", "0", "1"));
}

#define BOOSTER(booster) \
	"{\"learner\":{\"attributes\":{\"best_iteration\":\"0\"},\"gradient_booster\":" booster ",\"learner_model_param\":" \
	PARAM("5E-1", "0", "2") ",\"objective\":" OBJECTIVE("reg:squarederror") "},\"version\":[3,1,2]}"
#define GBTREE "{\"gbtree_model_param\":{\"num_trees\":\"2\"},\"iteration_indptr\":[0,1,2],\"tree_info\":[0,0],\"trees\":[" \
	STUMP("0", "1.25E0") "," STUMP("1", "2E0") "]}"

static void
test_boosters(void)
{
	static const char dart[] = BOOSTER("{\"gbtree\":{\"model\":" GBTREE ",\"name\":\"gbtree\"},\"name\":\"dart\","
									   "\"weight_drop\":[5E-1,1E0]}");
	static const char linear[] = BOOSTER("{\"model\":{\"boosted_rounds\":3,\"weights\":[1E0,2E0,5E-1]},\"name\":\"gblinear\"}");
	static const char short_linear[] = BOOSTER("{\"model\":{\"weights\":[1E0,2E0]},\"name\":\"gblinear\"}");
	static const char two[] = BOOSTER("{\"gbtree\":{\"model\":" GBTREE "},\"model\":" GBTREE ",\"name\":\"dart\"}");
	SpOverrides overrides = {.best_iteration = true};
	SpTestImport import;

	sp_test_import(&import, SP_FORMAT_UNKNOWN, dart, sizeof(dart) - 1);
	ok(import.status == SP_OK && import.model->steps[0].u.trees.weights[0].value == -0.125 &&
	   import.model->steps[0].u.trees.weights[3].value == 2, "dart: weights are in the leaves");
	ok(sp_import(&import.cx, SP_FORMAT_UNKNOWN, dart, sizeof(dart) - 1, &overrides, &import.used, &import.model) == SP_OK &&
	   import.model->n_trees == 1, "the best iteration");
	overrides.n_iterations = 1;
	fails_with(&import.cx, sp_import(&import.cx, SP_FORMAT_UNKNOWN, dart, sizeof(dart) - 1, &overrides, &import.used,
									 &import.model), SP_ERR_VALUE, "cannot both", "the best one and a number");
	overrides = (SpOverrides) {.first_iteration = 1};
	ok(sp_import(&import.cx, SP_FORMAT_UNKNOWN, dart, sizeof(dart) - 1, &overrides, &import.used, &import.model) == SP_OK &&
	   import.model->n_trees == 1 && import.model->steps[0].u.trees.weights[1].value == 2, "from the second iteration on");
	overrides.first_iteration = 2;
	fails_with(&import.cx, sp_import(&import.cx, SP_FORMAT_UNKNOWN, dart, sizeof(dart) - 1, &overrides, &import.used,
									 &import.model), SP_ERR_VALUE, "no trees from iteration 2 on", "no iterations");
	overrides = (SpOverrides) {.first_iteration = UINT32_MAX, .n_iterations = UINT32_MAX};
	fails_with(&import.cx, sp_import(&import.cx, SP_FORMAT_UNKNOWN, dart, sizeof(dart) - 1, &overrides, &import.used,
									 &import.model), SP_ERR_VALUE, "2 iterations", "far too many iterations");
	overrides = (SpOverrides) {.n_iterations = 3};
	fails_with(&import.cx, sp_import(&import.cx, SP_FORMAT_UNKNOWN, dart, sizeof(dart) - 1, &overrides, &import.used,
									 &import.model), SP_ERR_VALUE, "2 iterations", "too many iterations");
	fails_with(&import.cx, sp_import(&import.cx, SP_FORMAT_UNKNOWN, linear, sizeof(linear) - 1, &overrides, &import.used,
									 &import.model), SP_ERR_VALUE, "linear booster", "iterations of a linear booster");
	sp_test_import_end(&import);
	sp_test_import(&import, SP_FORMAT_UNKNOWN, linear, sizeof(linear) - 1);
	ok(import.status == SP_OK && import.model->steps[1].op == SP_OP_LINEAR &&
	   import.model->steps[1].u.linear.bias[0] == 1 && import.model->steps[1].u.linear.weights[1] == 2, "gblinear");
	sp_test_import_end(&import);
	sp_test_refused(SP_FORMAT_UNKNOWN, short_linear, sizeof(short_linear) - 1, SP_ERR_FORMAT, "weights has 2", "a short gblinear");
	sp_test_refused(SP_FORMAT_UNKNOWN, two, sizeof(two) - 1, SP_ERR_FORMAT, "two models", "two models");
	sp_test_hostile("dart", SP_FORMAT_XGBOOST_JSON, dart, sizeof(dart) - 1, false);
	sp_test_hostile("gblinear", SP_FORMAT_XGBOOST_JSON, linear, sizeof(linear) - 1, false);
}

/* Pruned nodes stay in the arrays; only what the root leads to counts. */
static void
test_pruned(void)
{
	Parts		parts = good;
	SpTestImport import;
	size_t		size;

	parts.trees = "[" TREE("0", "7", "4", "1,-1,-1,-1,-1,-1,-1", "2,-1,-1,-1,-1,-1,-1",
						   "0,0,0,2147483647,2147483647,2147483647,2147483647", "1,2,3,NaN,5,6,7", "0,0,0,1,1,1,1")
		"," TREE("1", "5", "2", "3,-1,-1,-1,-1", "4,-1,-1,-1,-1", "1,2147483647,2147483647,0,0", "1,2,3,4,5",
				 "true,false,1,0,0") "]";
	size = write_json(&parts);
	sp_test_import(&import, SP_FORMAT_UNKNOWN, json, size);
	ok(import.status == SP_OK && import.model->n_nodes == 6 &&
	   import.model->steps[0].u.trees.weights[3].value == 5.0 &&
   import.model->steps[0].u.trees.nodes[3].flags == SP_NODE_MISSING_LEFT, "pruned nodes are dropped");
	if (import.status != SP_OK)
		sp_test_complain(&import, "pruned", 0);
	sp_test_import_end(&import);
}

static void
test_limits(void)
{
	SpTestImport import;
	size_t		size = write_json(&good);

	sp_test_context(&import.cx, &import.region);
	import.cx.limits.max_nodes = 5;
	fails_with(&import.cx, sp_import(&import.cx, SP_FORMAT_UNKNOWN, json, size, NULL, &import.used, &import.model),
			   SP_ERR_LIMIT, "5 tree nodes", "a limit on nodes");
	sp_test_import_end(&import);
	sp_test_context(&import.cx, &import.region);
	import.cx.limits.max_features = 1;
	fails_with(&import.cx, sp_import(&import.cx, SP_FORMAT_UNKNOWN, json, size, NULL, &import.used, &import.model),
			   SP_ERR_LIMIT, "limit of 1", "a limit on features");
	sp_test_import_end(&import);
	sp_test_context(&import.cx, &import.region);
	import.cx.limits.max_string = 5;
	fails_with(&import.cx, sp_import(&import.cx, SP_FORMAT_UNKNOWN, json, size, NULL, &import.used, &import.model),
			   SP_ERR_LIMIT, "\"height\"", "a limit on names");
	sp_test_import_end(&import);
}

static void
detects(const char *bytes, size_t size, SpStatus status, const char *text)
{
	sp_test_refused(SP_FORMAT_UNKNOWN, bytes, size, status, text, "recognized: %s", text);
}

#define BYTES(literal) (literal), sizeof(literal) - 1

static void
test_detection(void)
{
	static char old[200];

	detects(BYTES(""), SP_ERR_FORMAT, "empty");
	detects(BYTES("\x80\x04\x95"), SP_ERR_UNSUPPORTED, "pickle");
	detects(BYTES("\x78\x9c\x01"), SP_ERR_UNSUPPORTED, "joblib");
	detects(BYTES("\x1f\x8b\x08"), SP_ERR_UNSUPPORTED, "gzip");
	detects(BYTES("PK\x03\x04"), SP_ERR_UNSUPPORTED, "zip archive");
	detects(BYTES("\x89HDF\r\n\x1a\n"), SP_ERR_UNSUPPORTED, "HDF5");
	detects(BYTES("ccopy_reg\n_reconstructor\n"), SP_ERR_UNSUPPORTED, "pickle");
	detects(BYTES("booster[0]:\n0:[f0<1] yes=1,no=2,missing=1\n"), SP_ERR_UNSUPPORTED, "text dump");
	detects(BYTES("binf\0\0\0"), SP_ERR_UNSUPPORTED, "deprecated binary");
	detects(BYTES("tree\nversion=v4\n"), SP_ERR_FORMAT, "no trees");
	detects(BYTES("{\"name\":\"tree\"}"), SP_ERR_UNSUPPORTED, "LightGBM");
	detects(BYTES("CBM1xx"), SP_ERR_UNSUPPORTED, "CatBoost");
	detects(BYTES("{\"features_info\":{}}"), SP_ERR_FORMAT, "no member");
	detects(BYTES("<?xml version=\"1.0\"?><PMML/>"), SP_ERR_UNSUPPORTED, "PMML");
	detects(BYTES(" [ { \"nodeid\": 0 } ]"), SP_ERR_UNSUPPORTED, "dump_model");
	detects(BYTES("{\"Config\":{},\"Model\":{}}"), SP_ERR_UNSUPPORTED, "memory snapshots");
	detects(BYTES("{\"version\":[3,0,0]}"), SP_ERR_FORMAT, "no \"learner\"");
	detects(BYTES("{}"), SP_ERR_FORMAT, "no \"learner\"");
	detects(BYTES("{U\1aT}"), SP_ERR_FORMAT, "no \"learner\"");
	detects(BYTES("hello"), SP_ERR_FORMAT, "not recognized");
	detects(BYTES("\0\0\0\0"), SP_ERR_FORMAT, "not recognized");
	memset(old, 0, sizeof(old));
	old[136] = 15;
	memcpy(old + 144, "binary:logistic", 15);
	detects(old, sizeof(old), SP_ERR_UNSUPPORTED, "deprecated binary");
	ok(sp_format_by_name(SP_STR("xgboost_ubj")) == SP_FORMAT_XGBOOST_UBJ &&
	   sp_format_by_name(SP_STR("onnx")) == SP_FORMAT_ONNX && sp_format_by_name(SP_STR("x")) == SP_FORMAT_UNKNOWN &&
	   strcmp(sp_format_name(SP_FORMAT_XGBOOST_JSON), "xgboost_json") == 0, "names of formats");
}

int
main(int argc, char **argv)
{
	const char *data = sp_test_data(argc, argv);

	test_good();
	test_objectives();
	test_categories();
	test_boosters();
	test_columns();
	test_refused_facts();
	test_refused_trees();
	test_pruned();
	test_limits();
	test_detection();
	sp_test_fixture(data, "xgb_cancer_logistic", "model.json", SP_FORMAT_XGBOOST_JSON, "xgboost 3");
	sp_test_fixture(data, "xgb16_cancer_ubj", "model.ubj", SP_FORMAT_XGBOOST_UBJ, "xgboost 1.6");
	sp_test_fixture(data, "xgb20_wine_softprob_ubj", "model.ubj", SP_FORMAT_XGBOOST_UBJ, "xgboost 2.0");
	sp_test_fixture(data, "xgb30_diabetes_poisson", "model.json", SP_FORMAT_XGBOOST_JSON, "xgboost 3.0");
	return done_testing();
}
