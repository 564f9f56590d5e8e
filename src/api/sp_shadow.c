/*
 * src/api/sp_shadow.c
 */
#include "server/sp_compat.h"

#include <math.h>

#include "common/pg_prng.h"
#include "miscadmin.h"
#include "pgstat.h"
#include "storage/lwlock.h"
#include "utils/memutils.h"
#include "utils/resowner.h"
#include "utils/wait_event.h"

#include "api/sp_routing.h"
#include "api/sp_shadow.h"
#include "server/sp_guc.h"
#include "server/sp_memory.h"

/* Numbers agree within this, relative to the served one where that is above 1. */
#define TOLERANCE 1e-6

typedef struct Comparison
{
	SpCallSite *site;
	Oid			argtype;
	Datum		features;
	SpShadowOutcome outcome;
} Comparison;

static void
copy_label(char *target, const SpImage *image, const SpEval *eval)
{
	const char *label = sp_image_label(image, (uint32) sp_eval_output_number(eval, SP_OUTPUT_LABEL, 0, 0));
	Size		size = strlen(label);

	if (size >= SP_SHADOW_LABEL)
		for (size = SP_SHADOW_LABEL - 1; ((uint8) label[size] & 0xc0) == 0x80; size--)
			/* not within a character */ ;
	memcpy(target, label, size);
	target[size] = '\0';
}

static bool
same_label(const SpCallSite *a, const SpCallSite *b)
{
	return strcmp(sp_image_label(a->model->image, (uint32) sp_eval_output_number(a->eval, SP_OUTPUT_LABEL, 0, 0)),
				  sp_image_label(b->model->image, (uint32) sp_eval_output_number(b->eval, SP_OUTPUT_LABEL, 0, 0))) == 0;
}

static void
compare_labels(Comparison *comparison, const SpCallSite *shadow)
{
	SpShadowOutcome *outcome = &comparison->outcome;

	outcome->agreed = same_label(comparison->site, shadow);
	copy_label(outcome->sample.served_label, comparison->site->model->image, comparison->site->eval);
	copy_label(outcome->sample.shadow_label, shadow->model->image, shadow->eval);
}

static bool
agree(double served, double shadow)
{
	return served == shadow || (isnan(served) && isnan(shadow)) ||
		fabs(served - shadow) <= TOLERANCE * Max(1, fabs(served));
}

/* Of several values the one that differs most stands for all. */
static void
compare_values(Comparison *comparison, const SpCallSite *shadow)
{
	SpShadowOutcome *outcome = &comparison->outcome;
	uint32		width = sp_call_site_width(comparison->site, SP_OUTPUT_VALUE);

	outcome->agreed = true;
	for (uint32 i = 0; i < width; i++)
	{
		double		served = sp_eval_output_number(comparison->site->eval, SP_OUTPUT_VALUE, 0, i);
		double		other = sp_eval_output_number(shadow->eval, SP_OUTPUT_VALUE, 0, i);
		double		difference = served == other ? 0 : fabs(served - other);
		bool		differs = !agree(served, other);

		if (i == 0 || difference > outcome->difference || (differs && outcome->agreed))
		{
			outcome->sample.served = served;
			outcome->sample.shadow = other;
			outcome->measured = isfinite(difference);
			outcome->difference = difference;
		}
		outcome->agreed = outcome->agreed && !differs;
	}
}

/* Evaluate, within the time; false when it was over. */
static bool
run(SpCallSite *shadow, SpOutput output, bool has_missing)
{
	SpStatus	status;
	bool		late;

	sp_deadline_set(sp_shadow_timeout);
	sp_eval_use(shadow->eval, sp_guc_simd());
	status = sp_eval_run(shadow->eval, 1, 1u << output, has_missing);
	late = sp_deadline_passed();
	sp_deadline_set(0);
	if (status == SP_ERR_CANCELLED && !late)
		PG_RE_THROW();
	if (status != SP_OK && !late)
		elog(ERROR, "evaluating %s failed with status %d", shadow->binder.subject, status);
	return !late;
}

/* May raise. */
static void
compare(Comparison *comparison)
{
	SpCallSite *site = comparison->site;
	SpOutput	output = site->outputs & (1u << SP_OUTPUT_VALUE) ? SP_OUTPUT_VALUE : SP_OUTPUT_LABEL;
	SpCallSite *shadow = sp_site_beside(site, &site->shadow, site->resolved.rows.routing.shadow_version);
	bool		has_missing;

	if (!sp_call_site_has(shadow, output) ||
		(output == SP_OUTPUT_VALUE && sp_call_site_width(shadow, output) != sp_call_site_width(site, output)))
	{
		comparison->outcome.error = ERRCODE_INVALID_PARAMETER_VALUE;
		return;
	}
	has_missing = sp_bind(&shadow->binder, comparison->argtype, comparison->features, 0);
	if (!run(shadow, output, has_missing))
		comparison->outcome.error = ERRCODE_QUERY_CANCELED;
	else if (output == SP_OUTPUT_VALUE)
		compare_values(comparison, shadow);
	else
		compare_labels(comparison, shadow);
}

/* Is it about the caller's statement, whatever was going on? */
static bool
ends_statement(int error)
{
	return ERRCODE_TO_CATEGORY(error) == ERRCODE_OPERATOR_INTERVENTION ||
		ERRCODE_TO_CATEGORY(error) == ERRCODE_TRANSACTION_ROLLBACK;
}

static void
release(ResourceOwner owner, bool success)
{
	ResourceOwnerRelease(owner, RESOURCE_RELEASE_BEFORE_LOCKS, success, false);
	ResourceOwnerRelease(owner, RESOURCE_RELEASE_LOCKS, success, false);
	ResourceOwnerRelease(owner, RESOURCE_RELEASE_AFTER_LOCKS, success, false);
	ResourceOwnerDelete(owner);
}

/*
 * As compare, with errors as outcomes.  Workers of a parallel query can have no
 * subtransactions, so what one would undo is undone here: nothing is written,
 * and what reading takes (buffers, references, locks of tables) belongs to a
 * resource owner of the comparison's own.  The caller holds no LWLock, as it
 * runs expressions, and interrupts are not held off, as sp_shared_available has
 * seen.
 */
static void
compare_quietly(Comparison *comparison)
{
	MemoryContext mcx = CurrentMemoryContext;
	ResourceOwner owner = CurrentResourceOwner;
	ResourceOwner own = ResourceOwnerCreate(owner, "smartpouch shadow");
	uint32		cancel_holdoff = QueryCancelHoldoffCount;

	CurrentResourceOwner = own;
	PG_TRY();
	{
		compare(comparison);
	}
	PG_CATCH();
	{
		int			error = geterrcode();

		LWLockReleaseAll();
		pgstat_report_wait_end();
		sp_deadline_set(0);
		QueryCancelHoldoffCount = cancel_holdoff;
		CurrentResourceOwner = owner;
		release(own, false);
		MemoryContextSwitchTo(mcx);
		if (ends_statement(error))
			PG_RE_THROW();
		FlushErrorState();
		memset(&comparison->outcome, 0, sizeof(comparison->outcome));
		comparison->outcome.error = error;
		own = NULL;
	}
	PG_END_TRY();
	CurrentResourceOwner = owner;
	if (own != NULL)
		release(own, true);
}

void
sp_shadow_key(const SpFoundRows *rows, SpShadowKey *key)
{
	memset(key, 0, sizeof(*key));
	key->since = rows->routing.shadow_since;
	key->database = MyDatabaseId;
	key->model_id = rows->model.id;
	strlcpy(key->stage, rows->target, sizeof(key->stage));
}

static bool
is_sampled(const SpRouting *routing)
{
	return pg_prng_double(&pg_global_prng_state) * 100 < routing->shadow_percent;
}

void
sp_shadow(SpCallSite *site, Oid argtype, Datum features)
{
	const SpFoundRows *rows = &site->resolved.rows;
	MemoryContext old;
	Comparison	comparison;
	SpShadowKey key;

	if (likely(rows->routing.shadow_version == 0) || !is_sampled(&rows->routing) || !sp_shared_available())
		return;
	if (site->shadow_mcx == NULL)
		site->shadow_mcx = AllocSetContextCreate(site->mcx, "smartpouch shadow", ALLOCSET_SMALL_SIZES);
	memset(&comparison, 0, sizeof(comparison));
	comparison.site = site;
	comparison.argtype = argtype;
	comparison.features = features;
	old = MemoryContextSwitchTo(site->shadow_mcx);
	/* one attempt to load it is enough for a site */
	if (site->shadow_error != 0 && site->shadow_failed == rows->routing.shadow_since)
		comparison.outcome.error = site->shadow_error;
	else
		compare_quietly(&comparison);
	MemoryContextSwitchTo(old);
	MemoryContextReset(site->shadow_mcx);
	if (comparison.outcome.error != 0 && (site->shadow.site == NULL || site->shadow.site->eval == NULL))
	{
		site->shadow_error = comparison.outcome.error;
		site->shadow_failed = rows->routing.shadow_since;
	}
	comparison.outcome.sample.at = GetCurrentTimestamp();
	sp_shadow_key(rows, &key);
	sp_shadow_count(&key, &comparison.outcome);
}
