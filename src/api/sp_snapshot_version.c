/*
 * src/api/sp_snapshot_version.c
 */
#include "server/sp_compat.h"

#include "fmgr.h"
#include "utils/builtins.h"
#include "utils/memutils.h"
#include "utils/numeric.h"

#include "api/sp_import_options.h"
#include "api/sp_new_version.h"
#include "api/sp_result.h"
#include "api/sp_snapshot_version.h"
#include "import/sp_import.h"
#include "ir/sp_model.h"
#include "registry/sp_registry.h"
#include "server/sp_error.h"
#include "server/sp_jsonb.h"
#include "server/sp_memory.h"

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
	JsonbValue *value = sp_jsonb_member(&content->root, name);

	if (value == NULL || value->type != type)
		refuse_content(psprintf("\"%s\" is missing or of another type", name));
	return value;
}

char *
sp_snapshot_text(Jsonb *content, const char *name)
{
	return sp_jsonb_text(member(content, name, jbvString));
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
	JsonbValue *value = sp_jsonb_member(&content->root, name);

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

int32
sp_snapshot_add_version(const char *name, Jsonb *content, const SpSnapshotParts *parts, const char *origin)
{
	MemoryContext work = AllocSetContextCreate(CurrentMemoryContext, "smartpouch snapshot",
											   ALLOCSET_DEFAULT_SIZES);
	MemoryContext old = MemoryContextSwitchTo(work);
	char	   *format = sp_snapshot_text(content, "source_format");
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

char *
sp_snapshot_origin(Jsonb *content, const uint8 identity[SP_SHA256_SIZE])
{
	const JsonbValue *version = member(content, "version", jbvNumeric);

	return psprintf("snapshot %.16s of model \"%s\" version %s", sp_hash_hex(identity),
					sp_snapshot_text(content, "model"),
					DatumGetCString(DirectFunctionCall1(numeric_out, NumericGetDatum(version->val.numeric))));
}

Jsonb *
sp_snapshot_parse(const SpBytes *content)
{
	const char *text = sp_from_utf8_sized((const char *) content->bytes, (int) content->size);
	Jsonb	   *parsed;

	if (strlen(text) == 0 || memchr(content->bytes, '\0', content->size) != NULL)
		refuse_content("its content is not text");
	parsed = DatumGetJsonbP(DirectFunctionCall1(jsonb_in, CStringGetDatum(text)));
	if (!JB_ROOT_IS_OBJECT(parsed))
		refuse_content("its content is not an object");
	return parsed;
}
