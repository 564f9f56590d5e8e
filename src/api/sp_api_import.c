/*
 * src/api/sp_api_import.c
 *
 * Importing and inspecting model files.
 */
#include "server/sp_compat.h"

#include "access/detoast.h"
#include "catalog/pg_type.h"
#include "fmgr.h"
#include "mb/pg_wchar.h"
#include "utils/array.h"
#include "utils/builtins.h"
#include "utils/jsonb.h"
#include "utils/memutils.h"

#include "api/sp_arguments.h"
#include "api/sp_golden.h"
#include "api/sp_import_options.h"
#include "api/sp_new_version.h"
#include "api/sp_result.h"
#include "auth/sp_permission.h"
#include "base/sp_bytes.h"
#include "import/sp_import.h"
#include "ir/sp_pack.h"
#include "ir/sp_row_cost.h"
#include "registry/sp_registry.h"
#include "server/sp_error.h"
#include "server/sp_guc.h"
#include "server/sp_memory.h"

PG_FUNCTION_INFO_V1(smartpouch_import_model);
PG_FUNCTION_INFO_V1(smartpouch_import_upload);
PG_FUNCTION_INFO_V1(smartpouch_inspect_model);
PG_FUNCTION_INFO_V1(smartpouch_upload_begin);
PG_FUNCTION_INFO_V1(smartpouch_upload_chunk);

/* A file and what the caller says about it. */
typedef struct Artifact
{
	const char *bytes;
	Size		size;
	SpFormat	format;
	SpOverrides overrides;
	SpImportOptions options;
} Artifact;

static const char *
format_names(void)
{
	StringInfoData list;

	initStringInfo(&list);
	for (int format = SP_FORMAT_UNKNOWN + 1; format <= SP_FORMAT_LAST; format++)
		appendStringInfo(&list, "%s%s", list.len > 0 ? ", " : "", sp_format_name(format));
	return list.data;
}

static SpFormat
format_argument(FunctionCallInfo fcinfo, int arg)
{
	text	   *name;
	SpFormat	format;

	if (PG_ARGISNULL(arg))
		return SP_FORMAT_UNKNOWN;
	name = PG_GETARG_TEXT_PP(arg);
	format = sp_format_by_name((SpStr) {VARDATA_ANY(name), VARSIZE_ANY_EXHDR(name)});
	if (format == SP_FORMAT_UNKNOWN)
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
				 errmsg("unknown model format \"%s\"", text_to_cstring(name)),
				 errhint("Formats are %s; NULL finds it from the bytes.", format_names())));
	return format;
}

/* A text[] argument as UTF-8 strings; NULL if it is NULL. */
static const SpStr *
strings_argument(FunctionCallInfo fcinfo, int arg, const char *name, uint32 *count)
{
	Datum	   *elements;
	bool	   *nulls;
	int			n;
	SpStr	   *strings;

	*count = 0;
	if (PG_ARGISNULL(arg))
		return NULL;
	if (ARR_NDIM(PG_GETARG_ARRAYTYPE_P(arg)) > 1)
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
				 errmsg("%s must be an array of one dimension", name)));
	deconstruct_array(PG_GETARG_ARRAYTYPE_P(arg), TEXTOID, -1, false, TYPALIGN_INT,
					  &elements, &nulls, &n);
	strings = palloc(mul_size(Max(n, 1), sizeof(SpStr)));
	for (int i = 0; i < n; i++)
	{
		char	   *utf8;

		if (nulls[i])
			ereport(ERROR,
					(errcode(ERRCODE_NULL_VALUE_NOT_ALLOWED),
					 errmsg("element %d of %s is null", i + 1, name)));
		utf8 = TextDatumGetCString(elements[i]);
		utf8 = pg_server_to_any(utf8, strlen(utf8), PG_UTF8);
		strings[i] = (SpStr) {utf8, strlen(utf8)};
	}
	*count = (uint32) n;
	return strings;
}

static void
check_size(Size size)
{
	if (size > (Size) sp_max_model_size * 1024)
		ereport(ERROR,
				(errcode(ERRCODE_PROGRAM_LIMIT_EXCEEDED),
				 errmsg("the model file has %zu bytes, the limit is %d kB", size, sp_max_model_size),
				 errhint("An administrator can raise smartpouch.max_model_size.")));
}

static void
artifact_arguments(FunctionCallInfo fcinfo, int first, Artifact *artifact)
{
	artifact->format = format_argument(fcinfo, first);
	artifact->overrides.feature_names = strings_argument(fcinfo, first + 1, "feature_names",
														 &artifact->overrides.n_feature_names);
	artifact->overrides.labels = strings_argument(fcinfo, first + 2, "labels",
												  &artifact->overrides.n_labels);
	sp_import_options(PG_ARGISNULL(first + 3) ? NULL : PG_GETARG_JSONB_P(first + 3), &artifact->options);
	artifact->overrides.first_iteration = artifact->options.first_iteration;
	artifact->overrides.n_iterations = artifact->options.iterations;
	artifact->overrides.best_iteration = artifact->options.best_iteration;
	artifact->overrides.on_missing = artifact->options.on_missing;
	artifact->overrides.defaults = artifact->options.defaults;
	artifact->overrides.n_defaults = (uint32) artifact->options.n_defaults;
	artifact->overrides.on_unseen = artifact->options.on_unseen;
}

/* Everything the model is made of comes from cx's memory. */
static SpModel *
read_model(SpContext *cx, const Artifact *artifact, SpFormat *format)
{
	SpModel    *model;

	check_size(artifact->size);
	sp_context_bound(cx, artifact->size);
	if (sp_import(cx, artifact->format, artifact->bytes, artifact->size,
				  &artifact->overrides, format, &model) != SP_OK)
		sp_raise(cx, NULL);
	return model;
}

/* Early, so that nobody parses for nothing; what counts is asked again under the model's lock. */
static void
check_owner(const char *name)
{
	SpModelRow	model;

	if (sp_registry_find_model(name, NULL, &model))
		sp_permission_require(&model, SP_MAY_OWN);
}

/*
 * Import in a context of its own, so that the memory of parsing is gone
 * before the statement goes on.
 */
static int32
import(const char *name, const Artifact *artifact)
{
	MemoryContext work = AllocSetContextCreate(CurrentMemoryContext, "smartpouch import",
											   ALLOCSET_DEFAULT_SIZES);
	MemoryContext old = MemoryContextSwitchTo(work);
	SpContext	cx;
	SpFormat	format;
	SpWriter	writer;
	SpNewVersion version = {0};
	int32		number;

	sp_write_check("import_model()");
	check_owner(name);
	sp_context_init(&cx, work);
	SpModel    *model = read_model(&cx, artifact, &format);

	sp_writer_init(&writer, &cx);
	if (sp_model_write(&cx, model, &writer) != SP_OK)
		sp_raise(&cx, NULL);
	sp_new_version(&cx, name, model, &artifact->options, &version);
	version.program = writer.data;
	version.program_bytes = writer.size;
	version.artifact = artifact->bytes;
	version.artifact_bytes = artifact->size;
	version.source_format = sp_format_name(format);
	MemoryContextSwitchTo(old);
	number = sp_registry_add_version(name, &version);
	MemoryContextDelete(work);
	return number;
}

Datum
smartpouch_import_model(PG_FUNCTION_ARGS)
{
	Artifact	artifact = {0};
	char	   *name = sp_name_argument(fcinfo, 0, "name", "model");
	bytea	   *bytes;

	sp_require_argument(fcinfo, 1, "artifact");
	check_size(toast_raw_datum_size(PG_GETARG_DATUM(1)) - VARHDRSZ);
	bytes = PG_GETARG_BYTEA_PP(1);
	artifact.bytes = VARDATA_ANY(bytes);
	artifact.size = VARSIZE_ANY_EXHDR(bytes);
	artifact_arguments(fcinfo, 2, &artifact);
	PG_RETURN_INT32(import(name, &artifact));
}

Datum
smartpouch_upload_begin(PG_FUNCTION_ARGS)
{
	sp_require_arguments(fcinfo);

	PG_RETURN_INT64(sp_registry_upload_begin(sp_name_argument(fcinfo, 0, "name", "model")));
}

Datum
smartpouch_upload_chunk(PG_FUNCTION_ARGS)
{
	sp_require_arguments(fcinfo);

	sp_registry_upload_chunk(PG_GETARG_INT64(0), PG_GETARG_INT32(1), PG_GETARG_DATUM(2));
	PG_RETURN_VOID();
}

Datum
smartpouch_import_upload(PG_FUNCTION_ARGS)
{
	Artifact	artifact = {0};
	char	   *name;
	int64		id;
	int32		number;

	sp_require_argument(fcinfo, 0, "id");
	id = PG_GETARG_INT64(0);
	artifact_arguments(fcinfo, 1, &artifact);
	artifact.bytes = sp_registry_upload_bytes(id, CurrentMemoryContext, &artifact.size, &name);
	number = import(name, &artifact);
	sp_registry_upload_end(id);
	PG_RETURN_INT32(number);
}

/* Categories shown of one feature. */
#define SHOWN_CATEGORIES 100

static void
push_categories(JsonbParseState **state, const SpCategories *categories)
{
	bool		is_text = categories->kind == SP_CATEGORIES_TEXT;

	sp_json_key(state, "n_categories");
	sp_json_integer(state, WJB_VALUE, categories->n);
	sp_json_key(state, "unseen");
	sp_json_string(state, WJB_VALUE, sp_unseen_name(categories->unseen));
	/* nobody reads hashes */
	if (categories->kind == SP_CATEGORIES_HASH)
		return;
	sp_json_key(state, "categories");
	(void) pushJsonbValue(state, WJB_BEGIN_ARRAY, NULL);
	for (uint32 i = 0; i < Min(categories->n, SHOWN_CATEGORIES); i++)
	{
		if (is_text)
			sp_json_string(state, WJB_ELEM, categories->texts[i]);
		else
			sp_json_number(state, WJB_ELEM, categories->numbers[i]);
	}
	(void) pushJsonbValue(state, WJB_END_ARRAY, NULL);
}

static void
push_features(JsonbParseState **state, const SpModel *model)
{
	sp_json_key(state, "features");
	(void) pushJsonbValue(state, WJB_BEGIN_ARRAY, NULL);
	for (uint32 i = 0; i < model->n_features; i++)
	{
		(void) pushJsonbValue(state, WJB_BEGIN_OBJECT, NULL);
		sp_json_key(state, "name");
		sp_json_string(state, WJB_VALUE, model->features[i].name);
		sp_json_key(state, "type");
		sp_json_string(state, WJB_VALUE, sp_feature_type(&model->features[i]));
		if (model->features[i].source_type != NULL)
		{
			sp_json_key(state, "source_type");
			sp_json_string(state, WJB_VALUE, model->features[i].source_type);
		}
		sp_json_key(state, "accepts_missing");
		sp_json_bool(state, WJB_VALUE, model->features[i].accepts_missing);
		if (model->features[i].categories.kind != SP_CATEGORIES_NONE)
			push_categories(state, &model->features[i].categories);
		(void) pushJsonbValue(state, WJB_END_OBJECT, NULL);
	}
	(void) pushJsonbValue(state, WJB_END_ARRAY, NULL);
}

static void
push_labels(JsonbParseState **state, const SpModel *model)
{
	sp_json_key(state, "labels");
	(void) pushJsonbValue(state, WJB_BEGIN_ARRAY, NULL);
	for (uint32 i = 0; i < model->n_labels; i++)
		sp_json_string(state, WJB_ELEM, model->labels[i]);
	(void) pushJsonbValue(state, WJB_END_ARRAY, NULL);
}

static void
push_outputs(JsonbParseState **state, const SpModel *model)
{
	sp_json_key(state, "outputs");
	(void) pushJsonbValue(state, WJB_BEGIN_ARRAY, NULL);
	for (int output = 0; output < SP_N_OUTPUTS; output++)
		if (model->outputs[output] != SP_NO_VALUE)
			sp_json_string(state, WJB_ELEM, sp_output_name(output));
	(void) pushJsonbValue(state, WJB_END_ARRAY, NULL);
}

static void
push_steps(JsonbParseState **state, const SpModel *model)
{
	sp_json_key(state, "steps");
	(void) pushJsonbValue(state, WJB_BEGIN_ARRAY, NULL);
	for (uint32 i = 0; i < model->n_steps; i++)
		sp_json_string(state, WJB_ELEM, sp_op_name(model->steps[i].op));
	(void) pushJsonbValue(state, WJB_END_ARRAY, NULL);
}

static void
push_count(JsonbParseState **state, const char *key, uint64 count)
{
	sp_json_key(state, key);
	sp_json_integer(state, WJB_VALUE, (int64) count);
}

static Datum
model_json(const SpModel *model, SpFormat format, const SpImage *image)
{
	JsonbParseState *state = NULL;

	(void) pushJsonbValue(&state, WJB_BEGIN_OBJECT, NULL);
	sp_json_key(&state, "format");
	sp_json_string(&state, WJB_VALUE, sp_format_name(format));
	sp_json_key(&state, "producer");
	sp_json_string(&state, WJB_VALUE, model->producer);
	sp_json_key(&state, "objective");
	sp_json_string(&state, WJB_VALUE, model->objective);
	sp_json_key(&state, "task");
	sp_json_string(&state, WJB_VALUE, sp_task_name(model->task));
	push_features(&state, model);
	push_labels(&state, model);
	push_outputs(&state, model);
	push_steps(&state, model);
	sp_json_key(&state, "accepts_missing");
	sp_json_bool(&state, WJB_VALUE, model->accepts_missing);
	push_count(&state, "trees", model->n_trees);
	push_count(&state, "nodes", model->n_nodes);
	push_count(&state, "parameters", model->n_parameters);
	push_count(&state, "memory_bytes", image->size);
	push_count(&state, "row_cost_ns", (uint64) sp_row_cost(image));
	return JsonbPGetDatum(JsonbValueToJsonb(pushJsonbValue(&state, WJB_END_OBJECT, NULL)));
}

Datum
smartpouch_inspect_model(PG_FUNCTION_ARGS)
{
	Artifact	artifact = {0};
	SpContext	cx;
	SpFormat	format;
	SpModel    *model;
	SpImage    *image;
	bytea	   *bytes;

	if (PG_ARGISNULL(0))
		PG_RETURN_NULL();
	bytes = PG_GETARG_BYTEA_PP(0);
	artifact.bytes = VARDATA_ANY(bytes);
	artifact.size = VARSIZE_ANY_EXHDR(bytes);
	artifact.format = format_argument(fcinfo, 1);
	sp_context_init(&cx, CurrentMemoryContext);
	model = read_model(&cx, &artifact, &format);
	if (sp_pack(&cx, model, &image) != SP_OK)
		sp_raise(&cx, NULL);
	return model_json(model, format, image);
}
