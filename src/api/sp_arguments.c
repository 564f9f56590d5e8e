/*
 * src/api/sp_arguments.c
 */
#include "server/sp_compat.h"

#include "access/htup_details.h"
#include "catalog/pg_proc.h"
#include "catalog/pg_type.h"
#include "funcapi.h"
#include "utils/array.h"
#include "utils/builtins.h"
#include "utils/syscache.h"

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

/* Of the function that is called; "$1" for one without names. */
static char *
argument_name(FunctionCallInfo fcinfo, int arg)
{
	HeapTuple	tuple = SearchSysCache1(PROCOID, ObjectIdGetDatum(fcinfo->flinfo->fn_oid));
	Oid		   *types;
	char	  **names = NULL;
	char	   *modes;

	if (!HeapTupleIsValid(tuple))
		elog(ERROR, "cache lookup failed for function %u", fcinfo->flinfo->fn_oid);
	(void) get_func_arg_info(tuple, &types, &names, &modes);
	ReleaseSysCache(tuple);
	return names != NULL ? names[arg] : psprintf("$%d", arg + 1);
}

void
sp_require_arguments(FunctionCallInfo fcinfo)
{
	for (int arg = 0; arg < PG_NARGS(); arg++)
		if (PG_ARGISNULL(arg))
			sp_require_argument(fcinfo, arg, argument_name(fcinfo, arg));
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

const char **
sp_names_argument(FunctionCallInfo fcinfo, int arg, const char *name, const char *kind, int *count)
{
	Datum	   *elements;
	bool	   *nulls;
	const char **names;

	sp_require_argument(fcinfo, arg, name);
	deconstruct_array(PG_GETARG_ARRAYTYPE_P(arg), TEXTOID, -1, false, TYPALIGN_INT,
					  &elements, &nulls, count);
	names = palloc(mul_size(Max(*count, 1), sizeof(char *)));
	for (int i = 0; i < *count; i++)
	{
		if (nulls[i])
			ereport(ERROR,
					(errcode(ERRCODE_NULL_VALUE_NOT_ALLOWED),
					 errmsg("element %d of %s is null", i + 1, name)));
		names[i] = TextDatumGetCString(elements[i]);
		sp_name_check(names[i], kind);
	}
	return names;
}
