/*
 * src/ops/sp_health_server.c
 *
 * Is the server one that models can be trusted to?
 */
#include "server/sp_compat.h"

#include "access/xlog.h"
#include "access/xlogrecovery.h"
#include "miscadmin.h"
#include "replication/walreceiver.h"
#include "utils/guc.h"
#include "utils/timestamp.h"

#include "ops/sp_health.h"
#include "registry/sp_registry.h"
#include "server/sp_guc.h"

/* Raises when the library does not fit the SQL objects. */
void
sp_check_installation(SpCheck *check)
{
	(void) sp_registry_owner();
	check->observed = 1;
}

/*
 * Minor releases with the fixes that dumps and extensions of hostile origin
 * call for: CVE-2026-14676 and, of pg_dump, CVE-2026-18408.
 */
void
sp_check_minor(SpCheck *check)
{
	static const int wanted[][2] = {{15, 19}, {16, 15}, {17, 11}, {18, 6}};
	int			number = atoi(GetConfigOption("server_version_num", false, false));

	check->observed = number % 10000;
	for (int i = 0; i < (int) lengthof(wanted); i++)
		if (number / 10000 == wanted[i][0] && check->observed < wanted[i][1])
			sp_health_report(check, SP_HEALTH_WARN,
							 "PostgreSQL %d.%d has known holes: update to %d.%d or later",
							 wanted[i][0], (int) check->observed, wanted[i][0], wanted[i][1]);
}

void
sp_check_preload(SpCheck *check)
{
	check->observed = sp_preloaded;
	if (!sp_preloaded)
		sp_health_report(check, SP_HEALTH_WARN,
						 "there are no metrics, limits or shadows: add smartpouch to shared_preload_libraries and restart the server");
}

/*
 * Seconds that what is answered here is behind the primary: since what was
 * received is waiting or, while the primary cannot be heard, since the last transaction that came.
 */
static int64
replay_lag(bool is_streaming)
{
	TimestampTz latest = GetLatestXTime();

	if (is_streaming)
		return Max(0, GetReplicationApplyDelay() / 1000);
	return latest == 0 ? 0 : Max(0, (GetCurrentTimestamp() - latest) / USECS_PER_SEC);
}

void
sp_check_replay(SpCheck *check)
{
	bool		is_streaming = WalRcvStreaming();

	check->is_absent = !RecoveryInProgress();
	if (check->is_absent)
		return;
	check->observed = replay_lag(is_streaming);
	if (sp_max_replay_lag > 0 && check->observed > sp_max_replay_lag)
		sp_health_report(check, check->observed > 10 * (int64) sp_max_replay_lag ? SP_HEALTH_FAIL : SP_HEALTH_WARN,
						 "%s", is_streaming ? "replay is behind the primary" :
						 "there is no connection to the primary, and the last transaction came so long ago");
}
