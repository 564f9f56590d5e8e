/*
 * src/base/sp_tokens_ubjson.c
 *
 * UBJSON (draft 12) to tokens, as XGBoost writes it (xgboost
 * src/common/json.cc, UBJWriter): big-endian numbers, counted arrays, typed
 * arrays of numbers.  The plain forms are read too.
 */
#include <string.h>

#include "base/sp_tokens_internal.h"

/* Bytes of a number after its marker; 0 if the marker is not a number's. */
static unsigned
sp_ubjson_width(uint8_t marker)
{
	switch (marker)
	{
		case 'U':
		case 'i':
			return 1;
		case 'I':
			return 2;
		case 'l':
		case 'd':
			return 4;
		case 'L':
		case 'D':
			return 8;
		default:
			return 0;
	}
}

static SpStatus
sp_ubjson_bad_marker(SpTokens *tokens, size_t offset, uint8_t marker)
{
	char		shown[SP_PRINTABLE_SIZE];
	SpStr		found = {(const char *) &marker, 1};

	if (marker == 'H')
	{
		sp_fail(tokens->reader.cx, SP_ERR_UNSUPPORTED, "UBJSON high-precision numbers are not supported");
		tokens->reader.cx->error.offset = offset;
		return SP_ERR_UNSUPPORTED;
	}
	return sp_fail_at(tokens->reader.cx, offset, "invalid UBJSON: unexpected marker \"%s\"",
					  sp_printable(found, shown));
}

static SpStatus
sp_ubjson_number(SpTokens *tokens, uint8_t marker, SpToken *token)
{
	unsigned	width = sp_ubjson_width(marker);
	uint64_t	bits;
	uint32_t	bits32;
	float		single;
	double		number;

	SP_TRY(sp_read_be(&tokens->reader, width, &bits));
	token->kind = SP_TOKEN_NUMBER;
	if (tokens->is_skipping)
		return SP_OK;
	switch (marker)
	{
		case 'd':
			bits32 = (uint32_t) bits;
			memcpy(&single, &bits32, sizeof(single));
			sp_token_set_double(token, single);
			break;
		case 'D':
			memcpy(&number, &bits, sizeof(number));
			sp_token_set_double(token, number);
			break;
		case 'U':
			sp_token_set_integer(token, (int64_t) bits);
			break;
		default:
			/* move the sign bit up, then back with copies of it */
			sp_token_set_integer(token, (int64_t) (bits << (64 - 8 * width)) >> (64 - 8 * width));
			break;
	}
	return SP_OK;
}

/* A length or count: a marker of an integer and its value, not negative. */
static SpStatus
sp_ubjson_length(SpTokens *tokens, uint64_t *length)
{
	size_t		start = tokens->reader.pos;
	bool		was_skipping = tokens->is_skipping;
	uint8_t		marker;
	SpToken		token = {0};

	SP_TRY(sp_read_u8(&tokens->reader, &marker));
	if (sp_ubjson_width(marker) == 0 || marker == 'd' || marker == 'D')
		return sp_ubjson_bad_marker(tokens, start, marker);
	tokens->is_skipping = false;
	SP_TRY(sp_ubjson_number(tokens, marker, &token));
	tokens->is_skipping = was_skipping;
	if (token.integer < 0)
		return sp_fail_at(tokens->reader.cx, start, "invalid UBJSON: negative length");
	*length = (uint64_t) token.integer;
	return SP_OK;
}

static SpStatus
sp_ubjson_text(SpTokens *tokens, SpStr *text)
{
	SpReader   *reader = &tokens->reader;
	size_t		start = reader->pos;
	uint64_t	length;
	const uint8_t *bytes;

	SP_TRY(sp_ubjson_length(tokens, &length));
	if (length > reader->size - reader->pos)
		return sp_fail_at(reader->cx, start, "invalid UBJSON: a string of %llu bytes is cut off after %zu",
						  (unsigned long long) length, reader->size - reader->pos);
	SP_TRY(sp_read_bytes(reader, (size_t) length, &bytes));
	*text = (SpStr) {(const char *) bytes, (size_t) length};
	if (tokens->is_skipping)
		return SP_OK;
	return sp_tokens_check_text(tokens, start, *text);
}

static bool
sp_ubjson_peek(SpTokens *tokens, uint8_t marker)
{
	return tokens->reader.pos < tokens->reader.size &&
		tokens->reader.data[tokens->reader.pos] == marker;
}

/*
 * After { or [.  A count is believed only as far as the bytes that are left
 * can hold so many elements; types without a body could be counted to any
 * number in no bytes at all, so they are not taken as the type of a container
 * (nothing known writes them).
 */
static SpStatus
sp_ubjson_open(SpTokens *tokens, SpToken *token, bool is_object)
{
	SpReader   *reader = &tokens->reader;
	SpTokenFrame frame = {.is_object = is_object};
	size_t		start = reader->pos;
	size_t		least = is_object ? 2 : 0;	/* bytes of the shortest element */

	if (sp_ubjson_peek(tokens, '$'))
	{
		reader->pos++;
		SP_TRY(sp_read_u8(reader, &frame.type));
		if (sp_ubjson_width(frame.type) == 0)
		{
			if (frame.type != 'S' && frame.type != 'C')
				return sp_ubjson_bad_marker(tokens, reader->pos - 1, frame.type);
			least += frame.type == 'S' ? 2 : 1;
		}
		least += sp_ubjson_width(frame.type);
		if (!sp_ubjson_peek(tokens, '#'))
			return sp_fail_at(reader->cx, reader->pos, "invalid UBJSON: a typed container without a count");
	}
	else
		least += 1;
	if (sp_ubjson_peek(tokens, '#'))
	{
		reader->pos++;
		frame.is_counted = true;
		SP_TRY(sp_ubjson_length(tokens, &frame.left));
		if (frame.left > (reader->size - reader->pos) / least)
			return sp_fail_at(reader->cx, start, "invalid UBJSON: a container of %llu elements is cut off",
							  (unsigned long long) frame.left);
	}
	return sp_tokens_push(tokens, token, frame);
}

static SpStatus
sp_ubjson_char(SpTokens *tokens, SpToken *token)
{
	const uint8_t *bytes;

	SP_TRY(sp_read_bytes(&tokens->reader, 1, &bytes));
	token->kind = SP_TOKEN_STRING;
	token->text = (SpStr) {(const char *) bytes, 1};
	return sp_tokens_check_text(tokens, token->offset, token->text);
}

static SpStatus
sp_ubjson_value(SpTokens *tokens, uint8_t marker, SpToken *token)
{
	switch (marker)
	{
		case '{':
		case '[':
			return sp_ubjson_open(tokens, token, marker == '{');
		case 'S':
			token->kind = SP_TOKEN_STRING;
			SP_TRY(sp_ubjson_text(tokens, &token->text));
			break;
		case 'C':
			SP_TRY(sp_ubjson_char(tokens, token));
			break;
		case 'T':
			token->kind = SP_TOKEN_TRUE;
			break;
		case 'F':
			token->kind = SP_TOKEN_FALSE;
			break;
		case 'Z':
			token->kind = SP_TOKEN_NULL;
			break;
		default:
			if (sp_ubjson_width(marker) == 0)
				return sp_ubjson_bad_marker(tokens, token->offset, marker);
			SP_TRY(sp_ubjson_number(tokens, marker, token));
			break;
	}
	sp_tokens_value_done(tokens);
	return SP_OK;
}

static void
sp_ubjson_skip_nothing(SpTokens *tokens, SpToken *token)
{
	while (sp_ubjson_peek(tokens, 'N'))
		tokens->reader.pos++;
	token->offset = tokens->reader.pos;
}

/* Inside a container, where an element or the end may come: close it if it ends here. */
static bool
sp_ubjson_ends(SpTokens *tokens, SpToken *token)
{
	SpTokenFrame *frame = &tokens->stack[tokens->depth - 1];
	bool		ended;

	if (frame->is_counted)
	{
		/* sp_ubjson_open has seen that all of them are there */
		if (tokens->is_skipping && !frame->is_object && sp_ubjson_width(frame->type) > 0)
		{
			tokens->reader.pos += (size_t) frame->left * sp_ubjson_width(frame->type);
			frame->left = 0;
		}
		ended = frame->left == 0;
		if (!ended)
			frame->left--;
	}
	else
	{
		sp_ubjson_skip_nothing(tokens, token);
		ended = sp_ubjson_peek(tokens, frame->is_object ? '}' : ']');
		if (ended)
			tokens->reader.pos++;
	}
	if (ended)
		sp_tokens_pop(tokens, token);
	return ended;
}

SpStatus
sp_ubjson_next(SpTokens *tokens, SpToken *token)
{
	SpReader   *reader = &tokens->reader;
	uint8_t		marker = 0;

	if (tokens->state == SP_STATE_DONE)
	{
		if (reader->pos < reader->size)
			return sp_fail_at(reader->cx, reader->pos, "unexpected data after the end of the UBJSON document");
		token->kind = SP_TOKEN_END;
		return SP_OK;
	}
	if (tokens->depth > 0)
	{
		const SpTokenFrame *frame = &tokens->stack[tokens->depth - 1];

		if (tokens->state != SP_STATE_VALUE)
		{
			if (sp_ubjson_ends(tokens, token))
				return SP_OK;
			if (frame->is_object)
			{
				token->kind = SP_TOKEN_KEY;
				tokens->state = SP_STATE_VALUE;
				return sp_ubjson_text(tokens, &token->text);
			}
		}
		marker = frame->type;
	}
	if (marker == 0)
	{
		sp_ubjson_skip_nothing(tokens, token);
		if (reader->size == 0)
			return sp_fail_at(reader->cx, 0, "the document is empty");
		SP_TRY(sp_read_u8(reader, &marker));
	}
	return sp_ubjson_value(tokens, marker, token);
}
