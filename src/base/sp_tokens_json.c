/*
 * src/base/sp_tokens_json.c
 *
 * JSON to tokens: RFC 8259, plus NaN, Infinity and -Infinity, which XGBoost's
 * writer emits (xgboost src/common/json.cc).
 */
#include <math.h>
#include <string.h>

#include "base/sp_tokens_internal.h"
#include "base/sp_utf8.h"

static SpStatus
sp_json_cut_off(SpTokens *tokens)
{
	return sp_fail_at(tokens->reader.cx, tokens->reader.pos,
					  tokens->reader.size == 0 ? "the document is empty" : "unexpected end of JSON");
}

static SpStatus
sp_json_unexpected(SpTokens *tokens, const char *wanted)
{
	char		shown[SP_PRINTABLE_SIZE];
	SpStr		found = {(const char *) tokens->reader.data + tokens->reader.pos, 1};

	if (tokens->reader.pos >= tokens->reader.size)
		return sp_json_cut_off(tokens);
	return sp_fail_at(tokens->reader.cx, tokens->reader.pos, "invalid JSON: %s expected, found \"%s\"",
					  wanted, sp_printable(found, shown));
}

/* A single token can be as long as the file. */
#define SP_BYTES_PER_POLL (64 * 1024)

static SpStatus
sp_json_space(SpTokens *tokens)
{
	const uint8_t *data = tokens->reader.data;
	size_t		pos = tokens->reader.pos;

	while (pos < tokens->reader.size &&
		   (data[pos] == ' ' || data[pos] == '\n' || data[pos] == '\t' || data[pos] == '\r'))
	{
		if (++pos % SP_BYTES_PER_POLL == 0)
			SP_TRY(sp_poll(tokens->reader.cx));
	}
	tokens->reader.pos = pos;
	return SP_OK;
}

static SpStatus
sp_json_hex(SpTokens *tokens, uint32_t *unit)
{
	SpReader   *reader = &tokens->reader;
	const uint8_t *digits;
	int			i;

	*unit = 0;
	SP_TRY(sp_read_bytes(reader, 4, &digits));
	for (i = 0; i < 4; i++)
	{
		uint8_t		c = digits[i];
		uint32_t	digit;

		if (c >= '0' && c <= '9')
			digit = c - '0';
		else if (c >= 'a' && c <= 'f')
			digit = c - 'a' + 10;
		else if (c >= 'A' && c <= 'F')
			digit = c - 'A' + 10;
		else
			return sp_fail_at(reader->cx, reader->pos - 4 + i, "invalid \\u escape in a JSON string");
		*unit = *unit << 4 | digit;
	}
	return SP_OK;
}

/* After "\u": one code point, with the second half of a surrogate pair. */
static SpStatus
sp_json_code_point(SpTokens *tokens, uint32_t *code)
{
	SpReader   *reader = &tokens->reader;
	size_t		start = reader->pos - 2;
	uint32_t	low;

	SP_TRY(sp_json_hex(tokens, code));
	if (*code < 0xd800 || *code > 0xdfff)
		return SP_OK;
	if (*code >= 0xdc00 || reader->size - reader->pos < 2 ||
		reader->data[reader->pos] != '\\' || reader->data[reader->pos + 1] != 'u')
		return sp_fail_at(reader->cx, start, "unpaired surrogate in a JSON string");
	reader->pos += 2;
	SP_TRY(sp_json_hex(tokens, &low));
	if (low < 0xdc00 || low > 0xdfff)
		return sp_fail_at(reader->cx, start, "unpaired surrogate in a JSON string");
	*code = 0x10000 + ((*code - 0xd800) << 10) + (low - 0xdc00);
	return SP_OK;
}

/* After the backslash: the bytes it stands for. */
static SpStatus
sp_json_escape(SpTokens *tokens, char out[4], size_t *length)
{
	static const char from[] = "\"\\/bfnrt";
	static const char to[] = "\"\\/\b\f\n\r\t";
	SpReader   *reader = &tokens->reader;
	uint8_t		c;
	const char *found;
	uint32_t	code;

	*length = 1;
	if (reader->pos >= reader->size)
		return sp_json_cut_off(tokens);
	c = reader->data[reader->pos++];
	if (c == 'u')
	{
		SP_TRY(sp_json_code_point(tokens, &code));
		*length = sp_utf8_encode(code, out);
		return SP_OK;
	}
	found = c != 0 ? strchr(from, c) : NULL;
	if (found == NULL)
		return sp_fail_at(reader->cx, reader->pos - 2, "invalid escape in a JSON string");
	out[0] = to[found - from];
	return SP_OK;
}

static SpStatus
sp_json_keep(SpTokens *tokens, const void *bytes, size_t count)
{
	size_t		need = tokens->scratch_size + count;

	if (tokens->is_skipping || count == 0)
		return SP_OK;
	SP_TRY(sp_grow_array(tokens->reader.cx, (void **) &tokens->scratch, &tokens->scratch_capacity,
						 need, 1));
	memcpy(tokens->scratch + tokens->scratch_size, bytes, count);
	tokens->scratch_size = need;
	return SP_OK;
}

/*
 * At the opening quote.  Text without escapes is given as it lies in the
 * file; only escapes need a copy.
 */
static SpStatus
sp_json_string(SpTokens *tokens, SpStr *text)
{
	SpReader   *reader = &tokens->reader;
	const uint8_t *data = reader->data;
	size_t		quote = reader->pos++;
	size_t		start = reader->pos;
	bool		has_escapes = false;

	tokens->scratch_size = 0;
	for (;;)
	{
		size_t		pos = reader->pos;
		char		bytes[4];
		size_t		length;

		while (pos < reader->size && data[pos] != '"' && data[pos] != '\\' && data[pos] >= 0x20)
		{
			if (++pos % SP_BYTES_PER_POLL == 0)
				SP_TRY(sp_poll(reader->cx));
		}
		reader->pos = pos;
		if (pos >= reader->size)
			return sp_json_cut_off(tokens);
		if (data[pos] < 0x20)
			return sp_fail_at(reader->cx, pos, "a control character in a JSON string is not escaped");
		if (data[pos] == '"')
			break;
		SP_TRY(sp_json_keep(tokens, data + start, pos - start));
		has_escapes = true;
		reader->pos++;
		SP_TRY(sp_json_escape(tokens, bytes, &length));
		SP_TRY(sp_json_keep(tokens, bytes, length));
		start = reader->pos;
	}
	*text = (SpStr) {(const char *) data + start, reader->pos - start};
	reader->pos++;
	if (tokens->is_skipping)
		return SP_OK;
	if (has_escapes)
	{
		SP_TRY(sp_json_keep(tokens, text->data, text->size));
		*text = (SpStr) {tokens->scratch, tokens->scratch_size};
	}
	return sp_tokens_check_text(tokens, quote, *text);
}

static bool
sp_json_literal(SpTokens *tokens, const char *literal)
{
	size_t		length = strlen(literal);

	if (length > tokens->reader.size - tokens->reader.pos ||
		memcmp(tokens->reader.data + tokens->reader.pos, literal, length) != 0)
		return false;
	tokens->reader.pos += length;
	return true;
}

static SpStatus
sp_json_number(SpTokens *tokens, SpToken *token)
{
	SpReader   *reader = &tokens->reader;
	const uint8_t *text = reader->data + reader->pos;
	size_t		length = sp_number_length(text, reader->size - reader->pos);

	token->kind = SP_TOKEN_NUMBER;
	if (length == 0)
	{
		if (sp_json_literal(tokens, "NaN"))
			sp_token_set_double(token, NAN);
		else if (sp_json_literal(tokens, "Infinity"))
			sp_token_set_double(token, INFINITY);
		else if (sp_json_literal(tokens, "-Infinity"))
			sp_token_set_double(token, -INFINITY);
		else if (reader->pos < reader->size && (*text == '-' || (*text >= '0' && *text <= '9')))
			return sp_fail_at(reader->cx, reader->pos, "invalid JSON: malformed number");
		else
			return sp_json_unexpected(tokens, "a value");
		length = reader->data + reader->pos - text;
		token->text = (SpStr) {(const char *) text, length};
		return SP_OK;
	}
	reader->pos += length;
	token->text = (SpStr) {(const char *) text, length};
	if (!tokens->is_skipping && !sp_number_decode(token->text, token))
		return sp_fail_at(reader->cx, token->offset, "a number of %zu characters is too long", length);
	return SP_OK;
}

static SpStatus
sp_json_value(SpTokens *tokens, SpToken *token)
{
	uint8_t		c = tokens->reader.data[tokens->reader.pos];

	switch (c)
	{
		case '{':
		case '[':
			tokens->reader.pos++;
			return sp_tokens_push(tokens, token, (SpTokenFrame) {.is_object = c == '{'});
		case '"':
			token->kind = SP_TOKEN_STRING;
			SP_TRY(sp_json_string(tokens, &token->text));
			break;
		default:
			if (sp_json_literal(tokens, "true"))
				token->kind = SP_TOKEN_TRUE;
			else if (sp_json_literal(tokens, "false"))
				token->kind = SP_TOKEN_FALSE;
			else if (sp_json_literal(tokens, "null"))
				token->kind = SP_TOKEN_NULL;
			else
				SP_TRY(sp_json_number(tokens, token));
			break;
	}
	sp_tokens_value_done(tokens);
	return SP_OK;
}

/* A member's name and its colon. */
static SpStatus
sp_json_key(SpTokens *tokens, SpToken *token)
{
	token->kind = SP_TOKEN_KEY;
	if (tokens->reader.pos >= tokens->reader.size || tokens->reader.data[tokens->reader.pos] != '"')
		return sp_json_unexpected(tokens, "a member's name");
	SP_TRY(sp_json_string(tokens, &token->text));
	SP_TRY(sp_json_space(tokens));
	if (tokens->reader.pos >= tokens->reader.size || tokens->reader.data[tokens->reader.pos] != ':')
		return sp_json_unexpected(tokens, "\":\"");
	tokens->reader.pos++;
	tokens->state = SP_STATE_VALUE;
	return SP_OK;
}

SpStatus
sp_json_next(SpTokens *tokens, SpToken *token)
{
	SpReader   *reader = &tokens->reader;
	const SpTokenFrame *frame = tokens->depth > 0 ? &tokens->stack[tokens->depth - 1] : NULL;

	SP_TRY(sp_json_space(tokens));
	token->offset = reader->pos;
	if (tokens->state == SP_STATE_DONE)
	{
		if (reader->pos < reader->size)
			return sp_fail_at(reader->cx, reader->pos, "unexpected data after the end of the JSON document");
		token->kind = SP_TOKEN_END;
		return SP_OK;
	}
	if (reader->pos >= reader->size)
		return sp_json_cut_off(tokens);

	if (tokens->state != SP_STATE_VALUE)
	{
		uint8_t		c = reader->data[reader->pos];

		if (c == (frame->is_object ? '}' : ']'))
		{
			reader->pos++;
			sp_tokens_pop(tokens, token);
			return SP_OK;
		}
		if (tokens->state == SP_STATE_NEXT)
		{
			if (c != ',')
				return sp_json_unexpected(tokens, frame->is_object ? "\",\" or \"}\"" : "\",\" or \"]\"");
			reader->pos++;
			SP_TRY(sp_json_space(tokens));
			token->offset = reader->pos;
		}
		if (frame->is_object)
			return sp_json_key(tokens, token);
		if (reader->pos >= reader->size)
			return sp_json_cut_off(tokens);
	}
	return sp_json_value(tokens, token);
}
