/*
 * src/auth/sp_limit_rules.c
 *
 * Limits of owners: rows of owner_limit, remembered by each session until a
 * trigger tells of a change.
 */
#include "server/sp_compat.h"

#include "access/htup_details.h"
#include "catalog/pg_collation.h"
#include "catalog/pg_type.h"
#include "miscadmin.h"
#include "utils/builtins.h"
#include "utils/fmgroids.h"
#include "utils/hsearch.h"
#include "utils/memutils.h"

#include "auth/sp_key_verify.h"
#include "auth/sp_limit.h"
#include "auth/sp_limit_counts.h"
#include "registry/sp_registry_scan.h"

#define REMEMBERED 1000

/* Columns of owner_limit in the order of sql/install/41_limits.sql. */
enum
{
	OWNER = 1, RATE_LIMIT, BURST, QUOTA
};

typedef struct Remembered
{
	char		owner[SP_TRACKED_NAME];
	SpLimitRule rule;
} Remembered;

static HTAB *remembered = NULL;
static uint64 generation;

static void
forget(void)
{
	HASHCTL		info = {
		.keysize = SP_TRACKED_NAME, .entrysize = sizeof(Remembered), .hcxt = TopMemoryContext
	};

	if (remembered != NULL)
		hash_destroy(remembered);
	remembered = NULL;
	remembered = hash_create("smartpouch limits of owners", 16, &info, HASH_ELEM | HASH_STRINGS | HASH_CONTEXT);
}

static int64
number(SpScan *scan, HeapTuple tuple, AttrNumber attribute)
{
	bool		isnull;
	Datum		datum = heap_getattr(tuple, attribute, RelationGetDescr(scan->relation), &isnull);

	if (isnull)
		return 0;
	return attribute == QUOTA ? DatumGetInt64(datum) : DatumGetInt32(datum);
}

static SpLimitRule
read_rule(const char *owner)
{
	SpLimitRule rule = {0};
	ScanKeyData key;
	SpScan		scan;
	HeapTuple	tuple;

	ScanKeyInit(&key, OWNER, BTEqualStrategyNumber, F_TEXTEQ, CStringGetTextDatum(owner));
	key.sk_collation = C_COLLATION_OID;
	sp_scan_begin(&scan, SP_TABLE_OWNER_LIMIT, SP_INDEX_OWNER_LIMIT, NULL, 1, &key);
	tuple = sp_scan_next(&scan);
	if (HeapTupleIsValid(tuple))
	{
		rule.rate = (int32) number(&scan, tuple, RATE_LIMIT);
		rule.burst = (int32) number(&scan, tuple, BURST);
		rule.quota = number(&scan, tuple, QUOTA);
	}
	sp_scan_end(&scan);
	return rule;
}

/* What changes while the row is read moves the generation past the one noted here. */
SpLimitRule
sp_limit_of_owner(const char *owner)
{
	Remembered *entry;
	SpLimitRule rule;
	uint64		before = sp_registry_generation;

	if (strlen(owner) >= SP_TRACKED_NAME)
		return (SpLimitRule) {0};	/* the table has none so long */
	if (remembered != NULL && generation == before &&
		(entry = hash_search(remembered, owner, HASH_FIND, NULL)) != NULL)
		return entry->rule;
	rule = read_rule(owner);
	if (remembered == NULL || generation != before || hash_get_num_entries(remembered) >= REMEMBERED)
		forget();
	generation = before;
	entry = hash_search(remembered, owner, HASH_ENTER, NULL);
	entry->rule = rule;
	return rule;
}

static void
check_may_limit(void)
{
	if (!(sp_registry_may_all(GetUserId()) & SP_MAY_OWN))
		ereport(ERROR,
				(errcode(ERRCODE_INSUFFICIENT_PRIVILEGE),
				 errmsg("permission denied to change limits of owners"),
				 errdetail("It takes a superuser, the owner of the extension, or the level admin.")));
}

static void
store_rule(const SpWrite *write, const char *owner, const SpLimitRule *rule)
{
	Oid			types[] = {TEXTOID, INT4OID, INT4OID, INT8OID, TEXTOID};
	Datum		values[] = {
		CStringGetTextDatum(owner), Int32GetDatum(rule->rate), Int32GetDatum(rule->burst),
		Int64GetDatum(rule->quota), CStringGetTextDatum(write->acting_role)
	};

	sp_write_sql("INSERT INTO smartpouch.owner_limit (owner, rate_limit, burst, quota, set_by)"
				 " VALUES ($1, NULLIF($2, 0), NULLIF($3, 0), NULLIF($4, 0), $5)"
				 " ON CONFLICT ON CONSTRAINT owner_limit_pkey DO UPDATE SET rate_limit = excluded.rate_limit,"
				 " burst = excluded.burst, quota = excluded.quota, set_at = now(), set_by = excluded.set_by",
				 lengthof(types), types, values, NULL);
}

static void
drop_rule(const char *owner)
{
	Oid			types[] = {TEXTOID};
	Datum		values[] = {CStringGetTextDatum(owner)};

	if (sp_write_sql("DELETE FROM smartpouch.owner_limit WHERE owner = $1", 1, types, values, NULL) == 0)
		ereport(ERROR,
				(errcode(ERRCODE_UNDEFINED_OBJECT),
				 errmsg("owner \"%s\" has no limit", owner)));
}

/* {"before": the row or null, "after": the same} */
static Jsonb *
describe_change(const char *owner, Jsonb *before)
{
	Oid			types[] = {TEXTOID, JSONBOID};
	Datum		values[] = {CStringGetTextDatum(owner), PointerGetDatum(before)};
	char		nulls[] = {' ', before != NULL ? ' ' : 'n', '\0'};

	sp_write_sql("SELECT jsonb_build_object('before', $2, 'after', (SELECT jsonb_build_object('rate_limit', rate_limit,"
				 " 'burst', burst, 'quota', quota) FROM smartpouch.owner_limit WHERE owner = $1))",
				 2, types, values, nulls);
	return DatumGetJsonbPCopy(sp_write_result(1));
}

static Jsonb *
current_rule(const char *owner)
{
	Oid			types[] = {TEXTOID};
	Datum		values[] = {CStringGetTextDatum(owner)};

	if (sp_write_sql("SELECT jsonb_build_object('rate_limit', rate_limit, 'burst', burst, 'quota', quota)"
					 " FROM smartpouch.owner_limit WHERE owner = $1 FOR UPDATE", 1, types, values, NULL) == 0)
		return NULL;
	return DatumGetJsonbPCopy(sp_write_result(1));
}

void
sp_limit_set_owner(const char *owner, const SpLimitRule *rule)
{
	SpWrite		write;
	Jsonb	   *before;

	check_may_limit();
	if (rule != NULL)
		sp_key_check_owner(owner);
	sp_write_begin_local(&write, rule != NULL ? "set_owner_limit()" : "drop_owner_limit()");
	before = current_rule(owner);
	if (rule != NULL)
		store_rule(&write, owner, rule);
	else
		drop_rule(owner);
	sp_audit_event(&write, &(SpAuditEvent) {
		.action = rule != NULL ? "set_owner_limit" : "drop_owner_limit", .owner = owner,
		.detail = describe_change(owner, before)
	});
	sp_write_end(&write);
}
