/*
 * src/auth/sp_log_mask.h
 *
 * Keeps the secrets of API keys out of the server log: a second line of
 * defence, behind bind parameters and the settings that health() checks.
 */
#ifndef SP_LOG_MASK_H
#define SP_LOG_MASK_H

#include "server/sp_compat.h"

/*
 * From _PG_init.  From then on, in every line of this process for the log, the
 * secret part of what looks like a token is replaced by * in message, detail,
 * hint, context and inner query, and the statement is left out if it has one.
 * In the postmaster, that is for all processes.
 */
extern void sp_log_mask_init(void);

#endif
