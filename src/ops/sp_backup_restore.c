/*
 * src/ops/sp_backup_restore.c
 *
 * Models out of a backup, beside what the database has now.
 *
 * The registry of the set is restored into the scratch database, which says by
 * snapshots what each version was; the bytes come from the artefacts.
 */
#include "server/sp_compat.h"

#include "lib/stringinfo.h"
#include "mb/pg_wchar.h"
#include "utils/builtins.h"
#include "utils/memutils.h"
#include "utils/numeric.h"

#include "ops/sp_backup.h"
#include "server/sp_guc.h"
#include "server/sp_jsonb.h"

typedef struct Restore
{
	const SpFolder *folder;
	SpFolder   *set;
	SpManifest *manifest;
	const char *model;			/* NULL: all */
	StringInfoData lines;		/* one for each version */
	char	   *why;			/* the set cannot be restored */
	MemoryContext mcx;
} Restore;

/* A version's row, its numbers and the hashes of its bytes, as an object. */
#define LIST_VERSIONS \
	"TRUNCATE smartpouch.snapshot;\n" \
	"DO $do$ BEGIN PERFORM smartpouch.snapshot_model(v.model || ':' || v.version) FROM smartpouch.versions v%s; END $do$;\n" \
	"SELECT json_build_object('model', model, 'version', version, 'content', content::text," \
	" 'program', encode(program_sha256, 'hex'), 'program_bytes', program_bytes," \
	" 'artifact', encode(artifact_sha256, 'hex'), 'artifact_bytes', artifact_bytes)" \
	" FROM smartpouch.snapshot ORDER BY model, version;\n"

static void SP_NORETURN
refuse(int64 id, const char *why)
{
	ereport(ERROR,
			(errcode(ERRCODE_INVALID_BINARY_REPRESENTATION),
			 errmsg("backup " INT64_FORMAT " cannot be restored", id),
			 errdetail_internal("%s", why),
			 errhint("verify_backup() says what is wrong with it.")));
}

static void
take_lines(void *arg, const char *bytes, Size size)
{
	appendBinaryStringInfo(arg, bytes, (int) size);
}

static void
list_versions(void *arg)
{
	Restore    *restore = arg;
	const char *condition = restore->model == NULL ? "" :
		psprintf(" WHERE v.model = %s", quote_literal_cstr(restore->model));
	char	   *why = sp_scratch_restore(restore->folder, restore->set, restore->manifest, SP_SCRATCH_REGISTRY);

	sp_progress_phase(SP_PHASE_RESTORING);
	if (why == NULL)
		why = sp_backup_try_psql(SP_SCRATCH, psprintf(LIST_VERSIONS, condition), take_lines, &restore->lines);
	restore->why = why == NULL ? NULL : MemoryContextStrdup(restore->mcx, why);
}

/* ---- one version ---- */

typedef struct Bytes
{
	char	   *bytes;
	Size		size;
	Size		limit;
} Bytes;

static void
take_bytes(void *arg, const char *bytes, Size size)
{
	Bytes	   *into = arg;

	if (size > into->limit - into->size)
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_BINARY_REPRESENTATION),
				 errmsg("an artefact of the backup has more bytes than its version says")));
	memcpy(into->bytes + into->size, bytes, size);
	into->size += size;
}

static void
read_part(const Restore *restore, const SpFolder *artefacts, const char *hex, int64 size, int64 id, SpBytes *part)
{
	const char *filter = restore->manifest->filter;
	const char *name = psprintf("%s%s%s", hex, *filter ? "." : "", filter);
	Bytes		into = {.size = 0};
	SpBackupFile found;

	if (size < 0 || size > (int64) sp_max_model_size * 1024)
		ereport(ERROR,
				(errcode(ERRCODE_PROGRAM_LIMIT_EXCEEDED),
				 errmsg("an artefact of the backup has " INT64_FORMAT " bytes, the limit is %d kB", size, sp_max_model_size),
				 errhint("An administrator can raise smartpouch.max_model_size.")));
	into.limit = (Size) size;
	into.bytes = MemoryContextAllocHuge(CurrentMemoryContext, (Size) size + 1);
	if (!sp_file_read_plain(artefacts, name, *filter != '\0', take_bytes, &into, &found))
		refuse(id, psprintf("artefact \"%s\" is missing", name));
	if (strcmp(sp_hash_hex(found.plain_sha256), hex) != 0)
		refuse(id, psprintf("the SHA-256 of artefact \"%s\" is another", name));
	part->bytes = into.bytes;
	part->size = into.size;
	memcpy(part->sha256, found.plain_sha256, SP_SHA256_SIZE);
}

static const JsonbValue *
member(Jsonb *line, const char *name)
{
	JsonbValue *value = sp_jsonb_member(&line->root, name);

	if (value == NULL)
		elog(ERROR, "a line about a version lacks \"%s\"", name);
	return value;
}

static char *
text_of(Jsonb *line, const char *name)
{
	return sp_jsonb_text(member(line, name));
}

static int64
integer_of(Jsonb *line, const char *name)
{
	return DatumGetInt64(DirectFunctionCall1(numeric_int8, NumericGetDatum(member(line, name)->val.numeric)));
}

static void
hand_over(const Restore *restore, const SpFolder *artefacts, const char *text, int64 id, SpTakeVersion take, void *arg)
{
	Jsonb	   *line = DatumGetJsonbP(DirectFunctionCall1(jsonb_in, CStringGetDatum(text)));
	SpBackedVersion version = {.model = text_of(line, "model"), .version = (int32) integer_of(line, "version")};
	char	   *content = text_of(line, "content");

	version.parts.content.bytes = pg_server_to_any(content, (int) strlen(content), PG_UTF8);
	version.parts.content.size = strlen(version.parts.content.bytes);
	sp_sha256(version.parts.content.bytes, version.parts.content.size, version.parts.content.sha256);
	read_part(restore, artefacts, text_of(line, "program"), integer_of(line, "program_bytes"), id, &version.parts.program);
	read_part(restore, artefacts, text_of(line, "artifact"), integer_of(line, "artifact_bytes"), id, &version.parts.artifact);
	take(arg, &version);
}

/* ---- the whole ---- */

static void
open_set(Restore *restore, int64 id)
{
	uint8		hash[SP_SHA256_SIZE];
	char	   *label;
	char	   *why;

	restore->folder = sp_backup_folder();
	sp_backup_lock(restore->folder, SP_BACKUP_LOCK_VERIFY);
	label = sp_backup_label(restore->folder, id);
	restore->set = sp_folder_open(restore->folder, label, false);
	restore->manifest = sp_manifest_read(restore->set, label, hash, &why);
	if (restore->manifest == NULL)
		refuse(id, why);
}

void
sp_backup_versions(int64 id, const char *model, SpTakeVersion take, void *arg)
{
	Restore		restore = {.model = model, .mcx = CurrentMemoryContext};
	MemoryContext each = AllocSetContextCreate(CurrentMemoryContext, "smartpouch restored version", ALLOCSET_DEFAULT_SIZES);
	SpFolder   *artefacts;
	char	   *rest = NULL;

	sp_backup_check_caller("restore_models()");
	open_set(&restore, id);
	initStringInfo(&restore.lines);
	sp_progress_begin(id, sp_stored_bytes(restore.manifest->files));
	sp_with_scratch(list_versions, &restore);
	if (restore.why != NULL)
		refuse(id, restore.why);
	if (model != NULL && restore.lines.len == 0)
		ereport(ERROR,
				(errcode(ERRCODE_UNDEFINED_OBJECT),
				 errmsg("backup " INT64_FORMAT " has no version of model \"%s\"", id, model)));
	artefacts = sp_folder_open(restore.folder, SP_BACKUP_ARTEFACTS, false);
	for (char *line = strtok_r(restore.lines.data, "\n", &rest); line != NULL; line = strtok_r(NULL, "\n", &rest))
	{
		MemoryContext old = MemoryContextSwitchTo(each);

		hand_over(&restore, artefacts, line, id, take, arg);
		MemoryContextSwitchTo(old);
		MemoryContextReset(each);
	}
	sp_progress_end();
}

int32
sp_backup_same_version(const char *name, const SpSnapshotParts *parts)
{
	const char *args[] = {name, sp_hash_hex(parts->program.sha256), sp_hash_hex(parts->artifact.sha256)};
	SpRows		rows = sp_backup_sql("SELECT v.version FROM smartpouch.version v JOIN smartpouch.model m ON m.id = v.model_id"
									 " WHERE m.name = $1 AND v.program_sha256 = decode($2, 'hex')"
									 " AND v.artifact_sha256 = decode($3, 'hex') AND v.imported_at < now()"
									 " ORDER BY v.version LIMIT 1",
									 false, lengthof(args), args);

	return rows.count == 0 ? 0 : (int32) strtol(rows.texts[0], NULL, 10);
}
