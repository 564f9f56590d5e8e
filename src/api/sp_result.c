/*
 * src/api/sp_result.c
 */
#include "server/sp_compat.h"

#include <math.h>

#include "catalog/pg_type.h"
#include "common/shortest_dec.h"
#include "mb/pg_wchar.h"
#include "utils/array.h"
#include "utils/builtins.h"
#include "utils/fmgrprotos.h"
#include "utils/numeric.h"

#include "api/sp_result.h"
#include "server/sp_guc.h"

/* The server says which bytes; what to do about them is said here. */
static void
add_hint(void *arg)
{
	(void) arg;
	errhint("A text of the model cannot be written in the encoding of this database, %s: give features and labels other names"
			" (feature_names and labels of import_model()), or use a database in UTF8.", GetDatabaseEncodingName());
}

const char *
sp_from_utf8_sized(const char *utf8, int size)
{
	ErrorContextCallback context = {.previous = error_context_stack, .callback = add_hint};
	const char *converted;

	error_context_stack = &context;
	converted = pg_any_to_server(utf8, size, PG_UTF8);
	error_context_stack = context.previous;
	return converted;
}

const char *
sp_from_utf8(const char *utf8)
{
	return sp_from_utf8_sized(utf8, (int) strlen(utf8));
}

text *
sp_text_from_utf8(const char *utf8)
{
	return cstring_to_text(sp_from_utf8(utf8));
}

void
sp_evaluate(SpEval *eval, uint32 rows, uint32 wanted, bool has_missing, const char *subject)
{
	SpStatus	status;

	sp_eval_use(eval, sp_guc_simd());
	status = sp_eval_run(eval, rows, wanted, has_missing);
	if (unlikely(status == SP_ERR_CANCELLED))
		PG_RE_THROW();
	if (unlikely(status != SP_OK))
		elog(ERROR, "evaluating %s failed with status %d", subject, status);
}

Datum
sp_output_array(const SpEval *eval, SpOutput output, uint32 row)
{
	SpType		type;
	uint32_t	width;
	Size		size;
	ArrayType  *array;
	float8	   *elements;

	(void) sp_eval_output(eval, output, &type, &width);
	/* built in place: construct_array would want an array of Datums first */
	size = add_size(ARR_OVERHEAD_NONULLS(1), mul_size(width, sizeof(float8)));
	array = palloc(size);
	SET_VARSIZE(array, size);
	array->ndim = 1;
	array->dataoffset = 0;
	array->elemtype = FLOAT8OID;
	ARR_DIMS(array)[0] = (int) width;
	ARR_LBOUND(array)[0] = 1;
	elements = (float8 *) ARR_DATA_PTR(array);
	for (uint32 i = 0; i < width; i++)
		elements[i] = sp_eval_output_number(eval, output, row, i);
	return PointerGetDatum(array);
}

Datum
sp_text_array(const char **strings, uint32 count)
{
	Datum	   *elements = palloc(mul_size(Max(count, 1), sizeof(Datum)));

	for (uint32 i = 0; i < count; i++)
		elements[i] = PointerGetDatum(sp_text_from_utf8(strings[i]));
	return PointerGetDatum(construct_array(elements, (int) count, TEXTOID, -1, false, TYPALIGN_INT));
}

void
sp_json_server_string(JsonbParseState **state, JsonbIteratorToken token, const char *text)
{
	JsonbValue	value = {
		.type = jbvString,
		.val.string = {.val = unconstify(char *, text), .len = (int) strlen(text)}
	};

	(void) pushJsonbValue(state, token, &value);
}

void
sp_json_string(JsonbParseState **state, JsonbIteratorToken token, const char *utf8)
{
	sp_json_server_string(state, token, sp_from_utf8(utf8));
}

void
sp_json_key(JsonbParseState **state, const char *utf8)
{
	sp_json_string(state, WJB_KEY, utf8);
}

void
sp_json_numeric(JsonbParseState **state, JsonbIteratorToken token, const char *decimal)
{
	Datum		numeric = DirectFunctionCall3(numeric_in, CStringGetDatum(decimal),
											  ObjectIdGetDatum(InvalidOid), Int32GetDatum(-1));
	JsonbValue	value = {.type = jbvNumeric, .val.numeric = DatumGetNumeric(numeric)};

	(void) pushJsonbValue(state, token, &value);
}

void
sp_json_number(JsonbParseState **state, JsonbIteratorToken token, double number)
{
	/* by the shortest text that reads back the same: float8_numeric keeps 15 digits only */
	if (isfinite(number))
		sp_json_numeric(state, token, double_to_shortest_decimal(number));
	else
		sp_json_null(state, token);
}

void
sp_json_number_member(JsonbParseState **state, const char *utf8, double number)
{
	sp_json_key(state, utf8);
	sp_json_number(state, WJB_VALUE, number);
}

void
sp_json_integer(JsonbParseState **state, JsonbIteratorToken token, int64 number)
{
	JsonbValue	value = {.type = jbvNumeric, .val.numeric = int64_to_numeric(number)};

	(void) pushJsonbValue(state, token, &value);
}

void
sp_json_bool(JsonbParseState **state, JsonbIteratorToken token, bool boolean)
{
	JsonbValue	value = {.type = jbvBool, .val.boolean = boolean};

	(void) pushJsonbValue(state, token, &value);
}

void
sp_json_null(JsonbParseState **state, JsonbIteratorToken token)
{
	JsonbValue	value = {.type = jbvNull};

	(void) pushJsonbValue(state, token, &value);
}
