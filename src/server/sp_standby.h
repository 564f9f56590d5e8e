/*
 * src/server/sp_standby.h
 *
 * How old what a hot standby shows can be.
 */
#ifndef SP_STANDBY_H
#define SP_STANDBY_H

#include "server/sp_compat.h"

/*
 * Milliseconds since it was last known to show what its primary had: since the commit
 * that was replayed last, or since the last message of the primary if everything that
 * the primary had then has been replayed.  0 on a primary.  A primary that is
 * idle sends one at least every half of wal_receiver_timeout.  The commit's
 * time is by the clock of the primary.
 */
extern int64 sp_standby_age(void);

/*
 * Has the primary answered the receiver that there is now?  One that still tries to connect, as to
 * a machine that is gone for minutes, counts as streaming for the server.
 */
extern bool sp_standby_is_connected(void);

#endif
