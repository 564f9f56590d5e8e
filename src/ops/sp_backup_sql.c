/*
 * src/ops/sp_backup_sql.c
 */
#include "server/sp_compat.h"

#include "catalog/pg_type.h"
#include "executor/spi.h"
#include "utils/builtins.h"
#include "utils/memutils.h"

#include "ops/sp_backup.h"
#include "registry/sp_registry.h"
#include "server/sp_role.h"

#define MAX_ARGS 16

static void
copy_rows(SpRows *rows, MemoryContext mcx)
{
	rows->count = SPI_tuptable == NULL ? 0 : SPI_processed;
	rows->columns = SPI_tuptable == NULL ? 0 : (uint64) SPI_tuptable->tupdesc->natts;
	rows->texts = MemoryContextAllocHuge(mcx, Max(1, rows->count * rows->columns) * sizeof(char *));
	for (uint64 i = 0; i < rows->count * rows->columns; i++)
	{
		char	   *text = SPI_getvalue(SPI_tuptable->vals[i / rows->columns], SPI_tuptable->tupdesc,
										(int) (i % rows->columns) + 1);

		rows->texts[i] = text == NULL ? NULL : MemoryContextStrdup(mcx, text);
	}
}

SpRows
sp_backup_sql(const char *sql, bool read_only, int n_args, const char *const *args)
{
	MemoryContext mcx = CurrentMemoryContext;
	SpRows		rows;
	SpIdentity	identity;
	Oid			types[MAX_ARGS];
	Datum		values[MAX_ARGS];
	char		nulls[MAX_ARGS];

	Assert(n_args <= MAX_ARGS);
	for (int i = 0; i < n_args; i++)
	{
		types[i] = TEXTOID;
		values[i] = args[i] == NULL ? (Datum) 0 : CStringGetTextDatum(args[i]);
		nulls[i] = args[i] == NULL ? 'n' : ' ';
	}
	sp_identity_begin(&identity, sp_registry_owner());
	if (SPI_connect() != SPI_OK_CONNECT ||
		SPI_execute_with_args(sql, n_args, types, values, nulls, read_only, 0) < 0)
		elog(ERROR, "SPI failed for a backup");
	copy_rows(&rows, mcx);
	(void) SPI_finish();
	sp_identity_end(&identity);
	return rows;
}
