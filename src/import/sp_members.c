/*
 * src/import/sp_members.c
 *
 * Walking the objects and arrays of a token stream.
 */
#include <string.h>

#include "import/sp_members.h"

SpStatus
sp_wrong_kind(SpContext *cx, const SpToken *token, const char *what, const char *wanted)
{
	return sp_fail_at(cx, token->offset, "\"%s\" is not %s", what, wanted);
}

SpStatus
sp_members_open(SpMembers *members, SpContext *cx, SpTokens *tokens, const char *what,
				const char *const *names)
{
	SpToken		token;

	SP_TRY(sp_tokens_next(tokens, &token));
	if (token.kind != SP_TOKEN_OBJECT)
		return sp_wrong_kind(cx, &token, what, "an object");
	memset(members, 0, sizeof(*members));
	members->cx = cx;
	members->tokens = tokens;
	members->what = what;
	members->names = names;
	return SP_OK;
}

SpStatus
sp_members_next(SpMembers *members, int *which)
{
	SpToken		token;
	int			i;

	*which = SP_NO_MEMBER;
	for (;;)
	{
		SP_TRY(sp_tokens_next(members->tokens, &token));
		if (token.kind != SP_TOKEN_KEY)
			return SP_OK;
		for (i = 0; members->names[i] != NULL; i++)
		{
			if (sp_str_is(token.text, members->names[i]))
				break;
		}
		if (members->names[i] != NULL)
			break;
		SP_TRY(sp_tokens_skip(members->tokens, &token));
	}
	if (members->seen & UINT64_C(1) << i)
		return sp_fail_at(members->cx, token.offset, "\"%s\" comes twice in \"%s\"",
						  members->names[i], members->what);
	members->seen |= UINT64_C(1) << i;
	*which = i;
	return SP_OK;
}

SpStatus
sp_members_require(const SpMembers *members, uint64_t mask)
{
	uint64_t	missing = mask & ~members->seen;

	if (missing == 0)
		return SP_OK;
	return sp_fail(members->cx, SP_ERR_FORMAT, "\"%s\" has no member \"%s\"",
				   members->what, members->names[__builtin_ctzll(missing)]);
}

SpStatus
sp_array_open(SpContext *cx, SpTokens *tokens, const char *what)
{
	SpToken		token;

	SP_TRY(sp_tokens_next(tokens, &token));
	if (token.kind != SP_TOKEN_ARRAY)
		return sp_wrong_kind(cx, &token, what, "an array");
	return SP_OK;
}

SpStatus
sp_read_text(SpContext *cx, SpTokens *tokens, const char *what, SpStr *text)
{
	SpToken		token;

	SP_TRY(sp_tokens_next(tokens, &token));
	if (token.kind != SP_TOKEN_STRING)
		return sp_wrong_kind(cx, &token, what, "a string");
	*text = token.text;
	return SP_OK;
}

SpStatus
sp_read_text_number(SpContext *cx, SpTokens *tokens, const char *what, uint32_t max,
					uint32_t *number)
{
	SpToken		token;
	uint64_t	value = 0;
	size_t		i;

	SP_TRY(sp_tokens_next(tokens, &token));
	if (token.kind != SP_TOKEN_STRING || token.text.size == 0)
		return sp_wrong_kind(cx, &token, what, "a number in a string");
	for (i = 0; i < token.text.size; i++)
	{
		char		digit = token.text.data[i];

		if (digit < '0' || digit > '9')
			return sp_wrong_kind(cx, &token, what, "a number in a string");
		value = value * 10 + (uint64_t) (digit - '0');
		if (value > max)
			return sp_fail_at(cx, token.offset, "\"%s\" is larger than %u", what, max);
	}
	*number = (uint32_t) value;
	return SP_OK;
}
