/*
 * src/ops/sp_health_log.c
 *
 * Can keys leak through the server's log, and does what is counted of them reach
 * the tables?
 */
#include "server/sp_compat.h"

#include "access/xlog.h"
#include "utils/guc.h"
#include "utils/timestamp.h"

#include "auth/sp_audit_ring.h"
#include "auth/sp_limit_counts.h"
#include "ops/sp_health.h"
#include "ops/sp_worker.h"
#include "registry/sp_registry_api_key.h"
#include "server/sp_guc.h"

#define RECENTLY_S (24 * 60 * 60)
#define FAILED_RECENTLY_S (10 * 60)
#define ROUND_GRACE_S 60

/* Ids are in ASCII order, digits first. */
static bool
there_are_keys(void)
{
	SpApiKeyRow row;

	return sp_registry_api_key_at("000000000000", &row);
}

/* Does the setting exist, with a value other than the one that is safe? */
static bool
differs(const char *name, const char *safe)
{
	const char *value = GetConfigOption(name, true, false);

	return value != NULL && strcmp(value, safe) != 0;
}

static bool
is_recent(TimestampTz at, int seconds)
{
	return at != 0 && !TimestampDifferenceExceeds(at, GetCurrentTimestamp(), seconds * 1000);
}

void
sp_check_log_parameters(SpCheck *check)
{
	static const char *const settings[][2] = {
		{"log_parameter_max_length", "0"},
		{"log_parameter_max_length_on_error", "0"},
		{"auto_explain.log_parameter_max_length", "0"},
		{"pgaudit.log_parameter", "off"}
	};
	StringInfoData wrong;

	check->is_absent = !there_are_keys();
	if (check->is_absent)
		return;
	initStringInfo(&wrong);
	for (Size i = 0; i < lengthof(settings); i++)
	{
		if (!differs(settings[i][0], settings[i][1]))
			continue;
		appendStringInfo(&wrong, "%s%s = %s", check->observed > 0 ? ", " : "", settings[i][0], settings[i][1]);
		check->observed++;
	}
	if (check->observed > 0)
		sp_health_report(check, SP_HEALTH_WARN,
						 "bind parameters, in which API keys come, may be written to the server log: set %s", wrong.data);
}

/* With preload tokens are masked. */
void
sp_check_log_statements(SpCheck *check)
{
	check->is_absent = sp_preloaded || !there_are_keys();
	if (check->is_absent)
		return;
	check->observed = differs("log_statement", "none") + differs("log_min_duration_statement", "-1") +
		differs("log_min_duration_sample", "-1") + differs("log_transaction_sample_rate", "0");
	if (check->observed > 0)
		sp_health_report(check, SP_HEALTH_WARN,
						 "statements are logged, and API keys with them that somebody has typed: add smartpouch to shared_preload_libraries, which masks them");
}

void
sp_check_worker(SpCheck *check)
{
	SpWorkerFacts facts;

	check->is_absent = RecoveryInProgress() || !sp_worker_facts(&facts);
	if (check->is_absent)
		return;
	check->observed = facts.round_at == 0 ? 0 : (GetCurrentTimestamp() - facts.round_at) / USECS_PER_SEC;
	if (!facts.running)
		sp_health_report(check, SP_HEALTH_WARN, "the smartpouch launcher does not run: see the server log");
	if (check->observed > 3 * sp_flush_interval + ROUND_GRACE_S)
		sp_health_report(check, SP_HEALTH_WARN,
						 "the background worker is not through with its databases: look for locks on tables of schema smartpouch");
	if (is_recent(facts.failed_at, FAILED_RECENTLY_S))
		sp_health_report(check, SP_HEALTH_WARN,
						 "the background worker could not write what it should: see the server log, or raise max_worker_processes");
}

void
sp_check_audit(SpCheck *check)
{
	int64		entries;
	uint64		lost;
	TimestampTz lost_at;

	check->is_absent = !sp_audit_ring_available();
	sp_audit_ring_facts(&entries, &lost, &lost_at);
	check->observed = (int64) lost;
	if (is_recent(lost_at, RECENTLY_S))
		sp_health_report(check, SP_HEALTH_WARN,
						 "refusals came faster than they could be written to audit_events within the last day; the server log has them");
}

void
sp_check_tracked_keys(SpCheck *check)
{
	int64		most;
	TimestampTz missed_at;

	check->is_absent = !sp_tracked_available();
	if (check->is_absent)
		return;
	sp_tracked_facts(&check->observed, &most, &missed_at);
	if (is_recent(missed_at, RECENTLY_S))
		sp_health_report(check, SP_HEALTH_WARN,
						 "within the last day there was no room to count calls of more keys and owners: raise smartpouch.max_tracked_keys");
}
