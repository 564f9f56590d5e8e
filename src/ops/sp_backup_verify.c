/*
 * src/ops/sp_backup_verify.c
 *
 * Is a set what it was, and does it bring back what was backed up?
 */
#include "server/sp_compat.h"

#include "lib/stringinfo.h"
#include "mb/pg_wchar.h"
#include "miscadmin.h"
#include "portability/instr_time.h"
#include "utils/timestamp.h"

#include "ops/sp_backup.h"

#define SHOWN 200
#define MEASURED (10 * 1024 * 1024)	/* bytes of a set that say how long a GB takes */

typedef struct Verify
{
	const SpFolder *folder;
	SpFolder   *set;
	SpManifest *manifest;
	uint8		hash[SP_SHA256_SIZE];	/* of the manifest */
	SpVerifyReport report;
	void	   *arg;
	char	   *problem;		/* the first one, in the memory of the whole call */
	bool		is_bad;			/* the set is not what it should be; else it could only not be tried */
	MemoryContext mcx;
	double		restore_seconds;
} Verify;

/* why NULL: passed, and then detail may say more. */
static void
tell(Verify *verify, const char *item, const char *why, const char *detail)
{
	verify->report(verify->arg, item, why == NULL, why != NULL ? why : detail);
	if (why != NULL && verify->problem == NULL)
		verify->problem = MemoryContextStrdup(verify->mcx, psprintf("%s: %s", item, why));
}

/* The same of the set itself, which is bad then. */
static void
say(Verify *verify, const char *item, const char *why, const char *detail)
{
	tell(verify, item, why, detail);
	verify->is_bad = verify->is_bad || why != NULL;
}

/* ---- files ---- */

static char *
check_file(const SpFolder *folder, const SpBackupFile *file, bool every_byte)
{
	int64		size = sp_file_size(folder, file->name);
	SpBackupFile found;

	if (size < 0)
		return psprintf("\"%s\" is missing", file->name);
	if (size != file->stored_bytes)
		return psprintf("\"%s\" has " INT64_FORMAT " bytes, the manifest says " INT64_FORMAT, file->name, size,
						file->stored_bytes);
	if (!every_byte)
		return NULL;
	sp_progress_add(size);
	if (!sp_file_read(folder, file->name, NULL, NULL, &found) ||
		memcmp(found.stored_sha256, file->stored_sha256, SP_SHA256_SIZE) != 0)
		return psprintf("the SHA-256 of \"%s\" is another", file->name);
	return NULL;
}

static void
check_files(Verify *verify, const SpFolder *folder, const List *files, const char *item, bool every_byte)
{
	char	   *why = NULL;
	ListCell   *cell;
	int			bad = 0;

	foreach(cell, files)
	{
		char	   *problem = folder == NULL ? "the folder is missing" : check_file(folder, lfirst(cell), every_byte);

		bad += problem != NULL;
		if (why == NULL)
			why = problem;
	}
	say(verify, item, bad > 1 ? psprintf("%s, and %d more", why, bad - 1) : why,
		psprintf("%d files, " INT64_FORMAT " bytes%s", list_length(files), sp_stored_bytes(files),
				 every_byte ? ", by SHA-256" : ""));
}

/* The manifest against itself and against what was known when it was written. */
static void
check_manifest(Verify *verify, int64 id, const char *label)
{
	const char *args[] = {psprintf(INT64_FORMAT, id)};
	SpRows		rows = sp_backup_sql("SELECT encode(manifest_sha256, 'hex') FROM smartpouch.backup WHERE id = $1::bigint",
									 false, lengthof(args), args);
	char	   *why;

	verify->manifest = sp_manifest_read(verify->set, label, verify->hash, &why);
	if (why == NULL && rows.count == 1 && rows.texts[0] != NULL && strcmp(rows.texts[0], sp_hash_hex(verify->hash)) != 0)
		why = "the manifest is whole, but not the one that was written";
	say(verify, "manifest", why, why == NULL ? psprintf("%s, SHA-256 %s", verify->manifest->label, sp_hash_hex(verify->hash)) : NULL);
}

/* ---- what a restored database gives ---- */

typedef struct Answer
{
	SpSha256   *hash;
	StringInfoData text;		/* its beginning */
} Answer;

static void
take_answer(void *arg, const char *bytes, Size size)
{
	Answer	   *answer = arg;

	if (answer->hash != NULL)
		sp_sha256_add(answer->hash, bytes, size);
	sp_backup_keep_beginning(&answer->text, bytes, size);
}

static void
take_lines(void *arg, const char *bytes, Size size)
{
	appendBinaryStringInfo(arg, bytes, (int) size);
}

/* The first lines that differ. */
static char *
first_difference(const char *expected, const char *found)
{
	const char *expected_line = expected;
	const char *found_line = found;
	int			expected_size;
	int			found_size;

	for (; *expected && *expected == *found; expected++, found++)
	{
		if (*expected != '\n')
			continue;
		expected_line = expected + 1;
		found_line = found + 1;
	}
	expected_size = pg_mbcliplen(expected_line, (int) strcspn(expected_line, "\n"), SHOWN);
	found_size = pg_mbcliplen(found_line, (int) strcspn(found_line, "\n"), SHOWN);
	return psprintf("expected %.*s, found %.*s", expected_size, expected_line, found_size, found_line);
}

static void
compare_answer(Verify *verify, const char *item, const char *name, SpProof proof)
{
	const SpBackupFile *file = sp_manifest_file(verify->manifest, name);
	Answer		answer = {.hash = sp_sha256_begin()};
	Answer		expected = {.hash = NULL};
	SpBackupFile found;
	uint8		hash[SP_SHA256_SIZE];
	char	   *why;
	char	   *uncompared;

	initStringInfo(&answer.text);
	initStringInfo(&expected.text);
	why = proof(SP_SCRATCH, verify->manifest->full, NULL, take_answer, &answer);
	sp_sha256_end(answer.hash, hash);
	if (why != NULL)
	{
		tell(verify, item, why, NULL);
		return;
	}
	if (file == NULL)
		why = psprintf("the manifest names no \"%s\"", name);
	else if (memcmp(hash, file->plain_sha256, SP_SHA256_SIZE) != 0)
	{
		(void) sp_file_read_plain(verify->set, name, *verify->manifest->filter != '\0', take_answer, &expected, &found);
		why = first_difference(expected.text.data, answer.text.data);
	}
	uncompared = sp_backup_uncompared(answer.text.data);
	say(verify, item, why, why != NULL ? NULL : psprintf("equal in " INT64_FORMAT " bytes%s%s", file->plain_bytes,
														 uncompared ? ", but " : "", uncompared ? uncompared : ""));
}

/* Sequences go on while they are dumped, so there is no one answer. */
static void
compare_sequences(Verify *verify)
{
	const SpBackupFile *file = sp_manifest_file(verify->manifest, SP_BACKUP_SEQUENCES);
	StringInfoData lines;
	Answer		answer = {.hash = NULL};
	SpBackupFile found;
	char	   *why;

	if (file == NULL)
	{
		say(verify, "sequences", "the manifest names no \"" SP_BACKUP_SEQUENCES "\"", NULL);
		return;
	}
	initStringInfo(&lines);
	initStringInfo(&answer.text);
	(void) sp_file_read_plain(verify->set, file->name, *verify->manifest->filter != '\0', take_lines, &lines, &found);
	why = sp_backup_try_psql(SP_SCRATCH, sp_backup_sequences_compare_script(verify->manifest->full, lines.data), take_answer, &answer);
	if (why != NULL)
	{
		tell(verify, "sequences", why, NULL);
		return;
	}
	if (answer.text.len > 0)
		why = pnstrdup(answer.text.data, pg_mbcliplen(answer.text.data, (int) strcspn(answer.text.data, "\n"), SHOWN));
	say(verify, "sequences", why, NULL);
}

/* Golden rows with their tolerance: what a model must answer on any machine. */
static void
check_golden(Verify *verify)
{
	Answer		answer = {.hash = NULL};
	char	   *why;

	initStringInfo(&answer.text);
	why = sp_backup_try_psql(SP_SCRATCH,
							 "SELECT v.model || ':' || v.version || ' row ' || g.seq || ': ' || g.mismatch FROM smartpouch.versions v,"
							 " LATERAL smartpouch.check_golden(v.model || ':' || v.version) g WHERE NOT g.passed ORDER BY 1 LIMIT 1;\n",
							 take_answer, &answer);
	if (why != NULL)
	{
		tell(verify, "golden rows", why, NULL);
		return;
	}
	if (answer.text.len > 0)
		why = pnstrdup(answer.text.data, pg_mbcliplen(answer.text.data, answer.text.len, SHOWN));
	say(verify, "golden rows", why, NULL);
}

static void
restore(void *arg)
{
	Verify	   *verify = arg;
	int64		bytes = sp_stored_bytes(verify->manifest->files) + sp_stored_bytes(verify->manifest->artefacts);
	instr_time	start;
	instr_time	end;
	char	   *why;

	sp_progress_phase(SP_PHASE_RESTORING);
	INSTR_TIME_SET_CURRENT(start);
	why = sp_scratch_restore(verify->folder, verify->set, verify->manifest, SP_SCRATCH_ALL);
	INSTR_TIME_SET_CURRENT(end);
	INSTR_TIME_SUBTRACT(end, start);
	verify->restore_seconds = INSTR_TIME_GET_DOUBLE(end);
	tell(verify, "restore", why, bytes < MEASURED ? psprintf("%.2f s", verify->restore_seconds) :
		psprintf("%.2f s, %.1f s per GB", verify->restore_seconds, verify->restore_seconds * 1e9 / (double) bytes));
	if (why != NULL)
		return;
	sp_progress_phase(SP_PHASE_COMPARING);
	compare_answer(verify, "tables", SP_BACKUP_TABLES, sp_backup_tables);
	compare_sequences(verify);
	compare_answer(verify, "predictions", SP_BACKUP_PROBES, sp_backup_probes);
	check_golden(verify);
}

/* ---- the whole ---- */

static void
keep_outcome(const Verify *verify, int64 id, SpVerifyLevel level)
{
	SpVerified	verified;

	if (level < SP_VERIFY_RESTORE || verify->problem != NULL)
	{
		sp_backup_status_verified(id, level >= SP_VERIFY_CHECKSUM, NULL, verify->problem, verify->is_bad);
		return;
	}
	memcpy(verified.manifest, verify->hash, SP_SHA256_SIZE);
	verified.at = sp_backup_sql("SELECT to_char(clock_timestamp() AT TIME ZONE 'UTC', 'YYYY-MM-DD\"T\"HH24:MI:SS.US\"Z\"')",
								false, 0, NULL).texts[0];
	verified.seconds = psprintf("%.3f", verify->restore_seconds);
	sp_set_mark_verified(verify->set, &verified);
	sp_backup_status_verified(id, true, &verified, NULL, false);
}

void
sp_backup_verify(int64 id, SpVerifyLevel level, SpVerifyReport report, void *arg)
{
	Verify		verify = {.report = report, .arg = arg, .mcx = CurrentMemoryContext};
	SpFolder   *artefacts;
	char	   *label;

	sp_backup_check_caller("verify_backup()");
	verify.folder = sp_backup_folder();
	sp_backup_lock(verify.folder, SP_BACKUP_LOCK_VERIFY);
	label = sp_backup_label(verify.folder, id);
	verify.set = sp_folder_open(verify.folder, label, false);
	check_manifest(&verify, id, label);
	if (verify.manifest != NULL)
	{
		artefacts = sp_folder_open(verify.folder, SP_BACKUP_ARTEFACTS, true);
		sp_progress_begin(id, (sp_stored_bytes(verify.manifest->files) + sp_stored_bytes(verify.manifest->artefacts)) *
						  (level == SP_VERIFY_RESTORE ? 2 : 1));
		sp_progress_phase(SP_PHASE_READING_BACK);
		check_files(&verify, verify.set, verify.manifest->files, "files", level >= SP_VERIFY_CHECKSUM);
		check_files(&verify, artefacts, verify.manifest->artefacts, "artefacts", level >= SP_VERIFY_CHECKSUM);
	}
	if (level == SP_VERIFY_RESTORE && verify.problem == NULL)
		sp_with_scratch(restore, &verify);
	keep_outcome(&verify, id, level);
	sp_progress_end();
}
