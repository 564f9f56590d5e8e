/*
 * src/sp_module.c
 *
 * The module's magic and what happens once when it is loaded.
 */
#include "server/sp_compat.h"

#include "fmgr.h"

#include "api/sp_call_count.h"
#include "auth/sp_audit.h"
#include "auth/sp_key_identity.h"
#include "auth/sp_audit_ring.h"
#include "auth/sp_limit_counts.h"
#include "auth/sp_log_mask.h"
#include "cache/sp_model_cache.h"
#include "ops/sp_restore_guard.h"
#include "ops/sp_worker.h"
#include "registry/sp_registry.h"
#include "scan/sp_scan.h"
#include "server/sp_drift_counts.h"
#include "server/sp_guc.h"
#include "server/sp_series.h"
#include "server/sp_worker_counts.h"

SP_MODULE_MAGIC;

extern PGDLLEXPORT void _PG_init(void);

/* Runs in the postmaster, in backends and in parallel workers alike; it only registers. */
void
_PG_init(void)
{
	sp_restore_guard_init();	/* before the prefix of settings is closed */
	sp_guc_init();
	sp_log_mask_init();
	sp_series_init();
	sp_worker_counts_init();
	sp_drift_counts_init();
	sp_registry_init();
	sp_key_identity_init();
	sp_audit_init();
	sp_audit_ring_init();
	sp_tracked_init();
	sp_model_cache_init();
	sp_call_count_init();
	sp_worker_init();
	sp_scan_init();
}
