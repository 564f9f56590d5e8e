/*
 * src/api/sp_query_rows.c
 */
#include "server/sp_compat.h"

#include "catalog/pg_type.h"
#include "executor/spi.h"
#include "utils/lsyscache.h"

#include "api/sp_query_rows.h"

bool
sp_holds_features(Oid type)
{
	Oid			base = getBaseType(type);

	return base == JSONBOID || type_is_array(base) || type_is_rowtype(base);
}

Portal
sp_query_open(const char *query)
{
	SPIPlanPtr	plan = SPI_prepare(query, 0, NULL);

	if (plan == NULL)
		elog(ERROR, "SPI_prepare failed: %s", SPI_result_code_string(SPI_result));
	if (!SPI_is_cursor_plan(plan))
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
				 errmsg("the query must be one statement that returns rows")));
	return SPI_cursor_open(NULL, plan, NULL, NULL, true);
}
