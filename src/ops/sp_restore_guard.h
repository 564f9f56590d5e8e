/*
 * src/ops/sp_restore_guard.h
 *
 * What users wrote must not run with a superuser's rights while a dump is restored.
 *
 * pg_restore connects as a superuser, and constraints, columns and casts of the
 * dump call functions as it writes rows and even as it reads values of its
 * statements.  In a session that was begun with smartpouch.restoring these
 * functions run as pg_read_all_data, in a restricted operation that cannot
 * leave that role: they can compute and read, as a constraint may.  Not so what the server itself runs as
 * the owner (indexes, materialized views), triggers, and scripts of extensions.
 * Of the server's own functions those that PUBLIC may not execute, and volatile
 * ones, are an error (42501) there.
 */
#ifndef SP_RESTORE_GUARD_H
#define SP_RESTORE_GUARD_H

#include "server/sp_compat.h"

/* What a session must be begun with, beside other options. */
#define SP_RESTORE_GUARD_OPTIONS " -c session_preload_libraries=$libdir/smartpouch -c smartpouch.restoring=on"

/* From _PG_init: define the setting. */
extern void sp_restore_guard_init(void);

#endif
