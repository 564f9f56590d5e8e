/*
 * src/api/sp_arguments.c
 */
#include "server/sp_compat.h"

#include "utils/builtins.h"

#include "api/sp_arguments.h"
#include "registry/sp_reference.h"

void
sp_require_argument(FunctionCallInfo fcinfo, int arg, const char *name)
{
	if (PG_ARGISNULL(arg))
		ereport(ERROR,
				(errcode(ERRCODE_NULL_VALUE_NOT_ALLOWED),
				 errmsg("argument \"%s\" must not be null", name)));
}

char *
sp_name_argument(FunctionCallInfo fcinfo, int arg, const char *name, const char *kind)
{
	char	   *value;

	sp_require_argument(fcinfo, arg, name);
	value = text_to_cstring(PG_GETARG_TEXT_PP(arg));
	sp_name_check(value, kind);
	return value;
}
