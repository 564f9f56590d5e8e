/*
 * src/api/sp_features.c
 *
 * Binding arrays and jsonb.  Rows are in sp_features_row.c, single values in
 * sp_features_store.c.
 */
#include "server/sp_compat.h"

#include <math.h>

#include "access/htup_details.h"
#include "access/tupmacs.h"
#include "access/transam.h"
#include "catalog/pg_type.h"
#include "mb/pg_wchar.h"
#include "utils/builtins.h"
#include "utils/float.h"
#include "utils/lsyscache.h"
#include "utils/typcache.h"

#include "api/sp_features.h"
#include "api/sp_features_internal.h"
#include "api/sp_result.h"

/* Features named in one message. */
#define LIST_LENGTH 200

const char *
sp_feature_name(const SpBinder *binder, uint32 feature)
{
	return binder->names ? binder->names[feature] :
		sp_image_string(binder->image, sp_image_features(binder->image)[feature].name);
}

/* Models speak UTF-8; columns, keys and messages are in the database's encoding. */
static void
convert_names(SpBinder *binder)
{
	MemoryContext old = MemoryContextSwitchTo(binder->mcx);
	const char **names = palloc(mul_size(binder->n_features, sizeof(char *)));

	for (uint32 i = 0; i < binder->n_features; i++)
		names[i] = sp_from_utf8(sp_feature_name(binder, i));
	binder->names = names;
	MemoryContextSwitchTo(old);
}

void
sp_binder_init(SpBinder *binder, MemoryContext mcx, const SpImage *image,
			   SpEval *eval, const char *subject)
{
	memset(binder, 0, sizeof(*binder));
	binder->mcx = mcx;
	binder->image = image;
	binder->eval = eval;
	binder->subject = subject;
	binder->n_features = image->n_features;
	if (image->n_inputs == 1 && sp_image_values(image)[0].type == SP_TYPE_F32 && !image->maps_numbers)
		binder->single = sp_eval_input(eval, 0);
	if (GetDatabaseEncoding() != PG_UTF8)
		convert_names(binder);
}

/* The server's own types are what they are; the plan of a row type tells by itself. */
void
sp_binder_resume(SpBinder *binder)
{
	binder->row_number = 0;
	if (binder->argtype >= FirstGenbkiObjectId && !sp_row_type_is_planned(binder, binder->argtype))
		binder->kind = SP_FEATURES_UNKNOWN;
}

bool
sp_is_number_type(Oid type)
{
	return type == FLOAT4OID || type == FLOAT8OID || type == INT4OID || type == INT2OID ||
		type == INT8OID || type == NUMERICOID;
}

double
sp_number_of(Oid type, Datum datum)
{
	switch (type)
	{
		case FLOAT4OID:
			return DatumGetFloat4(datum);
		case FLOAT8OID:
			return DatumGetFloat8(datum);
		case INT2OID:
			return DatumGetInt16(datum);
		case INT4OID:
			return DatumGetInt32(datum);
		case INT8OID:
			return (double) DatumGetInt64(datum);
		case BOOLOID:
			return DatumGetBool(datum) ? 1 : 0;
		case NUMERICOID:
			return DatumGetFloat8(DirectFunctionCall1(numeric_float8_no_overflow, datum));
		default:
			elog(ERROR, "unexpected type %u of a number", type);
	}
}

/* "a", "b", "c" and 4 more */
char *
sp_feature_list(const SpBinder *binder, const uint32 *features, uint32 count)
{
	StringInfoData list;

	initStringInfo(&list);
	for (uint32 i = 0; i < Min(count, LIST_LENGTH); i++)
		appendStringInfo(&list, "%s\"%s\"", i > 0 ? ", " : "",
						 sp_feature_name(binder, features ? features[i] : i));
	if (count > LIST_LENGTH)
		appendStringInfo(&list, " and %u more", count - LIST_LENGTH);
	return list.data;
}

void
sp_refuse_length(const SpBinder *binder, int64 length)
{
	ereport(ERROR,
			(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
			 errmsg("%s needs %u features, the array has " INT64_FORMAT,
					binder->subject, binder->n_features, length),
			 errdetail("The features are %s.", sp_feature_list(binder, NULL, binder->n_features)),
			 errhint("Pass them in this order, or pass a row or a jsonb object to bind them by name.")));
}

void
sp_copy_floats(SpBinder *binder, const char *from, int n, uint32 row)
{
	float	   *target = binder->single + (Size) row * binder->n_features;
	bool		finite = true;

	memcpy(target, from, (Size) n * sizeof(float));
	for (int i = 0; i < n; i++)
		finite &= isfinite(target[i]) != 0;
	binder->suspicious |= !finite;
}

const char *
sp_bind_elements(SpBinder *binder, Oid element, const char *elements, const bits8 *nulls,
				 int offset, int n, uint32 row, bool *has_missing)
{
	int16		typlen;
	bool		typbyval;
	char		typalign;

	if (element == FLOAT4OID && nulls == NULL && binder->single != NULL)
	{
		/* the common case, as fast as it can be */
		sp_copy_floats(binder, elements, n, row);
		*has_missing |= sp_finish_row(binder, row);
		return elements + (Size) n * sizeof(float);
	}
	get_typlenbyvalalign(element, &typlen, &typbyval, &typalign);
	for (int i = 0; i < n; i++)
	{
		if (nulls != NULL && (nulls[(offset + i) / 8] & (1 << ((offset + i) % 8))) == 0)
			sp_store_number(binder, row, i, get_float8_nan());
		else
		{
			sp_store_number(binder, row, i, sp_number_of(element, fetch_att(elements, typbyval, typlen)));
			elements = att_addlength_pointer(elements, typlen, elements);
			elements = (const char *) att_align_nominal(elements, typalign);
		}
	}
	*has_missing |= sp_finish_row(binder, row);
	return elements;
}

static bool
bind_array(SpBinder *binder, ArrayType *array, uint32 row)
{
	int			n = ArrayGetNItems(ARR_NDIM(array), ARR_DIMS(array));
	bool		has_missing = false;

	if (ARR_NDIM(array) > 1 && sp_refuse(binder))
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
				 errmsg("features must be a one-dimensional array, this one has %d dimensions",
						ARR_NDIM(array)),
				 errhint("predict_batch() takes a two-dimensional array, one row after the other.")));
	if ((uint32) n != binder->n_features && sp_refuse(binder))
		sp_refuse_length(binder, n);
	if (binder->refused)
		return false;
	(void) sp_bind_elements(binder, binder->element, ARR_DATA_PTR(array), ARR_NULLBITMAP(array),
							0, n, row, &has_missing);
	return has_missing;
}

/* An array as it stands after its length. */
typedef struct ArrayHead
{
	int32		ndim;
	int32		dataoffset;
	Oid			elemtype;
	int32		dim;
	int32		lbound;
} ArrayHead;

StaticAssertDecl(VARHDRSZ + sizeof(ArrayHead) == ARR_OVERHEAD_NONULLS(1), "an array of one dimension and no NULLs");

/*
 * Arrays of up to 126 bytes have a short length in tables, and nothing after it
 * is aligned: the server would copy them.  Those that are all of what the model
 * wants are read in place; false for others.
 */
static bool
bind_short_array(SpBinder *binder, struct varlena *array, uint32 row, bool *has_missing)
{
	ArrayHead	head;
	Size		size = VARSIZE_ANY_EXHDR(array);

	if (!VARATT_IS_SHORT(array) || binder->single == NULL || size < sizeof(head))
		return false;
	memcpy(&head, VARDATA_ANY(array), sizeof(head));
	if (head.ndim != 1 || head.dataoffset != 0 || head.elemtype != FLOAT4OID ||
		(uint32) head.dim != binder->n_features || size != sizeof(head) + (Size) head.dim * sizeof(float4))
		return false;
	(void) sp_bind_elements(binder, FLOAT4OID, VARDATA_ANY(array) + sizeof(head), NULL, 0, head.dim, row, has_missing);
	return true;
}

static bool
bind_array_datum(SpBinder *binder, Datum features, uint32 row)
{
	struct varlena *array = PG_DETOAST_DATUM_PACKED(features);
	bool		has_missing = false;

	return bind_short_array(binder, array, row, &has_missing) ? has_missing :
		bind_array(binder, DatumGetArrayTypeP(PointerGetDatum(array)), row);
}

bool
sp_json_value_number(const JsonbValue *value, bool special, double *number)
{
	static const struct
	{
		const char *text;
		double		number;
	}			specials[] = {
		{"NaN", NAN}, {"Infinity", INFINITY}, {"-Infinity", -INFINITY}, {"-0", -0.0}
	};

	switch (value->type)
	{
		case jbvNull:
			*number = NAN;
			return true;
		case jbvBool:
			*number = value->val.boolean ? 1 : 0;
			return true;
		case jbvNumeric:
			*number = sp_number_of(NUMERICOID, NumericGetDatum(value->val.numeric));
			return true;
		case jbvString:
			for (Size i = 0; special && i < lengthof(specials); i++)
			{
				if ((Size) value->val.string.len == strlen(specials[i].text) &&
					memcmp(value->val.string.val, specials[i].text, value->val.string.len) == 0)
				{
					*number = specials[i].number;
					return true;
				}
			}
			return false;
		default:
			return false;
	}
}

/* A string that stands for a number where a category of that name could stand. */
static bool
is_special_number(const SpBinder *binder, uint32 feature, const JsonbValue *value)
{
	double		number;

	return sp_feature_takes_numbers(binder, feature) && sp_json_value_number(value, true, &number) &&
		!sp_feature_knows_text(binder, feature, value->val.string.val, value->val.string.len);
}

static void
store_jsonb(SpBinder *binder, uint32 row, uint32 feature, const JsonbValue *value)
{
	double		number;

	if (value->type == jbvString && sp_feature_takes_text(binder, feature) &&
		!(binder->special_numbers && is_special_number(binder, feature, value)))
	{
		sp_store_text(binder, row, feature, value->val.string.val, value->val.string.len);
		return;
	}
	if (sp_json_value_number(value, binder->special_numbers, &number))
		sp_store_number(binder, row, feature, number);
	else if (sp_refuse(binder))
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
				 errmsg("feature \"%s\" of %s must be a number, not %s",
						sp_feature_name(binder, feature), binder->subject,
						value->type == jbvString ? "a string" : "an object or array")));
}

static void
bind_jsonb_object(SpBinder *binder, JsonbContainer *object, uint32 row)
{
	uint32	   *missing = NULL;
	uint32		n_missing = 0;

	for (uint32 feature = 0; feature < binder->n_features; feature++)
	{
		const char *name = sp_feature_name(binder, feature);
		JsonbValue	value;

		if (getKeyJsonValueFromContainer(object, name, strlen(name), &value) != NULL)
			store_jsonb(binder, row, feature, &value);
		else
		{
			if (missing == NULL)
				missing = palloc(mul_size(binder->n_features, sizeof(uint32)));
			missing[n_missing++] = feature;
		}
	}
	if (n_missing > 0 && sp_refuse(binder))
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
				 errmsg("the object has no key for %u of the %u features of %s",
						n_missing, binder->n_features, binder->subject),
				 errdetail("Missing: %s.", sp_feature_list(binder, missing, n_missing)),
				 errhint("A value that is not known is given as null.")));
}

bool
sp_bind_jsonb(SpBinder *binder, Jsonb *features, uint32 row)
{
	JsonbContainer *root = &features->root;

	if (JsonContainerIsScalar(root))
	{
		if (sp_refuse(binder))
			ereport(ERROR,
					(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
					 errmsg("features must be a jsonb object or array")));
	}
	else if (JsonContainerIsObject(root))
		bind_jsonb_object(binder, root, row);
	else if (JsonContainerSize(root) != binder->n_features)
	{
		if (sp_refuse(binder))
			sp_refuse_length(binder, JsonContainerSize(root));
	}
	else
	{
		for (uint32 feature = 0; feature < binder->n_features; feature++)
		{
			JsonbValue *value = getIthJsonbValueFromContainer(root, feature);

			store_jsonb(binder, row, feature, value);
			pfree(value);
		}
	}
	/* what is in the rest of a refused row does not matter */
	return !binder->refused && sp_finish_row(binder, row);
}

static void
make_plan(SpBinder *binder, Oid argtype)
{
	Oid			base = OidIsValid(argtype) ? getBaseType(argtype) : InvalidOid;
	Oid			element = OidIsValid(base) ? get_element_type(base) : InvalidOid;

	binder->kind = SP_FEATURES_UNKNOWN;
	if (OidIsValid(element) && sp_is_number_type(getBaseType(element)))
	{
		binder->kind = SP_FEATURES_ARRAY;
		binder->element = getBaseType(element);
	}
	else if (base == JSONBOID)
		binder->kind = SP_FEATURES_JSONB;
	else if (OidIsValid(base) && type_is_rowtype(base))
		binder->kind = SP_FEATURES_ROW;
	else
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
				 errmsg("features cannot be of type %s",
						OidIsValid(argtype) ? format_type_be(argtype) : "unknown"),
				 errhint("Pass an array of numbers, a row, or jsonb.")));
	binder->argtype = argtype;
}

/* Fill a row with features of the type that is planned. */
static bool
bind_planned(SpBinder *binder, Datum features, uint32 row)
{
	binder->suspicious = false;
	binder->refused = false;
	switch (binder->kind)
	{
		case SP_FEATURES_ARRAY:
			return bind_array_datum(binder, features, row);
		case SP_FEATURES_ROW:
			return sp_bind_row(binder, DatumGetHeapTupleHeader(features), row);
		case SP_FEATURES_JSONB:
			return sp_bind_jsonb(binder, DatumGetJsonbP(features), row);
		case SP_FEATURES_UNKNOWN:
			break;
	}
	elog(ERROR, "features were not planned");
}

bool
sp_bind(SpBinder *binder, Oid argtype, Datum features, uint32 row)
{
	binder->quiet = false;
	if (binder->kind == SP_FEATURES_UNKNOWN || argtype != binder->argtype)
		make_plan(binder, argtype);
	return bind_planned(binder, features, row);
}

bool
sp_bind_try(SpBinder *binder, Oid argtype, Datum features, uint32 row, bool *has_missing)
{
	bool		is_first = binder->kind == SP_FEATURES_UNKNOWN || argtype != binder->argtype;

	if (is_first)
		make_plan(binder, argtype);
	binder->quiet = true;
	if (binder->kind == SP_FEATURES_ROW && !is_first && !sp_row_is_planned(binder, DatumGetHeapTupleHeader(features)))
		return false;
	*has_missing |= bind_planned(binder, features, row);
	return !binder->refused;
}
