/*
 * src/api/sp_query_rows.h
 *
 * Rows of a query that a caller hands in; it runs with the caller's rights.
 */
#ifndef SP_QUERY_ROWS_H
#define SP_QUERY_ROWS_H

#include "server/sp_compat.h"

#include "utils/portal.h"

/* Within SPI: a cursor for one statement that returns rows, read only; 22023 for any other. */
extern Portal sp_query_open(const char *query);

/* Does a column of that type hold all features of a row, as for predict()? */
extern bool sp_holds_features(Oid type);

#endif
