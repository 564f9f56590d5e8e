/*
 * src/server/sp_error.h
 *
 * From the status codes of pure code to ereport, in one table.
 */
#ifndef SP_ERROR_H
#define SP_ERROR_H

#include "server/sp_compat.h"
#include "base/sp_status.h"

/*
 * Raise cx->error; for SP_ERR_CANCELLED the error that sp_interrupted caught.
 * subject, such as «model "motion"», is put before the message; may be NULL.
 */
extern void sp_raise(const SpContext *cx, const char *subject) SP_NORETURN;

#endif
