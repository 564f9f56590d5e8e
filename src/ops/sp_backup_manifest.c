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

#include "ops/sp_backup.h"
#include "server/sp_jsonb.h"

#define HASH_MEMBER ",\n\"sha256\": \""
#define HASH_END "\"\n}\n"
#define HEX_SIZE (2 * SP_SHA256_SIZE)
#define MAX_MANIFEST (64 * 1024 * 1024)

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

/* Where the members are that cannot be there: a manifest whose hash is right and that we did not write. */
typedef struct Parse
{
	const char *missing;		/* the first one that is not there or of another type */
} Parse;

static const JsonbValue *
member(Parse *parse, JsonbContainer *object, const char *name, enum jbvType type)
{
	JsonbValue *value = sp_jsonb_member(object, name);

	if (value != NULL && value->type == type)
		return value;
	if (parse->missing == NULL)
		parse->missing = name;
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

	if (strlen(hex) == HEX_SIZE && strspn(hex, "0123456789abcdef") == HEX_SIZE)
		(void) hex_decode(hex, HEX_SIZE, (char *) hash);
	else if (parse->missing == NULL)
		parse->missing = name;
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
		parse->missing = name;
		return NIL;
	}
	for (uint32 i = 0; i < JsonContainerSize(array) && parse->missing == NULL; i++)
	{
		JsonbContainer *element = sp_jsonb_object(getIthJsonbValueFromContainer(array, i));
		SpBackupFile *file = palloc0(sizeof(SpBackupFile));
		const char *text;

		if (element == NULL)
		{
			parse->missing = name;
			return NIL;
		}
		text = text_member(parse, element, "name");
		if (!is_file_name(text))
			parse->missing = "name";
		strlcpy(file->name, text, sizeof(file->name));
		file->plain_bytes = integer_member(parse, element, "bytes");
		hash_member(parse, element, "sha256", file->plain_sha256);
		file->stored_bytes = integer_member(parse, element, "stored_bytes");
		hash_member(parse, element, "stored_sha256", file->stored_sha256);
		files = lappend(files, file);
	}
	return files;
}

static SpManifest *
parse_members(JsonbContainer *object, Parse *parse)
{
	SpManifest *manifest = palloc0(sizeof(SpManifest));

	strlcpy(manifest->label, text_member(parse, object, "label"), sizeof(manifest->label));
	strlcpy(manifest->filter, text_member(parse, object, "filter"), sizeof(manifest->filter));
	manifest->full = strcmp(text_member(parse, object, "kind"), "full") == 0;
	manifest->started_at = text_member(parse, object, "started_at");
	manifest->finished_at = text_member(parse, object, "finished_at");
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
	manifest = parse_members(&parsed->root, &parse);
	if (parse.missing != NULL)
		*why = psprintf("the manifest lacks \"%s\"", parse.missing);
	else if (strcmp(manifest->label, label) != 0)
		*why = psprintf("the manifest is that of \"%s\"", manifest->label);
	return *why == NULL ? manifest : NULL;
}

SpManifest *
sp_manifest_read(const SpFolder *set, const char *label, uint8 hash[SP_SHA256_SIZE], char **why)
{
	SpBackupFile file;
	Text		text = {.too_long = false};

	*why = NULL;
	initStringInfo(&text.data);
	if (!sp_file_read(set, SP_MANIFEST, append_text, &text, &file))
		*why = "the manifest is missing";
	else if (file.stored_bytes == 0)
		*why = "the manifest is empty";
	else if (text.too_long || !hash_is_right(&text.data))
		*why = "the manifest is damaged: its SHA-256 is another";
	if (*why != NULL)
		return NULL;
	memcpy(hash, file.stored_sha256, SP_SHA256_SIZE);
	return parse_text(&text.data, label, why);
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
