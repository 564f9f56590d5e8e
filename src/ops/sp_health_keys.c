/*
 * src/ops/sp_health_keys.c
 *
 * Checks of API keys.
 */
#include "server/sp_compat.h"

#include "ops/sp_health.h"
#include "registry/sp_registry_api_key.h"
#include "server/sp_snapshot.h"

void
sp_check_keys(SpCheck *check)
{
	check->observed = sp_registry_api_keys_waiting(sp_active_snapshot());
	if (check->observed > 0)
		sp_health_report(check, SP_HEALTH_FAIL,
						 "they were made in another cluster or database, and are refused: look at the view api_keys, revoke what should not work here, and run SELECT smartpouch.adopt_api_keys()");
}
