/*
 * src/server/sp_guc.h
 *
 * Settings.  Each has a unit, bounds and a line in doc/reference.md.
 */
#ifndef SP_GUC_H
#define SP_GUC_H

#include "server/sp_compat.h"
#include "base/sp_simd.h"
#include "base/sp_status.h"

#define SP_CLUSTER_ID_SIZE 64

extern char *sp_api_key_pepper_file;	/* empty: there is none; NULL without preload */
extern char *sp_backup_connection;	/* as libpq takes it; empty: this server's socket */
extern char *sp_backup_directory;	/* empty: no backups */
extern char *sp_backup_filter;	/* words of a command; empty: none */
extern int	sp_backup_lock_timeout;	/* ms that a backup waits for a lock */
extern char *sp_restore_filter; /* undoes sp_backup_filter */
extern char *sp_cluster_id_setting;	/* empty: the system identifier */
extern int	sp_batch_size;		/* rows that a plan gathers for one evaluation */
extern bool sp_enable_batch;	/* may plans gather rows? */
extern int	sp_health_timeout;	/* ms that all checks of health() may take together */
extern int	sp_flush_interval;	/* seconds between the background worker's writes */
extern int	sp_import_memory_multiple;	/* see sp_context_bound */
extern int	sp_model_memory;	/* kB that a backend keeps loaded models in */
extern int	sp_max_api_key_lifetime;	/* minutes */
extern int	sp_max_auth_staleness;	/* seconds that a standby may be behind and still accept keys; -1: any */
extern int	sp_max_model_size;	/* kB of one model file */
extern int	sp_readiness_timeout;	/* ms, for all stages that a rollup looks at */
extern int	sp_max_series;		/* of each kind, that are counted one by one; fixed at the start */
extern int	sp_max_score_labels;	/* different labels in one comparison with the truth */
extern int	sp_max_replay_lag;	/* seconds; 0: any */
extern int	sp_max_tracked_keys;	/* API keys and owners that are counted at a time */
extern bool sp_require_snapshot_signature;
extern double sp_sample_percent;	/* of rows, whose bins are counted for drift */
extern double sp_shadow_timeout;	/* ms that the evaluation of a shadow may take */
extern int	sp_shared_model_memory;	/* kB that the server keeps models in for all sessions */
extern char *sp_snapshot_key_file;	/* empty: there is none */
extern bool sp_snapshot_promotions;
extern int	sp_track;			/* SpTrack */
extern int	sp_upload_timeout;	/* minutes until an unfinished upload is removed */

/* Is the library in shared_preload_libraries? */
extern bool sp_preloaded;

typedef enum SpTrack
{
	SP_TRACK_OFF,
	SP_TRACK_ALL
} SpTrack;

extern void sp_guc_init(void);

/* The instructions that kernels use: as set, or the best of this processor. */
extern SpSimd sp_guc_simd(void);

/* Limits of the pure code as the settings say. */
extern void sp_guc_limits(SpLimits *limits);

#endif
