/*
 * src/server/sp_cancel.c
 */
#include "server/sp_compat.h"

#include <signal.h>

#include "miscadmin.h"

#include "server/sp_cancel.h"

static struct sigaction servers_action;
static volatile sig_atomic_t seen;

/* statement_timeout and lock_timeout send the signal to their own process. */
static void
note_sender(int signo, siginfo_t *info, void *context)
{
	if (info->si_pid != MyProcPid)
		seen = true;
	if (servers_action.sa_flags & SA_SIGINFO)
		servers_action.sa_sigaction(signo, info, context);
	else
		servers_action.sa_handler(signo);
}

static bool
is_watched(struct sigaction *action)
{
	return sigaction(SIGINT, NULL, action) == 0 && (action->sa_flags & SA_SIGINFO) && action->sa_sigaction == note_sender;
}

/*
 * A watch that an error has left behind does no harm: the next one goes on with
 * it.  A process that heeds no cancellation is left as it is.
 */
void
sp_cancel_watch(void)
{
	struct sigaction action;

	seen = false;
	if (!is_watched(&action) && action.sa_handler != SIG_IGN && action.sa_handler != SIG_DFL)
	{
		servers_action = action;
		action.sa_flags |= SA_SIGINFO;
		action.sa_sigaction = note_sender;
		(void) sigaction(SIGINT, &action, NULL);
	}
	if (QueryCancelPending)
		seen = true;
}

bool
sp_cancel_seen(void)
{
	return seen;
}

void
sp_cancel_unwatch(void)
{
	struct sigaction action;

	if (is_watched(&action))
		(void) sigaction(SIGINT, &servers_action, NULL);
}
