/*
 * src/api/sp_arguments.c
 */
#include "server/sp_compat.h"

#include "catalog/pg_type.h"
#include "utils/array.h"
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
