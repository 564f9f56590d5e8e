/*
 * src/auth/sp_log_mask.c
 *
 * All texts of an error are copies of its own, so they are masked in place:
 * that takes no memory, of which there may be none.  What goes to the client is
 * masked along with it.  The statement is not ours to change.
 *
 * Hooks that were set before this one see what is masked; those set
 * later see it first, as it was.
 */
#include "server/sp_compat.h"

#include "tcop/tcopprot.h"
#include "utils/elog.h"

#include "auth/sp_log_mask.h"
#include "base/sp_mask.h"

static emit_log_hook_type next_hook = NULL;

static void
mask(char *text)
{
	if (text != NULL)
		(void) sp_mask_tokens(text, strlen(text));
}

static void
mask_log(ErrorData *error)
{
	mask(error->message);
	mask(error->detail);
	mask(error->detail_log);
	mask(error->hint);
	mask(error->context);
	mask(error->internalquery);
	if (debug_query_string != NULL && !error->hide_stmt &&
		sp_has_token(debug_query_string, strlen(debug_query_string)))
		error->hide_stmt = true;
	if (next_hook)
		next_hook(error);
}

void
sp_log_mask_init(void)
{
	next_hook = emit_log_hook;
	emit_log_hook = mask_log;
}
