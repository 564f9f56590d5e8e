/*
 * src/import/sp_xgboost_booster.c
 *
 * The first reading of an XGBoost model: the booster without its trees (xgboost
 * src/gbm/gbtree.cc, gbtree_model.cc, gblinear_model.cc).
 */
#include <string.h>

#include "import/sp_xgboost_internal.h"

static SpStatus
sp_xgb_read_tree_info(SpXgboost *xgb, SpTokens *tokens)
{
	SpContext  *cx = xgb->cx;
	SpToken		token;

	SP_TRY(sp_array_open(cx, tokens, "tree_info"));
	for (;;)
	{
		SP_TRY(sp_tokens_next(tokens, &token));
		if (token.kind == SP_TOKEN_ARRAY_END)
			return SP_OK;
		if (token.kind != SP_TOKEN_NUMBER || !token.is_integer ||
			token.integer < 0 || token.integer > INT32_MAX)
			return sp_wrong_kind(cx, &token, "tree_info", "an array of output numbers");
		/* a tree has at least one node */
		if (xgb->n_tree_info >= cx->limits.max_nodes)
			return sp_fail_limit(cx, "max_nodes", "the model has more trees than the limit of %llu nodes",
								 (unsigned long long) cx->limits.max_nodes);
		SP_TRY(sp_grow_array(cx, (void **) &xgb->tree_info, &xgb->tree_info_capacity,
							 xgb->n_tree_info + 1, sizeof(int32_t)));
		xgb->tree_info[xgb->n_tree_info++] = (int32_t) token.integer;
	}
}

/* Numbers that are kept as float. */
static SpStatus
sp_xgb_read_floats(SpXgboost *xgb, SpTokens *tokens, const char *what, SpXgbFloats *floats)
{
	SpToken		token;

	SP_TRY(sp_array_open(xgb->cx, tokens, what));
	for (;;)
	{
		SP_TRY(sp_tokens_next(tokens, &token));
		if (token.kind == SP_TOKEN_ARRAY_END)
			return SP_OK;
		if (token.kind != SP_TOKEN_NUMBER)
			return sp_wrong_kind(xgb->cx, &token, what, "an array of numbers");
		if (floats->count >= xgb->cx->limits.max_elements)
			return sp_fail_limit(xgb->cx, "max_elements", "%s has more numbers than the limit of %llu", what,
								 (unsigned long long) xgb->cx->limits.max_elements);
		SP_TRY(sp_grow_array(xgb->cx, (void **) &floats->at, &floats->capacity, floats->count + 1,
							 sizeof(float)));
		floats->at[floats->count++] = sp_token_f32(&token);
	}
}

/* The number of trees before each iteration and after the last (since 2.0). */
static SpStatus
sp_xgb_read_iterations(SpXgboost *xgb, SpTokens *tokens)
{
	SpContext  *cx = xgb->cx;
	SpToken		token;

	SP_TRY(sp_array_open(cx, tokens, "iteration_indptr"));
	for (;;)
	{
		SP_TRY(sp_tokens_next(tokens, &token));
		if (token.kind == SP_TOKEN_ARRAY_END)
			return SP_OK;
		if (token.kind != SP_TOKEN_NUMBER || !token.is_integer || token.integer < 0 ||
			token.integer > INT32_MAX ||
			(xgb->n_iterations > 0 && token.integer < xgb->iterations[xgb->n_iterations - 1]))
			return sp_wrong_kind(cx, &token, "iteration_indptr", "an array of ascending tree numbers");
		if (xgb->n_iterations > cx->limits.max_nodes)
			return sp_fail_limit(cx, "max_nodes", "the model has more iterations than the limit of %llu nodes",
								 (unsigned long long) cx->limits.max_nodes);
		SP_TRY(sp_grow_array(cx, (void **) &xgb->iterations, &xgb->iterations_capacity,
							 xgb->n_iterations + 1, sizeof(int32_t)));
		xgb->iterations[xgb->n_iterations++] = (int32_t) token.integer;
	}
}

static SpStatus
sp_xgb_read_gbtree_param(SpXgboost *xgb, SpTokens *tokens)
{
	static const char *const names[] = {"num_trees", "num_parallel_tree", NULL};
	SpContext  *cx = xgb->cx;
	SpMembers	members;
	int			which;

	SP_TRY(sp_members_open(&members, cx, tokens, "gbtree_model_param", names));
	for (;;)
	{
		SP_TRY(sp_members_next(&members, &which));
		if (which == SP_NO_MEMBER)
			return sp_members_require(&members, 1);
		if (which == 0)
			SP_TRY(sp_read_text_number(cx, tokens, "num_trees", INT32_MAX, &xgb->num_trees));
		else
			SP_TRY(sp_read_text_number(cx, tokens, "num_parallel_tree", INT32_MAX, &xgb->num_parallel_tree));
	}
}

static SpStatus
sp_xgb_read_trees_start(SpXgboost *xgb, SpTokens *tokens)
{
	SpToken		token;

	SP_TRY(sp_tokens_next(tokens, &token));
	if (token.kind != SP_TOKEN_ARRAY)
		return sp_wrong_kind(xgb->cx, &token, "trees", "an array");
	xgb->has_trees = true;
	return sp_tokens_skip(tokens, &token);
}

/* The model of a tree booster, or of a linear one. */
static SpStatus
sp_xgb_read_model(SpXgboost *xgb, SpTokens *tokens)
{
	static const char *const names[] = {
		"gbtree_model_param", "tree_info", "trees", "cats", "weight_drop", "iteration_indptr", "weights", NULL
	};
	SpMembers	members;
	int			which;

	if (xgb->has_model)
		return sp_fail(xgb->cx, SP_ERR_FORMAT, "the booster has two models");
	xgb->has_model = true;
	SP_TRY(sp_members_open(&members, xgb->cx, tokens, "model", names));
	for (;;)
	{
		SP_TRY(sp_members_next(&members, &which));
		switch (which)
		{
			case 0:
				SP_TRY(sp_xgb_read_gbtree_param(xgb, tokens));
				break;
			case 1:
				SP_TRY(sp_xgb_read_tree_info(xgb, tokens));
				break;
			case 2:
				SP_TRY(sp_xgb_read_trees_start(xgb, tokens));
				break;
			case 3:
				SP_TRY(sp_xgb_read_columns(xgb, tokens));
				break;
			case 4:
				SP_TRY(sp_xgb_read_floats(xgb, tokens, "weight_drop", &xgb->weight_drop));
				break;
			case 5:
				SP_TRY(sp_xgb_read_iterations(xgb, tokens));
				break;
			case 6:
				SP_TRY(sp_xgb_read_floats(xgb, tokens, "weights", &xgb->linear));
				xgb->has_linear = true;
				break;
			default:
				/* another booster's model has other members; its name is still to come */
				if (members.seen == 0 || xgb->has_linear)
					return SP_OK;
				return sp_members_require(&members, 7);
		}
	}
}

/* The tree booster within a dart booster. */
static SpStatus
sp_xgb_read_inner(SpXgboost *xgb, SpTokens *tokens)
{
	static const char *const names[] = {"model", NULL};
	SpMembers	members;
	int			which;

	SP_TRY(sp_members_open(&members, xgb->cx, tokens, "gbtree", names));
	for (;;)
	{
		SP_TRY(sp_members_next(&members, &which));
		if (which == SP_NO_MEMBER)
			return sp_members_require(&members, 1);
		SP_TRY(sp_xgb_read_model(xgb, tokens));
	}
}

static SpStatus
sp_xgb_read_booster_name(SpXgboost *xgb, SpTokens *tokens)
{
	char		shown[SP_PRINTABLE_SIZE];
	SpStr		name;

	SP_TRY(sp_read_text(xgb->cx, tokens, "name", &name));
	xgb->booster = sp_str_is(name, "gbtree") ? SP_XGB_GBTREE :
		sp_str_is(name, "dart") ? SP_XGB_DART : SP_XGB_GBLINEAR;
	if (xgb->booster != SP_XGB_GBLINEAR || sp_str_is(name, "gblinear"))
		return SP_OK;
	sp_fail(xgb->cx, SP_ERR_UNSUPPORTED, "XGBoost booster \"%s\" is not supported", sp_printable(name, shown));
	return sp_fail_hint(xgb->cx, "The boosters gbtree, dart and gblinear are supported.");
}

SpStatus
sp_xgb_read_booster(SpXgboost *xgb, SpTokens *tokens)
{
	static const char *const names[] = {"name", "model", "gbtree", "weight_drop", NULL};
	SpContext  *cx = xgb->cx;
	SpMembers	members;
	int			which;

	SP_TRY(sp_members_open(&members, cx, tokens, "gradient_booster", names));
	for (;;)
	{
		SP_TRY(sp_members_next(&members, &which));
		switch (which)
		{
			case 0:
				SP_TRY(sp_xgb_read_booster_name(xgb, tokens));
				break;
			case 1:
				SP_TRY(sp_xgb_read_model(xgb, tokens));
				break;
			case 2:
				SP_TRY(sp_xgb_read_inner(xgb, tokens));
				xgb->is_inner = true;
				break;
			case 3:
				SP_TRY(sp_xgb_read_floats(xgb, tokens, "weight_drop", &xgb->weight_drop));
				break;
			default:
				SP_TRY(sp_members_require(&members, xgb->is_inner ? 1 : 3));
				if (xgb->booster == SP_XGB_DART && xgb->weight_drop.count == 0)
					return sp_fail(cx, SP_ERR_FORMAT, "the booster dart has no weight_drop");
				if (!(xgb->booster == SP_XGB_GBLINEAR ? xgb->has_linear : xgb->has_trees))
					return sp_fail(cx, SP_ERR_FORMAT, "the booster has no %s",
								   xgb->booster == SP_XGB_GBLINEAR ? "weights" : "trees");
				return SP_OK;
		}
	}
}
