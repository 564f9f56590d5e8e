/*
 * src/api/sp_result.h
 *
 * From outputs to SQL values.
 */
#ifndef SP_RESULT_H
#define SP_RESULT_H

#include "server/sp_compat.h"

#include "utils/jsonb.h"

#include "kernel/sp_eval.h"

/* Text of a model, which is UTF-8, in the database's encoding; may be the argument itself. 22P05 if that has not all characters. */
extern const char *sp_from_utf8(const char *utf8);
extern const char *sp_from_utf8_sized(const char *utf8, int size);
extern text *sp_text_from_utf8(const char *utf8);

/* Run the evaluator, raising what stops it; subject is for the message. */
extern void sp_evaluate(SpEval *eval, uint32 rows, uint32 wanted, bool has_missing, const char *subject);

/* One row of an output as double precision[]. */
extern Datum sp_output_array(const SpEval *eval, SpOutput output, uint32 row);

/* count strings in UTF-8 as text[]; none of them NULL. */
extern Datum sp_text_array(const char **strings, uint32 count);

/* Writing jsonb: keys and values in turn. NaN and infinities, which JSON lacks, become null. */
extern void sp_json_key(JsonbParseState **state, const char *utf8);
extern void sp_json_string(JsonbParseState **state, JsonbIteratorToken token, const char *utf8);
/* as sp_json_string, for text that is in the database's encoding already */
extern void sp_json_server_string(JsonbParseState **state, JsonbIteratorToken token, const char *text);
extern void sp_json_number(JsonbParseState **state, JsonbIteratorToken token, double number);
/* a key with its number */
extern void sp_json_number_member(JsonbParseState **state, const char *utf8, double number);
/* a number written in decimal, digit for digit */
extern void sp_json_numeric(JsonbParseState **state, JsonbIteratorToken token, const char *decimal);
extern void sp_json_integer(JsonbParseState **state, JsonbIteratorToken token, int64 number);
extern void sp_json_bool(JsonbParseState **state, JsonbIteratorToken token, bool value);
extern void sp_json_null(JsonbParseState **state, JsonbIteratorToken token);

#endif
