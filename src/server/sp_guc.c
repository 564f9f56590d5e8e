/*
 * src/server/sp_guc.c
 */
#include "server/sp_compat.h"

#include <limits.h>

#include "miscadmin.h"
#include "utils/guc.h"

#include "server/sp_guc.h"

char	   *sp_api_key_pepper_file;
char	   *sp_backup_connection;
char	   *sp_backup_directory;
char	   *sp_backup_filter;
int			sp_backup_lock_timeout;
char	   *sp_restore_filter;
char	   *sp_cluster_id_setting;
int			sp_batch_size;
bool		sp_enable_batch;
int			sp_flush_interval;
int			sp_health_timeout;
int			sp_import_memory_multiple;
int			sp_model_memory;
int			sp_max_api_key_lifetime;
int			sp_max_auth_staleness;
int			sp_max_model_size;
int			sp_max_replay_lag;
int			sp_max_score_labels;
int			sp_max_series;
int			sp_max_tracked_keys;
bool		sp_require_snapshot_signature;
double		sp_sample_percent;
double		sp_shadow_timeout;
int			sp_shared_model_memory;
char	   *sp_snapshot_key_file;
bool		sp_snapshot_promotions;
int			sp_track;
int			sp_upload_timeout;

bool		sp_preloaded;

static int	max_elements;
static int	max_features;
static int	max_image_size;
static int	max_labels;
static int	max_nesting;
static int	max_nodes;
static int	max_string_length;
static int	max_tree_depth;

static const struct config_enum_entry track_options[] = {
	{"off", SP_TRACK_OFF, false},
	{"all", SP_TRACK_ALL, false},
	{NULL, 0, false}
};

#define SIMD_AUTO (-1)

static const struct config_enum_entry simd_options[] = {
	{"auto", SIMD_AUTO, false},
	{"avx512", SP_SIMD_AVX512, false},
	{"avx2", SP_SIMD_AVX2, false},
	{"portable", SP_SIMD_PORTABLE, false},
	{NULL, 0, false}
};

static int	simd_setting;
static SpSimd best_simd;		/* what this processor has */

/* Stored in rows of the registry, so it has a bounded length. */
static bool
check_cluster_id(char **value, void **extra, GucSource source)
{
	(void) extra;
	(void) source;
	if (strlen(*value) < SP_CLUSTER_ID_SIZE)
		return true;
	GUC_check_errdetail("It has more than %d bytes.", SP_CLUSTER_ID_SIZE - 1);
	return false;
}

/* Folders and programs are named from the root, as the server changes its directory. */
static bool
check_absolute(char **value, void **extra, GucSource source)
{
	(void) extra;
	(void) source;
	if (**value == '\0' || is_absolute_path(*value))
		return true;
	GUC_check_errdetail("It must be an absolute path.");
	return false;
}

/* Everybody who may read the settings, or the list of processes, would see a password. */
static bool
check_connection(char **value, void **extra, GucSource source)
{
	(void) extra;
	(void) source;
	for (const char *next = *value; (next = strstr(next, "password")) != NULL;)
	{
		next += strlen("password");
		if (next[strspn(next, " \t\n")] != '=')
			continue;
		GUC_check_errdetail("It must not have a password.");
		GUC_check_errhint("Use a password file, or a service with one.");
		return false;
	}
	if (strstr(*value, "://") != NULL)
	{
		GUC_check_errdetail("It must be a list of keywords and values, not a URI.");
		return false;
	}
	return true;
}

/* Instructions that the processor lacks would end the process. */
static bool
check_simd(int *value, void **extra, GucSource source)
{
	(void) extra;
	(void) source;
	if (*value <= (int) best_simd)
		return true;
	GUC_check_errdetail("This processor has no %s instructions that kernels could use; the most that it has is \"%s\".",
						sp_simd_name((SpSimd) *value), sp_simd_name(best_simd));
	GUC_check_errhint("Set it to \"auto\".");
	return false;
}

static void
define_limits(void)
{
	DefineCustomIntVariable("smartpouch.max_elements",
							"Sets the maximum number of elements of a tensor or weight matrix.",
							NULL, &max_elements,
							250000000, 1, INT_MAX, PGC_SUSET, 0,
							NULL, NULL, NULL);
	DefineCustomIntVariable("smartpouch.max_features",
							"Sets the maximum number of features of a model.",
							NULL, &max_features,
							65536, 1, SP_FEATURES_CAP, PGC_SUSET, 0,
							NULL, NULL, NULL);
	DefineCustomIntVariable("smartpouch.max_image_size",
							"Sets the maximum memory of a loaded model.",
							NULL, &max_image_size,
							2 * 1024 * 1024, 1, INT_MAX, PGC_SUSET, GUC_UNIT_KB,
							NULL, NULL, NULL);
	DefineCustomIntVariable("smartpouch.max_labels",
							"Sets the maximum number of labels of a classifier.",
							NULL, &max_labels,
							65536, 2, 1000000, PGC_SUSET, 0,
							NULL, NULL, NULL);
	DefineCustomIntVariable("smartpouch.max_model_size",
							"Sets the maximum size of a model file.",
							NULL, &sp_max_model_size,
							1024 * 1024, 1, INT_MAX, PGC_SUSET, GUC_UNIT_KB,
							NULL, NULL, NULL);
	DefineCustomIntVariable("smartpouch.max_nesting",
							"Sets the maximum depth of objects and arrays in a JSON or UBJSON file.",
							NULL, &max_nesting,
							64, 1, 10000, PGC_SUSET, 0,
							NULL, NULL, NULL);
	DefineCustomIntVariable("smartpouch.max_nodes",
							"Sets the maximum number of tree nodes of a model.",
							NULL, &max_nodes,
							50000000, 1, INT_MAX, PGC_SUSET, 0,
							NULL, NULL, NULL);
	DefineCustomIntVariable("smartpouch.max_score_labels",
							"Sets the maximum number of different labels that predictions and truths are compared by.",
							"Counting them takes 8 bytes for each pair of labels.",
							&sp_max_score_labels,
							1000, 2, 10000, PGC_SUSET, 0,
							NULL, NULL, NULL);
	DefineCustomIntVariable("smartpouch.max_string_length",
							"Sets the maximum length of the name of a feature, a label or a category.",
							NULL, &max_string_length,
							1024, 1, 1024 * 1024, PGC_SUSET, GUC_UNIT_BYTE,
							NULL, NULL, NULL);
	DefineCustomIntVariable("smartpouch.max_tree_depth",
							"Sets the maximum number of splits on one path through a tree.",
							NULL, &max_tree_depth,
							1000, 1, 100000, PGC_SUSET, 0,
							NULL, NULL, NULL);
}

static void
define_snapshots(void)
{
	DefineCustomBoolVariable("smartpouch.require_snapshot_signature",
							 "Refuses to import snapshots without a signature.",
							 NULL, &sp_require_snapshot_signature,
							 false, PGC_SUSET, 0,
							 NULL, NULL, NULL);
	DefineCustomStringVariable("smartpouch.snapshot_key_file",
							   "Sets the file of keys that sign snapshots.",
							   "The first key signs; signatures of all of them are accepted.",
							   &sp_snapshot_key_file,
							   "", PGC_SIGHUP, GUC_SUPERUSER_ONLY,
							   NULL, NULL, NULL);
	DefineCustomBoolVariable("smartpouch.snapshot_promotions",
							 "Takes a snapshot of each version that is promoted to production.",
							 NULL, &sp_snapshot_promotions,
							 true, PGC_SUSET, 0,
							 NULL, NULL, NULL);
}

int			sp_readiness_timeout;
static int	minute_retention;
static int	hour_retention;
static int	day_retention;

/* Of rollups, read by sql/install/48_rollups.sql. */
static void
define_rollups(void)
{
	DefineCustomIntVariable("smartpouch.readiness_timeout",
							"Sets the time that a rollup may take to find out which stages are ready.",
							"What could not be found out is neither up nor down.",
							&sp_readiness_timeout,
							10000, 10, 600000, PGC_USERSET, GUC_UNIT_MS,
							NULL, NULL, NULL);
	DefineCustomIntVariable("smartpouch.rollup_day_retention",
							"Sets the age at which rollups by day are dropped.",
							NULL, &day_retention,
							1096 * 24 * 60, 24 * 60, INT_MAX, PGC_SIGHUP, GUC_UNIT_MIN,
							NULL, NULL, NULL);
	DefineCustomIntVariable("smartpouch.rollup_hour_retention",
							"Sets the age at which rollups and usage by hour are dropped.",
							NULL, &hour_retention,
							90 * 24 * 60, 24 * 60, INT_MAX, PGC_SIGHUP, GUC_UNIT_MIN,
							NULL, NULL, NULL);
	DefineCustomIntVariable("smartpouch.rollup_minute_retention",
							"Sets the age at which rollups by minute are dropped.",
							NULL, &minute_retention,
							48 * 60, 60, INT_MAX, PGC_SIGHUP, GUC_UNIT_MIN,
							NULL, NULL, NULL);
}

static void
define_operation(void)
{
	DefineCustomStringVariable("smartpouch.cluster_id",
							   "Sets the name of this cluster in the owners of models.",
							   "Empty means what the database has kept, the system identifier of the server in which the extension was created.",
							   &sp_cluster_id_setting,
							   "", PGC_SIGHUP, 0,
							   check_cluster_id, NULL, NULL);
	DefineCustomIntVariable("smartpouch.health_timeout",
							"Sets the time that all checks of health() may take together.",
							"A check that is stopped after two fifths of it, or that no time is left for, is unknown.",
							&sp_health_timeout,
							50, 10, 10 * 60 * 1000, PGC_USERSET, GUC_UNIT_MS,
							NULL, NULL, NULL);
	DefineCustomIntVariable("smartpouch.max_replay_lag",
							"Sets the lag of a standby that health() warns of.",
							"Ten times that is a failed check; 0 means that any lag will do.",
							&sp_max_replay_lag,
							60, 0, 24 * 60 * 60, PGC_SIGHUP, GUC_UNIT_S,
							NULL, NULL, NULL);
}

static void
define_keys(void)
{
	/* the server takes settings of this kind from preloaded libraries only */
	if (process_shared_preload_libraries_in_progress)
		DefineCustomStringVariable("smartpouch.api_key_pepper_file",
								   "Sets the file of peppers for the hashes of API keys.",
								   "New keys get the first one; those of all of them are accepted.",
								   &sp_api_key_pepper_file,
								   "", PGC_POSTMASTER, GUC_SUPERUSER_ONLY,
								   NULL, NULL, NULL);
	DefineCustomIntVariable("smartpouch.max_api_key_lifetime",
							"Sets the maximum time until an API key expires.",
							NULL, &sp_max_api_key_lifetime,
							365 * 24 * 60, 1, INT_MAX / 60, PGC_SUSET, GUC_UNIT_MIN,
							NULL, NULL, NULL);
	DefineCustomIntVariable("smartpouch.max_auth_staleness",
							"Sets how far a standby may be behind and still accept API keys.",
							"-1 means that it accepts them however old its data are.",
							&sp_max_auth_staleness,
							60, -1, INT_MAX / 1000, PGC_SIGHUP, GUC_UNIT_S,
							NULL, NULL, NULL);
}

static int	max_backup_age;	/* read by sql/install/53_backup_checks.sql */
static int	max_verified_backup_age;

static void
define_backups(void)
{
	DefineCustomStringVariable("smartpouch.backup_connection",
							   "Sets how the programs that make and restore backups connect to this server.",
							   "Keywords and values as libpq takes them, without database. Empty means this server's socket and port.",
							   &sp_backup_connection,
							   "", PGC_SUSET, GUC_SUPERUSER_ONLY,
							   check_connection, NULL, NULL);
	DefineCustomStringVariable("smartpouch.backup_directory",
							   "Sets the folder that backups are kept in.",
							   NULL, &sp_backup_directory,
							   "", PGC_SUSET, GUC_SUPERUSER_ONLY,
							   check_absolute, NULL, NULL);
	DefineCustomStringVariable("smartpouch.backup_filter",
							   "Sets the command that files of backups are piped through.",
							   "Words separated by blanks, the first an absolute path; no shell reads it.",
							   &sp_backup_filter,
							   "", PGC_SUSET, GUC_SUPERUSER_ONLY,
							   check_absolute, NULL, NULL);
	DefineCustomIntVariable("smartpouch.backup_lock_timeout",
							"Sets how long a backup waits for a lock.",
							NULL, &sp_backup_lock_timeout,
							30 * 1000, 1, INT_MAX, PGC_SUSET, GUC_UNIT_MS,
							NULL, NULL, NULL);
	DefineCustomIntVariable("smartpouch.max_backup_age",
							"Sets the age of the last backup that health() warns of.",
							"Three times that is a failed check.",
							&max_backup_age,
							26 * 60, 1, INT_MAX, PGC_SIGHUP, GUC_UNIT_MIN,
							NULL, NULL, NULL);
	DefineCustomIntVariable("smartpouch.max_verified_backup_age",
							"Sets the age of the last backup that was proven by restoring it that health() warns of.",
							"Three times that is a failed check.",
							&max_verified_backup_age,
							10 * 24 * 60, 1, INT_MAX, PGC_SIGHUP, GUC_UNIT_MIN,
							NULL, NULL, NULL);
	DefineCustomStringVariable("smartpouch.restore_filter",
							   "Sets the command that undoes smartpouch.backup_filter.",
							   NULL, &sp_restore_filter,
							   "", PGC_SUSET, GUC_SUPERUSER_ONLY,
							   check_absolute, NULL, NULL);
}

/* Of what is counted in shared memory: without preload there is nothing to size, and it is too late for a setting of the start. */
static void
define_counters(void)
{
	DefineCustomIntVariable("smartpouch.flush_interval",
							"Sets the time between two writes of the background worker to tables.",
							"A crash or restart forgets what was counted since the last one.",
							&sp_flush_interval,
							10, 1, 3600, PGC_SIGHUP, GUC_UNIT_S,
							NULL, NULL, NULL);
	DefineCustomIntVariable("smartpouch.max_series",
							"Sets the maximum number of series that metrics are counted in, of each kind.",
							"One of each kind takes 13 kB of shared memory. Further ones are counted together.",
							&sp_max_series,
							1000, 10, 100000,
							sp_preloaded ? PGC_POSTMASTER : PGC_SIGHUP, 0,
							NULL, NULL, NULL);
	DefineCustomIntVariable("smartpouch.max_tracked_keys",
							"Sets the number of API keys and owners that are counted at a time.",
							"Each takes about 500 bytes of shared memory.",
							&sp_max_tracked_keys,
							5000, 100, 100000,
							sp_preloaded ? PGC_POSTMASTER : PGC_SIGHUP, 0,
							NULL, NULL, NULL);
	DefineCustomRealVariable("smartpouch.sample_percent",
							 "Sets the share of predictions whose inputs are compared with a baseline.",
							 "Only counts in bins are kept. 0 means none.",
							 &sp_sample_percent,
							 1, 0, 100, PGC_SUSET, 0,
							 NULL, NULL, NULL);
	DefineCustomEnumVariable("smartpouch.track",
							 "Sets what is counted for metrics.",
							 NULL, &sp_track,
							 SP_TRACK_ALL, track_options, PGC_SUSET, 0,
							 NULL, NULL, NULL);
}

static void
define_predictions(void)
{
	DefineCustomIntVariable("smartpouch.batch_size",
							"Sets the maximum number of rows that a plan gathers for one evaluation of a model.",
							NULL, &sp_batch_size,
							256, 1, 4096, PGC_USERSET, 0,
							NULL, NULL, NULL);
	DefineCustomBoolVariable("smartpouch.enable_batch",
							 "Enables the planner's use of predictions over blocks of rows.",
							 NULL, &sp_enable_batch,
							 true, PGC_USERSET, 0,
							 NULL, NULL, NULL);
	DefineCustomIntVariable("smartpouch.model_memory",
							"Sets the memory that a backend keeps loaded models in.",
							"Models that the running statement uses stay loaded whatever their size.",
							&sp_model_memory,
							256 * 1024, 0, INT_MAX, PGC_USERSET, GUC_UNIT_KB,
							NULL, NULL, NULL);
	DefineCustomRealVariable("smartpouch.shadow_timeout",
							 "Sets the time that the evaluation of a shadow may take.",
							 NULL, &sp_shadow_timeout,
							 100, 0.001, 60 * 1000, PGC_SUSET, GUC_UNIT_MS,
							 NULL, NULL, NULL);
	DefineCustomIntVariable("smartpouch.shared_model_memory",
							"Sets the memory that the server keeps models in for all sessions.",
							"0 means that each session keeps its own copies.",
							&sp_shared_model_memory,
							1024 * 1024, 0, INT_MAX, PGC_SIGHUP, GUC_UNIT_KB,
							NULL, NULL, NULL);
	DefineCustomEnumVariable("smartpouch.simd",
							 "Sets the vector instructions that kernels use.",
							 "\"auto\" means the best that the processor has. Tree ensembles give the same bits with all of them.",
							 &simd_setting,
							 SIMD_AUTO, simd_options, PGC_USERSET, 0,
							 check_simd, NULL, NULL);
}

static void
define_imports(void)
{
	DefineCustomIntVariable("smartpouch.import_memory_multiple",
							"Sets how many times the size of a model file its import may take in memory.",
							"64 MB more are allowed to every file.",
							&sp_import_memory_multiple,
							64, 1, 10000, PGC_SUSET, 0,
							NULL, NULL, NULL);
	DefineCustomIntVariable("smartpouch.upload_timeout",
							"Sets the age at which an unfinished upload is removed.",
							NULL, &sp_upload_timeout,
							24 * 60, 1, INT_MAX / 60, PGC_SUSET, GUC_UNIT_MIN,
							NULL, NULL, NULL);
}

void
sp_guc_init(void)
{
	sp_preloaded = process_shared_preload_libraries_in_progress;
	best_simd = sp_simd_best();
	define_backups();
	define_counters();
	define_imports();
	define_keys();
	define_limits();
	define_operation();
	define_predictions();
	define_rollups();
	define_snapshots();
	MarkGUCPrefixReserved("smartpouch");
}

SpSimd
sp_guc_simd(void)
{
	return simd_setting == SIMD_AUTO ? best_simd : (SpSimd) simd_setting;
}

void
sp_guc_limits(SpLimits *limits)
{
	sp_limits_default(limits);
	limits->max_elements = max_elements;
	limits->max_features = max_features;
	limits->max_image = (uint64_t) max_image_size * 1024;
	limits->max_labels = max_labels;
	limits->max_nesting = max_nesting;
	limits->max_nodes = max_nodes;
	limits->max_string = max_string_length;
	limits->max_tree_depth = max_tree_depth;
}
