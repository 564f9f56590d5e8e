/*
 * src/ops/sp_backup_manifest.c
 *
 * What a set consists of, as JSON; doc/backup-format.md has the members.
 */
#include "server/sp_compat.h"

#include "common/hashfn.h"
#include "lib/stringinfo.h"
#include "mb/pg_wchar.h"
#include "utils/builtins.h"
#include "utils/json.h"
#include "utils/numeric.h"
#include "utils/timestamp.h"

#include "ops/sp_backup.h"
#include "server/sp_jsonb.h"
#include "server/sp_subtransaction.h"

#define HASH_MEMBER ",\n\"sha256\": \""
#define HASH_END "\"\n}\n"
#define HEX_DIGITS "0123456789abcdef"
#define HEX_SIZE (2 * SP_SHA256_SIZE)
#define MAX_MANIFEST (64 * 1024 * 1024)
#define MAX_STORED (INT64CONST(1) << 44)	/* bytes of a file; a manifest has room for fewer than 2^19 */

/* ---- writing ---- */

static void
add_text(StringInfo out, const char *name, const char *value)
{
	appendStringInfo(out, ",\n\"%s\": ", name);
	escape_json(out, pg_server_to_any(value, (int) strlen(value), PG_UTF8));
}

static void
add_files(StringInfo out, const char *name, const List *files)
{
	const char *separator = "\n";
	ListCell   *cell;

	appendStringInfo(out, ",\n\"%s\": [", name);
	foreach(cell, files)
	{
		const SpBackupFile *file = lfirst(cell);

		appendStringInfo(out, "%s{\"name\": \"%s\", \"bytes\": " INT64_FORMAT ", \"sha256\": \"%s\","
						 " \"stored_bytes\": " INT64_FORMAT ", \"stored_sha256\": \"%s\"}",
						 separator, file->name, file->plain_bytes, sp_hash_hex(file->plain_sha256),
						 file->stored_bytes, sp_hash_hex(file->stored_sha256));
		separator = ",\n";
	}
	appendStringInfoChar(out, ']');
}

char *
sp_manifest_write(const SpManifest *manifest)
{
	StringInfoData out;
	uint8		hash[SP_SHA256_SIZE];

	initStringInfo(&out);
	appendStringInfo(&out, "{\n\"format\": %d", SP_BACKUP_FORMAT);
	add_text(&out, "label", manifest->label);
	add_text(&out, "kind", manifest->full ? "full" : "models");
	add_text(&out, "filter", manifest->filter);
	add_text(&out, "started_at", manifest->started_at);
	add_text(&out, "finished_at", manifest->finished_at);
	add_text(&out, "database", manifest->database);
	add_text(&out, "database_options", manifest->database_options);
	add_text(&out, "extension_version", manifest->extension_version);
	add_text(&out, "server_version", manifest->server_version);
	add_text(&out, "dump_version", manifest->dump_version);
	add_text(&out, "snapshot", manifest->snapshot);
	add_text(&out, "start_lsn", manifest->start_lsn);
	add_text(&out, "end_lsn", manifest->end_lsn);
	add_text(&out, "system_identifier", psprintf(UINT64_FORMAT, manifest->system_identifier));
	appendStringInfo(&out, ",\n\"timeline\": %u", manifest->timeline);
	appendStringInfoString(&out, ",\n\"not_inside\": [\"roles\", \"tablespaces\", \"server settings\","
						   " \"key files that settings name\"]");
	add_files(&out, "files", manifest->files);
	add_files(&out, "artefacts", manifest->artefacts);
	sp_sha256(out.data, (Size) out.len, hash);
	appendStringInfo(&out, HASH_MEMBER "%s" HASH_END, sp_hash_hex(hash));
	return out.data;
}

/* ---- reading ---- */

/* A manifest whose hash is right need not be one that we wrote. */
typedef struct Parse
{
	const char *bad;			/* the first member that is not there or not what it can be */
} Parse;

static void
expect(Parse *parse, bool is_right, const char *name)
{
	if (!is_right && parse->bad == NULL)
		parse->bad = name;
}

static const JsonbValue *
member(Parse *parse, JsonbContainer *object, const char *name, enum jbvType type)
{
	JsonbValue *value = sp_jsonb_member(object, name);

	if (value != NULL && value->type == type)
		return value;
	expect(parse, false, name);
	return NULL;
}

static char *
text_member(Parse *parse, JsonbContainer *object, const char *name)
{
	const JsonbValue *value = member(parse, object, name, jbvString);

	return value == NULL ? "" : sp_jsonb_text(value);
}

static int64
integer_member(Parse *parse, JsonbContainer *object, const char *name)
{
	const JsonbValue *value = member(parse, object, name, jbvNumeric);

	return value == NULL ? 0 : DatumGetInt64(DirectFunctionCall1(numeric_int8, NumericGetDatum(value->val.numeric)));
}

static void
hash_member(Parse *parse, JsonbContainer *object, const char *name, uint8 hash[SP_SHA256_SIZE])
{
	const char *hex = text_member(parse, object, name);

	if (strlen(hex) == HEX_SIZE && strspn(hex, HEX_DIGITS) == HEX_SIZE)
		(void) hex_decode(hex, HEX_SIZE, (char *) hash);
	else
		expect(parse, false, name);
}

/* Of a file; together they must fit, too. */
static int64
size_member(Parse *parse, JsonbContainer *object, const char *name)
{
	int64		size = integer_member(parse, object, name);

	expect(parse, size >= 0 && size <= MAX_STORED, name);
	return size;
}

static char *
time_member(Parse *parse, JsonbContainer *object, const char *name)
{
	char	   *text = text_member(parse, object, name);

	expect(parse, sp_backup_is_time(text), name);
	if (parse->bad == NULL)		/* of the right shape: are there such a day and hour? */
		(void) DirectFunctionCall3(timestamptz_in, CStringGetDatum(text), ObjectIdGetDatum(InvalidOid), Int32GetDatum(-1));
	return text;
}

/* Names become paths: nothing but the letters that we use. */
static bool
is_file_name(const char *name)
{
	Size		length = strspn(name, "abcdefghijklmnopqrstuvwxyz0123456789._");

	return length > 0 && length < SP_BACKUP_NAME_SIZE && name[length] == '\0' && name[0] != '.';
}

static List *
file_members(Parse *parse, JsonbContainer *object, const char *name)
{
	JsonbContainer *array = sp_jsonb_array(member(parse, object, name, jbvBinary));
	List	   *files = NIL;

	if (array == NULL)
	{
		expect(parse, false, name);
		return NIL;
	}
	for (uint32 i = 0; i < JsonContainerSize(array) && parse->bad == NULL; i++)
	{
		JsonbContainer *element = sp_jsonb_object(getIthJsonbValueFromContainer(array, i));
		SpBackupFile *file = palloc0(sizeof(SpBackupFile));
		const char *text;

		if (element == NULL)
		{
			expect(parse, false, name);
			return NIL;
		}
		text = text_member(parse, element, "name");
		expect(parse, is_file_name(text), "name");
		strlcpy(file->name, text, sizeof(file->name));
		file->plain_bytes = size_member(parse, element, "bytes");
		hash_member(parse, element, "sha256", file->plain_sha256);
		file->stored_bytes = size_member(parse, element, "stored_bytes");
		hash_member(parse, element, "stored_sha256", file->stored_sha256);
		files = lappend(files, file);
	}
	return files;
}

static SpManifest *
parse_members(JsonbContainer *object, Parse *parse)
{
	SpManifest *manifest = palloc0(sizeof(SpManifest));
	const char *label = text_member(parse, object, "label");
	const char *filter = text_member(parse, object, "filter");
	const char *kind = text_member(parse, object, "kind");

	expect(parse, sp_backup_is_label(label), "label");
	strlcpy(manifest->label, label, sizeof(manifest->label));
	expect(parse, *filter == '\0' || sp_backup_is_filter_id(filter), "filter");
	strlcpy(manifest->filter, filter, sizeof(manifest->filter));
	manifest->full = strcmp(kind, "full") == 0;
	expect(parse, manifest->full || strcmp(kind, "models") == 0, "kind");
	manifest->started_at = time_member(parse, object, "started_at");
	manifest->finished_at = time_member(parse, object, "finished_at");
	manifest->database = text_member(parse, object, "database");
	manifest->database_options = text_member(parse, object, "database_options");
	manifest->extension_version = text_member(parse, object, "extension_version");
	manifest->server_version = text_member(parse, object, "server_version");
	manifest->dump_version = text_member(parse, object, "dump_version");
	manifest->snapshot = text_member(parse, object, "snapshot");
	manifest->start_lsn = text_member(parse, object, "start_lsn");
	manifest->end_lsn = text_member(parse, object, "end_lsn");
	manifest->system_identifier = strtou64(text_member(parse, object, "system_identifier"), NULL, 10);
	manifest->timeline = (uint32) integer_member(parse, object, "timeline");
	manifest->files = file_members(parse, object, "files");
	manifest->artefacts = file_members(parse, object, "artefacts");
	return manifest;
}

typedef struct Text
{
	StringInfoData data;
	bool		too_long;
} Text;

static void
append_text(void *arg, const char *bytes, Size size)
{
	Text	   *text = arg;

	text->too_long = text->too_long || (Size) text->data.len + size > MAX_MANIFEST;
	if (!text->too_long)
		appendBinaryStringInfo(&text->data, bytes, (int) size);
}

/* The end is as we would write it for what is before it, so every byte counts. */
static bool
hash_is_right(const StringInfoData *text)
{
	int			end_size = (int) (strlen(HASH_MEMBER) + HEX_SIZE + strlen(HASH_END));
	int			body = text->len - end_size;
	uint8		hash[SP_SHA256_SIZE];

	if (body <= 0 || strlen(text->data) != (Size) text->len)
		return false;
	sp_sha256(text->data, (Size) body, hash);
	return strcmp(text->data + body, psprintf(HASH_MEMBER "%s" HASH_END, sp_hash_hex(hash))) == 0;
}

static SpManifest *
parse_text(const StringInfoData *text, const char *label, char **why)
{
	Parse		parse = {NULL};
	char	   *in_server = pg_any_to_server(text->data, text->len, PG_UTF8);
	Jsonb	   *parsed = DatumGetJsonbP(DirectFunctionCall1(jsonb_in, CStringGetDatum(in_server)));
	SpManifest *manifest;
	int64		format;

	if (!JB_ROOT_IS_OBJECT(parsed))
	{
		*why = "the manifest is not an object";
		return NULL;
	}
	format = integer_member(&parse, &parsed->root, "format");
	if (format > SP_BACKUP_FORMAT)
	{
		*why = psprintf("the manifest has format " INT64_FORMAT ", this library knows up to %d", format, SP_BACKUP_FORMAT);
		return NULL;
	}
	expect(&parse, format > 0, "format");
	manifest = parse_members(&parsed->root, &parse);
	if (parse.bad != NULL)
		*why = psprintf("the manifest has no valid \"%s\"", parse.bad);
	else if (strcmp(manifest->label, label) != 0)
		*why = psprintf("the manifest is that of \"%s\"", manifest->label);
	return *why == NULL ? manifest : NULL;
}

typedef struct Reading
{
	const SpFolder *set;
	const char *label;
	uint8	   *hash;
	char	   *why;
	SpManifest *manifest;
} Reading;

static void
read_manifest(void *arg)
{
	Reading    *reading = arg;
	SpBackupFile file;
	Text		text = {.too_long = sp_file_size(reading->set, SP_MANIFEST) > MAX_MANIFEST};

	initStringInfo(&text.data);
	if (text.too_long)
		reading->why = "the manifest is too long";
	else if (!sp_file_read(reading->set, SP_MANIFEST, append_text, &text, &file))
		reading->why = "the manifest is missing";
	else if (file.stored_bytes == 0)
		reading->why = "the manifest is empty";
	else if (text.too_long || !hash_is_right(&text.data))
		reading->why = "the manifest is damaged: its SHA-256 is another";
	if (reading->why != NULL)
		return;
	memcpy(reading->hash, file.stored_sha256, SP_SHA256_SIZE);
	reading->manifest = parse_text(&text.data, reading->label, &reading->why);
}

/* Is it the manifest, and not this session, that is wrong? */
static bool
is_about_file(int sqlstate)
{
	int			category = ERRCODE_TO_CATEGORY(sqlstate);

	return category == ERRCODE_DATA_EXCEPTION || category == ERRCODE_PROGRAM_LIMIT_EXCEEDED ||
		category == ERRCODE_SYSTEM_ERROR;
}

SpManifest *
sp_manifest_read(const SpFolder *set, const char *label, uint8 hash[SP_SHA256_SIZE], char **why)
{
	Reading		reading = {.set = set, .label = label, .hash = hash};
	ErrorData  *error = sp_subtransaction(read_manifest, &reading);

	if (error != NULL && !is_about_file(error->sqlerrcode))
		ReThrowError(error);
	*why = error == NULL ? reading.why : psprintf("the manifest cannot be read: %s", error->message);
	return error == NULL ? reading.manifest : NULL;
}

int64
sp_stored_bytes(const List *files)
{
	int64		bytes = 0;
	ListCell   *cell;

	foreach(cell, files)
		bytes += ((const SpBackupFile *) lfirst(cell))->stored_bytes;
	return bytes;
}

const SpBackupFile *
sp_manifest_file(const SpManifest *manifest, const char *name)
{
	ListCell   *cell;

	foreach(cell, manifest->files)
		if (strcmp(((SpBackupFile *) lfirst(cell))->name, name) == 0)
			return lfirst(cell);
	return NULL;
}
