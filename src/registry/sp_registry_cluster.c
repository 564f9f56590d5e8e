/*
 * src/registry/sp_registry_cluster.c
 *
 * The name of this cluster in stored roles, as sql/install/22_cluster.sql keeps it.
 */
#include "server/sp_compat.h"

#include "utils/fmgroids.h"

#include "registry/sp_registry.h"
#include "registry/sp_registry_scan.h"

/* Columns in the order of sql/install/22_cluster.sql. */
enum
{
	CLUSTER_HOME = 1, CLUSTER_ID
};

static void
read_id(char *id, Size size)
{
	ScanKeyData key;
	SpScan		scan;
	HeapTuple	tuple;

	id[0] = '\0';
	ScanKeyInit(&key, CLUSTER_HOME, BTEqualStrategyNumber, F_OIDEQ,
				ObjectIdGetDatum(sp_registry_table(SP_TABLE_CLUSTER)));
	sp_scan_begin(&scan, SP_TABLE_CLUSTER, SP_INDEX_CLUSTER, NULL, 1, &key);
	tuple = sp_scan_next(&scan);
	if (HeapTupleIsValid(tuple))
		sp_copy_text(id, size, sp_scan_column(&scan, tuple, CLUSTER_ID));
	sp_scan_end(&scan);
}

const char *
sp_registry_cluster_id(void)
{
	static char id[SP_CLUSTER_ID_SIZE];
	static uint64 generation = 0;	/* of the registry, when the id was read */

	if (generation != sp_registry_generation)
	{
		uint64		before = sp_registry_generation;

		read_id(id, sizeof(id));
		generation = before;
	}
	return id[0] != '\0' ? id : NULL;
}
