/*
 * src/api/sp_golden.c
 */
#include "server/sp_compat.h"

#include <math.h>

#include "common/shortest_dec.h"
#include "miscadmin.h"
#include "utils/builtins.h"
#include "utils/numeric.h"

#include "api/sp_features_internal.h"
#include "api/sp_golden.h"
#include "api/sp_result.h"
#include "server/sp_jsonb.h"
#include "server/sp_memory.h"

static SP_NORETURN void
refuse_expected(const SpBinder *binder, const char *what)
{
	ereport(ERROR,
			(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
			 errmsg("cannot compare %s of %s", what, binder->subject),
			 errdetail("Expected is an object with any of the outputs that the model has: value, label, probabilities, raw.")));
}

static bool
agree(double got, double expected, double tolerance)
{
	if (isnan(got) || isnan(expected))
		return isnan(got) && isnan(expected);
	if (isinf(got) || isinf(expected))
		return got == expected;
	return fabs(got - expected) <= tolerance * Max(1.0, fabs(expected));
}

static char *
difference(const char *what, double got, double expected)
{
	return psprintf("%s is %s, expected %s", what, double_to_shortest_decimal(got), double_to_shortest_decimal(expected));
}

/* One element of an output against one JSON value. */
static char *
compare_number(const SpBinder *binder, SpOutput output, uint32 column, const JsonbValue *expected,
			   double tolerance, const char *what)
{
	double		got = sp_eval_output_number(binder->eval, output, 0, column);
	double		want;

	if (expected->type == jbvBool || !sp_json_value_number(expected, true, &want))
		refuse_expected(binder, what);
	return agree(got, want, tolerance) ? NULL : difference(what, got, want);
}

/* A vector as an array, or by label as an object. */
static char *
compare_vector(const SpBinder *binder, SpOutput output, const JsonbValue *expected, double tolerance)
{
	const SpImage *image = binder->image;
	JsonbContainer *container = expected->val.binary.data;
	SpType		type;
	uint32_t	width;
	bool		by_label;

	if (expected->type != jbvBinary)
		refuse_expected(binder, sp_output_name(output));
	(void) sp_eval_output(binder->eval, output, &type, &width);
	by_label = JsonContainerIsObject(container);
	if (JsonContainerSize(container) != width || (by_label && output != SP_OUTPUT_PROBABILITIES))
		refuse_expected(binder, sp_output_name(output));
	for (uint32 i = 0; i < width; i++)
	{
		const char *label = by_label ? sp_from_utf8(sp_image_label(image, i)) : NULL;
		const char *what = by_label ? psprintf("probability of \"%s\"", label) :
			psprintf("%s[%u]", sp_output_name(output), i + 1);
		JsonbValue *element = by_label ?
			sp_jsonb_member(container, label) :
			getIthJsonbValueFromContainer(container, i);
		char	   *mismatch;

		if (element == NULL)
			refuse_expected(binder, what);
		mismatch = compare_number(binder, output, i, element, tolerance, what);
		if (mismatch != NULL)
			return mismatch;
	}
	return NULL;
}

static char *
compare_label(const SpBinder *binder, const JsonbValue *expected)
{
	uint32		label = (uint32) sp_eval_output_number(binder->eval, SP_OUTPUT_LABEL, 0, 0);
	const char *got = sp_from_utf8(sp_image_label(binder->image, label));
	const char *want;

	if (expected->type == jbvString)
		want = sp_jsonb_text(expected);
	else if (expected->type == jbvNumeric)
		want = numeric_normalize(expected->val.numeric);
	else
		refuse_expected(binder, "the label");
	return strcmp(got, want) == 0 ? NULL : psprintf("label is \"%s\", expected \"%s\"", got, want);
}

/* The output that a key of expected is about; raises for keys that are none of the model's outputs. */
static SpOutput
output_of_key(const SpBinder *binder, const JsonbValue *key)
{
	char	   *name = sp_jsonb_text(key);

	for (int output = 0; output < SP_N_OUTPUTS; output++)
		if (strcmp(name, sp_output_name(output)) == 0 &&
			binder->image->outputs[output] != SP_NO_VALUE)
			return output;
	refuse_expected(binder, psprintf("\"%s\"", name));
	pg_unreachable();
}

static char *
compare_output(const SpBinder *binder, SpOutput output, const JsonbValue *expected, double tolerance)
{
	SpType		type;
	uint32_t	width;

	switch (output)
	{
		case SP_OUTPUT_LABEL:
			return compare_label(binder, expected);
		case SP_OUTPUT_VALUE:
			(void) sp_eval_output(binder->eval, output, &type, &width);
			if (expected->type != jbvBinary && width == 1)
				return compare_number(binder, output, 0, expected, tolerance, "value");
			return compare_vector(binder, output, expected, tolerance);
		case SP_OUTPUT_PROBABILITIES:
		case SP_OUTPUT_RAW:
			return compare_vector(binder, output, expected, tolerance);
	}
	return NULL;
}

static void
evaluate(SpBinder *binder, Jsonb *features)
{
	bool		missing;

	binder->special_numbers = true;
	missing = sp_bind_jsonb(binder, features, 0);
	binder->special_numbers = false;
	sp_evaluate(binder->eval, 1, sp_image_outputs(binder->image), missing, binder->subject);
}

char *
sp_golden_mismatch(SpBinder *binder, Jsonb *features, Jsonb *expected, double tolerance)
{
	JsonbIterator *iterator;
	JsonbIteratorToken token;
	JsonbValue	value;

	if (!JB_ROOT_IS_OBJECT(expected) || JB_ROOT_COUNT(expected) == 0)
		refuse_expected(binder, "outputs");
	evaluate(binder, features);
	iterator = JsonbIteratorInit(&expected->root);
	(void) JsonbIteratorNext(&iterator, &value, true);
	while ((token = JsonbIteratorNext(&iterator, &value, true)) == WJB_KEY)
	{
		SpOutput	output = output_of_key(binder, &value);
		char	   *mismatch;

		(void) JsonbIteratorNext(&iterator, &value, true);
		mismatch = compare_output(binder, output, &value, tolerance);
		if (mismatch != NULL)
			return mismatch;
	}
	return NULL;
}

static void
say_golden_row(void *arg)
{
	errcontext("golden row %lld", (long long) ((const SpBinder *) arg)->row_number);
}

const SpGoldenRow *
sp_golden_first_mismatch(const SpImage *image, const char *subject, const SpGoldenRow *rows, int count, char **mismatch)
{
	SpBinder	binder;
	SpEval	   *eval;
	ErrorContextCallback context = {.previous = error_context_stack, .callback = say_golden_row, .arg = &binder};
	const SpGoldenRow *found = NULL;

	*mismatch = NULL;
	if (count == 0)
		return NULL;
	eval = sp_eval_init(sp_palloc_aligned(CurrentMemoryContext, sp_eval_size(image, 1), SP_IMAGE_ALIGN), image, 1,
						sp_interrupted, NULL);
	sp_binder_init(&binder, CurrentMemoryContext, image, eval, subject);
	error_context_stack = &context;
	for (int i = 0; i < count && found == NULL; i++)
	{
		CHECK_FOR_INTERRUPTS();
		binder.row_number = i + 1;
		*mismatch = sp_golden_mismatch(&binder, rows[i].features, rows[i].expected, rows[i].tolerance);
		if (*mismatch != NULL)
			found = &rows[i];
	}
	error_context_stack = context.previous;
	return found;
}
