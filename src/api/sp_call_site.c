/*
 * src/api/sp_call_site.c
 */
#include "server/sp_compat.h"

#include "mb/pg_wchar.h"
#include "miscadmin.h"
#include "utils/builtins.h"
#include "utils/memutils.h"

#include "api/sp_call_site.h"
#include "api/sp_model_ref.h"
#include "api/sp_result.h"
#include "server/sp_error.h"
#include "server/sp_memory.h"
#include "server/sp_snapshot.h"

/* A larger evaluator is made anew for each statement. */
#define MAX_KEPT_BYTES (256 * 1024)

/*
 * What a site for one row leaves with a loaded model for the next one: making
 * it, and the plan of the row, takes several times as long as the prediction.
 */
typedef struct SpKept
{
	SpFoundRows rows;			/* the version that the binder names */
	SpEval	   *eval;
	SpBinder	binder;
	uint32		outputs;
} SpKept;

static bool
same_version(const SpFoundRows *a, const SpFoundRows *b)
{
	return memcmp(&a->version, &b->version, sizeof(a->version)) == 0 &&
		strcmp(a->model.name, b->model.name) == 0;
}

/* Is it of a function for one row?  What a plan's node has is made for its own way to bind. */
static bool
serves_calls(const SpCallSite *site)
{
	return site->capacity == 1 && site->room == 0;
}

/* Leave what is complete with the model, unless another site has done so. */
static void
keep(SpCallSite *site)
{
	SpKept	   *kept = site->kept;

	kept->rows = site->resolved.rows;
	kept->eval = site->eval;
	kept->binder = site->binder;
	kept->outputs = site->outputs;
	site->model->kept = kept;
	site->model->kept_mcx = site->model_mcx;
}

/* Runs when the site goes, after an error too. */
static void
release_model(void *arg)
{
	SpCallSite *site = arg;

	if (site->eval != NULL && serves_calls(site) && site->model->kept == NULL &&
		MemoryContextMemAllocated(site->model_mcx, true) <= MAX_KEPT_BYTES)
		keep(site);
	else if (site->model_mcx != NULL)
		MemoryContextDelete(site->model_mcx);
	if (site->model)
		sp_model_unpin(site->model);
	site->model_mcx = NULL;
	site->eval = NULL;
	site->model = NULL;
}

SpCallSite *
sp_call_site_make(MemoryContext parent, uint32 capacity, Size room)
{
	MemoryContext mcx = AllocSetContextCreate(parent, "smartpouch call site", ALLOCSET_SMALL_SIZES);
	SpCallSite *site = MemoryContextAllocZero(mcx, sizeof(SpCallSite));

	site->mcx = mcx;
	site->capacity = capacity;
	site->room = room;
	site->release.func = release_model;
	site->release.arg = site;
	MemoryContextRegisterResetCallback(mcx, &site->release);
	return site;
}

SpCallSite *
sp_call_site(FunctionCallInfo fcinfo, uint32 capacity)
{
	if (unlikely(fcinfo->flinfo->fn_extra == NULL))
		fcinfo->flinfo->fn_extra = sp_call_site_make(fcinfo->flinfo->fn_mcxt, capacity, 0);
	return fcinfo->flinfo->fn_extra;
}

/* Take what an earlier site has left with the model. */
static bool
take_kept(SpCallSite *site)
{
	SpKept	   *kept = site->model->kept;

	if (kept == NULL || !serves_calls(site) || !same_version(&kept->rows, &site->resolved.rows))
		return false;
	site->model_mcx = site->model->kept_mcx;
	site->kept = kept;
	site->binder = kept->binder;
	/* what a type's number stands for is looked up in each statement */
	site->binder.kind = SP_FEATURES_UNKNOWN;
	site->binder.row_number = 0;
	site->outputs = kept->outputs;
	site->eval = kept->eval;
	site->model->kept = NULL;
	return true;
}

/* Take fewer rows where the evaluator would not fit. */
static void
fit(SpCallSite *site)
{
	Size		one = sp_eval_size(site->model->image, 2) - sp_eval_size(site->model->image, 1);

	if (one > 0)
		site->capacity = (uint32) Max(1, Min((Size) site->capacity, site->room / one));
}

/* Make an evaluator and a binder for the pinned model. */
static void
equip(SpCallSite *site)
{
	const SpFoundRows *rows = &site->resolved.rows;
	MemoryContext old;
	SpEval	   *eval;
	Size		size;

	/* of the model, which outlives the site: children would be gone before the site is told to let go */
	site->model_mcx = AllocSetContextCreate(site->model->mcx, "smartpouch evaluator", ALLOCSET_SMALL_SIZES);
	if (site->room != 0)
		fit(site);
	size = sp_eval_size(site->model->image, site->capacity);
	if (size == 0 || !AllocHugeSizeIsValid(size))
		ereport(ERROR,
				(errcode(ERRCODE_PROGRAM_LIMIT_EXCEEDED),
				 errmsg("model \"%s\" needs too much memory for one block of rows", rows->model.name)));
	old = MemoryContextSwitchTo(site->model_mcx);
	site->kept = palloc(sizeof(SpKept));
	eval = sp_eval_init(sp_palloc_aligned(site->model_mcx, size, SP_IMAGE_ALIGN),
						site->model->image, site->capacity, sp_interrupted, NULL);
	sp_binder_init(&site->binder, site->model_mcx, site->model->image, eval,
				   psprintf("model \"%s\" version %d", rows->model.name, rows->version.version));
	MemoryContextSwitchTo(old);
	site->outputs = 0;
	site->eval = eval;
}

/* Pin the model that site->resolved names and have what goes with it; eval is set last, as the sign that all is there. */
static void
serve(SpCallSite *site)
{
	site->model = sp_model_pin(&site->resolved.rows.version, sp_active_snapshot());
	if (!take_kept(site))
		equip(site);
}

static void
move_to(SpCallSite *site, const SpResolved *resolved)
{
	bool		same = site->eval != NULL && same_version(&resolved->rows, &site->resolved.rows);

	if (!same)
		release_model(site);
	site->resolved = *resolved;
	if (!same)
		serve(site);
}

static bool
is_serving(SpCallSite *site, const char *ref, Size size)
{
	return site->eval != NULL && site->ref_size == size && site->user == GetUserId() &&
		memcmp(site->ref, ref, size) == 0 && sp_resolved_holds(&site->resolved);
}

static void
remember_ref(SpCallSite *site, const char *ref, Size size)
{
	Assert(size <= sizeof(site->ref));
	site->user = GetUserId();
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
	sp_model_ref(ref, SP_MAY_PREDICT, &resolved);
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
	sp_model_by_program((const uint8 *) bytes, &resolved);
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

static bool
is_label(const SpImage *image, uint32 i, const char *bytes, Size size)
{
	const char *label = sp_image_label(image, i);

	return strlen(label) == size && memcmp(label, bytes, size) == 0;
}

uint32
sp_call_site_label(SpCallSite *site, text *label)
{
	const SpImage *image = site->model->image;
	const char *bytes = VARDATA_ANY(label);
	Size		size = VARSIZE_ANY_EXHDR(label);
	uint32		i = 0;

	if (GetDatabaseEncoding() != PG_UTF8)
	{
		bytes = pg_server_to_any(bytes, size, PG_UTF8);
		size = bytes == VARDATA_ANY(label) ? size : strlen(bytes);
	}
	/* calls ask for the same one again and again */
	if (site->last_label < image->n_labels && is_label(image, site->last_label, bytes, size))
		return site->last_label;
	while (i < image->n_labels && !is_label(image, i, bytes, size))
		i++;
	site->last_label = i;
	return i;
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
