/*
 * src/api/sp_gate.c
 */
#include "server/sp_compat.h"

#include <math.h>

#include "common/shortest_dec.h"
#include "datatype/timestamp.h"
#include "miscadmin.h"
#include "utils/builtins.h"
#include "utils/timestamp.h"

#include "api/sp_features_internal.h"
#include "api/sp_call_site.h"
#include "api/sp_gate.h"
#include "api/sp_golden.h"
#include "api/sp_result.h"
#include "server/sp_jsonb.h"

#define HINT_RULE "A rule has any of golden, evaluations, served and second_person: see doc/reference.md, set_gate."

static void SP_NORETURN
refuse_rule(const char *why)
{
	ereport(ERROR,
			(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
			 errmsg("invalid rule of a gate: %s", why),
			 errhint(HINT_RULE)));
}

/* ---- reading a rule ---- */

/* What one entry of "evaluations" asks for. */
typedef struct Bound
{
	char	   *dataset;
	char	  **path;			/* of the metric */
	int			depth;
	double		min;			/* -Infinity for none */
	double		max;
} Bound;

typedef struct Rule
{
	bool		golden;
	bool		second_person;
	double		served;			/* seconds; 0: not asked */
	Bound	   *bounds;
	int			n_bounds;
} Rule;

static void
read_metric(const JsonbValue *value, Bound *bound)
{
	JsonbContainer *array = sp_jsonb_array(value);

	if (value != NULL && value->type == jbvString)
	{
		bound->path = palloc(sizeof(char *));
		bound->path[0] = sp_jsonb_text(value);
		bound->depth = 1;
		return;
	}
	if (array == NULL || JsonContainerSize(array) == 0)
		refuse_rule("an entry of \"evaluations\" names no metric");
	bound->depth = (int) JsonContainerSize(array);
	bound->path = palloc(mul_size((Size) bound->depth, sizeof(char *)));
	for (int i = 0; i < bound->depth; i++)
	{
		JsonbValue *name = getIthJsonbValueFromContainer(array, (uint32) i);

		if (name->type != jbvString)
			refuse_rule("a metric is a name or an array of names");
		bound->path[i] = sp_jsonb_text(name);
	}
}

static double
read_limit(JsonbContainer *object, const char *name, double none)
{
	JsonbValue *value = sp_jsonb_member(object, name);
	double		number;

	if (value == NULL)
		return none;
	if (value->type != jbvNumeric || !sp_json_value_number(value, false, &number) || !isfinite(number))
		refuse_rule("the bounds of a metric, min and max, are numbers");
	return number;
}

static void
read_bound(const JsonbValue *value, Bound *bound)
{
	JsonbContainer *object = sp_jsonb_object(value);
	JsonbValue *dataset;
	int			known = 2;

	if (object == NULL)
		refuse_rule("an entry of \"evaluations\" is not an object");
	dataset = sp_jsonb_member(object, "dataset");
	if (dataset == NULL || dataset->type != jbvString)
		refuse_rule("an entry of \"evaluations\" names no data set");
	bound->dataset = sp_jsonb_text(dataset);
	read_metric(sp_jsonb_member(object, "metric"), bound);
	bound->min = read_limit(object, "min", -INFINITY);
	bound->max = read_limit(object, "max", INFINITY);
	known += isfinite(bound->min) + isfinite(bound->max);
	if (known == 2 || bound->min > bound->max)
		refuse_rule("an entry of \"evaluations\" has min, max or both, min not above max");
	if (JsonContainerSize(object) != (uint32) known)
		refuse_rule("an entry of \"evaluations\" has dataset, metric, min and max");
}

static void
read_bounds(const JsonbValue *value, Rule *rule)
{
	JsonbContainer *array = sp_jsonb_array(value);

	if (array == NULL)
		refuse_rule("\"evaluations\" is not an array");
	rule->n_bounds = (int) JsonContainerSize(array);
	rule->bounds = palloc0(mul_size(Max(rule->n_bounds, 1), sizeof(Bound)));
	for (int i = 0; i < rule->n_bounds; i++)
		read_bound(getIthJsonbValueFromContainer(array, (uint32) i), &rule->bounds[i]);
}

static bool
read_true(const JsonbValue *value, const char *name)
{
	if (value->type != jbvBool || !value->val.boolean)
		refuse_rule(psprintf("\"%s\" is true, or left out", name));
	return true;
}

/* A month counts 30 days, as where intervals are compared. */
static double
read_interval(const JsonbValue *value)
{
	Interval   *interval;
	double		seconds;

	if (value->type != jbvString)
		refuse_rule("\"served\" is an interval, such as \"24 hours\"");
	interval = DatumGetIntervalP(DirectFunctionCall3(interval_in, CStringGetDatum(sp_jsonb_text(value)),
													 ObjectIdGetDatum(InvalidOid), Int32GetDatum(-1)));
	seconds = (double) interval->time / USECS_PER_SEC +
		(interval->day + 30.0 * interval->month) * SECS_PER_DAY;
	if (!(seconds > 0))
		refuse_rule("\"served\" is longer than no time");
	return seconds;
}

static void
read_rule(Jsonb *json, Rule *rule)
{
	JsonbIterator *iterator = JsonbIteratorInit(&json->root);
	JsonbValue	value;

	memset(rule, 0, sizeof(*rule));
	if (!JB_ROOT_IS_OBJECT(json) || JB_ROOT_COUNT(json) == 0)
		refuse_rule("it is not an object, or empty");
	(void) JsonbIteratorNext(&iterator, &value, true);
	while (JsonbIteratorNext(&iterator, &value, true) == WJB_KEY)
	{
		char	   *name = sp_jsonb_text(&value);

		(void) JsonbIteratorNext(&iterator, &value, true);
		if (strcmp(name, "golden") == 0)
			rule->golden = read_true(&value, name);
		else if (strcmp(name, "second_person") == 0)
			rule->second_person = read_true(&value, name);
		else if (strcmp(name, "served") == 0)
			rule->served = read_interval(&value);
		else if (strcmp(name, "evaluations") == 0)
			read_bounds(&value, rule);
		else
			refuse_rule(psprintf("\"%s\" is not known", name));
	}
}

void
sp_gate_check_rule(const char *stage, Jsonb *json)
{
	Rule		rule;

	read_rule(json, &rule);
	if (rule.served > 0 && sp_registry_stage_below(stage) == NULL)
		refuse_rule(psprintf("there is no stage below \"%s\" to have served", stage));
}

/* ---- passing ---- */

/* What has been found so far. */
typedef struct Passage
{
	const SpGate *gate;
	JsonbParseState *evidence;	/* an open object */
	StringInfoData failures;	/* sentences */
} Passage;

static void fail(Passage *passage, const char *fmt,...) __attribute__((format(printf, 2, 3)));

static void
fail(Passage *passage, const char *fmt,...)
{
	va_list		args;
	char		sentence[512];

	va_start(args, fmt);
	vsnprintf(sentence, sizeof(sentence), fmt, args);
	va_end(args);
	appendStringInfo(&passage->failures, "%s%s", passage->failures.len > 0 ? "\n" : "", sentence);
}

static void
pass_golden(Passage *passage, const char *model)
{
	SpCallSite *site = sp_call_site_make(CurrentMemoryContext, 1, 0);
	SpGoldenRow *golden;
	int			count;
	int			wrong = 0;

	sp_call_site_use(site, cstring_to_text(psprintf("%s:%d", model, passage->gate->version)));
	if (memcmp(&site->resolved.rows.model.id, &passage->gate->model_id, sizeof(pg_uuid_t)) != 0)
		ereport(ERROR,
				(errcode(ERRCODE_T_R_SERIALIZATION_FAILURE),
				 errmsg("the name \"%s\" was given to another model meanwhile", model)));
	golden = sp_registry_golden(&site->resolved.rows, NULL, &count);
	for (int i = 0; i < count; i++)
	{
		char	   *mismatch;

		CHECK_FOR_INTERRUPTS();
		mismatch = sp_golden_mismatch(&site->binder, golden[i].features, golden[i].expected, golden[i].tolerance);
		if (mismatch != NULL && wrong++ == 0)
			fail(passage, "golden: row %d does not match: %s.", golden[i].seq, mismatch);
	}
	if (count == 0)
		fail(passage, "golden: the version has no golden rows.");
	else if (wrong > 1)
		fail(passage, "golden: %d of %d rows do not match.", wrong, count);
	sp_json_number_member(&passage->evidence, "golden_rows", count);
}

/* The number at the end of the path; false if there is none. */
static bool
find_metric(Jsonb *metrics, const Bound *bound, double *number)
{
	JsonbContainer *object = &metrics->root;

	for (int i = 0; i < bound->depth; i++)
	{
		JsonbValue *value = JsonContainerIsObject(object) ? sp_jsonb_member(object, bound->path[i]) : NULL;

		if (value == NULL)
			return false;
		if (i == bound->depth - 1)
			return value->type == jbvNumeric && sp_json_value_number(value, false, number);
		if (value->type != jbvBinary)
			return false;
		object = value->val.binary.data;
	}
	return false;
}

static char *
metric_name(const Bound *bound)
{
	StringInfoData name;

	initStringInfo(&name);
	for (int i = 0; i < bound->depth; i++)
		appendStringInfo(&name, "%s%s", i > 0 ? "." : "", bound->path[i]);
	return name.data;
}

static void
pass_bound(Passage *passage, const Bound *bound)
{
	Jsonb	   *metrics = sp_registry_newest_evaluation(passage->gate, bound->dataset);
	char	   *name = metric_name(bound);
	double		number;

	if (metrics == NULL)
	{
		fail(passage, "evaluations: nothing is recorded of data set \"%s\".", bound->dataset);
		return;
	}
	if (!find_metric(metrics, bound, &number))
	{
		fail(passage, "evaluations: the newest of data set \"%s\" has no number %s.", bound->dataset, name);
		return;
	}
	if (number < bound->min)
		fail(passage, "evaluations: %s on data set \"%s\" is %s, %s below the %s that is asked.", name,
			 bound->dataset, double_to_shortest_decimal(number), double_to_shortest_decimal(bound->min - number),
			 double_to_shortest_decimal(bound->min));
	if (number > bound->max)
		fail(passage, "evaluations: %s on data set \"%s\" is %s, %s above the %s that is allowed.", name,
			 bound->dataset, double_to_shortest_decimal(number), double_to_shortest_decimal(number - bound->max),
			 double_to_shortest_decimal(bound->max));
	(void) pushJsonbValue(&passage->evidence, WJB_BEGIN_OBJECT, NULL);
	sp_json_key(&passage->evidence, "dataset");
	sp_json_server_string(&passage->evidence, WJB_VALUE, bound->dataset);
	sp_json_key(&passage->evidence, "metric");
	sp_json_server_string(&passage->evidence, WJB_VALUE, name);
	sp_json_number_member(&passage->evidence, "value", number);
	(void) pushJsonbValue(&passage->evidence, WJB_END_OBJECT, NULL);
}

static void
pass_bounds(Passage *passage, const Rule *rule)
{
	sp_json_key(&passage->evidence, "evaluations");
	(void) pushJsonbValue(&passage->evidence, WJB_BEGIN_ARRAY, NULL);
	for (int i = 0; i < rule->n_bounds; i++)
		pass_bound(passage, &rule->bounds[i]);
	(void) pushJsonbValue(&passage->evidence, WJB_END_ARRAY, NULL);
}

static void
pass_served(Passage *passage, double asked, const char *stage)
{
	char	   *below = sp_registry_stage_below(stage);
	double		served = below ? sp_registry_seconds_served(passage->gate, below) : 0;

	if (below == NULL)
		fail(passage, "served: there is no stage below.");
	else if (served < asked)
		fail(passage, "served: in stage \"%s\" it has served %.0f seconds of %.0f, %.0f are left.",
			 below, floor(served), asked, ceil(asked - served));
	sp_json_number_member(&passage->evidence, "served_seconds", floor(served));
}

static void
pass_second_person(Passage *passage)
{
	bool		is_promoter;
	char	   *importer = sp_registry_importer(passage->gate, &is_promoter);

	if (importer == NULL)
		fail(passage, "second_person: the history does not say who imported the version.");
	else if (is_promoter)
		fail(passage, "second_person: \"%s\" has imported the version; somebody else must promote it.",
			 GetUserNameFromId(passage->gate->promoter, false));
	sp_json_key(&passage->evidence, "imported_by");
	if (importer != NULL)
		sp_json_server_string(&passage->evidence, WJB_VALUE, importer);
	else
		sp_json_null(&passage->evidence, WJB_VALUE);
}

Jsonb *
sp_gate_pass(const SpGate *gate, const char *model, const char *stage)
{
	Passage		passage = {.gate = gate};
	Rule		rule;

	read_rule(gate->rule, &rule);
	initStringInfo(&passage.failures);
	(void) pushJsonbValue(&passage.evidence, WJB_BEGIN_OBJECT, NULL);
	if (rule.golden)
		pass_golden(&passage, model);
	if (rule.n_bounds > 0)
		pass_bounds(&passage, &rule);
	if (rule.served > 0)
		pass_served(&passage, rule.served, stage);
	if (rule.second_person)
		pass_second_person(&passage);
	if (passage.failures.len > 0)
		ereport(ERROR,
				(errcode(ERRCODE_OBJECT_NOT_IN_PREREQUISITE_STATE),
				 errmsg("version %d of model \"%s\" does not pass the gate of stage \"%s\"",
						gate->version, model, stage),
				 errdetail("%s", passage.failures.data),
				 errhint("The view smartpouch.gates shows the rules.")));
	return JsonbValueToJsonb(pushJsonbValue(&passage.evidence, WJB_END_OBJECT, NULL));
}
