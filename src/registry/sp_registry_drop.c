/*
 * src/registry/sp_registry_drop.c
 *
 * Taking away versions and models, and bytes that nobody needs any more.
 *
 * Bytes are shared by all versions that have them.  Who adds a version and who
 * takes one away hold locks on the hashes of its bytes until their transactions
 * end (shared and exclusive), so that neither decides by what the other is about
 * to change.  A lock is for a group of hashes: a model may have more versions
 * than the server has room for locks.
 */
#include "server/sp_compat.h"

#include "catalog/pg_type.h"
#include "executor/spi.h"
#include "miscadmin.h"
#include "utils/builtins.h"

#include "registry/sp_registry_internal.h"
#include "server/sp_lock.h"

#define N_GROUPS 64

/* The bit of the group that a hash is in. */
static uint64
group_of(const uint8 *hash)
{
	return UINT64CONST(1) << (hash[0] % N_GROUPS);
}

/* In one order, so that two who lock several do not wait for each other. */
static void
lock_groups(uint64 groups, LOCKMODE mode)
{
	for (uint32 group = 0; group < N_GROUPS; group++)
		if (groups & (UINT64CONST(1) << group))
			sp_lock(SP_LOCK_BLOBS, group, mode);
}

void
sp_write_keep_blobs(const uint8 *program, const uint8 *artifact)
{
	lock_groups(group_of(program) | group_of(artifact), ShareLock);
}

/* The versions to take away: one, or all of a model. Arguments of the statements below: model_id, version or NULL. */
#define THESE " FROM smartpouch.version WHERE model_id = $1 AND version = coalesce($2, version)"

typedef struct Target
{
	Oid			types[2];
	Datum		values[2];
	char		nulls[3];
} Target;

static Target
target_of(const SpLockedModel *model, int32 version)
{
	Target		target = {
		.types = {UUIDOID, INT4OID},
		.values = {UUIDPGetDatum(&model->id), Int32GetDatum(version)},
		.nulls = {' ', version ? ' ' : 'n', '\0'}
	};

	return target;
}

static uint64
run(const char *sql, Target *target)
{
	return sp_write_sql(sql, 2, target->types, target->values, target->nulls);
}

static void
check_unused(Target *target, const char *subject)
{
	if (run("SELECT string_agg(what, ', ' ORDER BY what) FROM ("
			" SELECT format('stage \"%s\" (version %s)', stage, version) AS what FROM smartpouch.deployment"
			" WHERE model_id = $1 AND version = coalesce($2, version)"
			" UNION ALL SELECT format('%s of stage \"%s\" (version %s)', kind, stage, beside)"
			" FROM smartpouch.deployment, LATERAL (VALUES ('canary', canary_version), ('shadow', shadow_version)) b (kind, beside)"
			" WHERE model_id = $1 AND beside = coalesce($2, beside)"
			" UNION ALL SELECT format('alias \"%s\" (version %s)', alias, version) FROM smartpouch.alias"
			" WHERE model_id = $1 AND version = coalesce($2, version)) uses HAVING count(*) > 0", target) > 0)
		ereport(ERROR,
				(errcode(ERRCODE_DEPENDENT_OBJECTS_STILL_EXIST),
				 errmsg("%s is still in use", subject),
				 errdetail("In use by: %s.", TextDatumGetCString(sp_write_result(1))),
				 errhint("Promote another version or use drop_deployment(), drop_canary(), drop_shadow() and drop_alias().")));
}

/* The SHA-256 of every file and stored form of the versions. */
static uint8 *
hashes_of(Target *target, uint64 *count)
{
	uint8	   *hashes;

	*count = run("SELECT program_sha256" THESE " UNION SELECT artifact_sha256" THESE, target);
	hashes = palloc(mul_size(Max(*count, 1), SP_SHA256_SIZE));
	for (uint64 i = 0; i < *count; i++)
	{
		bool		isnull;
		Datum		hash = SPI_getbinval(SPI_tuptable->vals[i], SPI_tuptable->tupdesc, 1, &isnull);

		memcpy(hashes + i * SP_SHA256_SIZE, VARDATA_ANY(DatumGetByteaPP(hash)), SP_SHA256_SIZE);
	}
	return hashes;
}

/*
 * By the latest state, not by the transaction's snapshot: an import that has
 * committed since needs its bytes.
 */
static void
free_blobs(const uint8 *hashes, uint64 count)
{
	Oid			types[] = {BYTEAOID};

	for (uint64 i = 0; i < count; i++)
	{
		const uint8 *hash = hashes + i * SP_SHA256_SIZE;
		Datum		values[] = {sp_hash_datum(hash)};

		CHECK_FOR_INTERRUPTS();
		if (!sp_registry_blob_is_needed(hash, NULL))
			sp_write_sql("DELETE FROM smartpouch.blob WHERE sha256 = $1", 1, types, values, NULL);
	}
}

void
sp_write_free_blobs(const uint8 *program, const uint8 *artifact)
{
	lock_groups(group_of(program) | group_of(artifact), ExclusiveLock);
	free_blobs(program, 1);
	free_blobs(artifact, 1);
}

/* Who adds a table with something of a version adds it here, and to check_unused what uses one. */
static void
drop_versions(Target *target)
{
	uint64		count;
	uint8	   *hashes = hashes_of(target, &count);
	uint64		groups = 0;

	for (uint64 i = 0; i < count; i++)
		groups |= group_of(hashes + i * SP_SHA256_SIZE);
	lock_groups(groups, ExclusiveLock);
	run("DELETE FROM smartpouch.golden WHERE model_id = $1 AND version = coalesce($2, version)", target);
	run("DELETE FROM smartpouch.baseline WHERE model_id = $1 AND version = coalesce($2, version)", target);
	run("DELETE FROM smartpouch.evaluation WHERE model_id = $1 AND version = coalesce($2, version)", target);
	run("DELETE" THESE, target);
	free_blobs(hashes, count);
}

/* What is gone cannot be rolled back to; what it stood between must not be one version twice. */
static void
forget_replaced(Target *target)
{
	run("UPDATE smartpouch.deployment d SET replaced = ARRAY("
		" SELECT v FROM (SELECT v, i, lead(v, 1, d.version) OVER (ORDER BY i) AS above"
		"  FROM unnest(d.replaced) WITH ORDINALITY AS u (v, i) WHERE v <> $2) kept"
		" WHERE v <> above ORDER BY i)"
		" WHERE model_id = $1 AND $2 = ANY (replaced)", target);
}

void
sp_registry_drop_version(const SpFoundRows *rows)
{
	SpWrite		write;
	SpLockedModel model;
	Target		target;
	int32		version = rows->version.version;

	sp_write_begin(&write, "drop_version()");
	sp_write_lock_found(&write, rows, SP_MAY_OWN, &model);
	target = target_of(&model, version);
	check_unused(&target, psprintf("version %d of model \"%s\"", version, model.name));
	forget_replaced(&target);
	drop_versions(&target);
	sp_write_event(&write, &model, &(SpEvent) {
		.action = "drop_version", .version = version,
		.detail = psprintf("file %s, program %s", sp_hash_hex(rows->version.artifact),
						   sp_hash_hex(rows->version.program))
	});
	sp_write_end(&write);
}

void
sp_registry_drop_model(const char *name)
{
	SpWrite		write;
	SpLockedModel model;
	Target		target;
	Oid			types[] = {UUIDOID};

	sp_write_begin(&write, "drop_model()");
	sp_write_lock_own_model(&write, name, &model);
	target = target_of(&model, 0);
	check_unused(&target, psprintf("model \"%s\"", name));
	drop_versions(&target);
	sp_write_sql("DELETE FROM smartpouch.model_grant WHERE model_id = $1", 1, types, target.values, NULL);
	sp_write_event(&write, &model, &(SpEvent) {.action = SP_EVENT_DROP_MODEL});
	sp_write_sql("DELETE FROM smartpouch.model WHERE id = $1", 1, types, target.values, NULL);
	sp_write_end(&write);
}
