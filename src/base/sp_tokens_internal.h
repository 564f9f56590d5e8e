/*
 * src/base/sp_tokens_internal.h
 *
 * What the two token readers share; included by sp_tokens*.c only.
 */
#ifndef SP_TOKENS_INTERNAL_H
#define SP_TOKENS_INTERNAL_H

#include "base/sp_tokens.h"

typedef enum SpTokenState
{
	SP_STATE_VALUE,				/* a value must come */
	SP_STATE_FIRST,				/* just after [ or {: may end at once */
	SP_STATE_NEXT,				/* after a value in a container */
	SP_STATE_DONE				/* the document's value is complete */
} SpTokenState;

/* One open object or array. */
typedef struct SpTokenFrame
{
	bool		is_object;
	bool		is_counted;		/* UBJSON: left members or elements follow, no end marker */
	uint8_t		type;			/* UBJSON: marker of every element, or 0 */
	uint64_t	left;
} SpTokenFrame;

struct SpTokens
{
	SpReader	reader;
	uint64_t	outer;			/* position when opened: set if this is a string of another file */			/* its context, data and position are used throughout */
	SpTokenFormat format;
	SpTokenState state;
	bool		is_skipping;	/* values are checked for their form only, not decoded */
	unsigned	n_tokens;		/* since the stop callback was asked */
	size_t		depth;
	size_t		capacity;
	SpTokenFrame *stack;
	char	   *scratch;		/* the last string that had escapes */
	size_t		scratch_size;
	size_t		scratch_capacity;
};

extern SpStatus sp_json_next(SpTokens *tokens, SpToken *token);
extern SpStatus sp_ubjson_next(SpTokens *tokens, SpToken *token);

/* Open and close a container: fill the token, check the nesting, set the state. */
extern SpStatus sp_tokens_push(SpTokens *tokens, SpToken *token, SpTokenFrame frame);
extern void sp_tokens_pop(SpTokens *tokens, SpToken *token);

/* The state after a value that is not a container. */
static inline void
sp_tokens_value_done(SpTokens *tokens)
{
	tokens->state = tokens->depth > 0 ? SP_STATE_NEXT : SP_STATE_DONE;
}

/* Kept text must be well-formed UTF-8 without zero bytes. */
extern SpStatus sp_tokens_check_text(SpTokens *tokens, uint64_t offset, SpStr text);

extern void sp_token_set_double(SpToken *token, double number);
extern void sp_token_set_integer(SpToken *token, int64_t integer);

/*
 * Length of the JSON number at the start of text (RFC 8259, section 6), or 0
 * if there is none.
 */
extern size_t sp_number_length(const uint8_t *text, size_t size);

/* Decode such a number: correctly rounded.  False if it has too many digits to be one. */
extern bool sp_number_decode(SpStr text, SpToken *token);

#endif
