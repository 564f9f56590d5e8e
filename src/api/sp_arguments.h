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

/*
 * 22004 if any is: for functions that change something, which must not look done
 * when nothing was.  Their names come from the catalog.
 */
extern void sp_require_arguments(FunctionCallInfo fcinfo);

/* The text argument called name, which must be the name of a kind ("model", "stage", "alias"): 22004, 22023. */
extern char *sp_name_argument(FunctionCallInfo fcinfo, int arg, const char *name, const char *kind);

/* As sp_name_argument, of a text[]; palloc'd. */
extern const char **sp_names_argument(FunctionCallInfo fcinfo, int arg, const char *name, const char *kind,
									  int *count);

#endif
