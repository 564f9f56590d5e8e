/*
 * src/server/sp_cancel.h
 *
 * Who cancels.  The server keeps one flag for all cancellations, and a flag
 * that is up cannot be raised by a second: code that cancels itself to stop
 * would take a user's cancellation that comes at that moment for its own.  The
 * signals tell them apart by their sender.
 *
 * Between sp_cancel_watch() and sp_cancel_unwatch(), sp_cancel_seen() says
 * whether this process was told to cancel by anybody but its own timers: by
 * pg_cancel_backend(), a request of the client's, the operating system; or
 * before the watch began, by anything that it had not come to look at.  Calls
 * of a second watch before the end of the first begin anew.  None of them raises.
 */
#ifndef SP_CANCEL_H
#define SP_CANCEL_H

#include "server/sp_compat.h"

extern void sp_cancel_watch(void);
extern bool sp_cancel_seen(void);
extern void sp_cancel_unwatch(void);

#endif
