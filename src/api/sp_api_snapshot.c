/*
 * src/api/sp_api_snapshot.c
 *
 * Keeping, moving and bringing back what a version was.
 */
#include "server/sp_compat.h"

#include "fmgr.h"
#include "mb/pg_wchar.h"
#include "utils/builtins.h"
#include "utils/memutils.h"

#include "api/sp_arguments.h"
#include "api/sp_import_options.h"
#include "api/sp_model_ref.h"
#include "api/sp_new_version.h"
#include "auth/sp_permission.h"
#include "import/sp_import.h"
#include "ir/sp_model.h"
#include "ops/sp_snapshot_file.h"
#include "registry/sp_registry.h"
#include "server/sp_error.h"
#include "server/sp_memory.h"

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

/* ---- from a snapshot to a version ---- */

static void SP_NORETURN
refuse_content(const char *why)
{
	ereport(ERROR,
			(errcode(ERRCODE_INVALID_BINARY_REPRESENTATION),
			 errmsg("the snapshot describes no version: %s", why)));
}

static const JsonbValue *
member(Jsonb *content, const char *name, enum jbvType type)
{
	JsonbValue *value = getKeyJsonValueFromContainer(&content->root, name, (int) strlen(name), NULL);

	if (value == NULL || value->type != type)
		refuse_content(psprintf("\"%s\" is missing or of another type", name));
	return value;
}

static char *
text_member(Jsonb *content, const char *name)
{
	const JsonbValue *value = member(content, name, jbvString);

	return pnstrdup(value->val.string.val, value->val.string.len);
}

static Jsonb *
array_member(Jsonb *content, const char *name)
{
	const JsonbValue *value = member(content, name, jbvBinary);

	if (!JsonContainerIsArray(value->val.binary.data))
		refuse_content(psprintf("\"%s\" is not an array", name));
	return JsonbValueToJsonb(unconstify(JsonbValue *, value));
}

static void
push_member(JsonbParseState **state, Jsonb *content, const char *name)
{
	JsonbValue	key = {
		.type = jbvString, .val.string = {.val = unconstify(char *, name), .len = (int) strlen(name)}
	};
	JsonbValue *value = getKeyJsonValueFromContainer(&content->root, name, (int) strlen(name), NULL);

	if (value == NULL)
		refuse_content(psprintf("\"%s\" is missing", name));
	(void) pushJsonbValue(state, WJB_KEY, &key);
	(void) pushJsonbValue(state, WJB_VALUE, value);
}

/* What was given with the import, read and checked as then. */
static void
read_options(Jsonb *content, const SpModel *model, SpImportOptions *options)
{
	JsonbParseState *state = NULL;
	int			n_defaults = 0;

	(void) pushJsonbValue(&state, WJB_BEGIN_OBJECT, NULL);
	push_member(&state, content, "golden");
	push_member(&state, content, "on_missing");
	sp_import_options(JsonbValueToJsonb(pushJsonbValue(&state, WJB_END_OBJECT, NULL)), options);
	for (uint32 i = 0; i < model->n_features; i++)
		n_defaults += model->features[i].has_default;
	if (options->on_missing != model->on_missing || options->n_defaults != n_defaults)
		refuse_content("its \"on_missing\" is not that of the program");
}

/*
 * What the row says of the model is read from the stored form, by the same
 * checks as when it is loaded, and not from what the content says of it.
 */
static int32
add_version(const char *name, Jsonb *content, const SpSnapshotParts *parts, const char *origin)
{
	MemoryContext work = AllocSetContextCreate(CurrentMemoryContext, "smartpouch snapshot",
											   ALLOCSET_DEFAULT_SIZES);
	MemoryContext old = MemoryContextSwitchTo(work);
	char	   *format = text_member(content, "source_format");
	SpNewVersion version = {0};
	SpImportOptions options;
	SpContext	cx;
	SpModel    *model;
	int32		number;

	if (sp_format_by_name((SpStr) {format, strlen(format)}) == SP_FORMAT_UNKNOWN)
		refuse_content("its source format is not known");
	sp_context_init(&cx, work);
	sp_context_bound(&cx, parts->program.size);
	if (sp_model_read(&cx, parts->program.bytes, parts->program.size, &model) != SP_OK)
		sp_raise(&cx, "the snapshot");
	read_options(content, model, &options);
	sp_new_version(&cx, name, model, &options, &version);
	version.program = parts->program.bytes;
	version.program_bytes = parts->program.size;
	version.artifact = parts->artifact.bytes;
	version.artifact_bytes = parts->artifact.size;
	version.source_format = format;
	version.evaluations = array_member(content, "evaluations");
	version.origin = origin;
	MemoryContextSwitchTo(old);
	number = sp_registry_add_version(name, &version);
	MemoryContextDelete(work);
	return number;
}

static char *
origin_of(Jsonb *content, const uint8 identity[SP_SHA256_SIZE])
{
	const JsonbValue *version = member(content, "version", jbvNumeric);

	return psprintf("snapshot %.16s of model \"%s\" version %s", sp_hash_hex(identity),
					text_member(content, "model"),
					DatumGetCString(DirectFunctionCall1(numeric_out, NumericGetDatum(version->val.numeric))));
}

Datum
smartpouch_restore_snapshot(PG_FUNCTION_ARGS)
{
	sp_require_arguments(fcinfo);

	SpSnapshotRow row;
	SpSnapshotParts parts;

	find_snapshot(fcinfo, SP_MAY_DEPLOY, &row);
	load_parts(&row, &parts);
	PG_RETURN_INT32(add_version(row.model, row.content, &parts, origin_of(row.content, row.sha256)));
}

static Jsonb *
parse_content(const SpBytes *content)
{
	char	   *text = pg_any_to_server(content->bytes, (int) content->size, PG_UTF8);
	Jsonb	   *parsed;

	if (strlen(text) == 0 || memchr(content->bytes, '\0', content->size) != NULL)
		refuse_content("its content is not text");
	parsed = DatumGetJsonbP(DirectFunctionCall1(jsonb_in, CStringGetDatum(text)));
	if (!JB_ROOT_IS_OBJECT(parsed))
		refuse_content("its content is not an object");
	return parsed;
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
	content = parse_content(&parts.content);
	if (PG_ARGISNULL(1))
	{
		name = text_member(content, "model");
		sp_name_check(name, "model");
	}
	else
		name = sp_name_argument(fcinfo, 1, "name", "model");
	PG_RETURN_INT32(add_version(name, content, &parts, origin_of(content, identity)));
}
