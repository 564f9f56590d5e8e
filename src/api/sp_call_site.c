/*
 * src/api/sp_call_site.c
 */
#include "server/sp_compat.h"

#include "utils/builtins.h"
#include "utils/memutils.h"
#include "utils/snapmgr.h"

#include "api/sp_call_site.h"
#include "api/sp_result.h"
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

/* Pin the model that site->resolved names and make what goes with it; eval last, as the sign that all is there. */
static void
serve(SpCallSite *site)
{
	const SpFoundRows *rows = &site->resolved.rows;
	MemoryContext old;
	SpEval	   *eval;
	Size		size;

	release_model(site);
	site->eval = NULL;
	site->outputs = 0;
	MemoryContextReset(site->model_mcx);
	site->model = sp_model_pin(&rows->version, ActiveSnapshotSet() ? GetActiveSnapshot() : NULL);
	size = sp_eval_size(site->model->image, site->capacity);
	if (size == 0 || !AllocHugeSizeIsValid(size))
		ereport(ERROR,
				(errcode(ERRCODE_PROGRAM_LIMIT_EXCEEDED),
				 errmsg("model \"%s\" needs too much memory for one block of rows", rows->model.name)));
	old = MemoryContextSwitchTo(site->model_mcx);
	eval = sp_eval_init(sp_palloc_aligned(site->model_mcx, size, SP_IMAGE_ALIGN),
						site->model->image, site->capacity, sp_interrupted, NULL);
	sp_binder_init(&site->binder, site->model_mcx, site->model->image, eval,
				   psprintf("model \"%s\" version %d", rows->model.name, rows->version.version));
	MemoryContextSwitchTo(old);
	site->eval = eval;
}

static bool
same_version(const SpFoundRows *a, const SpFoundRows *b)
{
	return memcmp(&a->version, &b->version, sizeof(a->version)) == 0 &&
		strcmp(a->model.name, b->model.name) == 0;
}

static void
move_to(SpCallSite *site, const SpResolved *resolved)
{
	bool		same = site->eval != NULL && same_version(&resolved->rows, &site->resolved.rows);

	site->resolved = *resolved;
	if (!same)
		serve(site);
}

static bool
is_serving(SpCallSite *site, const char *ref, Size size)
{
	return site->eval != NULL && site->ref_size == size &&
		memcmp(site->ref, ref, size) == 0 && sp_resolved_holds(&site->resolved);
}

static void
remember_ref(SpCallSite *site, const char *ref, Size size)
{
	Assert(size <= sizeof(site->ref));
	site->ref_size = size;
	memcpy(site->ref, ref, size);
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
	remember_ref(site, bytes, size);
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
	remember_ref(site, bytes, SP_SHA256_SIZE);
}

bool
sp_call_site_has(const SpCallSite *site, SpOutput output)
{
	return site->model->image->outputs[output] != SP_NO_VALUE;
}

uint32
sp_call_site_width(const SpCallSite *site, SpOutput output)
{
	const SpImage *image = site->model->image;

	return sp_image_values(image)[image->outputs[output]].width;
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
	sp_evaluate(site->eval, rows, wanted, has_missing, site->binder.subject);
}
