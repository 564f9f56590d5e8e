/*
 * src/api/sp_call_site.c
 */
#include "server/sp_compat.h"

#include "mb/pg_wchar.h"
#include "miscadmin.h"
#include "portability/instr_time.h"
#include "utils/builtins.h"
#include "utils/memutils.h"

#include "api/sp_call_count.h"
#include "api/sp_call_site.h"
#include "api/sp_model_ref.h"
#include "api/sp_result.h"
#include "server/sp_clock.h"
#include "server/sp_error.h"
#include "server/sp_memory.h"
#include "server/sp_snapshot.h"

/* An evaluation that is expected to take longer is worth a look at the clock of the CPU, which takes 1 us. */
#define LONG_NS 100000

/* A larger evaluator is made anew for each statement. */
#define MAX_IDLE_BYTES (256 * 1024)
#define MAX_IDLE 16

/* Where calls come from, in fn_extra: several references may take turns there. */
typedef struct Place
{
	SpCallSite *site;			/* NULL before the first call */
	MemoryContextCallback leave;	/* of fn_mcxt */
	uint32		calls;
} Place;

/* Sites that are set aside, the last one first. */
static SpCallSite *idle = NULL;

static bool
same_version(const SpFoundRows *a, const SpFoundRows *b)
{
	return memcmp(&a->version, &b->version, sizeof(a->version)) == 0 &&
		strcmp(a->model.name, b->model.name) == 0;
}

/* Runs when model_mcx goes, which may be because the model is dropped from memory. */
static void
forget_model(void *arg)
{
	SpCallSite *site = arg;

	site->model_mcx = NULL;
	site->eval = NULL;
	site->model = NULL;
}

/* Runs when the site goes, after an error too. */
static void
release_model(void *arg)
{
	SpCallSite *site = arg;
	SpLoadedModel *model = site->is_pinned ? site->model : NULL;

	site->is_pinned = false;
	if (site->model_mcx != NULL)
		MemoryContextDelete(site->model_mcx);
	site->model = NULL;
	if (model != NULL)
		sp_model_unpin(model);
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
sp_call_site_own(FunctionCallInfo fcinfo, uint32 capacity)
{
	if (fcinfo->flinfo->fn_extra == NULL)
		fcinfo->flinfo->fn_extra = sp_call_site_make(fcinfo->flinfo->fn_mcxt, capacity, 0);
	return fcinfo->flinfo->fn_extra;
}

/* Between statements a model is held by nobody, and what the next one may see differently is not remembered. */
static void
let_go(SpCallSite *site)
{
	if (site == NULL)
		return;
	if (site->is_pinned)
		sp_model_unpin(site->model);
	site->is_pinned = false;
	site->argtype = InvalidOid;
	site->shadow_error = 0;
	site->tally = NULL;
	let_go(site->canary.site);
	let_go(site->shadow.site);
}

/* Past the first of these, sites are those that were set aside longest ago. */
static void
delete_idle_after(int n)
{
	SpCallSite **end = &idle;

	while (*end != NULL && n-- > 0)
		end = &(*end)->next;
	while (*end != NULL)
	{
		SpCallSite *last = *end;

		*end = last->next;
		MemoryContextDelete(last->mcx);
	}
}

/*
 * The end of calls from a place, after an error too: nothing here raises.  The
 * site is set aside if that is worth it.
 */
static void
leave_place(void *arg)
{
	Place	   *place = arg;
	SpCallSite *site = place->site;

	place->site = NULL;
	if (site == NULL)
		return;
	if (site->eval == NULL || MemoryContextMemAllocated(site->model_mcx, true) > MAX_IDLE_BYTES)
	{
		MemoryContextDelete(site->mcx);
		return;
	}
	let_go(site);
	site->next = idle;
	idle = site;
	delete_idle_after(MAX_IDLE);
}

static Place *
make_place(FunctionCallInfo fcinfo)
{
	Place	   *place = MemoryContextAlloc(fcinfo->flinfo->fn_mcxt, sizeof(Place));

	place->site = NULL;
	place->calls = 0;
	place->leave.func = leave_place;
	place->leave.arg = place;
	MemoryContextRegisterResetCallback(fcinfo->flinfo->fn_mcxt, &place->leave);
	fcinfo->flinfo->fn_extra = place;
	return place;
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
	site->forget.func = forget_model;
	site->forget.arg = site;
	MemoryContextRegisterResetCallback(site->model_mcx, &site->forget);
	if (site->room != 0)
		fit(site);
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
	site->outputs = 0;
	site->eval = eval;
}

/* Pin the model that site->resolved names and have what goes with it; eval is set last, as the sign that all is there. */
static void
serve(SpCallSite *site)
{
	site->model = sp_model_pin(&site->resolved.rows.version, sp_active_snapshot());
	site->is_pinned = true;
	equip(site);
}

/* Has the site a model, which is pinned then?  One that was set aside may have lost it. */
static bool
has_model(SpCallSite *site)
{
	if (likely(site->is_pinned))
		return site->eval != NULL;
	if (site->model == NULL || !sp_model_pin_again(&site->model))
		return false;
	site->is_pinned = true;
	sp_binder_resume(&site->binder);
	return true;
}

static void
move_to(SpCallSite *site, const SpResolved *resolved)
{
	bool		same = same_version(&resolved->rows, &site->resolved.rows) && has_model(site);

	if (!same)
		release_model(site);
	site->resolved = *resolved;
	site->tally = NULL;
	site->is_counted = false;
	if (same)
		return;
	sp_count_found(site);
	serve(site);
}

static bool
is_named(const SpCallSite *site, bool by_program, const char *ref, Size size)
{
	return site->ref_size == size && site->by_program == by_program && memcmp(site->ref, ref, size) == 0;
}

/* Does the site serve what its reference means to this statement, for this user? */
static bool
is_serving(SpCallSite *site)
{
	return site->user == GetUserId() && sp_resolved_holds(&site->resolved) && has_model(site);
}

/* Find what a reference means now. */
static void
resolve(SpCallSite *site, bool by_program, const struct varlena *ref)
{
	Size		size = VARSIZE_ANY_EXHDR(ref);
	SpResolved	resolved;

	if (by_program)
		sp_model_by_program((const uint8 *) VARDATA_ANY(ref), &resolved);
	else
		sp_model_ref(ref, SP_MAY_PREDICT, &resolved);
	site->user = GetUserId();
	move_to(site, &resolved);
	Assert(size <= sizeof(site->ref));
	site->by_program = by_program;
	site->ref_size = size;
	memcpy(site->ref, VARDATA_ANY(ref), size);
}

void
sp_call_site_use(SpCallSite *site, text *ref)
{
	if (likely(is_named(site, false, VARDATA_ANY(ref), VARSIZE_ANY_EXHDR(ref)) && is_serving(site)))
		return;
	resolve(site, false, ref);
}

/* One of those that are set aside, or a new one. */
static SpCallSite *
take_up(bool by_program, const char *ref, Size size)
{
	for (SpCallSite **place = &idle; *place != NULL; place = &(*place)->next)
	{
		SpCallSite *site = *place;

		if (!is_named(site, by_program, ref, size))
			continue;
		*place = site->next;
		return site;
	}
	return sp_call_site_make(CacheMemoryContext, 1, 0);
}

static SpCallSite *
site_of(FunctionCallInfo fcinfo, bool by_program, const struct varlena *ref)
{
	Place	   *place = fcinfo->flinfo->fn_extra;
	const char *bytes = VARDATA_ANY(ref);
	Size		size = VARSIZE_ANY_EXHDR(ref);

	if (unlikely(place == NULL))
		place = make_place(fcinfo);
	if (unlikely(place->site == NULL || !is_named(place->site, by_program, bytes, size)))
	{
		leave_place(place);
		place->site = take_up(by_program, bytes, size);
	}
	if (unlikely(!is_serving(place->site)))
		resolve(place->site, by_program, ref);
	sp_count_site(place->site);
	return place->site;
}

uint32
sp_call_site_calls(FunctionCallInfo fcinfo)
{
	Place	   *place = fcinfo->flinfo->fn_extra;

	return place == NULL ? 0 : ++place->calls;
}

SpCallSite *
sp_call_site(FunctionCallInfo fcinfo, text *ref)
{
	return site_of(fcinfo, false, ref);
}

SpCallSite *
sp_call_site_by_program(FunctionCallInfo fcinfo, bytea *program)
{
	if (VARSIZE_ANY_EXHDR(program) != SP_SHA256_SIZE)
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
				 errmsg("a SHA-256 hash has %d bytes, not %d", SP_SHA256_SIZE,
						(int) VARSIZE_ANY_EXHDR(program))));
	return site_of(fcinfo, true, program);
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

/* As sp_evaluate, by both clocks. */
static void
evaluate_timed(SpCallSite *site, uint32 rows, uint32 wanted, bool has_missing)
{
	uint64		cpu = sp_cpu_clock();
	instr_time	began;
	instr_time	ended;

	INSTR_TIME_SET_CURRENT(began);
	sp_evaluate(site->eval, rows, wanted, has_missing, site->binder.subject);
	INSTR_TIME_SET_CURRENT(ended);
	INSTR_TIME_SUBTRACT(ended, began);
	sp_count_cpu((uint64) sp_instr_time_ns_compat(ended), sp_cpu_clock() - cpu);
}

void
sp_call_site_run(SpCallSite *site, uint32 rows, uint32 wanted, bool has_missing)
{
	if (unlikely(site->outputs != wanted))
		check_outputs(site, wanted);
	if (unlikely(rows * site->resolved.rows.version.row_cost >= LONG_NS) && site->tally != NULL)
		evaluate_timed(site, rows, wanted, has_missing);
	else
		sp_evaluate(site->eval, rows, wanted, has_missing, site->binder.subject);
}
