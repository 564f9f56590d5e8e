/*
 * src/auth/sp_key_write.c
 */
#include "server/sp_compat.h"

#include "catalog/pg_type.h"
#include "executor/spi.h"
#include "miscadmin.h"
#include "utils/acl.h"
#include "utils/builtins.h"
#include "utils/fmgrprotos.h"

#include "auth/sp_audit.h"
#include "auth/sp_key_pepper.h"
#include "auth/sp_key_permission.h"
#include "auth/sp_key_verify.h"
#include "auth/sp_key_write.h"
#include "auth/sp_limit.h"
#include "auth/sp_permission.h"
#include "registry/sp_registry_internal.h"
#include "server/sp_guc.h"
#include "server/sp_role.h"

/* A new key, and what the row has in its place. */
typedef struct Secret
{
	SpKeyToken	parts;
	char		pepper[SP_KEY_NAME_SIZE];
	uint8		hash[SP_SHA256_SIZE];
} Secret;

/* ---- checks ---- */

static void
refuse_token(const char *text, const char *what)
{
	if (text != NULL)
		sp_key_refuse_in((SpStr) {text, strlen(text)}, what);
}

static void
check_tags(ArrayType *tags)
{
	Datum	   *elements;
	bool	   *nulls;
	int			count;

	deconstruct_array(tags, TEXTOID, -1, false, TYPALIGN_INT, &elements, &nulls, &count);
	for (int i = 0; i < count; i++)
	{
		if (nulls[i])
			ereport(ERROR,
					(errcode(ERRCODE_NULL_VALUE_NOT_ALLOWED),
					 errmsg("element %d of tags is null", i + 1)));
		refuse_token(TextDatumGetCString(elements[i]), "a tag");
	}
}

static void
check_limits(const SpNewApiKey *key)
{
	if (key->rate_limit < 0 || key->burst < 0 || key->quota < 0)
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
				 errmsg("limits of a key must be positive"),
				 errhint("NULL means that there is none.")));
	if (key->burst > 0 && key->rate_limit == 0)
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
				 errmsg("a burst goes with a rate limit")));
	if (key->rate_limit > 0 || key->quota > 0)
		sp_limit_require();
}

static TimestampTz
after(TimestampTz now, const Interval *span)
{
	return DatumGetTimestampTz(DirectFunctionCall2(timestamptz_pl_interval, TimestampTzGetDatum(now),
												   IntervalPGetDatum(span)));
}

static TimestampTz
latest_expiry(TimestampTz now)
{
	return now + (TimestampTz) sp_max_api_key_lifetime * SECS_PER_MINUTE * USECS_PER_SEC;
}

static void
check_times(TimestampTz now, TimestampTz not_before, TimestampTz expires_at)
{
	if (expires_at <= now || expires_at > latest_expiry(now))
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
				 errmsg("a key expires after a time that is positive and at most smartpouch.max_api_key_lifetime"),
				 errdetail("The setting is %d minutes.", sp_max_api_key_lifetime)));
	if (TIMESTAMP_NOT_FINITE(not_before) || not_before >= expires_at)
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
				 errmsg("not_before must be before the time when the key expires")));
}

/* ---- making keys ---- */

static bool
fill_random(void *arg, void *bytes, size_t size)
{
	(void) arg;
	return pg_strong_random(bytes, size);
}

static void
make_secret(SpKeyStage stage, char token[SP_KEY_TOKEN_SIZE], Secret *secret)
{
	if (!sp_key_token_make(stage, fill_random, NULL, token, &secret->parts))
		ereport(ERROR,
				(errcode(ERRCODE_INTERNAL_ERROR),
				 errmsg("the server has no random numbers to make a key of")));
	strlcpy(secret->pepper, sp_key_pepper_current(), sizeof(secret->pepper));
	if (!sp_key_hash(token, strlen(token), secret->pepper, secret->hash))
		elog(ERROR, "the pepper of a new key vanished");
}

static Datum
text_or_null(const char *text, char *null)
{
	*null = text == NULL || text[0] == '\0' ? 'n' : ' ';
	return *null == 'n' ? (Datum) 0 : CStringGetTextDatum(text);
}

/*
 * As sp_write_sql, with the hash as a parameter to the end: in another plan it
 * would be a constant, which auto_explain can write into the log.
 */
static void
write_row(const char *sql, int n_args, Oid *types, Datum *values, const char *nulls)
{
	SPIPlanPtr	plan = SPI_prepare_cursor(sql, n_args, types, CURSOR_OPT_GENERIC_PLAN);

	if (plan == NULL || SPI_execute_plan(plan, values, nulls, false, 0) < 0)
		elog(ERROR, "SPI failed: %s", SPI_result_code_string(SPI_result));
}

/* The event's detail is column number of the row that the statement just returned. */
static void
write_event(const SpWrite *write, const char *action, const char *id, const char *owner, const char *reason,
			int column)
{
	sp_audit_event(write, &(SpAuditEvent) {
		.action = action, .key_id = id, .owner = owner, .reason = reason,
		.detail = column > 0 ? DatumGetJsonbP(sp_write_result(column)) : NULL
	});
}

void
sp_key_create(const SpNewApiKey *key, char token[SP_KEY_TOKEN_SIZE])
{
	TimestampTz now = GetCurrentTimestamp();
	TimestampTz not_before = key->not_before != 0 ? key->not_before : now;
	TimestampTz expires_at = after(now, key->expires_in);
	Oid			creator = GetUserId();
	SpWrite		write;
	Secret		secret;

	sp_key_check_owner(key->owner);
	refuse_token(key->description, "a description");
	check_tags(key->tags);
	check_limits(key);
	check_times(now, not_before, expires_at);
	sp_key_check_scopes(key->scopes, key->stage, creator, sp_cluster_id());
	sp_write_begin_local(&write, "create_api_key()");
	make_secret(key->stage, token, &secret);

	Oid			types[] = {
		TEXTOID, BYTEAOID, TEXTOID, TEXTOID, TEXTOID, TEXTARRAYOID, INT4OID, INT4OID, INT8OID, TIMESTAMPTZOID,
		TIMESTAMPTZOID, OIDOID, TEXTOID, TEXTOID, OIDOID, TEXTOID, TEXTARRAYOID, TIMESTAMPTZOID
	};
	char		nulls[lengthof(types) + 1];

	memset(nulls, ' ', lengthof(types));
	nulls[lengthof(types)] = '\0';
	nulls[6] = key->rate_limit > 0 ? ' ' : 'n';
	nulls[7] = key->burst > 0 ? ' ' : 'n';
	nulls[8] = key->quota > 0 ? ' ' : 'n';

	Datum		values[] = {
		CStringGetTextDatum(secret.parts.id), sp_hash_datum(secret.hash), text_or_null(secret.pepper, &nulls[2]),
		CStringGetTextDatum(sp_key_stage_name(key->stage)), CStringGetTextDatum(key->owner),
		PointerGetDatum(key->scopes), Int32GetDatum(key->rate_limit), Int32GetDatum(key->burst),
		Int64GetDatum(key->quota), TimestampTzGetDatum(not_before), TimestampTzGetDatum(expires_at),
		ObjectIdGetDatum(creator), CStringGetTextDatum(write.acting_role), CStringGetTextDatum(sp_cluster_id()),
		ObjectIdGetDatum(MyDatabaseId), text_or_null(key->description, &nulls[15]), PointerGetDatum(key->tags),
		TimestampTzGetDatum(now)
	};

	write_row("INSERT INTO smartpouch.api_key AS k (id, hash, pepper, stage, owner, scopes, rate_limit, burst, quota,"
				 " not_before, expires_at, creator_oid, creator_name, creator_cluster, cluster_id, database_oid, chain,"
				 " description, tags, created_at)"
				 " VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $14, $15, $1, $16, $17, $18)"
				 " RETURNING to_jsonb(k) - 'hash'", lengthof(types), types, values, nulls);
	write_event(&write, "create", secret.parts.id, key->owner, NULL, 1);
	sp_write_end(&write);
}

/* ---- changing them ---- */

bool
sp_key_may_change(Oid user, Oid creator, const char *creator_cluster)
{
	return sp_role_has(user, creator, creator_cluster) || (sp_permission_any(user) & SP_MAY_OWN) != 0;
}

/* Begin a change of a key, whose row stays locked until the transaction ends. */
static void
begin_change(SpWrite *write, const char *what, const char *id, SpApiKeyRow *row)
{
	Oid			types[] = {TEXTOID};
	Datum		values[1];

	sp_key_find_row(id, row);
	sp_write_begin_local(write, what);
	if (!sp_key_may_change(write->identity.user, row->creator_oid, row->creator_cluster))
		ereport(ERROR,
				(errcode(ERRCODE_INSUFFICIENT_PRIVILEGE),
				 errmsg("permission denied for API key \"%s\"", id),
				 errdetail("It takes the role that made it, or the level admin.")));
	values[0] = CStringGetTextDatum(id);
	sp_write_sql("SELECT FROM smartpouch.api_key WHERE id = $1 FOR UPDATE", 1, types, values, NULL);
	sp_key_find_row(id, row);
}

static void SP_NORETURN
refuse_rotation(const char *id, const char *why, const char *hint)
{
	ereport(ERROR,
			(errcode(ERRCODE_OBJECT_NOT_IN_PREREQUISITE_STATE),
			 errmsg("API key \"%s\" cannot be rotated: %s", id, why),
			 errhint("%s", hint)));
}

static void
check_rotation(const SpApiKeyRow *row)
{
	if (row->revoked)
		refuse_rotation(row->id, "it is revoked", "Create another key.");
	if (row->replaced)
		refuse_rotation(row->id, "another key has replaced it", "Rotate the newest one of its chain.");
	if (row->expires_at <= GetCurrentTimestamp())
		refuse_rotation(row->id, "it has expired", "Create another key.");
	if (!sp_registry_api_key_is_here(row))
		refuse_rotation(row->id, "it waits for adoption", "Run smartpouch.adopt_api_keys().");
}

/* The other keys of the chain end: the old one at its time, one that was replaced earlier now. */
static void
end_others(const SpApiKeyRow *old, const char *new_id, TimestampTz now, TimestampTz end)
{
	Oid			types[] = {TEXTOID, TEXTOID, TIMESTAMPTZOID, TEXTOID, TIMESTAMPTZOID};
	Datum		values[] = {
		CStringGetTextDatum(old->id), CStringGetTextDatum(new_id), TimestampTzGetDatum(end),
		CStringGetTextDatum(old->chain), TimestampTzGetDatum(now)
	};

	sp_write_sql("UPDATE smartpouch.api_key SET expires_at = least(expires_at, $5)"
				 " WHERE chain = $4 AND id NOT IN ($1, $2) AND expires_at > $5", 5, types, values, NULL);
	sp_write_sql("UPDATE smartpouch.api_key SET replaced_by = $2, expires_at = least(expires_at, $3) WHERE id = $1"
				 " RETURNING jsonb_build_object('replaced_by', replaced_by, 'expires_at', expires_at)",
				 3, types, values, NULL);
}

void
sp_key_rotate(const char *id, const Interval *grace, char token[SP_KEY_TOKEN_SIZE])
{
	SpWrite		write;
	SpApiKeyRow old;
	Secret		secret;
	TimestampTz now;
	TimestampTz end;

	begin_change(&write, "rotate_api_key()", id, &old);
	check_rotation(&old);
	now = GetCurrentTimestamp();
	end = after(now, grace);
	if (end < now)
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
				 errmsg("the time of grace must not be negative")));
	make_secret(old.stage, token, &secret);

	TimestampTz expires_at = Min(latest_expiry(now), now + (old.expires_at - old.created_at));
	Oid			types[] = {TEXTOID, TEXTOID, BYTEAOID, TEXTOID, TIMESTAMPTZOID, TIMESTAMPTZOID};
	char		nulls[] = "      ";
	Datum		values[] = {
		CStringGetTextDatum(id), CStringGetTextDatum(secret.parts.id), sp_hash_datum(secret.hash),
		text_or_null(secret.pepper, &nulls[3]), TimestampTzGetDatum(now), TimestampTzGetDatum(expires_at)
	};

	write_row("INSERT INTO smartpouch.api_key (id, hash, pepper, stage, owner, scopes, rate_limit, burst, quota,"
				 " not_before, expires_at, enabled, creator_oid, creator_name, creator_cluster, cluster_id, database_oid,"
				 " chain, description, tags, created_at)"
				 " SELECT $2, $3, $4, stage, owner, scopes, rate_limit, burst, quota, least(greatest(not_before, $5), $6), $6,"
				 " enabled, creator_oid, creator_name, creator_cluster, cluster_id, database_oid, chain, description, tags, $5"
				 " FROM smartpouch.api_key WHERE id = $1", lengthof(types), types, values, nulls);
	end_others(&old, secret.parts.id, now, end);
	write_event(&write, "rotate", id, old.owner, NULL, 1);
	sp_write_end(&write);
}

void
sp_key_revoke(const char *id, const char *reason)
{
	SpWrite		write;
	SpApiKeyRow row;
	Oid			types[] = {TEXTOID, TEXTOID, TIMESTAMPTZOID};
	char		nulls[] = "   ";

	refuse_token(reason, "a reason");
	begin_change(&write, "revoke_api_key()", id, &row);

	Datum		values[] = {
		CStringGetTextDatum(id), text_or_null(reason, &nulls[1]), TimestampTzGetDatum(GetCurrentTimestamp())
	};

	if (row.revoked)
		ereport(NOTICE, (errmsg("API key \"%s\" was revoked before", id)));
	else
	{
		sp_write_sql("UPDATE smartpouch.api_key SET revoked_at = $3, revoke_reason = $2 WHERE id = $1",
					 3, types, values, nulls);
		write_event(&write, "revoke", id, row.owner, reason, 0);
	}
	sp_write_end(&write);
}

void
sp_key_set_enabled(const char *id, bool enabled)
{
	SpWrite		write;
	SpApiKeyRow row;
	Oid			types[] = {TEXTOID, BOOLOID};

	begin_change(&write, enabled ? "enable_api_key()" : "disable_api_key()", id, &row);

	Datum		values[] = {CStringGetTextDatum(id), BoolGetDatum(enabled)};

	if (row.revoked)
		ereport(ERROR,
				(errcode(ERRCODE_OBJECT_NOT_IN_PREREQUISITE_STATE),
				 errmsg("API key \"%s\" is revoked", id),
				 errhint("A revoked key stays so; create another one.")));
	if (row.enabled != enabled)
	{
		sp_write_sql("UPDATE smartpouch.api_key SET enabled = $2 WHERE id = $1", 2, types, values, NULL);
		write_event(&write, enabled ? "enable" : "disable", id, row.owner, NULL, 0);
	}
	sp_write_end(&write);
}

void
sp_key_set_scopes(const char *id, ArrayType *scopes)
{
	SpWrite		write;
	SpApiKeyRow row;
	Oid			types[] = {TEXTOID, TEXTARRAYOID, TEXTARRAYOID};

	begin_change(&write, "set_api_key_scopes()", id, &row);
	sp_key_check_scopes(scopes, row.stage, row.creator_oid, row.creator_cluster);

	Datum		values[] = {CStringGetTextDatum(id), PointerGetDatum(scopes), PointerGetDatum(row.scopes)};

	sp_write_sql("UPDATE smartpouch.api_key SET scopes = $2 WHERE id = $1"
				 " RETURNING jsonb_build_object('before', $3, 'after', $2)", 3, types, values, NULL);
	write_event(&write, "scope", id, row.owner, NULL, 1);
	sp_write_end(&write);
}

/* ---- adoption ---- */

int32
sp_key_adopt(Oid creator)
{
	SpWrite		write;
	const char *creator_name = GetUserNameFromId(creator, true);
	uint64		adopted;
	Oid			types[] = {TEXTOID, OIDOID, OIDOID, TEXTOID};

	if (creator_name == NULL)
		ereport(ERROR,
				(errcode(ERRCODE_UNDEFINED_OBJECT),
				 errmsg("role with OID %u does not exist", creator)));
	if (!(sp_permission_any(GetUserId()) & SP_MAY_OWN))
		ereport(ERROR,
				(errcode(ERRCODE_INSUFFICIENT_PRIVILEGE),
				 errmsg("permission denied to adopt API keys"),
				 errdetail("It takes a superuser, the owner of the extension, or the level admin.")));
	check_can_set_role_compat(GetUserId(), creator);
	sp_write_begin_local(&write, "adopt_api_keys()");

	Datum		values[] = {
		CStringGetTextDatum(sp_cluster_id()), ObjectIdGetDatum(MyDatabaseId), ObjectIdGetDatum(creator),
		CStringGetTextDatum(creator_name)
	};

	adopted = sp_write_sql("WITH gone AS (SELECT id, creator_cluster <> $1"
						   "  OR NOT EXISTS (SELECT FROM pg_roles r WHERE r.oid = creator_oid) AS is_gone FROM smartpouch.api_key)"
						   " UPDATE smartpouch.api_key k SET cluster_id = $1, database_oid = $2,"
						   " creator_oid = CASE WHEN is_gone THEN $3 ELSE creator_oid END,"
						   " creator_name = CASE WHEN is_gone THEN $4 ELSE creator_name END, creator_cluster = $1"
						   " FROM gone WHERE gone.id = k.id AND (cluster_id <> $1 OR database_oid <> $2)"
						   " RETURNING k.id, k.owner, jsonb_build_object('creator', k.creator_name)",
						   lengthof(types), types, values, NULL);
	for (uint64 i = 0; i < adopted; i++)
	{
		SPITupleTable *rows = SPI_tuptable;
		bool		isnull;

		sp_audit_event(&write, &(SpAuditEvent) {
			.action = "adopt",
			.key_id = SPI_getvalue(rows->vals[i], rows->tupdesc, 1),
			.owner = SPI_getvalue(rows->vals[i], rows->tupdesc, 2),
			.detail = DatumGetJsonbP(SPI_getbinval(rows->vals[i], rows->tupdesc, 3, &isnull))
		});
		SPI_tuptable = rows;
	}
	sp_write_end(&write);
	return (int32) adopted;
}
