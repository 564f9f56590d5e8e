/*
 * src/api/sp_call_site.c
 */
#include "server/sp_compat.h"

#include "utils/builtins.h"
#include "utils/memutils.h"
#include "utils/snapmgr.h"

#include "api/sp_call_site.h"
#include "server/sp_error.h"
#include "server/sp_memory.h"

/* Runs when fn_mcxt goes, after an error too. */
static void
release_model(void *arg)
{
	SpCallSite *site = arg;

	if (site->model)
		sp_model_unpin(site->model);
	site->model = NULL;
}

SpCallSite *
sp_call_site(FunctionCallInfo fcinfo, uint32 capacity)
{
	SpCallSite *site = fcinfo->flinfo->fn_extra;
	MemoryContext mcx;

	if (likely(site != NULL))
		return site;
	mcx = AllocSetContextCreate(fcinfo->flinfo->fn_mcxt, "smartpouch call site",
								ALLOCSET_SMALL_SIZES);
	site = MemoryContextAllocZero(mcx, sizeof(SpCallSite));
	site->mcx = mcx;
	site->model_mcx = AllocSetContextCreate(mcx, "smartpouch call site model",
											ALLOCSET_SMALL_SIZES);
	site->capacity = capacity;
	site->release.func = release_model;
	site->release.arg = site;
	MemoryContextRegisterResetCallback(mcx, &site->release);
	fcinfo->flinfo->fn_extra = site;
	return site;
}

/* Pin the model that site->resolved names and make what goes with it. */
static void
serve(SpCallSite *site)
{
	MemoryContext old;
	Size		size;

	release_model(site);
	site->outputs = 0;
	MemoryContextReset(site->model_mcx);
	site->model = sp_model_pin(&site->resolved.version,
							   ActiveSnapshotSet() ? GetActiveSnapshot() : NULL);
	size = sp_eval_size(site->model->image, site->capacity);
	if (size == 0 || !AllocHugeSizeIsValid(size))
		ereport(ERROR,
				(errcode(ERRCODE_PROGRAM_LIMIT_EXCEEDED),
				 errmsg("model \"%s\" needs too much memory for one block of rows",
						site->resolved.model.name)));
	old = MemoryContextSwitchTo(site->model_mcx);
	site->eval = sp_eval_init(sp_palloc_aligned(site->model_mcx, size, SP_IMAGE_ALIGN),
							  site->model->image,
							  site->capacity, sp_interrupted, NULL);
	sp_binder_init(&site->binder, site->model_mcx, site->model->image, site->eval,
				   psprintf("model \"%s\" version %d", site->resolved.model.name,
							site->resolved.version.version));
	MemoryContextSwitchTo(old);
}

static bool
same_version(const SpResolved *a, const SpResolved *b)
{
	return memcmp(&a->version, &b->version, sizeof(a->version)) == 0 &&
		strcmp(a->model.name, b->model.name) == 0;
}

static void
move_to(SpCallSite *site, const SpResolved *resolved)
{
	bool		same = site->model != NULL && same_version(resolved, &site->resolved);

	site->resolved = *resolved;
	if (!same)
		serve(site);
}

static bool
is_serving(const SpCallSite *site, const char *ref, Size size)
{
	return site->model != NULL && site->ref_size == size &&
		memcmp(site->ref, ref, size) == 0 && sp_resolved_is_current(&site->resolved);
}

void
sp_call_site_use(SpCallSite *site, text *ref)
{
	const char *bytes = VARDATA_ANY(ref);
	Size		size = VARSIZE_ANY_EXHDR(ref);
	SpResolved	resolved;

	if (likely(is_serving(site, bytes, size)))
		return;
	sp_resolve(bytes, size, &resolved);
	move_to(site, &resolved);
	site->ref_size = size;
	memcpy(site->ref, bytes, size);
}

void
sp_call_site_use_program(SpCallSite *site, bytea *program)
{
	const char *bytes = VARDATA_ANY(program);
	SpResolved	resolved;

	if (VARSIZE_ANY_EXHDR(program) != SP_SHA256_SIZE)
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
				 errmsg("a SHA-256 hash has %d bytes, not %d", SP_SHA256_SIZE,
						(int) VARSIZE_ANY_EXHDR(program))));
	if (likely(is_serving(site, bytes, SP_SHA256_SIZE)))
		return;
	sp_resolve_program((const uint8 *) bytes, &resolved);
	move_to(site, &resolved);
	site->ref_size = SP_SHA256_SIZE;
	memcpy(site->ref, bytes, SP_SHA256_SIZE);
}

bool
sp_call_site_has(const SpCallSite *site, SpOutput output)
{
	return site->model->image->outputs[output] != SP_NO_VALUE;
}

static const char *
outputs_of(const SpCallSite *site)
{
	StringInfoData list;

	initStringInfo(&list);
	for (int output = 0; output < SP_N_OUTPUTS; output++)
		if (sp_call_site_has(site, output))
			appendStringInfo(&list, "%s%s", list.len > 0 ? ", " : "", sp_output_name(output));
	return list.data;
}

static void
check_outputs(SpCallSite *site, uint32 wanted)
{
	for (int output = 0; output < SP_N_OUTPUTS; output++)
		if ((wanted & (1u << output)) && !sp_call_site_has(site, output))
			ereport(ERROR,
					(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
					 errmsg("%s has no output \"%s\"", site->binder.subject, sp_output_name(output)),
					 errdetail("Its outputs are: %s.", outputs_of(site)),
					 output == SP_OUTPUT_LABEL || output == SP_OUTPUT_PROBABILITIES ?
					 errhint("Only classifiers have labels and probabilities; predict() gives the value.") : 0));
	site->outputs = wanted;
}

void
sp_call_site_run(SpCallSite *site, uint32 rows, uint32 wanted, bool has_missing)
{
	if (unlikely(site->outputs != wanted))
		check_outputs(site, wanted);
	if (unlikely(sp_eval_run(site->eval, rows, wanted, has_missing) != SP_OK))
		PG_RE_THROW();
}
