/*
 * src/registry/sp_registry_tables.c
 *
 * Where the registry's tables are, and learning that they changed.
 *
 * Triggers on the tables send a relcache invalidation for every changed row;
 * it reaches each backend with the commit (on a hot standby with its replay)
 * and here only moves a counter, as changes of roles and of their members do:
 * who may do what is remembered too.  OIDs are looked up by name again after each
 * invalidation that may mean a dropped and created extension.
 */
#include "server/sp_compat.h"

#include "access/genam.h"
#include "access/table.h"
#include "catalog/indexing.h"
#include "catalog/namespace.h"
#include "catalog/pg_class.h"
#include "catalog/pg_extension.h"
#include "catalog/pg_trigger.h"
#include "commands/extension.h"
#include "commands/trigger.h"
#include "miscadmin.h"
#include "utils/builtins.h"
#include "utils/fmgroids.h"
#include "utils/inval.h"
#include "utils/lsyscache.h"
#include "utils/rel.h"
#include "utils/syscache.h"

#include "registry/sp_registry.h"
#include "server/sp_role.h"

#define SCHEMA "smartpouch"

/* Versions of the SQL objects whose tables this library reads and writes. */
static const char *const known_versions[] = {"1.1.0"};

static const struct
{
	const char *name;
	bool		remembered;		/* sessions remember its rows, so a trigger tells them of changes */
}			table_facts[SP_N_TABLES] = {
	[SP_TABLE_MODEL] = {"model", true},
	[SP_TABLE_BLOB] = {"blob", false},
	[SP_TABLE_VERSION] = {"version", true},
	[SP_TABLE_DEPLOYMENT] = {"deployment", true},
	[SP_TABLE_ALIAS] = {"alias", true},
	[SP_TABLE_STAGE] = {"stage", true},
	[SP_TABLE_EVENT] = {"event", false},
	[SP_TABLE_GOLDEN] = {"golden", false},
	[SP_TABLE_EVALUATION] = {"evaluation", false},
	[SP_TABLE_MODEL_GRANT] = {"model_grant", true},
	[SP_TABLE_ACCESS_GRANT] = {"access_grant", true},
	[SP_TABLE_SNAPSHOT] = {"snapshot", false},
	[SP_TABLE_EVENT_HEAD] = {"event_head", false},
	[SP_TABLE_CLUSTER] = {"cluster", true},
	[SP_TABLE_API_KEY] = {"api_key", true},
	[SP_TABLE_OWNER_LIMIT] = {"owner_limit", true},
	[SP_TABLE_QUOTA_USE] = {"quota_use", false},
	[SP_TABLE_BASELINE] = {"baseline", true}
};

static const char *const index_names[SP_N_INDEXES] = {
	[SP_INDEX_MODEL_ID] = "model_pkey",
	[SP_INDEX_MODEL_NAME] = "model_name_key",
	[SP_INDEX_BLOB] = "blob_pkey",
	[SP_INDEX_VERSION] = "version_pkey",
	[SP_INDEX_VERSION_PROGRAM] = "version_program_idx",
	[SP_INDEX_VERSION_ARTIFACT] = "version_artifact_idx",
	[SP_INDEX_DEPLOYMENT] = "deployment_pkey",
	[SP_INDEX_ALIAS] = "alias_pkey",
	[SP_INDEX_STAGE] = "stage_pkey",
	[SP_INDEX_EVENT] = "event_pkey",
	[SP_INDEX_EVENT_DROPPED] = "event_dropped_idx",
	[SP_INDEX_GOLDEN] = "golden_pkey",
	[SP_INDEX_EVALUATION] = "evaluation_pkey",
	[SP_INDEX_MODEL_GRANT] = "model_grant_pkey",
	[SP_INDEX_ACCESS_GRANT] = "access_grant_pkey",
	[SP_INDEX_SNAPSHOT] = "snapshot_pkey",
	[SP_INDEX_SNAPSHOT_PROGRAM] = "snapshot_program_idx",
	[SP_INDEX_SNAPSHOT_ARTIFACT] = "snapshot_artifact_idx",
	[SP_INDEX_EVENT_HEAD] = "event_head_pkey",
	[SP_INDEX_CLUSTER] = "cluster_pkey",
	[SP_INDEX_API_KEY] = "api_key_pkey",
	[SP_INDEX_OWNER_LIMIT] = "owner_limit_pkey",
	[SP_INDEX_QUOTA_USE] = "quota_use_pkey",
	[SP_INDEX_BASELINE] = "baseline_pkey"
};

uint64		sp_registry_generation = 1;

static bool located = false;
static bool changed = false;	/* something was invalidated since this was cleared */
static Oid	tables[SP_N_TABLES];
static Oid	indexes[SP_N_INDEXES];
static Oid	owner;

static void
relation_changed(Datum arg, Oid relid)
{
	(void) arg;
	changed = true;
	if (!located)
		return;
	for (int i = 0; i < SP_N_TABLES; i++)
	{
		if (relid == tables[i] || !OidIsValid(relid))
		{
			sp_registry_generation++;
			located = false;
			return;
		}
	}
}

static void
roles_changed(Datum arg, int cache, uint32 hash)
{
	(void) arg;
	(void) cache;
	(void) hash;
	sp_registry_generation++;
}

void
sp_registry_init(void)
{
	CacheRegisterRelcacheCallback(relation_changed, (Datum) 0);
	CacheRegisterSyscacheCallback(AUTHOID, roles_changed, (Datum) 0);
	CacheRegisterSyscacheCallback(AUTHMEMROLEMEM, roles_changed, (Datum) 0);
	sp_cluster_id_kept = sp_registry_cluster_id;
}

/* Of the SQL objects; NULL if it has none. */
static char *
installed_version(Oid extension)
{
	Relation	catalog = table_open(ExtensionRelationId, AccessShareLock);
	ScanKeyData key;
	SysScanDesc scan;
	HeapTuple	tuple;
	char	   *version = NULL;

	ScanKeyInit(&key, Anum_pg_extension_oid, BTEqualStrategyNumber, F_OIDEQ,
				ObjectIdGetDatum(extension));
	scan = systable_beginscan(catalog, ExtensionOidIndexId, true, NULL, 1, &key);
	tuple = systable_getnext(scan);
	if (HeapTupleIsValid(tuple))
	{
		bool		isnull;
		Datum		datum = heap_getattr(tuple, Anum_pg_extension_extversion,
										 RelationGetDescr(catalog), &isnull);

		if (!isnull)
			version = TextDatumGetCString(datum);
	}
	systable_endscan(scan);
	table_close(catalog, AccessShareLock);
	return version;
}

static bool
is_known(const char *version)
{
	for (Size i = 0; version != NULL && i < lengthof(known_versions); i++)
		if (strcmp(version, known_versions[i]) == 0)
			return true;
	return false;
}

static void
check_version(Oid extension)
{
	char	   *version = installed_version(extension);

	if (!is_known(version))
		ereport(ERROR,
				(errcode(ERRCODE_OBJECT_NOT_IN_PREREQUISITE_STATE),
				 errmsg("smartpouch library %s does not fit the installed SQL objects of version %s",
						SP_VERSION, version ? version : "(none)"),
				 errhint("Run ALTER EXTENSION smartpouch UPDATE, or install the library of that version.")));
}

static Oid
locate_relation(const char *name, Oid namespace)
{
	Oid			oid = get_relname_relid(name, namespace);

	if (!OidIsValid(oid))
		elog(ERROR, "relation %s.%s is missing from extension smartpouch", SCHEMA, name);
	return oid;
}

static void
locate_once(void)
{
	Oid			namespace = get_namespace_oid(SCHEMA, true);
	Oid			extension = get_extension_oid("smartpouch", true);
	HeapTuple	tuple;

	if (!OidIsValid(namespace) || !OidIsValid(extension))
		ereport(ERROR,
				(errcode(ERRCODE_OBJECT_NOT_IN_PREREQUISITE_STATE),
				 errmsg("extension smartpouch is not installed in this database"),
				 errhint("Run CREATE EXTENSION smartpouch.")));
	check_version(extension);
	for (int i = 0; i < SP_N_TABLES; i++)
		tables[i] = locate_relation(table_facts[i].name, namespace);
	for (int i = 0; i < SP_N_INDEXES; i++)
		indexes[i] = locate_relation(index_names[i], namespace);
	tuple = SearchSysCache1(RELOID, ObjectIdGetDatum(tables[SP_TABLE_MODEL]));
	if (!HeapTupleIsValid(tuple))
		elog(ERROR, "cache lookup failed for relation %u", tables[SP_TABLE_MODEL]);
	owner = ((Form_pg_class) GETSTRUCT(tuple))->relowner;
	ReleaseSysCache(tuple);
}

/* Again if anything changed on the way, lest OIDs of two installations mix. */
static void
locate(void)
{
	do
	{
		CHECK_FOR_INTERRUPTS();
		changed = false;
		locate_once();
	} while (changed);
	located = true;
}

bool
sp_registry_fits(void)
{
	Oid			extension;

	if (located)
		return true;
	extension = get_extension_oid("smartpouch", true);
	return OidIsValid(extension) && is_known(installed_version(extension));
}

Oid
sp_registry_table(SpTable table)
{
	if (!located)
		locate();
	return tables[table];
}

Oid
sp_registry_index(SpIndex index)
{
	if (!located)
		locate();
	return indexes[index];
}

Oid
sp_registry_owner(void)
{
	if (!located)
		locate();
	return owner;
}

int
sp_registry_silent_triggers(void)
{
	int			silent = 0;

	for (int i = 0; i < SP_N_TABLES; i++)
	{
		Relation	relation = table_open(sp_registry_table(i), AccessShareLock);
		TriggerDesc *triggers = relation->trigdesc;
		bool		tells = !table_facts[i].remembered;

		for (int t = 0; triggers != NULL && t < triggers->numtriggers; t++)
		{
			const Trigger *trigger = &triggers->triggers[t];

			if (trigger->tgisinternal)
				continue;
			silent += trigger->tgenabled != TRIGGER_FIRES_ALWAYS;
			tells = tells || strcmp(trigger->tgname, "registry_changed") == 0;
		}
		silent += !tells;
		table_close(relation, AccessShareLock);
	}
	return silent;
}
