/*
 * src/base/sp_tokens.h
 *
 * One pull parser for JSON (RFC 8259, plus the literals NaN, Infinity and
 * -Infinity that XGBoost writes) and UBJSON (draft 12, as XGBoost writes it),
 * so that an importer is written once against one stream of tokens.
 *
 * No recursion: nesting is an explicit stack bounded by limits.max_nesting.
 * Errors: SP_ERR_FORMAT with the byte offset; SP_ERR_LIMIT for nesting (the
 * length of strings is limited where they are kept, by sp_copy_str);
 * SP_ERR_UNSUPPORTED for UBJSON's high-precision numbers; SP_ERR_CANCELLED
 * (polled every few thousand tokens).  Data after the document is an error.
 */
#ifndef SP_TOKENS_H
#define SP_TOKENS_H

#include "base/sp_bytes.h"

typedef enum SpTokenKind
{
	SP_TOKEN_END = 0,			/* end of the document; repeated if asked again */
	SP_TOKEN_OBJECT,			/* { */
	SP_TOKEN_OBJECT_END,
	SP_TOKEN_ARRAY,				/* [ */
	SP_TOKEN_ARRAY_END,
	SP_TOKEN_KEY,				/* name of a member; its value comes next */
	SP_TOKEN_STRING,
	SP_TOKEN_NUMBER,
	SP_TOKEN_TRUE,
	SP_TOKEN_FALSE,
	SP_TOKEN_NULL
} SpTokenKind;

typedef struct SpToken
{
	SpTokenKind kind;
	uint64_t	offset;			/* of its first byte in the file */
	SpStr		text;			/* of keys and strings (unescaped, well-formed UTF-8,
								 * no zero byte), and of JSON numbers as written;
								 * valid until the next token */
	double		number;			/* nearest double */
	bool		is_integer;		/* number has no fraction and integer holds it */
	int64_t		integer;
} SpToken;

typedef struct SpTokens SpTokens;

typedef enum SpTokenFormat
{
	SP_TOKENS_JSON,
	SP_TOKENS_UBJSON
} SpTokenFormat;

extern SpStatus sp_tokens_open(SpContext *cx, SpTokenFormat format,
							   const void *data, size_t size, SpTokens **tokens);

/* Give the reader's memory back early; the last token's text goes with it. */
extern void sp_tokens_close(SpTokens *tokens);

extern SpStatus sp_tokens_next(SpTokens *tokens, SpToken *token);

/* Nearest float of a number token, rounded once (from its text for JSON). */
extern float sp_token_f32(const SpToken *token);

/* A text that is one JSON number, as a token; false for any other. */
extern bool sp_parse_number(SpStr text, SpToken *token);

/*
 * Skip the value that starts with *token (its whole subtree); after a key,
 * skip its value.  What is skipped is checked for its form, not decoded.
 */
extern SpStatus sp_tokens_skip(SpTokens *tokens, const SpToken *token);

#endif
