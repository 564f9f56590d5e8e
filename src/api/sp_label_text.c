/*
 * src/api/sp_label_text.c
 */
#include "server/sp_compat.h"

#include "catalog/pg_type.h"
#include "common/shortest_dec.h"
#include "utils/builtins.h"
#include "utils/lsyscache.h"
#include "utils/numeric.h"

#include "api/sp_label_text.h"

void
sp_label_text_init(SpLabelText *as_text, Oid type, MemoryContext mcx)
{
	Oid			output;
	bool		is_varlena;

	as_text->type = getBaseType(type);
	as_text->is_text = as_text->type == TEXTOID || as_text->type == VARCHAROID;
	getTypeOutputInfo(as_text->type, &output, &is_varlena);
	fmgr_info_cxt(output, &as_text->output, mcx);
}

const char *
sp_label_text(SpLabelText *as_text, Datum value, Size *size)
{
	char	   *written;

	if (as_text->is_text)
	{
		text	   *as_is = DatumGetTextPP(value);

		*size = VARSIZE_ANY_EXHDR(as_is);
		return VARDATA_ANY(as_is);
	}
	switch (as_text->type)
	{
		case FLOAT8OID:
			/* the output function would follow extra_float_digits */
			written = palloc(DOUBLE_SHORTEST_DECIMAL_LEN);
			double_to_shortest_decimal_buf(DatumGetFloat8(value) + 0.0, written);
			break;
		case FLOAT4OID:
			written = palloc(FLOAT_SHORTEST_DECIMAL_LEN);
			float_to_shortest_decimal_buf(DatumGetFloat4(value) + 0.0f, written);
			break;
		case NUMERICOID:
			written = numeric_normalize(DatumGetNumeric(value));
			break;
		default:
			written = OutputFunctionCall(&as_text->output, value);
	}
	*size = strlen(written);
	return written;
}
