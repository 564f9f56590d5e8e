/*
 * src/api/sp_arguments.h
 *
 * Checks of arguments that several functions share.
 */
#ifndef SP_ARGUMENTS_H
#define SP_ARGUMENTS_H

#include "server/sp_compat.h"

#include "fmgr.h"

/* 22004 if argument number arg is NULL. */
extern void sp_require_argument(FunctionCallInfo fcinfo, int arg, const char *name);

/* A text argument that must be a name (22004, 22023); kind is "model", "stage" or "alias". */
extern char *sp_name_argument(FunctionCallInfo fcinfo, int arg, const char *kind);

#endif
