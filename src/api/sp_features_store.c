/*
 * src/api/sp_features_store.c
 *
 * Storing single values into the evaluator: categories, missing values and
 * what a version's policies make of them.
 *
 * Values are stored first and looked at afterwards: a NaN or infinity only
 * sets a flag on the way, and the rare row that has one is searched for what
 * to replace or to complain about.
 */
#include "server/sp_compat.h"

#include <math.h>

#include "mb/pg_wchar.h"
#include "utils/float.h"

#include "api/sp_features_internal.h"
#include "api/sp_result.h"
#include "base/sp_city_hash.h"

/* Categories named in one message. */
#define LIST_LENGTH 20

static const SpImageFeature *
feature_info(const SpBinder *binder, uint32 feature)
{
	return &sp_image_features(binder->image)[feature];
}

/* The element of the evaluator that a feature fills, for every shape of inputs. */
static void *
feature_place(const SpBinder *binder, uint32 feature, uint32 row)
{
	const SpImageFeature *info = feature_info(binder, feature);
	const SpImageValue *value = &sp_image_values(binder->image)[info->input];
	Size		size = value->row_bytes / value->width;

	return (char *) sp_eval_input(binder->eval, info->input) +
		((Size) row * value->width + info->column) * size;
}

/* " in row 7", or nothing for a row that is alone. */
static const char *
where(const SpBinder *binder)
{
	return binder->row_number > 0 ? psprintf(" in row " INT64_FORMAT, binder->row_number) : "";
}

/* Errors */

static void
refuse_missing(SpBinder *binder, uint32 feature)
{
	const SpImageFeature *info = feature_info(binder, feature);
	const char *what = info->unseen == SP_UNSEEN_MISSING && (info->kind != SP_CATEGORIES_NONE ||
															info->type == SP_TYPE_STRING) ?
		"The value is NULL, NaN or a category that the model does not know" : "The value is NULL or NaN";
	bool		is_policy = binder->image->on_missing == SP_MISSING_ERROR;

	if (sp_refuse(binder))
		ereport(ERROR,
				(errcode(ERRCODE_NULL_VALUE_NOT_ALLOWED),
				 errmsg("feature \"%s\" of %s is missing%s", sp_feature_name(binder, feature), binder->subject,
						where(binder)),
				 is_policy ? errdetail("%s, and this version was imported with on_missing \"error\".", what) :
				 errdetail("%s, and the model has no rule for missing values of this feature.", what),
				 is_policy ? errhint("Fill it in before the prediction.") :
				 errhint("Fill it in before the prediction, as the training did, or import the model with a default value for the feature (option on_missing).")));
}

static void
refuse_infinite(SpBinder *binder, uint32 feature)
{
	if (sp_refuse(binder))
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
				 errmsg("feature \"%s\" of %s is infinite%s", sp_feature_name(binder, feature), binder->subject,
						where(binder)),
				 errdetail("The value is infinite or does not fit %s, and the library that trained the model refuses such input.",
						   sp_type_name(feature_info(binder, feature)->type))));
}

/* The first categories of a list, or NULL where nobody could read them. */
static const char *
categories_of(const SpBinder *binder, uint32 feature)
{
	const SpImageFeature *info = feature_info(binder, feature);
	const void *entries = sp_image_at(binder->image, info->categories);
	StringInfoData list;

	if (info->type == SP_TYPE_STRING || info->kind == SP_CATEGORIES_HASH)
		return NULL;
	initStringInfo(&list);
	for (uint32 i = 0; i < Min(info->n_categories, LIST_LENGTH); i++)
	{
		if (i > 0)
			appendStringInfoString(&list, ", ");
		if (info->kind == SP_CATEGORIES_TEXT)
			appendStringInfo(&list, "\"%s\"",
							 sp_from_utf8(sp_image_string(binder->image, ((const SpImageCategory *) entries)[i].text)));
		else
			appendStringInfo(&list, "%.15g", ((const SpImageNumber *) entries)[i].value);
	}
	if (info->n_categories > LIST_LENGTH)
		appendStringInfo(&list, " and %u more", info->n_categories - LIST_LENGTH);
	return list.data;
}

static void
refuse_unseen(SpBinder *binder, uint32 feature, const char *category)
{
	const char *known = categories_of(binder, feature);
	bool		is_policy = binder->image->on_unseen == SP_UNSEEN_ERROR;

	if (sp_refuse(binder))
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
				 errmsg("feature \"%s\" of %s cannot be %s%s", sp_feature_name(binder, feature), binder->subject,
						category, where(binder)),
				 known ? errdetail("The categories of the feature are %s.", known) :
				 errdetail("The model does not know this category."),
				 is_policy ? errhint("This version was imported with on_unseen \"error\".") :
				 errhint("The library that trained the model refuses it too; option on_unseen of import_model() can make it a missing value.")));
}

/* The number that stands for a category that is in no list, where that is no error. */
static double
unseen_place(SpUnseen rule)
{
	return rule == SP_UNSEEN_MISSING ? get_float8_nan() : -1;
}

/* Has the source a rule for a missing value of this feature, and the version no other wish? */
static bool
may_be_missing(const SpBinder *binder, uint32 feature)
{
	return feature_info(binder, feature)->accepts_missing && binder->image->on_missing == SP_MISSING_SOURCE;
}

/* Numbers */

static void
store_float(SpBinder *binder, uint32 row, uint32 feature, double number)
{
	void	   *place = feature_place(binder, feature, row);

	if (feature_info(binder, feature)->type == SP_TYPE_F32)
	{
		*(float *) place = (float) number;
		binder->suspicious |= !isfinite((float) number);
	}
	else
	{
		*(double *) place = number;
		binder->suspicious |= !isfinite(number);
	}
}

/* For a feature whose input has no form of a missing value. */
static void
store_missing(SpBinder *binder, uint32 row, uint32 feature)
{
	const SpImageFeature *info = feature_info(binder, feature);
	int64		number = info->type == SP_TYPE_STRING ? -1 : 0;

	if (info->has_default)
		number = (int64) info->default_value;
	else if (!may_be_missing(binder, feature))
		refuse_missing(binder, feature);
	/* without a default, a feature that may be missing is read by nobody */
	*(int64_t *) feature_place(binder, feature, row) = number;
}

static void
store_integer(SpBinder *binder, uint32 row, uint32 feature, double number)
{
	int64_t    *place = feature_place(binder, feature, row);

	if (isnan(number))
	{
		store_missing(binder, row, feature);
		return;
	}
	if (number == rint(number) && number >= -9223372036854775808.0 && number < 9223372036854775808.0)
		*place = (int64_t) number;
	else if (sp_refuse(binder))
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
				 errmsg("feature \"%s\" of %s must be an integer",
						sp_feature_name(binder, feature), binder->subject)));
}

/* A category is text; only a missing one comes as a number, NaN. */
static void
store_no_text(SpBinder *binder, uint32 row, uint32 feature, double number)
{
	if (isnan(number))
	{
		store_missing(binder, row, feature);
		return;
	}
	if (sp_refuse(binder))
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
				 errmsg("feature \"%s\" of %s must be text, not a number",
						sp_feature_name(binder, feature), binder->subject),
				 errhint("Pass a row or jsonb; an array of numbers has no text.")));
}

/* The place of an integer's text; a double holds integers below 2^53 without a gap. */
static int64
hashed_number(SpBinder *binder, uint32 feature, double number)
{
	char		digits[SP_DECIMAL_SIZE];

	if (fabs(number) < 9007199254740992.0 && sp_integer_text(number, digits))
		return sp_image_find_text(binder->image, feature_info(binder, feature), digits, strlen(digits));
	if (sp_refuse(binder))
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
				 errmsg("feature \"%s\" of %s must be a text or an integer of at most 53 bits%s",
						sp_feature_name(binder, feature), binder->subject, where(binder)),
				 errhint("The feature is a category; cast the value to text.")));
	return -1;
}

/* What the model computes with for a number that is a category. */
static double
category_number(SpBinder *binder, uint32 feature, double number)
{
	const SpImageFeature *info = feature_info(binder, feature);
	bool		is_code = info->kind == SP_CATEGORIES_TEXT || info->kind == SP_CATEGORIES_CODE;
	int64		place;

	if (isnan(number) || (is_code && info->unseen_number == SP_UNSEEN_SOURCE))
		return number;
	place = info->kind == SP_CATEGORIES_HASH ? hashed_number(binder, feature, number) :
		sp_image_find_number(binder->image, info, number);
	if (place < 0 && info->unseen_number == SP_UNSEEN_ERROR)
		refuse_unseen(binder, feature, psprintf("%.15g", number));
	if (place < 0)
		return unseen_place((SpUnseen) info->unseen_number);
	return is_code ? number : (double) place;
}

void
sp_store_number(SpBinder *binder, uint32 row, uint32 feature, double number)
{
	const SpImageFeature *info;

	if (likely(binder->single != NULL))
	{
		float		rounded = (float) number;

		binder->single[(Size) row * binder->n_features + feature] = rounded;
		binder->suspicious |= !isfinite(rounded);
		return;
	}
	info = feature_info(binder, feature);
	switch ((SpType) info->type)
	{
		case SP_TYPE_F32:
		case SP_TYPE_F64:
			if (info->kind != SP_CATEGORIES_NONE)
				number = category_number(binder, feature, number);
			store_float(binder, row, feature, number);
			break;
		case SP_TYPE_I64:
			store_integer(binder, row, feature, number);
			break;
		case SP_TYPE_STRING:
			store_no_text(binder, row, feature, number);
			break;
	}
}

/* Texts */

bool
sp_feature_takes_text(const SpBinder *binder, uint32 feature)
{
	const SpImageFeature *info = feature_info(binder, feature);

	return info->type == SP_TYPE_STRING || info->kind == SP_CATEGORIES_TEXT || info->kind == SP_CATEGORIES_HASH;
}

bool
sp_feature_takes_numbers(const SpBinder *binder, uint32 feature)
{
	return feature_info(binder, feature)->type != SP_TYPE_STRING;
}

/* The place of a text in the database's encoding; -1 if the model does not know it. */
static int64
find_text(const SpBinder *binder, uint32 feature, const char *bytes, Size size)
{
	const SpImageFeature *info = feature_info(binder, feature);

	if (GetDatabaseEncoding() != PG_UTF8)
	{
		char	   *utf8 = pg_server_to_any(bytes, (int) size, PG_UTF8);

		if (utf8 != bytes)
		{
			bytes = utf8;
			size = strlen(utf8);
		}
	}
	return info->type == SP_TYPE_STRING ? sp_image_category(binder->image, bytes, size) :
		sp_image_find_text(binder->image, info, bytes, size);
}

bool
sp_feature_knows_text(const SpBinder *binder, uint32 feature, const char *bytes, Size size)
{
	return find_text(binder, feature, bytes, size) >= 0;
}

void
sp_store_text(SpBinder *binder, uint32 row, uint32 feature, const char *bytes, Size size)
{
	const SpImageFeature *info = feature_info(binder, feature);
	double		place = (double) find_text(binder, feature, bytes, size);

	if (place < 0 && info->unseen == SP_UNSEEN_ERROR)
		refuse_unseen(binder, feature, psprintf("\"%.*s\"", pg_mbcliplen(bytes, (int) size, 60), bytes));
	if (place < 0)
		place = unseen_place((SpUnseen) info->unseen);
	if (info->type != SP_TYPE_STRING)
		store_float(binder, row, feature, place);
	else if (isnan(place))
		store_missing(binder, row, feature);
	else
		*(int64_t *) feature_place(binder, feature, row) = (int64_t) place;
}

/* Rows */

static double
stored_number(const SpBinder *binder, uint32 row, uint32 feature)
{
	const void *place = feature_place(binder, feature, row);

	switch ((SpType) feature_info(binder, feature)->type)
	{
		case SP_TYPE_F32:
			return *(const float *) place;
		case SP_TYPE_F64:
			return *(const double *) place;
		case SP_TYPE_I64:
		case SP_TYPE_STRING:
			break;
	}
	return 0;
}

bool
sp_finish_row(SpBinder *binder, uint32 row)
{
	bool		missing = false;

	if (likely(!binder->suspicious))
		return false;
	for (uint32 feature = 0; feature < binder->n_features; feature++)
	{
		const SpImageFeature *info = feature_info(binder, feature);
		double		number = stored_number(binder, row, feature);

		if (isnan(number) && info->has_default)
			store_float(binder, row, feature, info->default_value);
		else if (isnan(number))
		{
			missing = true;
			if (!may_be_missing(binder, feature))
				refuse_missing(binder, feature);
		}
		else if (isinf(number) && !binder->image->accepts_infinite)
			refuse_infinite(binder, feature);
	}
	binder->suspicious = false;
	return missing;
}
