/*
 * src/api/sp_routing.c
 */
#include "server/sp_compat.h"

#include "mb/pg_wchar.h"
#include "port/pg_bswap.h"
#include "utils/builtins.h"

#include "api/sp_call_count.h"
#include "api/sp_routing.h"
#include "server/sp_hash.h"

/* Longer keys take a palloc. */
#define SMALL_KEY 256

#define POINT_BITS 52

static double
point_of(const SpFoundRows *rows, const char *key, Size size)
{
	char		small[UUID_LEN + SP_NAME_SIZE + SMALL_KEY];
	Size		stage_size = strlen(rows->target) + 1;
	Size		total = UUID_LEN + stage_size + size;
	char	   *bytes = total <= sizeof(small) ? small : palloc(total);
	uint8		hash[SP_SHA256_SIZE];
	uint64		head;

	memcpy(bytes, rows->model.id.data, UUID_LEN);
	memcpy(bytes + UUID_LEN, rows->target, stage_size);
	memcpy(bytes + UUID_LEN + stage_size, key, size);
	sp_sha256(bytes, total, hash);
	if (bytes != small)
		pfree(bytes);
	memcpy(&head, hash, sizeof(head));
	return (double) (pg_ntoh64(head) >> (64 - POINT_BITS)) / (double) (UINT64CONST(1) << POINT_BITS);
}

static bool
is_canarys(const SpFoundRows *rows, const char *key, Size size)
{
	const char *bytes = key;

	if (GetDatabaseEncoding() != PG_UTF8)
	{
		bytes = pg_server_to_any(key, (int) size, PG_UTF8);
		size = bytes == key ? size : strlen(bytes);
	}
	return point_of(rows, bytes, size) < rows->routing.canary_percent / 100;
}

SpCallSite *
sp_site_beside(SpCallSite *site, SpBesideSite *beside, int32 version)
{
	const char *model = site->resolved.rows.model.name;

	if (beside->site == NULL)
	{
		beside->site = sp_call_site_make(site->mcx, site->capacity, site->room);
		beside->site->beside = site;
	}
	/* name:version is shorter than the longest name@stage */
	if (beside->ref == NULL)
		beside->ref = MemoryContextAlloc(site->mcx, VARHDRSZ + SP_REFERENCE_SIZE);
	if (beside->version != version || strcmp(beside->model, model) != 0)
	{
		int			length = snprintf(VARDATA(beside->ref), SP_REFERENCE_SIZE, "%s:%d", model, version);

		SET_VARSIZE(beside->ref, VARHDRSZ + length);
		strlcpy(beside->model, model, sizeof(beside->model));
		beside->version = version;
	}
	sp_call_site_use(beside->site, beside->ref);
	return beside->site;
}

SpCallSite *
sp_route_key(FunctionCallInfo fcinfo, text *ref, const char *key, Size size)
{
	SpCallSite *site = sp_call_site(fcinfo, ref);
	const SpFoundRows *rows = &site->resolved.rows;
	SpCallSite *canary;

	if (likely(rows->routing.canary_version == 0) || !is_canarys(rows, key, size))
		return site;
	canary = sp_site_beside(site, &site->canary, rows->routing.canary_version);
	sp_count_site(canary);
	return canary;
}

SpCallSite *
sp_route(FunctionCallInfo fcinfo)
{
	text	   *key = PG_GETARG_TEXT_PP(1);

	return sp_route_key(fcinfo, PG_GETARG_TEXT_PP(0), VARDATA_ANY(key), VARSIZE_ANY_EXHDR(key));
}
