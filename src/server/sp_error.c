/*
 * src/server/sp_error.c
 */
#include "server/sp_compat.h"

#include "mb/pg_wchar.h"

#include "server/sp_error.h"
#include "server/sp_memory.h"

static int
status_sqlstate(SpStatus status)
{
	switch (status)
	{
		case SP_ERR_MEMORY:
			return ERRCODE_OUT_OF_MEMORY;
		case SP_ERR_FORMAT:
			return ERRCODE_INVALID_BINARY_REPRESENTATION;
		case SP_ERR_UNSUPPORTED:
			return ERRCODE_FEATURE_NOT_SUPPORTED;
		case SP_ERR_LIMIT:
			return ERRCODE_PROGRAM_LIMIT_EXCEEDED;
		case SP_ERR_VALUE:
			return ERRCODE_INVALID_PARAMETER_VALUE;
		case SP_OK:
		case SP_ERR_CANCELLED:
		case SP_ERR_INTERNAL:
			break;
	}
	return ERRCODE_INTERNAL_ERROR;
}

/* Files speak UTF-8; the client's messages are in the database's encoding. */
static const char *
in_server_encoding(const char *text)
{
	return pg_any_to_server(text, strlen(text), PG_UTF8);
}

void
sp_raise(const SpContext *cx, const char *subject)
{
	const SpError *error = &cx->error;

	const char *detail = in_server_encoding(error->detail);
	bool		has_detail = detail[0] != '\0' || error->offset != SP_NO_OFFSET;

	if (error->status == SP_ERR_CANCELLED)
		PG_RE_THROW();
	if (error->status == SP_ERR_MEMORY && sp_context_exceeded(cx) > 0)
		ereport(ERROR,
				(errcode(ERRCODE_PROGRAM_LIMIT_EXCEEDED),
				 errmsg("importing the model takes more than %zu MB of memory",
						sp_context_exceeded(cx) / (1024 * 1024)),
				 errhint("An administrator can raise smartpouch.import_memory_multiple.")));
	if (error->offset != SP_NO_OFFSET)
		detail = psprintf("%s%sThe problem is at byte %llu of the file.", detail,
						  detail[0] ? " " : "", (unsigned long long) error->offset);
	ereport(ERROR,
			(errcode(status_sqlstate(error->status)),
			 subject ? errmsg("%s: %s", subject, in_server_encoding(error->message)) :
			 errmsg("%s", in_server_encoding(error->message)),
			 has_detail ? errdetail("%s", detail) : 0,
			 error->hint[0] ? errhint("%s", in_server_encoding(error->hint)) : 0));
	pg_unreachable();
}
