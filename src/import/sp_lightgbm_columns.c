/*
 * src/import/sp_lightgbm_columns.c
 *
 * What a LightGBM file says of its categorical features.
 *
 * feature_infos has the codes that training saw of each (LightGBM src/io/bin.cpp,
 * bin_info_string).  Behind the trees, pandas_categorical lists the categories of
 * a data frame's columns, in the order of the columns but without their numbers,
 * columns of ordered categories among them; [categorical_feature: ...] has the
 * numbers of all categorical features, ordered ones not among them (LightGBM
 * python-package/lightgbm/basic.py, _data_from_pandas).  So lists are given to
 * features only where both are as many and all codes are places in the lists;
 * else the codes remain.  What is in no list is missing to the library.
 */
#include <math.h>
#include <string.h>

#include "import/sp_lightgbm_internal.h"
#include "import/sp_members.h"

/* From here on integers share a double with others. */
#define SP_LGB_EXACT 9007199254740992.0

typedef enum SpLgbListKind
{
	SP_LGB_LIST_EMPTY,
	SP_LGB_LIST_TEXT,
	SP_LGB_LIST_NUMBER,
	SP_LGB_LIST_BOOLEAN,
	SP_LGB_LIST_UNUSABLE		/* mixed, or nothing that a caller could pass */
} SpLgbListKind;

typedef struct SpLgbList
{
	SpLgbListKind kind;
	SpStr	   *texts;
	size_t		texts_capacity;
	double	   *numbers;
	size_t		numbers_capacity;
	uint32_t	n;
} SpLgbList;

typedef struct SpLgbColumns
{
	SpLightgbm *lgb;
	SpStr	   *infos;			/* by feature, or NULL */
	SpStr		indices;		/* of [categorical_feature: ...] */
	SpStr		json;			/* of pandas_categorical */
	size_t		json_line;
	SpLgbList  *lists;
	size_t		n_lists;
	size_t		lists_capacity;
	uint32_t   *features;		/* of the lists */
} SpLgbColumns;

static SpStatus
sp_lgb_read_infos(SpLgbColumns *columns)
{
	SpLightgbm *lgb = columns->lgb;
	SpStr		text = lgb->feature_infos;
	SpStr		word;
	uint32_t	count = 0;
	void	   *memory;

	if (text.size == 0)
		return SP_OK;
	SP_TRY(sp_alloc_array(lgb->cx, lgb->num_feature, sizeof(SpStr), &memory));
	columns->infos = memory;
	while (sp_lgb_word(&text, &word) && count < lgb->num_feature)
		columns->infos[count++] = word;
	if (count != lgb->num_feature || word.size > 0)
		return sp_fail(lgb->cx, SP_ERR_FORMAT, "feature_infos are not those of %u features", lgb->num_feature);
	return SP_OK;
}

static bool
sp_lgb_begins(SpStr line, const char *word)
{
	return line.size >= strlen(word) && memcmp(line.data, word, strlen(word)) == 0;
}

/* The lines behind the trees. */
static SpStatus
sp_lgb_read_tail(SpLgbColumns *columns)
{
	static const char indices[] = "[categorical_feature: ";
	static const char lists[] = "pandas_categorical:";
	SpLightgbm *lgb = columns->lgb;
	bool		is_whole = sp_str_is(lgb->version, "v2") || !lgb->has_sets;
	SpStr		line;
	bool		found;

	for (;;)
	{
		SP_TRY(sp_lgb_line(lgb, &line, &found));
		if (!found)
			break;
		is_whole = is_whole || sp_str_is(line, "end of parameters");
		if (sp_lgb_begins(line, indices) && line.data[line.size - 1] == ']')
			columns->indices = (SpStr) {line.data + strlen(indices), line.size - strlen(indices) - 1};
		if (is_whole && lgb->pos == lgb->size && line.size > 0 && line.size <= strlen(lists) &&
			memcmp(line.data, lists, line.size) == 0)
			return sp_lgb_fail(lgb, "the file ends within the line pandas_categorical");
		if (sp_lgb_begins(line, lists))
		{
			columns->json = (SpStr) {line.data + strlen(lists), line.size - strlen(lists)};
			columns->json_line = lgb->line;
		}
	}
	/* LightGBM 2 wrote files without it at first */
	if (!is_whole)
		return sp_lgb_fail(lgb, "the file ends before the line \"end of parameters\", which the list of categories follows");
	return SP_OK;
}

static SpStatus
sp_lgb_add_item(SpLgbColumns *columns, SpLgbList *list, const SpToken *token)
{
	SpContext  *cx = columns->lgb->cx;
	SpLgbListKind kind = SP_LGB_LIST_UNUSABLE;
	const char *copy;

	if (token->kind == SP_TOKEN_STRING && sp_str_is_text(token->text))
		kind = SP_LGB_LIST_TEXT;
	else if (token->kind == SP_TOKEN_NUMBER && fabs(token->number) < SP_LGB_EXACT)
		kind = SP_LGB_LIST_NUMBER;
	else if (token->kind == SP_TOKEN_TRUE || token->kind == SP_TOKEN_FALSE)
		kind = SP_LGB_LIST_BOOLEAN;
	if (list->kind != SP_LGB_LIST_EMPTY && list->kind != kind)
		kind = SP_LGB_LIST_UNUSABLE;
	list->kind = kind;
	if (kind == SP_LGB_LIST_UNUSABLE)
		return SP_OK;
	if (list->n >= cx->limits.max_features)
		return sp_fail_limit(cx, "max_features", "a feature has more categories than the limit of %u",
							 cx->limits.max_features);
	if (kind == SP_LGB_LIST_TEXT)
	{
		SP_TRY(sp_copy_str(cx, token->text, &copy));
		SP_TRY(sp_grow_array(cx, (void **) &list->texts, &list->texts_capacity, (size_t) list->n + 1, sizeof(SpStr)));
		list->texts[list->n++] = (SpStr) {copy, token->text.size};
		return SP_OK;
	}
	SP_TRY(sp_grow_array(cx, (void **) &list->numbers, &list->numbers_capacity, (size_t) list->n + 1, sizeof(double)));
	list->numbers[list->n++] = kind == SP_LGB_LIST_NUMBER ? token->number : token->kind == SP_TOKEN_TRUE;
	return SP_OK;
}

static SpStatus
sp_lgb_read_list(SpLgbColumns *columns, SpTokens *tokens)
{
	SpContext  *cx = columns->lgb->cx;
	SpToken		token;

	if (columns->n_lists >= columns->lgb->num_feature)
		return sp_fail(cx, SP_ERR_FORMAT, "pandas_categorical has more lists than there are features");
	SP_TRY(sp_grow_array(cx, (void **) &columns->lists, &columns->lists_capacity, columns->n_lists + 1,
						 sizeof(SpLgbList)));
	columns->lists[columns->n_lists] = (SpLgbList) {0};
	for (;;)
	{
		SP_TRY(sp_tokens_next(tokens, &token));
		if (token.kind == SP_TOKEN_ARRAY_END)
			break;
		SP_TRY(sp_lgb_add_item(columns, &columns->lists[columns->n_lists], &token));
		SP_TRY(sp_tokens_skip(tokens, &token));
	}
	columns->n_lists++;
	return SP_OK;
}

/* [["red", "blue"], [1, 2]], or null; offsets of errors would be those within the line. */
static SpStatus
sp_lgb_read_lists(SpLgbColumns *columns)
{
	SpContext  *cx = columns->lgb->cx;
	SpTokens   *tokens;
	SpToken		token;

	SP_TRY(sp_tokens_open(cx, SP_TOKENS_JSON, columns->json.data, columns->json.size, &tokens));
	SP_TRY(sp_tokens_next(tokens, &token));
	if (token.kind == SP_TOKEN_ARRAY)
	{
		for (;;)
		{
			SP_TRY(sp_tokens_next(tokens, &token));
			if (token.kind == SP_TOKEN_ARRAY_END)
				break;
			if (token.kind != SP_TOKEN_ARRAY)
				return sp_wrong_kind(cx, &token, "pandas_categorical", "an array of arrays");
			SP_TRY(sp_lgb_read_list(columns, tokens));
		}
	}
	else
		SP_TRY(sp_tokens_skip(tokens, &token));
	SP_TRY(sp_tokens_next(tokens, &token));
	sp_tokens_close(tokens);
	return SP_OK;
}

/* Is every code that training saw of the feature a place in the list? */
static bool
sp_lgb_fits(const SpLgbColumns *columns, uint32_t feature, const SpLgbList *list)
{
	SpStr		info;
	SpStr		word;
	SpToken		token;

	if (columns->infos == NULL || list->kind == SP_LGB_LIST_EMPTY || list->kind == SP_LGB_LIST_UNUSABLE)
		return true;
	info = columns->infos[feature];
	if (sp_str_is(info, "none"))
		return true;
	while (sp_lgb_part(&info, ':', &word))
		if (!sp_parse_number(word, &token) || !token.is_integer || token.integer >= (int64_t) list->n)
			return false;
	return true;
}

/* The features of the lists; *match is false if the file does not tell. */
static SpStatus
sp_lgb_match(SpLgbColumns *columns, bool *match)
{
	SpLightgbm *lgb = columns->lgb;
	SpStr		text = columns->indices;
	SpStr		word;
	SpToken		token;
	void	   *memory;
	size_t		n = 0;

	*match = false;
	SP_TRY(sp_alloc_array(lgb->cx, columns->n_lists, sizeof(uint32_t), &memory));
	columns->features = memory;
	while (sp_lgb_part(&text, ',', &word))
	{
		if (n >= columns->n_lists || !sp_parse_number(word, &token) || !token.is_integer ||
			token.integer >= lgb->num_feature || token.integer < (n > 0 ? (int64_t) columns->features[n - 1] + 1 : 0) ||
			!sp_lgb_fits(columns, (uint32_t) token.integer, &columns->lists[n]))
			return SP_OK;
		columns->features[n++] = (uint32_t) token.integer;
	}
	*match = n == columns->n_lists;
	return SP_OK;
}

static SpStatus
sp_lgb_add_lists(const SpLgbColumns *columns, SpBuilder *builder, uint8_t *is_listed)
{
	for (size_t at = 0; at < columns->n_lists; at++)
	{
		const SpLgbList *list = &columns->lists[at];

		if (list->kind == SP_LGB_LIST_EMPTY || list->kind == SP_LGB_LIST_UNUSABLE)
			continue;
		is_listed[columns->features[at]] = 1;
		SP_TRY(sp_builder_categories(builder, columns->features[at], &(SpCategoriesSpec) {
			.kind = list->kind == SP_LGB_LIST_TEXT ? SP_CATEGORIES_TEXT : SP_CATEGORIES_NUMBER,
			.unseen = SP_UNSEEN_MISSING, .n = list->n, .texts = list->texts, .numbers = list->numbers
		}));
	}
	return SP_OK;
}

/* A feature of which only the codes are known: -1:0:3:9, where -1 is a missing value. */
static SpStatus
sp_lgb_add_codes(const SpLgbColumns *columns, SpBuilder *builder, uint32_t feature)
{
	SpLightgbm *lgb = columns->lgb;
	SpStr		info = columns->infos[feature];
	SpCategoriesSpec spec = {.kind = SP_CATEGORIES_CODE};
	double	   *codes = NULL;
	size_t		capacity = 0;
	SpToken		token;
	SpStr		word;

	if (info.data[0] == '[' || sp_str_is(info, "none"))
		return SP_OK;
	while (sp_lgb_part(&info, ':', &word))
	{
		if (!sp_parse_number(word, &token) || !token.is_integer || token.integer > INT32_MAX)
			return sp_fail(lgb->cx, SP_ERR_FORMAT, "feature_infos of feature %u are no codes of categories", feature);
		if (token.integer < 0)
			continue;
		if (spec.n >= lgb->cx->limits.max_features)
			return sp_fail_limit(lgb->cx, "max_features", "a feature has more categories than the limit of %u",
								 lgb->cx->limits.max_features);
		SP_TRY(sp_grow_array(lgb->cx, (void **) &codes, &capacity, (size_t) spec.n + 1, sizeof(double)));
		codes[spec.n++] = (double) token.integer;
	}
	spec.numbers = codes;
	SP_TRY(sp_builder_categories(builder, feature, &spec));
	sp_free(lgb->cx, codes);
	return SP_OK;
}

SpStatus
sp_lgb_add_columns(SpLightgbm *lgb, SpBuilder *builder)
{
	SpLgbColumns columns = {.lgb = lgb};
	size_t		trees = lgb->pos;
	uint8_t    *is_listed;
	bool		match;
	SpStatus	status;

	SP_TRY(sp_lgb_read_infos(&columns));
	lgb->pos = lgb->tail;
	SP_TRY(sp_lgb_read_tail(&columns));
	lgb->pos = trees;
	status = columns.json.size > 0 ? sp_lgb_read_lists(&columns) : SP_OK;
	if (status == SP_ERR_FORMAT)
		lgb->cx->error.offset = columns.json_line;
	if (status != SP_OK)
		return status;
	SP_TRY(sp_alloc_array(lgb->cx, lgb->num_feature, 1, (void **) &is_listed));
	SP_TRY(sp_lgb_match(&columns, &match));
	if (match)
		SP_TRY(sp_lgb_add_lists(&columns, builder, is_listed));
	for (uint32_t feature = 0; columns.infos != NULL && feature < lgb->num_feature; feature++)
		if (!is_listed[feature])
			SP_TRY(sp_lgb_add_codes(&columns, builder, feature));
	return SP_OK;
}
