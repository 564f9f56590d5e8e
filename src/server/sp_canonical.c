/*
 * src/server/sp_canonical.c
 */
#include "server/sp_compat.h"

#include <sys/socket.h>

#include "catalog/pg_type.h"
#include "libpq/pqformat.h"
#include "mb/pg_wchar.h"
#include "utils/array.h"
#include "utils/builtins.h"
#include "utils/inet.h"
#include "utils/jsonb.h"
#include "utils/lsyscache.h"
#include "utils/timestamp.h"
#include "utils/uuid.h"

#include "server/sp_canonical.h"

static void
append_text(StringInfo out, const char *text, int size)
{
	char	   *utf8 = pg_server_to_any(text, size, PG_UTF8);

	appendBinaryStringInfo(out, utf8, utf8 == text ? size : (int) strlen(utf8));
}

static void
append_bytea(StringInfo out, bytea *bytes)
{
	appendBinaryStringInfo(out, VARDATA_ANY(bytes), VARSIZE_ANY_EXHDR(bytes));
}

static void
append_text_value(StringInfo out, text *value)
{
	append_text(out, VARDATA_ANY(value), VARSIZE_ANY_EXHDR(value));
}

static void
append_json(StringInfo out, Jsonb *json)
{
	char	   *text = JsonbToCString(NULL, &json->root, VARSIZE(json));

	append_text(out, text, (int) strlen(text));
}

static void
append_inet(StringInfo out, inet *address)
{
	pq_sendbyte(out, ip_family(address) == PGSQL_AF_INET ? 4 : 6);
	pq_sendbyte(out, ip_bits(address));
	appendBinaryStringInfo(out, (const char *) ip_addr(address), ip_addrsize(address));
}

/* Elements are of scalar types, so this goes one level deep. */
static void
append_array(StringInfo out, Oid element_type, ArrayType *array)
{
	int16		length;
	bool		by_value;
	char		align;
	Datum	   *elements;
	bool	   *nulls;
	int			count;

	get_typlenbyvalalign(element_type, &length, &by_value, &align);
	deconstruct_array(array, element_type, length, by_value, align, &elements, &nulls, &count);
	for (int i = 0; i < count; i++)
		sp_canonical_append(out, element_type, elements[i], nulls[i]);
	pfree(elements);
	pfree(nulls);
}

static void
append_bytes(StringInfo out, Oid type, Datum value)
{
	switch (type)
	{
		case BOOLOID:
			pq_sendbyte(out, DatumGetBool(value));
			break;
		case INT4OID:
			pq_sendint64(out, (uint64) (int64) DatumGetInt32(value));
			break;
		case OIDOID:
			pq_sendint64(out, DatumGetObjectId(value));
			break;
		case INT8OID:
		case TIMESTAMPTZOID:
			pq_sendint64(out, (uint64) DatumGetInt64(value));
			break;
		case FLOAT8OID:
			pq_sendfloat8(out, DatumGetFloat8(value));
			break;
		case UUIDOID:
			appendBinaryStringInfo(out, (const char *) DatumGetUUIDP(value)->data, UUID_LEN);
			break;
		case BYTEAOID:
			append_bytea(out, DatumGetByteaPP(value));
			break;
		case TEXTOID:
			append_text_value(out, DatumGetTextPP(value));
			break;
		case INETOID:
			append_inet(out, DatumGetInetPP(value));
			break;
		case JSONBOID:
			append_json(out, DatumGetJsonbP(value));
			break;
		case TEXTARRAYOID:
			append_array(out, TEXTOID, DatumGetArrayTypeP(value));
			break;
		case INT4ARRAYOID:
			append_array(out, INT4OID, DatumGetArrayTypeP(value));
			break;
		default:
			elog(ERROR, "type %u has no canonical form", type);
	}
}

void
sp_canonical_append(StringInfo out, Oid type, Datum value, bool isnull)
{
	int			start = out->len;
	uint32		size;

	pq_sendint32(out, PG_UINT32_MAX);
	if (isnull)
		return;
	append_bytes(out, type, value);
	size = pg_hton32((uint32) (out->len - start) - sizeof(size));
	memcpy(out->data + start, &size, sizeof(size));
}
