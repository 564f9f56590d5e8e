/*
 * src/base/sp_tokens.c
 *
 * The part of the token reader that both formats share: the stack of open
 * containers, skipping, text and polling.
 */
#include <string.h>

#include "base/sp_tokens_internal.h"
#include "base/sp_utf8.h"

#define SP_TOKENS_PER_POLL 4096

SpStatus
sp_tokens_open(SpContext *cx, SpTokenFormat format, const void *data, size_t size,
			   SpTokens **tokens)
{
	void	   *memory;

	*tokens = NULL;
	SP_TRY(sp_alloc_array(cx, 1, sizeof(SpTokens), &memory));
	*tokens = memory;
	sp_reader_init(&(*tokens)->reader, cx, data, size);
	(*tokens)->format = format;
	(*tokens)->state = SP_STATE_VALUE;
	(*tokens)->outer = cx->position;
	return SP_OK;
}

void
sp_tokens_close(SpTokens *tokens)
{
	SpContext  *cx = tokens->reader.cx;

	cx->position = tokens->outer;
	sp_free(cx, tokens->stack);
	sp_free(cx, tokens->scratch);
	sp_free(cx, tokens);
}

SpStatus
sp_tokens_next(SpTokens *tokens, SpToken *token)
{
	if (++tokens->n_tokens >= SP_TOKENS_PER_POLL)
	{
		tokens->n_tokens = 0;
		SP_TRY(sp_poll(tokens->reader.cx));
	}
	memset(token, 0, sizeof(*token));
	token->offset = tokens->reader.pos;
	if (tokens->outer == SP_NO_OFFSET)
		tokens->reader.cx->position = token->offset;
	if (tokens->format == SP_TOKENS_JSON)
		return sp_json_next(tokens, token);
	return sp_ubjson_next(tokens, token);
}

SpStatus
sp_tokens_skip(SpTokens *tokens, const SpToken *token)
{
	SpStatus	status = SP_OK;
	SpToken		inner = *token;
	size_t		outside;

	tokens->is_skipping = true;
	if (inner.kind == SP_TOKEN_KEY)
		status = sp_tokens_next(tokens, &inner);
	if (inner.kind == SP_TOKEN_OBJECT || inner.kind == SP_TOKEN_ARRAY)
	{
		/* the container has just been opened, so it is the innermost one */
		outside = tokens->depth - 1;
		while (status == SP_OK && tokens->depth > outside)
			status = sp_tokens_next(tokens, &inner);
	}
	tokens->is_skipping = false;
	return status;
}

SpStatus
sp_tokens_push(SpTokens *tokens, SpToken *token, SpTokenFrame frame)
{
	SpContext  *cx = tokens->reader.cx;

	if (tokens->depth >= cx->limits.max_nesting)
	{
		sp_fail_limit(cx, "max_nesting", "objects and arrays are nested deeper than the limit of %u",
				cx->limits.max_nesting);
		cx->error.offset = token->offset;
		return SP_ERR_LIMIT;
	}
	SP_TRY(sp_grow_array(cx, (void **) &tokens->stack, &tokens->capacity, tokens->depth + 1,
						 sizeof(SpTokenFrame)));
	tokens->stack[tokens->depth++] = frame;
	tokens->state = SP_STATE_FIRST;
	token->kind = frame.is_object ? SP_TOKEN_OBJECT : SP_TOKEN_ARRAY;
	return SP_OK;
}

void
sp_tokens_pop(SpTokens *tokens, SpToken *token)
{
	tokens->depth--;
	token->kind = tokens->stack[tokens->depth].is_object ? SP_TOKEN_OBJECT_END : SP_TOKEN_ARRAY_END;
	sp_tokens_value_done(tokens);
}

SpStatus
sp_tokens_check_text(SpTokens *tokens, uint64_t offset, SpStr text)
{
	const uint8_t *bytes = (const uint8_t *) text.data;
	size_t		pos = 0;

	while (pos < text.size)
	{
		size_t		step = sp_utf8_length(bytes + pos, text.size - pos);

		if (step == 0 || bytes[pos] == 0)
			return sp_fail_at(tokens->reader.cx, offset, "a string is not well-formed UTF-8 text");
		pos += step;
	}
	return SP_OK;
}
