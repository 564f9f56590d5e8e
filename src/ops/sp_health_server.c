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

#include "base/sp_server_minor.h"
#include "ops/sp_health.h"
#include "registry/sp_registry.h"
#include "server/sp_guc.h"
#include "server/sp_standby.h"

/* Raises when the library does not fit the SQL objects. */
void
sp_check_installation(SpCheck *check)
{
	(void) sp_registry_owner();
	check->observed = 1;
}

void
sp_check_minor(SpCheck *check)
{
	int			number = atoi(GetConfigOption("server_version_num", false, false));
	int			wanted = sp_wanted_minor(number);

	check->observed = number % 10000;
	if (check->observed < wanted)
		sp_health_report(check, SP_HEALTH_WARN, "PostgreSQL %d.%d has known holes: update to %d.%d or later",
						 number / 10000, (int) check->observed, number / 10000, wanted);
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
 * Milliseconds that what is answered here is behind the primary: since what was
 * received is waiting or, while the primary cannot be heard, since it was last
 * known to be the same.
 */
static int64
replay_lag(bool is_connected)
{
	int64		lag = is_connected ? GetReplicationApplyDelay() : -1;

	return lag < 0 ? sp_standby_age() : lag;
}

void
sp_check_replay(SpCheck *check)
{
	bool		is_connected = sp_standby_is_connected();
	int64		lag;

	check->is_absent = !RecoveryInProgress();
	if (check->is_absent)
		return;
	lag = replay_lag(is_connected);
	if (lag == PG_INT64_MAX && sp_max_replay_lag > 0)
	{
		sp_health_report(check, SP_HEALTH_UNKNOWN, "nothing has come from the primary since this server was started");
		return;
	}
	check->observed = lag == PG_INT64_MAX ? 0 : lag / 1000;
	if (sp_max_replay_lag > 0 && check->observed > sp_max_replay_lag)
		sp_health_report(check, check->observed > 10 * (int64) sp_max_replay_lag ? SP_HEALTH_FAIL : SP_HEALTH_WARN,
						 "%s", is_connected ? "replay is behind the primary" :
						 "there is no connection to the primary, which was last heard of so long ago");
}
