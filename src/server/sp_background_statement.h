/*
 * src/server/sp_background_statement.h
 *
 * One statement in a transaction of its own: it stays when the caller's ends in
 * an error.  A dynamic background worker runs it in this database.
 */
#ifndef SP_BACKGROUND_STATEMENT_H
#define SP_BACKGROUND_STATEMENT_H

#include "server/sp_compat.h"

/*
 * Run sql with the rights of role, search_path pg_catalog, and arguments of type
 * text (NULL is NULL), and wait until it is committed.  Returns the first
 * column of its first row, a bigint; 0 without one.  53400 when no worker is
 * free, 58000 when it died; errors of the statement as they are: 55P03 when it
 * has waited for a lock for smartpouch.backup_lock_timeout.
 */
extern int64 sp_background_statement(Oid role, const char *sql, int n_args, const char *const *args);

#endif
