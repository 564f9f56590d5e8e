/*
 * src/server/sp_jsonb.c
 */
#include "server/sp_compat.h"

#include "server/sp_jsonb.h"

JsonbValue *
sp_jsonb_member(JsonbContainer *object, const char *name)
{
	return getKeyJsonValueFromContainer(object, name, (int) strlen(name), NULL);
}

JsonbContainer *
sp_jsonb_array(const JsonbValue *value)
{
	return value != NULL && value->type == jbvBinary && JsonContainerIsArray(value->val.binary.data) ?
		value->val.binary.data : NULL;
}

JsonbContainer *
sp_jsonb_object(const JsonbValue *value)
{
	return value != NULL && value->type == jbvBinary && JsonContainerIsObject(value->val.binary.data) ?
		value->val.binary.data : NULL;
}

char *
sp_jsonb_text(const JsonbValue *string)
{
	return pnstrdup(string->val.string.val, string->val.string.len);
}
