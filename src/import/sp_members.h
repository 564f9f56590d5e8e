/*
 * src/import/sp_members.h
 *
 * Walking the objects and arrays of a token stream, for importers that want a
 * few members of each and skip the rest.
 */
#ifndef SP_MEMBERS_H
#define SP_MEMBERS_H

#include "base/sp_tokens.h"

#define SP_NO_MEMBER (-1)

typedef struct SpMembers
{
	SpContext  *cx;
	SpTokens   *tokens;
	const char *what;			/* the object, for messages */
	const char *const *names;	/* wanted members, ended by NULL, at most 64 */
	uint64_t	seen;			/* bit i: names[i] was there */
} SpMembers;

/* Read the start of an object. */
extern SpStatus sp_members_open(SpMembers *members, SpContext *cx, SpTokens *tokens,
								const char *what, const char *const *names);

/*
 * Go to the next wanted member, skipping others: *which is its number, its
 * value comes next.  SP_NO_MEMBER at the object's end.  A wanted member that
 * comes twice is refused, because readers differ in which one they take.
 */
extern SpStatus sp_members_next(SpMembers *members, int *which);

/* Fails unless all members in the mask were there. */
extern SpStatus sp_members_require(const SpMembers *members, uint64_t mask);

/* Read the start of an array. */
extern SpStatus sp_array_open(SpContext *cx, SpTokens *tokens, const char *what);

/* A value that must be a string. */
extern SpStatus sp_read_text(SpContext *cx, SpTokens *tokens, const char *what, SpStr *text);

/* A number from 0 to max written as a string, as XGBoost writes its parameters. */
extern SpStatus sp_read_text_number(SpContext *cx, SpTokens *tokens, const char *what,
									uint32_t max, uint32_t *number);

/* The error for a value of the wrong kind. */
extern SpStatus sp_wrong_kind(SpContext *cx, const SpToken *token, const char *what,
							  const char *wanted);

#endif
