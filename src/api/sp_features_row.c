/*
 * src/api/sp_features_row.c
 *
 * Binding rows by column name.
 */
#include "server/sp_compat.h"

#include <math.h>

#include "access/htup_details.h"
#include "access/tupmacs.h"
#include "catalog/pg_type.h"
#include "mb/pg_wchar.h"
#include "utils/builtins.h"
#include "utils/float.h"
#include "utils/hsearch.h"
#include "utils/lsyscache.h"
#include "utils/memutils.h"
#include "utils/typcache.h"

#include "api/sp_features_internal.h"

typedef struct ColumnEntry
{
	char		name[NAMEDATALEN];	/* hash key */
	AttrNumber	number;
	bool		repeated;		/* several columns have this name */
	bool		taken;			/* a feature is bound to it */
} ColumnEntry;

static HTAB *
hash_columns(TupleDesc desc)
{
	HASHCTL		control = {
		.keysize = NAMEDATALEN,
		.entrysize = sizeof(ColumnEntry),
		.hcxt = CurrentMemoryContext
	};
	HTAB	   *columns = hash_create("smartpouch columns", desc->natts, &control,
									  HASH_ELEM | HASH_STRINGS | HASH_CONTEXT);

	for (int i = 0; i < desc->natts; i++)
	{
		Form_pg_attribute attribute = TupleDescAttr(desc, i);
		bool		found;
		ColumnEntry *entry;

		if (attribute->attisdropped)
			continue;
		entry = hash_search(columns, NameStr(attribute->attname), HASH_ENTER, &found);
		entry->repeated = found;
		entry->taken = false;
		if (!found)
			entry->number = attribute->attnum;
	}
	return columns;
}

/* Names that the server itself gives to the columns of an anonymous row. */
static bool
is_anonymous(TupleDesc desc)
{
	return desc->tdtypeid == RECORDOID && desc->natts > 0 &&
		strcmp(NameStr(TupleDescAttr(desc, 0)->attname), "f1") == 0;
}

static void
refuse_columns(const SpBinder *binder, TupleDesc desc, const uint32 *missing, uint32 n_missing)
{
	ereport(ERROR,
			(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
			 errmsg("the row has no column for %u of the %u features of %s",
					n_missing, binder->n_features, binder->subject),
			 errdetail("Missing: %s.", sp_feature_list(binder, missing, n_missing)),
			 is_anonymous(desc) ?
			 errhint("An anonymous ROW(...) has columns f1, f2 and so on. Pass a row of a table or subquery, an array, or jsonb.") :
			 errhint("Rename columns in a subquery, as in SELECT predict('m', t) FROM (SELECT a AS b FROM ...) t.")));
}

/* Types whose values can be categories. */
static bool
is_text_type(Oid type)
{
	return type == TEXTOID || type == VARCHAROID || type == BPCHAROID || type == NAMEOID || type_is_enum(type);
}

static void
check_column_type(const SpBinder *binder, uint32 feature, Oid type)
{
	bool		takes_text = sp_feature_takes_text(binder, feature);
	bool		takes_numbers = sp_feature_takes_numbers(binder, feature);
	bool		fits = (takes_text && is_text_type(type)) ||
		(takes_numbers && (sp_is_number_type(type) || type == BOOLOID));

	if (!fits)
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
				 errmsg("column \"%s\" of type %s cannot be a feature of %s",
						sp_feature_name(binder, feature), format_type_be(type), binder->subject),
				 takes_text ? errhint("The feature is a category; cast the column to text.") :
				 errhint("The feature is a number; cast the column.")));
}

/* A value of one of the types of is_text_type. */
static void
store_text_of(SpBinder *binder, uint32 row, uint32 feature, Oid type, Datum datum)
{
	const char *bytes;
	Size		size;

	if (type == TEXTOID || type == VARCHAROID || type == BPCHAROID)
	{
		text	   *value = DatumGetTextPP(datum);

		bytes = VARDATA_ANY(value);
		size = VARSIZE_ANY_EXHDR(value);
		/* the blanks that char(n) adds are not the caller's */
		if (type == BPCHAROID)
			size = (Size) bpchartruelen(VARDATA_ANY(value), (int) size);
	}
	else
	{
		bytes = type == NAMEOID ? NameStr(*DatumGetName(datum)) :
			DatumGetCString(DirectFunctionCall1(enum_out, datum));
		size = strlen(bytes);
	}
	sp_store_text(binder, row, feature, bytes, size);
}

/* Column names are cut to NAMEDATALEN - 1 bytes by the server; so are features here. */
static ColumnEntry *
find_column(HTAB *columns, const char *feature)
{
	char		name[NAMEDATALEN];

	strlcpy(name, feature, sizeof(name));
	if (strlen(feature) >= NAMEDATALEN)
		name[pg_mbcliplen(feature, strlen(feature), NAMEDATALEN - 1)] = '\0';
	return hash_search(columns, name, HASH_FIND, NULL);
}

static void
check_column_is_one(const SpBinder *binder, uint32 feature, ColumnEntry *column)
{
	if (column->repeated)
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
				 errmsg("the row has several columns \"%s\"", column->name)));
	if (column->taken)
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
				 errmsg("column \"%s\" would be two features of %s", column->name, binder->subject),
				 errdetail("Feature \"%s\" and another one differ only after %d bytes, where column names end.",
						   sp_feature_name(binder, feature), NAMEDATALEN - 1),
				 errhint("Pass an array or jsonb, or import the model with feature_names of at most %d bytes.",
						 NAMEDATALEN - 1)));
	column->taken = true;
}

static void
plan_columns(SpBinder *binder, TupleDesc desc)
{
	HTAB	   *columns = hash_columns(desc);
	uint32	   *missing = palloc(mul_size(binder->n_features, sizeof(uint32)));
	uint32		n_missing = 0;

	for (uint32 feature = 0; feature < binder->n_features; feature++)
	{
		ColumnEntry *column = find_column(columns, sp_feature_name(binder, feature));

		if (column == NULL)
		{
			missing[n_missing++] = feature;
			continue;
		}
		check_column_is_one(binder, feature, column);
		binder->columns[feature] = column->number;
		binder->column_types[feature] = getBaseType(TupleDescAttr(desc, column->number - 1)->atttypid);
		check_column_type(binder, feature, binder->column_types[feature]);
		binder->column_is_text[feature] = is_text_type(binder->column_types[feature]);
	}
	hash_destroy(columns);
	if (n_missing > 0)
		refuse_columns(binder, desc, missing, n_missing);
	pfree(missing);
}

/*
 * For a float32 vector: where its values are in a row that has no NULL, if no
 * column in front of them is of variable length.
 */
static void
plan_offsets(SpBinder *binder, TupleDesc desc)
{
	int32	   *offsets = palloc(mul_size(Max(desc->natts, 1), sizeof(int32)));
	int			n_fixed = 0;
	int32		offset = 0;

	while (n_fixed < desc->natts && TupleDescAttr(desc, n_fixed)->attlen > 0)
	{
		Form_pg_attribute attribute = TupleDescAttr(desc, n_fixed);

		offset = att_align_nominal(offset, attribute->attalign);
		offsets[n_fixed++] = offset;
		offset += attribute->attlen;
	}
	binder->has_offsets = binder->single != NULL;
	binder->is_in_line = binder->has_offsets;
	for (uint32 feature = 0; feature < binder->n_features; feature++)
	{
		binder->has_offsets &= binder->columns[feature] <= n_fixed && !binder->column_is_text[feature];
		if (binder->has_offsets)
			binder->column_offsets[feature] = offsets[binder->columns[feature] - 1];
		binder->is_in_line &= binder->has_offsets && binder->column_types[feature] == FLOAT4OID &&
			binder->column_offsets[feature] == binder->column_offsets[0] + (int32) (feature * sizeof(float4));
	}
	pfree(offsets);
}

static void
make_plan(SpBinder *binder, Oid type, int32 typmod, uint64 row_id)
{
	MemoryContext old = MemoryContextSwitchTo(binder->mcx);
	TupleDesc	desc = lookup_rowtype_tupdesc_copy(type, typmod);

	if (binder->columns == NULL)
	{
		binder->columns = palloc(mul_size(binder->n_features, sizeof(AttrNumber)));
		binder->column_types = palloc(mul_size(binder->n_features, sizeof(Oid)));
		binder->column_is_text = palloc(mul_size(binder->n_features, sizeof(bool)));
		binder->column_offsets = palloc(mul_size(binder->n_features, sizeof(int32)));
	}
	if (binder->row_desc != NULL)
	{
		FreeTupleDesc(binder->row_desc);
		pfree(binder->values);
		pfree(binder->nulls);
	}
	binder->row_id = 0;
	binder->row_type = NULL;
	binder->row_desc = desc;
	binder->values = palloc(mul_size(Max(desc->natts, 1), sizeof(Datum)));
	binder->nulls = palloc(mul_size(Max(desc->natts, 1), sizeof(bool)));
	MemoryContextSwitchTo(old);
	plan_columns(binder, desc);
	plan_offsets(binder, desc);
	binder->row_type = type == RECORDOID ? NULL : lookup_type_cache(type, TYPECACHE_TUPDESC);
	binder->row_id = row_id;
}

/* Its cache entry tells whether the shape is still the one of the plan. */
bool
sp_row_type_is_planned(const SpBinder *binder, Oid type)
{
	return binder->row_type != NULL && binder->row_type->type_id == type &&
		binder->row_type->tupDesc_identifier == binder->row_id;
}

bool
sp_row_is_planned(const SpBinder *binder, HeapTupleHeader header)
{
	Oid			type = HeapTupleHeaderGetTypeId(header);

	return sp_row_type_is_planned(binder, type) ||
		assign_record_type_identifier(type, HeapTupleHeaderGetTypMod(header)) == binder->row_id;
}

/* The number at an address of a row; the types are those that sp_number_of takes by value. */
static inline double
number_at(Oid type, const char *place)
{
	switch (type)
	{
		case FLOAT4OID:
			return *(const float4 *) place;
		case FLOAT8OID:
			return *(const float8 *) place;
		case INT2OID:
			return *(const int16 *) place;
		case INT4OID:
			return *(const int32 *) place;
		case INT8OID:
			return (double) *(const int64 *) place;
		default:
			return *(const bool *) place ? 1 : 0;
	}
}

/* Without taking the row apart: every value has its place. */
static void
read_in_place(SpBinder *binder, HeapTupleHeader header, uint32 row)
{
	const char *data = (const char *) header + header->t_hoff;
	float	   *target = binder->single + (Size) row * binder->n_features;
	bool		finite = true;

	if (binder->is_in_line)
	{
		sp_copy_floats(binder, data + binder->column_offsets[0], (int) binder->n_features, row);
		return;
	}
	for (uint32 feature = 0; feature < binder->n_features; feature++)
	{
		float		number = (float) number_at(binder->column_types[feature], data + binder->column_offsets[feature]);

		target[feature] = number;
		finite &= isfinite(number) != 0;
	}
	binder->suspicious |= !finite;
}

static void
store_values(SpBinder *binder, const Datum *values, const bool *nulls, uint32 row)
{
	for (uint32 feature = 0; feature < binder->n_features; feature++)
	{
		int			i = binder->columns[feature] - 1;

		if (binder->column_is_text[feature] && !nulls[i])
			store_text_of(binder, row, feature, binder->column_types[feature], values[i]);
		else
			sp_store_number(binder, row, feature, nulls[i] ? get_float8_nan() :
							sp_number_of(binder->column_types[feature], values[i]));
	}
}

static void
take_apart(SpBinder *binder, HeapTupleHeader header, uint32 row)
{
	HeapTupleData tuple = {
		.t_len = HeapTupleHeaderGetDatumLength(header),
		.t_tableOid = InvalidOid,
		.t_data = header
	};

	ItemPointerSetInvalid(&tuple.t_self);
	heap_deform_tuple(&tuple, binder->row_desc, binder->values, binder->nulls);
	store_values(binder, binder->values, binder->nulls, row);
}

/* Plan rows of the type unless they are planned. */
static void
plan_row(SpBinder *binder, Oid type, int32 typmod)
{
	if (!sp_row_type_is_planned(binder, type))
	{
		uint64		row_id = assign_record_type_identifier(type, typmod);

		if (row_id != binder->row_id)
			make_plan(binder, type, typmod, row_id);
	}
}

static bool
has_places(const SpBinder *binder, HeapTupleHeader header)
{
	return binder->has_offsets && (header->t_infomask & HEAP_HASNULL) == 0 &&
		HeapTupleHeaderGetNatts(header) >= binder->row_desc->natts;
}

bool
sp_bind_row(SpBinder *binder, HeapTupleHeader header, uint32 row)
{
	plan_row(binder, HeapTupleHeaderGetTypeId(header), HeapTupleHeaderGetTypMod(header));
	if (has_places(binder, header))
		read_in_place(binder, header, row);
	else
		take_apart(binder, header, row);
	return sp_finish_row(binder, row);
}

static bool
bind_slot(SpBinder *binder, Oid type, TupleTableSlot *slot, uint32 row)
{
	HeapTupleHeader header = TTS_IS_BUFFERTUPLE(slot) && ((HeapTupleTableSlot *) slot)->tuple != NULL ?
		((HeapTupleTableSlot *) slot)->tuple->t_data : NULL;

	plan_row(binder, type, -1);
	binder->refused = false;
	binder->suspicious = false;
	if (header != NULL && has_places(binder, header))
		read_in_place(binder, header, row);
	else
	{
		slot_getallattrs(slot);
		store_values(binder, slot->tts_values, slot->tts_isnull, row);
	}
	return sp_finish_row(binder, row);
}

bool
sp_bind_slot(SpBinder *binder, Oid type, TupleTableSlot *slot, uint32 row)
{
	binder->quiet = false;
	return bind_slot(binder, type, slot, row);
}

bool
sp_bind_slot_try(SpBinder *binder, Oid type, TupleTableSlot *slot, uint32 row, bool *has_missing)
{
	binder->quiet = true;
	*has_missing |= bind_slot(binder, type, slot, row);
	return !binder->refused;
}
