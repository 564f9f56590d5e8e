/*
 * src/api/sp_import_options.c
 */
#include "server/sp_compat.h"

#include <math.h>

#include "mb/pg_wchar.h"
#include "utils/builtins.h"

#include "api/sp_features_internal.h"
#include "api/sp_import_options.h"
#include "api/sp_result.h"
#include "server/sp_jsonb.h"

static void
refuse_golden(const char *why)
{
	ereport(ERROR,
			(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
			 errmsg("invalid import option \"golden\": %s", why),
			 errhint("It is an array of objects with features, expected and, if it shall not be 1e-6, tolerance.")));
}

static Jsonb *
member(JsonbContainer *object, const char *name)
{
	JsonbValue *value = sp_jsonb_member(object, name);

	if (value == NULL)
		refuse_golden(psprintf("a row has no \"%s\"", name));
	return JsonbValueToJsonb(value);
}

/* A name written wrong would silently be another row than the one meant. */
static void
check_members(JsonbContainer *object)
{
	JsonbIterator *iterator = JsonbIteratorInit(object);
	JsonbValue	value;

	(void) JsonbIteratorNext(&iterator, &value, true);
	while (JsonbIteratorNext(&iterator, &value, true) == WJB_KEY)
	{
		char	   *name = sp_jsonb_text(&value);

		if (strcmp(name, "features") != 0 && strcmp(name, "expected") != 0 && strcmp(name, "tolerance") != 0)
			refuse_golden(psprintf("a row has an unknown \"%s\"", name));
		(void) JsonbIteratorNext(&iterator, &value, true);
	}
}

static void
read_golden_row(const JsonbValue *value, SpGoldenRow *row)
{
	JsonbContainer *object = sp_jsonb_object(value);
	JsonbValue *tolerance;

	if (object == NULL)
		refuse_golden("a row is not an object");
	check_members(object);
	row->features = member(object, "features");
	row->expected = member(object, "expected");
	row->tolerance = SP_DEFAULT_TOLERANCE;
	tolerance = sp_jsonb_member(object, "tolerance");
	if (tolerance != NULL &&
		(tolerance->type != jbvNumeric || !sp_json_value_number(tolerance, false, &row->tolerance) ||
		 !isfinite(row->tolerance) || row->tolerance < 0))
		refuse_golden("a tolerance is not a number of 0 or more");
}

static void
read_golden(const JsonbValue *value, SpImportOptions *parsed)
{
	JsonbContainer *array = sp_jsonb_array(value);

	if (array == NULL)
		refuse_golden("it is not an array");
	parsed->n_golden = (int) JsonContainerSize(array);
	parsed->golden = palloc0(mul_size(Max(parsed->n_golden, 1), sizeof(SpGoldenRow)));
	for (int i = 0; i < parsed->n_golden; i++)
		read_golden_row(getIthJsonbValueFromContainer(array, (uint32) i), &parsed->golden[i]);
}

/* A whole number of least (0 or 1) or more. */
static uint32
read_count(const char *name, const JsonbValue *value, int least)
{
	double		number;

	if (value->type != jbvNumeric || !sp_json_value_number(value, false, &number) ||
		number < least || number > PG_INT32_MAX || number != floor(number))
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
				 errmsg("import option \"%s\" must be %s", name,
						least > 0 ? "a positive integer" : "an integer of 0 or more")));
	return (uint32) number;
}

static bool
read_boolean(const char *name, const JsonbValue *value)
{
	if (value->type != jbvBool)
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
				 errmsg("import option \"%s\" must be true or false", name)));
	return value->val.boolean;
}

static bool
json_is(const JsonbValue *value, const char *text)
{
	return value->type == jbvString && (Size) value->val.string.len == strlen(text) &&
		memcmp(value->val.string.val, text, value->val.string.len) == 0;
}

/* A string of jsonb in UTF-8, as models are. */
static SpStr
utf8_of(const JsonbValue *value)
{
	char	   *text = sp_jsonb_text(value);

	text = pg_server_to_any(text, (int) strlen(text), PG_UTF8);
	return (SpStr) {text, strlen(text)};
}

static void
read_default(const JsonbValue *value, SpDefault *made)
{
	made->is_text = value->type == jbvString;
	if (made->is_text)
		made->text = utf8_of(value);
	else if (value->type == jbvNull || !sp_json_value_number(value, false, &made->number))
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
				 errmsg("invalid default value of feature \"%s\" in import option \"on_missing\"",
						sp_from_utf8(made->feature.data)),
				 errhint("It is a number, or for a category a string; a feature that is not named keeps the rule of its source.")));
}

static void
read_defaults(JsonbContainer *object, SpImportOptions *parsed)
{
	JsonbIterator *iterator = JsonbIteratorInit(object);
	JsonbValue	value;

	parsed->defaults = palloc0(mul_size(Max(JsonContainerSize(object), 1), sizeof(SpDefault)));
	(void) JsonbIteratorNext(&iterator, &value, true);
	while (JsonbIteratorNext(&iterator, &value, true) == WJB_KEY)
	{
		SpDefault  *made = &parsed->defaults[parsed->n_defaults++];

		made->feature = utf8_of(&value);
		(void) JsonbIteratorNext(&iterator, &value, true);
		read_default(&value, made);
	}
}

static void
read_on_missing(JsonbValue *value, SpImportOptions *parsed)
{
	if (json_is(value, "error"))
		parsed->on_missing = SP_MISSING_ERROR;
	else if (sp_jsonb_object(value) != NULL)
		read_defaults(sp_jsonb_object(value), parsed);
	else if (!json_is(value, "source"))
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
				 errmsg("unknown value of import option \"on_missing\""),
				 errhint("It is \"source\", \"error\", or an object of default values by feature.")));
	parsed->on_missing_json = JsonbValueToJsonb(value);
}

static SpUnseen
read_on_unseen(const JsonbValue *value)
{
	for (SpUnseen rule = SP_UNSEEN_SOURCE; rule <= SP_UNSEEN_MISSING; rule++)
		if (json_is(value, sp_unseen_name(rule)))
			return rule;
	ereport(ERROR,
			(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
			 errmsg("unknown value of import option \"on_unseen\""),
			 errhint("It is \"source\", \"error\" or \"missing\".")));
}

void
sp_import_options(Jsonb *options, SpImportOptions *parsed)
{
	JsonbIterator *iterator;
	JsonbValue	value;

	memset(parsed, 0, sizeof(*parsed));
	if (options == NULL)
		return;
	if (!JB_ROOT_IS_OBJECT(options))
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
				 errmsg("options must be a jsonb object")));
	iterator = JsonbIteratorInit(&options->root);
	(void) JsonbIteratorNext(&iterator, &value, true);
	while (JsonbIteratorNext(&iterator, &value, true) == WJB_KEY)
	{
		char	   *name = sp_jsonb_text(&value);

		(void) JsonbIteratorNext(&iterator, &value, true);
		if (strcmp(name, "golden") == 0)
			read_golden(&value, parsed);
		else if (strcmp(name, "iterations") == 0)
			parsed->iterations = read_count(name, &value, 1);
		else if (strcmp(name, "start_iteration") == 0)
			parsed->first_iteration = read_count(name, &value, 0);
		else if (strcmp(name, "best_iteration") == 0)
			parsed->best_iteration = read_boolean(name, &value);
		else if (strcmp(name, "on_missing") == 0)
			read_on_missing(&value, parsed);
		else if (strcmp(name, "on_unseen") == 0)
			parsed->on_unseen = read_on_unseen(&value);
		else
			ereport(ERROR,
					(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
					 errmsg("unknown import option \"%s\"", name),
					 errhint("Options are golden, start_iteration, iterations, best_iteration, on_missing and on_unseen.")));
	}
}
