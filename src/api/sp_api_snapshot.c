/*
 * src/api/sp_api_snapshot.c
 *
 * Keeping, moving and bringing back what a version was.
 */
#include "server/sp_compat.h"

#include "fmgr.h"
#include "utils/builtins.h"
#include "utils/memutils.h"

#include "api/sp_arguments.h"
#include "api/sp_model_ref.h"
#include "api/sp_snapshot_version.h"
#include "auth/sp_permission.h"
#include "ops/sp_snapshot_file.h"
#include "registry/sp_registry.h"

PG_FUNCTION_INFO_V1(smartpouch_snapshot_model);
PG_FUNCTION_INFO_V1(smartpouch_drop_snapshot);
PG_FUNCTION_INFO_V1(smartpouch_export_snapshot);
PG_FUNCTION_INFO_V1(smartpouch_import_snapshot);
PG_FUNCTION_INFO_V1(smartpouch_restore_snapshot);
PG_FUNCTION_INFO_V1(smartpouch_sign_snapshot);

Datum
smartpouch_snapshot_model(PG_FUNCTION_ARGS)
{
	text	   *ref;
	SpResolved	resolved;

	sp_require_argument(fcinfo, 0, "ref");
	ref = PG_GETARG_TEXT_PP(0);
	sp_model_ref(ref, SP_MAY_DEPLOY, &resolved);
	PG_RETURN_INT64(sp_registry_snapshot(&resolved.rows,
										 PG_ARGISNULL(1) ? NULL : text_to_cstring(PG_GETARG_TEXT_PP(1))));
}

/*
 * The snapshot in the first argument, for a caller who has the right on its
 * model, or had it when the model was dropped.  The latest state is read, so
 * that the same statement may have made it.
 */
static void
find_snapshot(FunctionCallInfo fcinfo, uint32 bit, SpSnapshotRow *row)
{
	SpModelRow	model;

	sp_registry_find_snapshot(PG_GETARG_INT64(0), NULL, row);
	if (!sp_registry_find_model_by_id(&row->version.model_id, NULL, &model))
	{
		memset(&model, 0, sizeof(model));
		model.id = row->version.model_id;
		strlcpy(model.name, row->model, sizeof(model.name));
		model.owner_oid = row->owner_oid;
		strlcpy(model.owner_cluster, row->owner_cluster, sizeof(model.owner_cluster));
	}
	/* it may have another name by now, and its old one be another's */
	strlcpy(row->model, model.name, sizeof(row->model));
	sp_permission_require(&model, bit);
}

/* Its parts with their bytes, which are checked; they must still be what was kept. */
static void
load_parts(const SpSnapshotRow *row, SpSnapshotParts *parts)
{
	const SpVersionRow *version = &row->version;
	uint8		identity[SP_SHA256_SIZE];

	parts->content.bytes = sp_snapshot_content(row->content, &parts->content.size);
	sp_sha256(parts->content.bytes, parts->content.size, parts->content.sha256);
	memcpy(parts->program.sha256, version->program, SP_SHA256_SIZE);
	memcpy(parts->artifact.sha256, version->artifact, SP_SHA256_SIZE);
	sp_snapshot_identity(parts->content.sha256, version->program, version->artifact, identity);
	if (memcmp(identity, row->sha256, SP_SHA256_SIZE) != 0)
		ereport(ERROR,
				(errcode(ERRCODE_DATA_CORRUPTED),
				 errmsg("snapshot " INT64_FORMAT " of model \"%s\" is damaged", row->id, row->model)));
	parts->program.size = (Size) version->program_bytes;
	parts->program.bytes = sp_registry_blob(version->program, version->program_bytes, NULL, CurrentMemoryContext);
	parts->artifact.size = (Size) version->artifact_bytes;
	parts->artifact.bytes = sp_registry_blob(version->artifact, version->artifact_bytes, NULL, CurrentMemoryContext);
}

Datum
smartpouch_export_snapshot(PG_FUNCTION_ARGS)
{
	SpSnapshotRow row;
	SpSnapshotParts parts;

	find_snapshot(fcinfo, SP_MAY_READ, &row);
	load_parts(&row, &parts);
	PG_RETURN_BYTEA_P(sp_snapshot_file_write(&parts));
}

Datum
smartpouch_drop_snapshot(PG_FUNCTION_ARGS)
{
	sp_require_arguments(fcinfo);

	SpSnapshotRow row;

	find_snapshot(fcinfo, SP_MAY_OWN, &row);
	sp_registry_drop_snapshot(&row);
	PG_RETURN_VOID();
}

Datum
smartpouch_sign_snapshot(PG_FUNCTION_ARGS)
{
	sp_require_arguments(fcinfo);

	SpSnapshotRow row;
	char	   *signature;

	find_snapshot(fcinfo, SP_MAY_DEPLOY, &row);
	signature = sp_snapshot_sign(row.sha256);
	sp_registry_set_snapshot_signature(row.id, signature);
	PG_RETURN_TEXT_P(cstring_to_text(signature));
}

Datum
smartpouch_restore_snapshot(PG_FUNCTION_ARGS)
{
	sp_require_arguments(fcinfo);

	SpSnapshotRow row;
	SpSnapshotParts parts;

	find_snapshot(fcinfo, SP_MAY_DEPLOY, &row);
	load_parts(&row, &parts);
	PG_RETURN_INT32(sp_snapshot_add_version(row.model, row.content, &parts, sp_snapshot_origin(row.content, row.sha256)));
}

Datum
smartpouch_import_snapshot(PG_FUNCTION_ARGS)
{
	SpSnapshotParts parts;
	uint8		identity[SP_SHA256_SIZE];
	bytea	   *file;
	Jsonb	   *content;
	char	   *name;

	sp_require_argument(fcinfo, 0, "bytes");
	file = PG_GETARG_BYTEA_PP(0);
	sp_snapshot_file_read(VARDATA_ANY(file), VARSIZE_ANY_EXHDR(file), &parts);
	sp_snapshot_identity(parts.content.sha256, parts.program.sha256, parts.artifact.sha256, identity);
	sp_snapshot_check_signature(identity, PG_ARGISNULL(2) ? NULL : text_to_cstring(PG_GETARG_TEXT_PP(2)));
	content = sp_snapshot_parse(&parts.content);
	if (PG_ARGISNULL(1))
	{
		name = sp_snapshot_text(content, "model");
		sp_name_check(name, "model");
	}
	else
		name = sp_name_argument(fcinfo, 1, "name", "model");
	PG_RETURN_INT32(sp_snapshot_add_version(name, content, &parts, sp_snapshot_origin(content, identity)));
}
