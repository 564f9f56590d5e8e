/*
 * src/server/sp_jsonb.h
 *
 * Reading jsonb that somebody wrote for us: options, rules, manifests.
 * Nothing here raises; what is not there or is of another type is NULL, so
 * that the caller says what it expected.
 */
#ifndef SP_JSONB_H
#define SP_JSONB_H

#include "utils/jsonb.h"

/* The member of that name; NULL if the object has none.  Allocated where we are. */
extern JsonbValue *sp_jsonb_member(JsonbContainer *object, const char *name);

/* The array or object in a value; NULL for another value, and for NULL. */
extern JsonbContainer *sp_jsonb_array(const JsonbValue *value);
extern JsonbContainer *sp_jsonb_object(const JsonbValue *value);

/* A string, or the key of a member, with a zero behind it, allocated where we are. */
extern char *sp_jsonb_text(const JsonbValue *string);

#endif
