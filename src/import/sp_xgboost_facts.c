/*
 * src/import/sp_xgboost_facts.c
 *
 * The first reading of an XGBoost model: everything but the booster
 * (sp_xgboost_booster.c).
 */
#include <string.h>

#include "import/sp_xgboost_internal.h"

static SpStatus
sp_xgb_read_version(SpXgboost *xgb, SpTokens *tokens)
{
	SpToken		token;
	int			i;

	SP_TRY(sp_array_open(xgb->cx, tokens, "version"));
	for (i = 0; i < 3; i++)
	{
		SP_TRY(sp_tokens_next(tokens, &token));
		if (token.kind != SP_TOKEN_NUMBER || !token.is_integer ||
			token.integer < 0 || token.integer > 9999)
			return sp_wrong_kind(xgb->cx, &token, "version", "three numbers");
		xgb->version[i] = (uint32_t) token.integer;
	}
	SP_TRY(sp_tokens_next(tokens, &token));
	if (token.kind != SP_TOKEN_ARRAY_END)
		return sp_wrong_kind(xgb->cx, &token, "version", "three numbers");
	xgb->has_version = true;
	return SP_OK;
}

static SpStatus
sp_xgb_add_base_score(SpXgboost *xgb, const SpToken *token)
{
	if (token->kind != SP_TOKEN_NUMBER)
		return sp_fail(xgb->cx, SP_ERR_FORMAT, "base_score is not a number");
	if (xgb->n_base_score >= xgb->cx->limits.max_labels)
		return sp_fail_limit(xgb->cx, "max_labels", "base_score has more numbers than the limit of %u classes",
							 xgb->cx->limits.max_labels);
	SP_TRY(sp_grow_array(xgb->cx, (void **) &xgb->base_score, &xgb->base_score_capacity,
						 xgb->n_base_score + 1, sizeof(float)));
	xgb->base_score[xgb->n_base_score++] = sp_token_f32(token);
	return SP_OK;
}

static SpStatus
sp_xgb_parse_base_score(SpXgboost *xgb, SpStr text)
{
	SpTokens   *tokens;
	SpToken		token;

	SP_TRY(sp_tokens_open(xgb->cx, SP_TOKENS_JSON, text.data, text.size, &tokens));
	SP_TRY(sp_tokens_next(tokens, &token));
	if (token.kind == SP_TOKEN_ARRAY)
	{
		for (;;)
		{
			SP_TRY(sp_tokens_next(tokens, &token));
			if (token.kind == SP_TOKEN_ARRAY_END)
				break;
			SP_TRY(sp_xgb_add_base_score(xgb, &token));
		}
	}
	else
		SP_TRY(sp_xgb_add_base_score(xgb, &token));
	SP_TRY(sp_tokens_next(tokens, &token));
	sp_tokens_close(tokens);
	return SP_OK;
}

/*
 * A string that holds JSON: "5E-1", or since 3.1 "[5E-1]" with one number for
 * each output (xgboost src/common/param_array.cc).
 */
static SpStatus
sp_xgb_read_base_score(SpXgboost *xgb, SpTokens *tokens)
{
	char		shown[SP_PRINTABLE_SIZE];
	SpStatus	status;
	SpStr		text;

	SP_TRY(sp_read_text(xgb->cx, tokens, "base_score", &text));
	status = sp_xgb_parse_base_score(xgb, text);

	/* an offset within the text would be taken for one in the file */
	if (status == SP_ERR_FORMAT || (status == SP_OK && xgb->n_base_score == 0))
		return sp_fail(xgb->cx, SP_ERR_FORMAT, "base_score \"%s\" is not a number or a list of numbers",
					   sp_printable(text, shown));
	return status;
}

static SpStatus
sp_xgb_read_model_param(SpXgboost *xgb, SpTokens *tokens)
{
	static const char *const names[] = {"base_score", "num_class", "num_feature", "num_target", NULL};
	SpContext  *cx = xgb->cx;
	SpMembers	members;
	int			which;

	SP_TRY(sp_members_open(&members, cx, tokens, "learner_model_param", names));
	for (;;)
	{
		SP_TRY(sp_members_next(&members, &which));
		switch (which)
		{
			case 0:
				SP_TRY(sp_xgb_read_base_score(xgb, tokens));
				break;
			case 1:
				SP_TRY(sp_read_text_number(cx, tokens, "num_class", INT32_MAX, &xgb->num_class));
				break;
			case 2:
				SP_TRY(sp_read_text_number(cx, tokens, "num_feature", UINT32_MAX, &xgb->num_feature));
				break;
			case 3:
				SP_TRY(sp_read_text_number(cx, tokens, "num_target", INT32_MAX, &xgb->num_target));
				break;
			default:
				return sp_members_require(&members, 7);
		}
	}
}

static SpStatus
sp_xgb_read_objective(SpXgboost *xgb, SpTokens *tokens)
{
	static const char *const names[] = {"name", NULL};
	SpMembers	members;
	SpStr		name;
	int			which;

	SP_TRY(sp_members_open(&members, xgb->cx, tokens, "objective", names));
	for (;;)
	{
		SP_TRY(sp_members_next(&members, &which));
		if (which == SP_NO_MEMBER)
			return sp_members_require(&members, 1);
		SP_TRY(sp_read_text(xgb->cx, tokens, "name", &name));
		SP_TRY(sp_xgb_objective(xgb->cx, name, &xgb->objective));
	}
}

/* Texts of the features: their names, or their types ("c" is a category, other types are kinds of numbers). */
static SpStatus
sp_xgb_read_texts(SpXgboost *xgb, SpTokens *tokens, const char *what, SpStr **texts, size_t *count, size_t *capacity)
{
	SpContext  *cx = xgb->cx;
	SpToken		token;

	SP_TRY(sp_array_open(cx, tokens, what));
	for (;;)
	{
		const char *copy;

		SP_TRY(sp_tokens_next(tokens, &token));
		if (token.kind == SP_TOKEN_ARRAY_END)
			return SP_OK;
		if (token.kind != SP_TOKEN_STRING)
			return sp_wrong_kind(cx, &token, what, "an array of strings");
		if (*count >= cx->limits.max_features)
			return sp_fail_limit(cx, "max_features", "the model has more %s than the limit of %u", what,
								 cx->limits.max_features);
		SP_TRY(sp_copy_str(cx, token.text, &copy));
		SP_TRY(sp_grow_array(cx, (void **) texts, capacity, *count + 1, sizeof(SpStr)));
		(*texts)[(*count)++] = (SpStr) {copy, token.text.size};
	}
}

static SpStatus
sp_xgb_read_attributes(SpXgboost *xgb, SpTokens *tokens)
{
	static const char *const names[] = {"best_iteration", NULL};
	SpMembers	members;
	int			which;

	SP_TRY(sp_members_open(&members, xgb->cx, tokens, "attributes", names));
	for (;;)
	{
		SP_TRY(sp_members_next(&members, &which));
		if (which == SP_NO_MEMBER)
			return SP_OK;
		SP_TRY(sp_read_text_number(xgb->cx, tokens, names[which], INT32_MAX - 1, &xgb->best_iteration));
		xgb->has_best_iteration = true;
	}
}

static SpStatus
sp_xgb_read_learner(SpXgboost *xgb, SpTokens *tokens)
{
	static const char *const names[] = {
		"learner_model_param", "objective", "gradient_booster", "feature_names", "feature_types",
		"attributes", NULL
	};
	SpMembers	members;
	int			which;

	SP_TRY(sp_members_open(&members, xgb->cx, tokens, "learner", names));
	for (;;)
	{
		SP_TRY(sp_members_next(&members, &which));
		switch (which)
		{
			case 0:
				SP_TRY(sp_xgb_read_model_param(xgb, tokens));
				break;
			case 1:
				SP_TRY(sp_xgb_read_objective(xgb, tokens));
				break;
			case 2:
				SP_TRY(sp_xgb_read_booster(xgb, tokens));
				break;
			case 3:
				SP_TRY(sp_xgb_read_texts(xgb, tokens, names[which], &xgb->names, &xgb->n_names,
										 &xgb->names_capacity));
				break;
			case 4:
				SP_TRY(sp_xgb_read_texts(xgb, tokens, names[which], &xgb->types, &xgb->n_types,
										 &xgb->types_capacity));
				break;
			case 5:
				SP_TRY(sp_xgb_read_attributes(xgb, tokens));
				break;
			default:
				return sp_members_require(&members, 7);
		}
	}
}

SpStatus
sp_xgb_read_facts(SpXgboost *xgb)
{
	static const char *const names[] = {"learner", "version", "Model", NULL};
	SpContext  *cx = xgb->cx;
	SpTokens   *tokens;
	SpMembers	members;
	SpToken		token;
	int			which;

	SP_TRY(sp_tokens_open(cx, xgb->format, xgb->bytes, xgb->size, &tokens));
	SP_TRY(sp_members_open(&members, cx, tokens, "the document", names));
	for (;;)
	{
		SP_TRY(sp_members_next(&members, &which));
		if (which == SP_NO_MEMBER)
			break;
		if (which == 0)
			SP_TRY(sp_xgb_read_learner(xgb, tokens));
		else if (which == 1)
			SP_TRY(sp_xgb_read_version(xgb, tokens));
		else
		{
			sp_fail(cx, SP_ERR_UNSUPPORTED, "XGBoost memory snapshots are not supported");
			return sp_fail_hint(cx, "Save the model with Booster.save_model('model.ubj').");
		}
	}
	if (!(members.seen & 1))
		return sp_fail(cx, SP_ERR_FORMAT, "not an XGBoost model: there is no \"learner\"");
	SP_TRY(sp_tokens_next(tokens, &token));
	sp_tokens_close(tokens);
	return SP_OK;
}
