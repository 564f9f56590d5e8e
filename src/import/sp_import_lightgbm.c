/*
 * src/import/sp_import_lightgbm.c
 *
 * LightGBM models in the text format, versions v2 to v4, as Booster.save_model
 * writes them (LightGBM src/boosting/gbdt_model_text.cpp).
 *
 * Not read: importances, and most of the training's parameters.
 */
#include <stdio.h>
#include <string.h>

#include "import/sp_import.h"
#include "import/sp_lightgbm_internal.h"

/* Lines of the header, in the order of sp_lgb_header. */
enum
{
	SP_LGB_VERSION,
	SP_LGB_NUM_CLASS,
	SP_LGB_PER_ITERATION,
	SP_LGB_MAX_FEATURE,
	SP_LGB_OBJECTIVE,
	SP_LGB_NAMES,
	SP_LGB_TREE_SIZES,
	SP_LGB_INFOS,
	SP_LGB_N_HEADER
};

static const char *const sp_lgb_header[SP_LGB_N_HEADER] = {
	"version", "num_class", "num_tree_per_iteration", "max_feature_idx", "objective", "feature_names",
	"tree_sizes", "feature_infos"
};

static bool
sp_lgb_is_tree(SpStr line)
{
	return line.size >= 5 && memcmp(line.data, "Tree=", 5) == 0;
}

static SpStatus
sp_lgb_read_names(SpLightgbm *lgb, SpStr text)
{
	SpStr		word;
	void	   *memory;
	uint32_t	count = 0;

	/* a name has a letter and a space, at least */
	if (lgb->num_feature > text.size / 2 + 1 || lgb->num_feature > lgb->cx->limits.max_features)
		return lgb->num_feature > lgb->cx->limits.max_features ?
			sp_fail_limit(lgb->cx, "max_features", "the model has %u features, more than the limit of %u",
					lgb->num_feature, lgb->cx->limits.max_features) :
			sp_lgb_fail(lgb, "there are fewer feature names than features, which are %u", lgb->num_feature);
	SP_TRY(sp_alloc_array(lgb->cx, lgb->num_feature, sizeof(SpStr), &memory));
	lgb->names = memory;
	while (sp_lgb_word(&text, &word))
	{
		if (count >= lgb->num_feature)
			return sp_lgb_fail(lgb, "there are more feature names than features, which are %u", lgb->num_feature);
		lgb->names[count++] = word;
	}
	if (count != lgb->num_feature)
		return sp_lgb_fail(lgb, "%u feature names for %u features", count, lgb->num_feature);
	return SP_OK;
}

static SpStatus
sp_lgb_use_header(SpLightgbm *lgb, const SpStr *values, const bool *has)
{
	char		shown[SP_PRINTABLE_SIZE];
	SpStr		text = values[SP_LGB_TREE_SIZES];
	SpStr		word;
	uint32_t	max_feature;
	int			i;

	for (i = 0; i < SP_LGB_N_HEADER; i++)
	{
		if (!has[i] && i != SP_LGB_OBJECTIVE && i != SP_LGB_TREE_SIZES && i != SP_LGB_PER_ITERATION &&
			i != SP_LGB_INFOS)
			return sp_lgb_fail(lgb, "the model has no line %s", sp_lgb_header[i]);
	}
	lgb->version = values[SP_LGB_VERSION];
	if (!sp_str_is(lgb->version, "v2") && !sp_str_is(lgb->version, "v3") && !sp_str_is(lgb->version, "v4"))
		return sp_fail(lgb->cx, SP_ERR_UNSUPPORTED, "LightGBM model files of version \"%s\" are not supported",
					   sp_printable(lgb->version, shown));
	SP_TRY(sp_lgb_number(lgb, "num_class", values[SP_LGB_NUM_CLASS], INT32_MAX, &lgb->num_class));
	lgb->trees_per_iteration = lgb->num_class;
	if (has[SP_LGB_PER_ITERATION])
		SP_TRY(sp_lgb_number(lgb, "num_tree_per_iteration", values[SP_LGB_PER_ITERATION], INT32_MAX,
							 &lgb->trees_per_iteration));
	if (lgb->trees_per_iteration == 0 || lgb->num_class == 0)
		return sp_lgb_fail(lgb, "the model has no classes or no trees in an iteration");
	SP_TRY(sp_lgb_number(lgb, "max_feature_idx", values[SP_LGB_MAX_FEATURE], INT32_MAX - 1, &max_feature));
	lgb->num_feature = max_feature + 1;
	if (has[SP_LGB_OBJECTIVE])
		lgb->objective = values[SP_LGB_OBJECTIVE];
	lgb->feature_infos = values[SP_LGB_INFOS];
	lgb->has_tree_sizes = has[SP_LGB_TREE_SIZES];
	while (lgb->has_tree_sizes && sp_lgb_word(&text, &word))
		lgb->n_tree_sizes++;
	SP_TRY(sp_lgb_read_names(lgb, values[SP_LGB_NAMES]));
	return sp_lgb_objective(lgb);
}

/* Lines up to the first tree; the position stays before it. */
static SpStatus
sp_lgb_read_header(SpLightgbm *lgb)
{
	SpStr		values[SP_LGB_N_HEADER] = {{NULL, 0}};
	bool		has[SP_LGB_N_HEADER] = {false};
	SpStr		line;
	SpStr		name;
	SpStr		value;
	bool		found;
	int			i;

	SP_TRY(sp_lgb_line(lgb, &line, &found));
	if (!sp_str_is(line, "tree"))
		return sp_lgb_fail(lgb, "not a LightGBM model: its first line is not \"tree\"");
	for (;;)
	{
		SP_TRY(sp_lgb_line(lgb, &line, &found));
		if (!found || sp_lgb_is_tree(line))
			break;
		if (sp_str_is(line, "average_output"))
			lgb->average_output = true;
		if (!sp_lgb_split(line, &name, &value))
			continue;
		for (i = 0; i < SP_LGB_N_HEADER; i++)
		{
			if (!sp_str_is(name, sp_lgb_header[i]))
				continue;
			if (has[i])
				return sp_lgb_fail(lgb, "the model has two lines %s", sp_lgb_header[i]);
			has[i] = true;
			values[i] = value;
		}
	}
	if (!found)
		return sp_lgb_fail(lgb, "the model has no trees");
	lgb->pos = lgb->line;
	return sp_lgb_use_header(lgb, values, has);
}

/* Trees, and whether some are linear or split by sets; the position goes back to the first. */
static SpStatus
sp_lgb_count_trees(SpLightgbm *lgb)
{
	size_t		first = lgb->pos;
	SpStr		line;
	bool		found;

	for (;;)
	{
		SP_TRY(sp_lgb_line(lgb, &line, &found));
		if (!found)
			return sp_lgb_fail(lgb, "the file ends before the line \"end of trees\"");
		if (sp_str_is(line, "end of trees"))
			break;
		if (sp_lgb_is_tree(line) && ++lgb->n_trees > lgb->cx->limits.max_nodes)
			return sp_fail_limit(lgb->cx, "max_nodes", "the model has more trees than the limit of %llu nodes",
								 (unsigned long long) lgb->cx->limits.max_nodes);
		lgb->is_linear = lgb->is_linear || sp_str_is(line, "is_linear=1");
		lgb->has_sets = lgb->has_sets ||
			(line.size > 8 && memcmp(line.data, "num_cat=", 8) == 0 && !sp_str_is(line, "num_cat=0"));
	}
	lgb->tail = lgb->pos;
	if (lgb->has_tree_sizes && lgb->n_trees != lgb->n_tree_sizes)
		return sp_lgb_fail(lgb, "the model has %u trees, tree_sizes %llu", lgb->n_trees,
						   (unsigned long long) lgb->n_tree_sizes);
	if (lgb->n_trees % lgb->trees_per_iteration != 0)
		return sp_lgb_fail(lgb, "%u trees are not whole iterations of %u", lgb->n_trees, lgb->trees_per_iteration);
	lgb->pos = first;
	return SP_OK;
}

/* first and n_iterations as Booster.predict's start_iteration and num_iteration have them */
static SpStatus
sp_lgb_iterations(const SpLightgbm *lgb, const SpOverrides *overrides, uint32_t *first, uint32_t *n_iterations)
{
	uint32_t	n_all = lgb->n_trees / lgb->trees_per_iteration;

	*first = 0;
	*n_iterations = n_all;
	if (overrides == NULL)
		return SP_OK;
	if (overrides->best_iteration)
	{
		sp_fail(lgb->cx, SP_ERR_VALUE, "a LightGBM file does not note a best iteration");
		return sp_fail_hint(lgb->cx, "Booster.save_model writes only the best iterations after early stopping.");
	}
	if (overrides->first_iteration >= n_all || overrides->n_iterations > n_all - overrides->first_iteration)
		return sp_fail(lgb->cx, SP_ERR_VALUE, "the model has %u iterations, fewer than %llu", n_all,
					   overrides->first_iteration + (overrides->n_iterations > 0 ? overrides->n_iterations : 1ULL));
	*first = overrides->first_iteration;
	*n_iterations = overrides->n_iterations > 0 ? overrides->n_iterations : n_all - *first;
	return SP_OK;
}

static SpStatus
sp_lgb_build(SpLightgbm *lgb, const SpOverrides *overrides, SpModel **model)
{
	char		producer[16];
	SpBuilder  *builder;
	SpTreesSpec trees = {.aggregate = SP_AGGREGATE_SUM, .sum_type = SP_TYPE_F64, .accepts_missing = true};
	uint32_t	first;
	uint32_t	n_iterations;
	uint32_t	sum;

	SP_TRY(sp_lgb_iterations(lgb, overrides, &first, &n_iterations));
	snprintf(producer, sizeof(producer), "lightgbm %.*s", (int) lgb->version.size, lgb->version.data);
	SP_TRY(sp_builder_new(lgb->cx, &builder));
	SP_TRY(sp_builder_task(builder, lgb->task, true));
	SP_TRY(sp_builder_origin(builder, (SpStr) {producer, strlen(producer)}, lgb->objective));
	SP_TRY(sp_builder_input(builder, SP_TYPE_F64, lgb->num_feature, lgb->names, &trees.in));
	SP_TRY(sp_lgb_add_columns(lgb, builder));
	trees.n_targets = lgb->trees_per_iteration;
	SP_TRY(sp_builder_trees_begin(builder, &trees));
	SP_TRY(sp_lgb_read_trees(lgb, builder, first * lgb->trees_per_iteration,
							 (first + n_iterations) * lgb->trees_per_iteration));
	SP_TRY(sp_builder_trees_end(builder, &sum));
	SP_TRY(sp_lgb_outputs(lgb, builder, sum, n_iterations));
	return sp_builder_finish(builder, overrides, model);
}

SpStatus
sp_import_lightgbm(SpContext *cx, const void *bytes, size_t size, const SpOverrides *overrides,
				   SpModel **model)
{
	SpLightgbm	lgb = {.cx = cx, .bytes = bytes, .size = size};

	SP_TRY(sp_poll(cx));
	SP_TRY(sp_lgb_read_header(&lgb));
	SP_TRY(sp_lgb_count_trees(&lgb));
	return sp_lgb_build(&lgb, overrides, model);
}
