/*
 * src/base/sp_key_scope.h
 *
 * What API keys may do: scopes, and whether one covers a request.
 *
 *	scope		action ':' resource
 *	action		lower-case letters, digits, '_', a letter first
 *	resource	segment { '/' segment }
 *	segment		letters, digits, '_', '.', '-', '@', ':' of ASCII, one at least
 *
 * A scope's last segment, and nothing else, may be "*": any one segment.  A
 * request has no wildcard.  A scope covers a request when the actions are the
 * same bytes and so are the segments, one by one.
 *
 * Resources model/REFERENCE are models, and stages are more than text there.  A
 * request for a model without stage, alias or version means its stage
 * production, as everywhere.  A scope without one (or "*") covers
 * the key's own stage; an alias or a version is covered by a scope that names it
 * as the request does.  Another of the four stages than the key's is covered by no
 * scope.
 */
#ifndef SP_KEY_SCOPE_H
#define SP_KEY_SCOPE_H

#include "base/sp_key_token.h"
#include "base/sp_status.h"

#define SP_SCOPE_BYTES 255		/* at most */

typedef enum SpScopeFault
{
	SP_SCOPE_GOOD,
	SP_SCOPE_TOO_LONG,
	SP_SCOPE_NO_ACTION,
	SP_SCOPE_CHARACTER,
	SP_SCOPE_EMPTY_SEGMENT,
	SP_SCOPE_WILDCARD,			/* where none may be */
	SP_SCOPE_MODEL,				/* model/ and not one segment more */
	SP_SCOPE_OTHER_STAGE
} SpScopeFault;

/* The parts of a scope that is good; they point into its text. */
typedef struct SpScope
{
	SpStr		action;
	SpStr		resource;
	SpStr		model;			/* the segment after model/, with its stage; empty for other resources */
} SpScope;

/* Is text a scope that a key of this stage may have? parts may be NULL. */
extern SpScopeFault sp_scope_parse(SpStr text, SpKeyStage stage, SpScope *parts);

/* What is wrong, for a detail: a sentence. */
extern const char *sp_scope_fault(SpScopeFault fault);

/* Does the scope of a key of this stage cover the request? False when any of them is not well-formed. */
extern bool sp_scope_covers(SpStr scope, SpKeyStage stage, SpStr action, SpStr resource);

#endif
