/*
 * src/api/sp_api_operation.c
 *
 * What an operator asks.
 */
#include "server/sp_compat.h"

#include "fmgr.h"
#include "utils/builtins.h"

PG_FUNCTION_INFO_V1(smartpouch_version);

Datum
smartpouch_version(PG_FUNCTION_ARGS)
{
	(void) fcinfo;
	PG_RETURN_TEXT_P(cstring_to_text(SP_VERSION));
}
