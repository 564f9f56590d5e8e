/*
 * test/fuzz/sp_mutate_json.c
 *
 * JSON, cut into tokens by a reader that forgives everything.
 */
#include <stdlib.h>
#include <string.h>

#include "sp_mutate.h"

typedef enum TokenKind
{
	TOKEN_PLAIN,				/* a number or a literal */
	TOKEN_STRING,				/* with its quotes */
	TOKEN_OPEN,
	TOKEN_CLOSE,
	TOKEN_OTHER
} TokenKind;

typedef struct Token
{
	TokenKind	kind;
	size_t		start;
	size_t		size;
} Token;

typedef struct Tokens
{
	Token	   *tokens;
	size_t		count;
} Tokens;

static bool
is_plain(uint8_t byte)
{
	return byte > ' ' && strchr("[]{},:\"", byte) == NULL;
}

static Token
next_token(const SpMutation *mutation, size_t at)
{
	const uint8_t *data = mutation->data;
	Token		token = {TOKEN_OTHER, at, 1};

	if (data[at] == '"')
	{
		token.kind = TOKEN_STRING;
		while (at + token.size < mutation->size && data[at + token.size] != '"')
			token.size += data[at + token.size] == '\\' && at + token.size + 1 < mutation->size ? 2 : 1;
		token.size += at + token.size < mutation->size;
	}
	else if (data[at] == '[' || data[at] == '{')
		token.kind = TOKEN_OPEN;
	else if (data[at] == ']' || data[at] == '}')
		token.kind = TOKEN_CLOSE;
	else if (is_plain(data[at]))
	{
		token.kind = TOKEN_PLAIN;
		while (at + token.size < mutation->size && is_plain(data[at + token.size]))
			token.size++;
	}
	return token;
}

static Tokens
cut(const SpMutation *mutation)
{
	Tokens		cut = {malloc((mutation->size + 1) * sizeof(Token)), 0};

	for (size_t at = 0; at < mutation->size;)
	{
		Token		token = next_token(mutation, at);

		at += token.size;
		if (token.kind != TOKEN_OTHER)
			cut.tokens[cut.count++] = token;
	}
	return cut;
}

/* Bytes of the value that a token begins: a whole object or array, if it opens one. */
static size_t
value_size(const Tokens *tokens, size_t at)
{
	const Token *first = &tokens->tokens[at];
	size_t		depth = 0;

	if (first->kind != TOKEN_OPEN)
		return first->size;
	for (; at < tokens->count; at++)
	{
		const Token *token = &tokens->tokens[at];

		depth += token->kind == TOKEN_OPEN;
		depth -= token->kind == TOKEN_CLOSE;
		if (depth == 0)
			return token->start + token->size - first->start;
	}
	return first->size;
}

static void
duplicate(SpMutation *mutation, size_t start, size_t size)
{
	uint8_t    *copy = malloc(size + 1);

	copy[0] = ',';
	memcpy(copy + 1, mutation->data + start, size);
	sp_mutate_replace(mutation, start + size, 0, copy, size + 1);
	free(copy);
}

/* With the comma behind it, if there is one. */
static void
delete(SpMutation *mutation, size_t start, size_t size)
{
	size_t		end = start + size;

	while (end < mutation->size && mutation->data[end] == ' ')
		end++;
	if (end < mutation->size && mutation->data[end] == ',')
		size = end + 1 - start;
	sp_mutate_replace(mutation, start, size, "", 0);
}

static void
change_plain(SpMutation *mutation, size_t start, size_t size)
{
	static const char *const others[] = {"null", "true", "[]", "{}", "\"\"", "\"1\"", "[0]", "{\"a\":1}"};
	const char *text = sp_mutate_number_text(mutation);

	if (sp_mutate_below(mutation, 4) == 0)
		text = others[sp_mutate_below(mutation, sizeof(others) / sizeof(others[0]))];
	sp_mutate_replace(mutation, start, size, text, strlen(text));
}

void
sp_mutate_json(SpMutation *mutation)
{
	Tokens		tokens = cut(mutation);
	size_t		at = sp_mutate_below(mutation, tokens.count);
	size_t		from = sp_mutate_below(mutation, tokens.count);

	if (tokens.count > 0 && tokens.tokens[at].kind != TOKEN_CLOSE)
	{
		Token		token = tokens.tokens[at];
		size_t		size = value_size(&tokens, at);

		switch (sp_mutate_below(mutation, 8))
		{
			case 0:
				delete(mutation, token.start, size);
				break;
			case 1:
				duplicate(mutation, token.start, size);
				break;
			case 2:
			case 3:
				/* another value of the file, of the same kind if one is near */
				for (size_t tries = 64; tries > 0 && tokens.tokens[from].kind != token.kind; tries--)
					from = (from + 1) % tokens.count;
				if (tokens.tokens[from].kind != TOKEN_CLOSE)
					sp_mutate_replace(mutation, token.start, size, mutation->data + tokens.tokens[from].start,
									  value_size(&tokens, from));
				break;
			case 4:
				if (token.kind == TOKEN_STRING && token.size > 2)
				{
					sp_mutate_bytes(mutation, token.start + 1, token.size - 2);
					break;
				}
				/* fall through */
			default:
				change_plain(mutation, token.start, token.kind == TOKEN_OPEN ? size : token.size);
				break;
		}
	}
	free(tokens.tokens);
}
