/*
 * src/registry/sp_registry_write.c
 *
 * Changes to the registry, through SPI as the owner of the tables.
 *
 * Every change of a model first locks the model's row, so that versions and
 * events number without gaps or clashes.  Roles are taken before the switch of
 * identity.
 */
#include "server/sp_compat.h"

#include "access/xact.h"
#include "catalog/pg_type.h"
#include "common/hashfn.h"
#include "executor/spi.h"
#include "miscadmin.h"
#include "utils/acl.h"
#include "utils/builtins.h"

#include "registry/sp_registry.h"
#include "registry/sp_registry_internal.h"
#include "server/sp_lock.h"
#include "server/sp_role.h"

#define PIECE (1024 * 1024)		/* the CHECK constraint of table blob */

const char *(*sp_registry_api_key) (void) = NULL;
void		(*sp_write_audit_hook) (const SpWrite *write, const char *action, const Jsonb *detail) = NULL;

/* What a publisher sends would meet rows that it does not know of, and stop. */
static void
refuse_on_subscriber(const char *what)
{
	if (sp_registry_subscription(NULL) != SP_NOT_SUBSCRIBED)
		ereport(ERROR,
				(errcode(ERRCODE_OBJECT_NOT_IN_PREREQUISITE_STATE),
				 errmsg("cannot execute %s where models come from a publisher", what),
				 errhint("Change models on the publisher.")));
}

void
sp_write_begin(SpWrite *write, const char *what)
{
	sp_write_begin_local(write, what);
	refuse_on_subscriber(what);
}

void
sp_write_check(const char *what)
{
	PreventCommandIfReadOnly(what);
	PreventCommandIfParallelMode(what);
	PreventCommandDuringRecovery(what);
}

void
sp_write_begin_local(SpWrite *write, const char *what)
{
	Oid			owner = sp_registry_owner();

	sp_write_check(what);
	write->acting_role = GetUserNameFromId(GetUserId(), false);
	write->session_role = GetUserNameFromId(GetSessionUserId(), false);
	write->api_key_id = sp_registry_api_key != NULL ? sp_registry_api_key() : NULL;
	sp_identity_begin(&write->identity, owner);
	if (SPI_connect() != SPI_OK_CONNECT)
		elog(ERROR, "SPI_connect failed");
}

void
sp_write_end(SpWrite *write)
{
	if (SPI_finish() != SPI_OK_FINISH)
		elog(ERROR, "SPI_finish failed");
	sp_identity_end(&write->identity);
}

uint64
sp_write_sql(const char *sql, int n_args, Oid *types, Datum *values, const char *nulls)
{
	int			result = SPI_execute_with_args(sql, n_args, types, values, nulls, false, 0);

	if (result < 0)
		elog(ERROR, "SPI failed: %s", SPI_result_code_string(result));
	return SPI_processed;
}

Datum
sp_write_result(int column)
{
	bool		isnull;
	Datum		datum = SPI_getbinval(SPI_tuptable->vals[0], SPI_tuptable->tupdesc, column, &isnull);

	if (isnull)
		elog(ERROR, "unexpected null in the registry");
	return datum;
}

void
sp_write_audit(const SpWrite *write, const char *action, const char *detail_sql, int n_args, Oid *types,
			   Datum *values)
{
	if (sp_write_audit_hook == NULL)
		return;
	sp_write_sql(detail_sql, n_args, types, values, NULL);
	sp_write_audit_hook(write, action, DatumGetJsonbP(sp_write_result(1)));
}

#define LOCKED_COLUMNS "SELECT id, name, owner_oid, owner_cluster FROM smartpouch.model"

/* The row that sql, with one argument, locks; false for none. */
static bool
lock_model(const char *sql, Oid type, Datum value, SpLockedModel *model)
{
	if (sp_write_sql(sql, 1, &type, &value, NULL) == 0)
		return false;
	memset(model, 0, sizeof(*model));
	model->id = *DatumGetUUIDP(sp_write_result(1));
	text_to_cstring_buffer(DatumGetTextPP(sp_write_result(2)), model->name, sizeof(model->name));
	model->owner_oid = DatumGetObjectId(sp_write_result(3));
	model->owner_cluster = TextDatumGetCString(sp_write_result(4));
	return true;
}

/* False if there is none of that name. Checks no right. */
static bool
lock_named(const char *name, SpLockedModel *model)
{
	return lock_model(LOCKED_COLUMNS " WHERE name = $1 FOR UPDATE", TEXTOID, CStringGetTextDatum(name), model);
}

static void
check_may(const SpWrite *write, const SpLockedModel *model, uint32 bit)
{
	if (!(sp_registry_may(write->identity.user, &model->id, model->owner_oid, model->owner_cluster) & bit))
		sp_registry_denied(write->identity.user, model->name, bit);
}

static void SP_NORETURN
no_model(const char *name)
{
	SpReference reference;

	memset(&reference, 0, sizeof(reference));
	strlcpy(reference.model, name, sizeof(reference.model));
	sp_registry_not_found(SP_NO_MODEL, &reference);
}

void
sp_write_lock_model_for(const SpWrite *write, const char *name, uint32 bit, SpLockedModel *model)
{
	if (!lock_named(name, model))
		no_model(name);
	check_may(write, model, bit);
}

void
sp_write_lock_found(const SpWrite *write, const SpFoundRows *rows, uint32 bit, SpLockedModel *model)
{
	if (!lock_model(LOCKED_COLUMNS " WHERE id = $1 FOR UPDATE", UUIDOID, UUIDPGetDatum(&rows->model.id), model))
		no_model(rows->model.name);
	check_may(write, model, bit);
	sp_write_check_version(model, rows->version.version);
}

void
sp_write_lock_own_model(const SpWrite *write, const char *name, SpLockedModel *model)
{
	sp_write_lock_model_for(write, name, SP_MAY_OWN, model);
}

void
sp_write_check_version(const SpLockedModel *model, int32 version)
{
	Oid			types[] = {UUIDOID, INT4OID};
	Datum		values[] = {UUIDPGetDatum(&model->id), Int32GetDatum(version)};

	if (sp_write_sql("SELECT FROM smartpouch.version WHERE model_id = $1 AND version = $2",
					 2, types, values, NULL) == 0)
	{
		SpReference reference;

		memset(&reference, 0, sizeof(reference));
		strlcpy(reference.model, model->name, sizeof(reference.model));
		reference.version = version;
		sp_registry_not_found(SP_NO_VERSION, &reference);
	}
}

/* Bytes that are there already but damaged are taken away, to be written anew. */
static void
remove_damaged_blob(const uint8 *sha256, Size size)
{
	Oid			types[] = {BYTEAOID};
	Datum		values[] = {sp_hash_datum(sha256)};
	char	   *bytes;

	if (sp_write_sql("SELECT FROM smartpouch.blob WHERE sha256 = $1 LIMIT 1", 1, types, values, NULL) == 0)
		return;
	bytes = sp_registry_try_blob(sha256, (int64) size, NULL, CurrentMemoryContext);
	if (bytes != NULL)
		pfree(bytes);
	else
		sp_write_sql("DELETE FROM smartpouch.blob WHERE sha256 = $1", 1, types, values, NULL);
}

/*
 * Bytes that are there already are kept: what has the same hash is the same.
 * A concurrent import of the same bytes makes the insert wait for its end.
 */
static void
add_blob(const uint8 *sha256, const char *bytes, Size size)
{
	Oid			types[] = {BYTEAOID, INT4OID, BYTEAOID};
	bytea	   *piece = palloc(VARHDRSZ + PIECE);
	Datum		values[3] = {sp_hash_datum(sha256)};

	remove_damaged_blob(sha256, size);
	for (int32 seq = 0; (Size) seq * PIECE < size; seq++)
	{
		Size		offset = (Size) seq * PIECE;
		Size		length = Min(size - offset, PIECE);

		CHECK_FOR_INTERRUPTS();
		memcpy(VARDATA(piece), bytes + offset, length);
		SET_VARSIZE(piece, VARHDRSZ + length);
		values[1] = Int32GetDatum(seq);
		values[2] = PointerGetDatum(piece);
		sp_write_sql("INSERT INTO smartpouch.blob (sha256, seq, bytes) VALUES ($1, $2, $3)"
					 " ON CONFLICT ON CONSTRAINT blob_pkey DO NOTHING", 3, types, values, NULL);
	}
	pfree(piece);
}

/*
 * Who gives a model a name holds this lock until the end of the transaction,
 * so that the next one waits and then sees the name taken.
 */
static void
lock_name(const char *name)
{
	sp_lock(SP_LOCK_NAMES, hash_bytes((const unsigned char *) name, (int) strlen(name)), ExclusiveLock);
}

/* Lock the model, making it if it is new. */
static void
lock_or_make_model(const SpWrite *write, const char *name, SpLockedModel *model)
{
	Oid			types[] = {TEXTOID, OIDOID, TEXTOID, TEXTOID};
	Datum		values[] = {
		CStringGetTextDatum(name), ObjectIdGetDatum(write->identity.user),
		CStringGetTextDatum(write->acting_role), CStringGetTextDatum(sp_cluster_id())
	};

	if (!lock_named(name, model))
	{
		lock_name(name);
		sp_write_sql("INSERT INTO smartpouch.model (id, name, owner_oid, owner_name, owner_cluster)"
					 " VALUES (gen_random_uuid(), $1, $2, $3, $4)"
					 " ON CONFLICT ON CONSTRAINT model_name_key DO NOTHING", 4, types, values, NULL);
		if (!lock_named(name, model))
			elog(ERROR, "model \"%s\" vanished while it was made", name);
	}
	check_may(write, model, SP_MAY_OWN);
}

static void
insert_version(const SpWrite *write, const SpLockedModel *model, int32 number, const SpNewVersion *version)
{
	uint8		program[SP_SHA256_SIZE];
	uint8		artifact[SP_SHA256_SIZE];
	Oid			types[] = {
		UUIDOID, INT4OID, BYTEAOID, INT8OID, BYTEAOID, INT8OID, INT8OID, INT8OID, TEXTOID, TEXTOID, TEXTOID, TEXTOID,
		TEXTARRAYOID, TEXTARRAYOID, TEXTARRAYOID, BOOLOID, INT8OID, INT8OID, INT8OID, TEXTOID,
		JSONBOID, TEXTOID
	};
	char		nulls[lengthof(types) + 1];

	sp_sha256(version->program, version->program_bytes, program);
	sp_sha256(version->artifact, version->artifact_bytes, artifact);
	sp_write_keep_blobs(program, artifact);
	add_blob(program, version->program, version->program_bytes);
	add_blob(artifact, version->artifact, version->artifact_bytes);

	Datum		values[] = {
		UUIDPGetDatum(&model->id), Int32GetDatum(number),
		sp_hash_datum(program), Int64GetDatum((int64) version->program_bytes),
		sp_hash_datum(artifact), Int64GetDatum((int64) version->artifact_bytes),
		Int64GetDatum(version->memory_bytes), Int64GetDatum(version->row_cost),
		CStringGetTextDatum(version->source_format), CStringGetTextDatum(version->producer),
		CStringGetTextDatum(version->objective), CStringGetTextDatum(version->task),
		version->feature_names, version->feature_types, version->labels,
		BoolGetDatum(version->accepts_missing), Int64GetDatum(version->trees),
		Int64GetDatum(version->nodes), Int64GetDatum(version->parameters),
		CStringGetTextDatum(write->acting_role), version->on_missing, CStringGetTextDatum(version->on_unseen)
	};

	memset(nulls, ' ', lengthof(types));
	nulls[lengthof(types)] = '\0';
	nulls[14] = version->labels ? ' ' : 'n';
	sp_write_sql("INSERT INTO smartpouch.version (model_id, version, program_sha256, program_bytes,"
				 " artifact_sha256, artifact_bytes, memory_bytes, row_cost_ns, source_format, producer, objective, task,"
				 " feature_names, feature_types, labels, accepts_missing, trees, nodes, parameters,"
				 " imported_by, on_missing, on_unseen) VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15,"
				 "  $16, $17, $18, $19, $20, $21, $22)", lengthof(types), types, values, nulls);
}

/* Those of a snapshot, in their order. */
static void
insert_evaluations(const SpLockedModel *model, int32 number, Jsonb *evaluations)
{
	Oid			types[] = {UUIDOID, INT4OID, JSONBOID};
	Datum		values[] = {UUIDPGetDatum(&model->id), Int32GetDatum(number), JsonbPGetDatum(evaluations)};

	sp_write_sql("INSERT INTO smartpouch.evaluation (model_id, version, seq, dataset, metrics, recorded_at, recorded_by)"
				 " SELECT $1, $2, row_number() OVER (), e.dataset, e.metrics, e.recorded_at, e.recorded_by"
				 " FROM jsonb_to_recordset($3) AS e (dataset text, metrics jsonb, recorded_at timestamptz, recorded_by text)",
				 3, types, values, NULL);
}

/* Which role the session has logged in with: its name in the event may be another role's one day. */
static const Jsonb *
importer_identity(void)
{
	Oid			types[] = {OIDOID, TEXTOID};
	Datum		values[] = {ObjectIdGetDatum(GetSessionUserId()), CStringGetTextDatum(sp_cluster_id())};

	sp_write_sql("SELECT pg_catalog.jsonb_build_object('role_oid', $1, 'role_cluster', $2)", 2, types, values, NULL);
	return DatumGetJsonbP(sp_write_result(1));
}

int32
sp_registry_add_version(const char *name, const SpNewVersion *version)
{
	SpWrite		write;
	SpLockedModel model;
	Oid			types[] = {UUIDOID};
	Datum		values[1];
	int32		number;

	sp_write_begin(&write, "import_model()");
	lock_or_make_model(&write, name, &model);
	values[0] = UUIDPGetDatum(&model.id);
	sp_write_sql("UPDATE smartpouch.model SET last_version = last_version + 1 WHERE id = $1"
				 " RETURNING last_version", 1, types, values, NULL);
	number = DatumGetInt32(sp_write_result(1));
	insert_version(&write, &model, number, version);
	for (int i = 0; i < version->n_golden; i++)
		sp_write_golden(&model.id, number, &version->golden[i]);
	if (version->evaluations != NULL)
		insert_evaluations(&model, number, version->evaluations);
	sp_write_event(&write, &model, &(SpEvent) {
		.action = "import", .version = number, .detail = version->origin, .evidence = importer_identity()
	});
	sp_write_end(&write);
	return number;
}

void
sp_registry_rename(const char *old, const char *new)
{
	SpWrite		write;
	SpLockedModel model;
	SpLockedModel other;
	bool		taken;
	Oid			types[] = {UUIDOID, TEXTOID};

	sp_write_begin(&write, "rename_model()");
	/* in the order of names, so that two who rename do not wait for each other */
	if (strcmp(old, new) < 0)
		sp_write_lock_own_model(&write, old, &model);
	lock_name(new);
	taken = lock_named(new, &other);
	sp_write_lock_own_model(&write, old, &model);
	if (taken)
		ereport(ERROR,
				(errcode(ERRCODE_DUPLICATE_OBJECT),
				 errmsg("model \"%s\" already exists", new)));

	Datum		values[] = {UUIDPGetDatum(&model.id), CStringGetTextDatum(new)};

	sp_write_sql("UPDATE smartpouch.model SET name = $2 WHERE id = $1", 2, types, values, NULL);
	sp_write_event(&write, &model, &(SpEvent) {.action = "rename", .detail = new});
	sp_write_end(&write);
}

/* The name of a role that the caller may give models to: 42704, 42501. */
static const char *
new_owner_name(Oid role)
{
	const char *name = GetUserNameFromId(role, true);

	if (name == NULL)
		ereport(ERROR,
				(errcode(ERRCODE_UNDEFINED_OBJECT),
				 errmsg("role with OID %u does not exist", role)));
	check_can_set_role_compat(GetUserId(), role);
	return name;
}

static void
give(const SpWrite *write, const SpLockedModel *model, Oid role, const char *role_name)
{
	Oid			types[] = {UUIDOID, OIDOID, TEXTOID, TEXTOID};
	Datum		values[] = {
		UUIDPGetDatum(&model->id), ObjectIdGetDatum(role),
		CStringGetTextDatum(role_name), CStringGetTextDatum(sp_cluster_id())
	};

	sp_write_sql("UPDATE smartpouch.model SET owner_oid = $2, owner_name = $3, owner_cluster = $4"
				 " WHERE id = $1", 4, types, values, NULL);
	sp_write_event(write, model, &(SpEvent) {.action = "set_owner", .detail = role_name});
}

void
sp_registry_set_owner(const char *name, Oid role)
{
	SpWrite		write;
	SpLockedModel model;
	const char *role_name = new_owner_name(role);

	sp_write_begin(&write, "set_owner()");
	sp_write_lock_own_model(&write, name, &model);
	give(&write, &model, role, role_name);
	sp_write_end(&write);
}

/* The names of models that a role owns, in an order that all agree on. */
static char **
owned_models(Oid role, uint64 *count)
{
	Oid			types[] = {OIDOID, TEXTOID};
	Datum		values[] = {ObjectIdGetDatum(role), CStringGetTextDatum(sp_cluster_id())};
	char	  **names;

	*count = sp_write_sql("SELECT name FROM smartpouch.model WHERE owner_oid = $1 AND owner_cluster = $2"
						  " ORDER BY id", 2, types, values, NULL);
	names = palloc(mul_size(Max(*count, 1), sizeof(char *)));
	for (uint64 i = 0; i < *count; i++)
		names[i] = SPI_getvalue(SPI_tuptable->vals[i], SPI_tuptable->tupdesc, 1);
	return names;
}

int32
sp_registry_reassign(Oid from, Oid to)
{
	SpWrite		write;
	const char *role_name = new_owner_name(to);
	char	  **names;
	uint64		count;
	int32		given = 0;

	if (!sp_role_has(GetUserId(), from, sp_cluster_id()) && !(sp_registry_may_all(GetUserId()) & SP_MAY_OWN))
		ereport(ERROR,
				(errcode(ERRCODE_INSUFFICIENT_PRIVILEGE),
				 errmsg("permission denied to reassign models"),
				 errdetail("It takes the rights of the role that owns them.")));
	sp_write_begin(&write, "reassign_models()");
	names = owned_models(from, &count);
	for (uint64 i = 0; i < count; i++)
	{
		SpLockedModel model;

		CHECK_FOR_INTERRUPTS();
		/* renamed, dropped or given away while we waited for its lock: not ours to give */
		if (!lock_named(names[i], &model) || model.owner_oid != from ||
			strcmp(model.owner_cluster, sp_cluster_id()) != 0)
			continue;
		give(&write, &model, to, role_name);
		given++;
	}
	sp_write_end(&write);
	return given;
}
