/*
 * src/api/sp_api_model.c
 *
 * The life of models in the registry.
 */
#include "server/sp_compat.h"

#include "fmgr.h"
#include "utils/builtins.h"
#include "utils/memutils.h"

#include "api/sp_arguments.h"
#include "api/sp_model_ref.h"
#include "registry/sp_registry.h"
#include "server/sp_snapshot.h"

PG_FUNCTION_INFO_V1(smartpouch_model_artifact);
PG_FUNCTION_INFO_V1(smartpouch_rename_model);
PG_FUNCTION_INFO_V1(smartpouch_set_owner);
PG_FUNCTION_INFO_V1(smartpouch_reassign_models);
PG_FUNCTION_INFO_V1(smartpouch_rollback);
PG_FUNCTION_INFO_V1(smartpouch_drop_deployment);
PG_FUNCTION_INFO_V1(smartpouch_set_stages);
PG_FUNCTION_INFO_V1(smartpouch_set_alias);
PG_FUNCTION_INFO_V1(smartpouch_drop_alias);
PG_FUNCTION_INFO_V1(smartpouch_drop_version);
PG_FUNCTION_INFO_V1(smartpouch_drop_model);

Datum
smartpouch_model_artifact(PG_FUNCTION_ARGS)
{
	text	   *ref = PG_GETARG_TEXT_PP(0);
	SpResolved	resolved;
	const SpModelRow *model;
	const SpVersionRow *version;
	bytea	   *result;
	char	   *bytes;
	Size		size;

	sp_model_ref(ref, SP_MAY_READ, &resolved);
	model = &resolved.rows.model;
	version = &resolved.rows.version;
	size = (Size) version->artifact_bytes;
	if (size > MaxAllocSize - VARHDRSZ)
		ereport(ERROR,
				(errcode(ERRCODE_PROGRAM_LIMIT_EXCEEDED),
				 errmsg("the file of model \"%s\" has %zu bytes and does not fit one value",
						model->name, size)));
	bytes = sp_registry_blob(version->artifact, version->artifact_bytes,
							 sp_active_snapshot(), CurrentMemoryContext);
	result = palloc(size + VARHDRSZ);
	SET_VARSIZE(result, size + VARHDRSZ);
	memcpy(VARDATA(result), bytes, size);
	pfree(bytes);
	PG_RETURN_BYTEA_P(result);
}

Datum
smartpouch_rename_model(PG_FUNCTION_ARGS)
{
	sp_require_arguments(fcinfo);

	char	   *old = sp_name_argument(fcinfo, 0, "old", "model");
	char	   *new = sp_name_argument(fcinfo, 1, "new", "model");

	sp_registry_rename(old, new);
	PG_RETURN_VOID();
}

Datum
smartpouch_set_owner(PG_FUNCTION_ARGS)
{
	sp_require_arguments(fcinfo);

	sp_registry_set_owner(sp_name_argument(fcinfo, 0, "model", "model"), PG_GETARG_OID(1));
	PG_RETURN_VOID();
}

Datum
smartpouch_reassign_models(PG_FUNCTION_ARGS)
{
	sp_require_arguments(fcinfo);

	PG_RETURN_INT32(sp_registry_reassign(PG_GETARG_OID(0), PG_GETARG_OID(1)));
}

/* Notes are optional everywhere. */
static char *
note_argument(FunctionCallInfo fcinfo, int arg)
{
	return PG_ARGISNULL(arg) ? NULL : text_to_cstring(PG_GETARG_TEXT_PP(arg));
}

Datum
smartpouch_rollback(PG_FUNCTION_ARGS)
{
	char	   *model = sp_name_argument(fcinfo, 0, "model", "model");
	char	   *stage = sp_name_argument(fcinfo, 1, "stage", "stage");

	PG_RETURN_INT32(sp_registry_rollback(model, stage, note_argument(fcinfo, 2)));
}

Datum
smartpouch_drop_deployment(PG_FUNCTION_ARGS)
{
	char	   *model = sp_name_argument(fcinfo, 0, "model", "model");
	char	   *stage = sp_name_argument(fcinfo, 1, "stage", "stage");

	sp_registry_drop_deployment(model, stage, note_argument(fcinfo, 2));
	PG_RETURN_VOID();
}

Datum
smartpouch_set_stages(PG_FUNCTION_ARGS)
{
	int			count;
	const char **stages = sp_names_argument(fcinfo, 0, "stages", "stage", &count);

	sp_registry_set_stages(stages, count);
	PG_RETURN_VOID();
}

Datum
smartpouch_set_alias(PG_FUNCTION_ARGS)
{
	sp_require_arguments(fcinfo);

	char	   *model = sp_name_argument(fcinfo, 0, "model", "model");
	char	   *alias = sp_name_argument(fcinfo, 1, "alias", "alias");

	sp_registry_set_alias(model, alias, PG_GETARG_INT32(2));
	PG_RETURN_VOID();
}

Datum
smartpouch_drop_alias(PG_FUNCTION_ARGS)
{
	sp_require_arguments(fcinfo);

	char	   *model = sp_name_argument(fcinfo, 0, "model", "model");
	char	   *alias = sp_name_argument(fcinfo, 1, "alias", "alias");

	sp_registry_drop_alias(model, alias);
	PG_RETURN_VOID();
}

Datum
smartpouch_drop_version(PG_FUNCTION_ARGS)
{
	sp_require_arguments(fcinfo);

	text	   *ref = PG_GETARG_TEXT_PP(0);
	SpResolved	resolved;

	sp_model_ref(ref, SP_MAY_OWN, &resolved);
	sp_registry_drop_version(&resolved.rows);
	PG_RETURN_VOID();
}

Datum
smartpouch_drop_model(PG_FUNCTION_ARGS)
{
	sp_require_arguments(fcinfo);

	sp_registry_drop_model(sp_name_argument(fcinfo, 0, "name", "model"));
	PG_RETURN_VOID();
}
