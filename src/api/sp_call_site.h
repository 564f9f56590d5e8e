/*
 * src/api/sp_call_site.h
 *
 * What serves the calls of a prediction function from one place in a plan: the
 * model, pinned, an evaluator, and the plan to bind features.
 *
 * A statement by key calls once, and making all this takes as long as several
 * predictions.  So sites for calls of one row outlive the statement: at its end
 * they are set aside, without their pins, and the next statement that names the
 * same reference takes one up.  Whatever a new statement may see differently is
 * asked again: the user, the snapshot, the model's place in memory.
 */
#ifndef SP_CALL_SITE_H
#define SP_CALL_SITE_H

#include "server/sp_compat.h"

#include "fmgr.h"

#include "api/sp_features.h"
#include "cache/sp_resolve.h"
#include "server/sp_metrics.h"

/* One more site, for another version of the model that a site serves (sp_routing.h). */
typedef struct SpBesideSite
{
	struct SpCallSite *site;	/* child of the site; NULL until it is used */
	text	   *ref;			/* to this version of this model */
	int32		version;
	char		model[SP_NAME_SIZE];
} SpBesideSite;

typedef struct SpCallSite
{
	MemoryContext mcx;
	MemoryContext model_mcx;	/* evaluator and plan, a child of the model's context; NULL without them */
	MemoryContextCallback release;	/* of mcx */
	MemoryContextCallback forget;	/* of model_mcx */
	struct SpCallSite *next;	/* of those that are set aside */
	bool		by_program;		/* ref is the hash of a stored form */
	Size		ref_size;
	char		ref[SP_REFERENCE_SIZE];
	SpResolved	resolved;
	Oid			user;			/* who was found to have the right, while resolved holds */
	SpLoadedModel *model;		/* NULL while there is none */
	bool		is_pinned;		/* it is, as long as the site is not set aside */
	Oid			argtype;		/* of the features, once a call has looked, */
	bool		in_slot;		/* and whether they are a row in a slot (sp_slot_row.h) */
	uint32		capacity;		/* rows of the evaluator */
	Size		room;			/* bytes that it may take at most if that holds one row; 0: any */
	SpEval	   *eval;
	SpBinder	binder;
	uint32		outputs;		/* mask that was last checked against the model */
	uint32		last_label;		/* that sp_call_site_label found */
	struct SpTally *tally;		/* where answers are counted; NULL until it is looked up, or if they are not */
	bool		is_counted;		/* the next is filled, for what is resolved */
	SpSeriesPair	counted;
	const struct SpCallSite *beside;	/* the site that this one is the canary or shadow of, or NULL */
	struct SpSampler *sampler;	/* sp_drift.c; NULL until a row is sampled */
	SpBesideSite canary;
	SpBesideSite shadow;
	MemoryContext shadow_mcx;	/* for what binding the shadow's features takes; NULL until it is used */
	int			shadow_error;	/* SQLSTATE with which the shadow could not be loaded, */
	TimestampTz shadow_failed;	/* the one set then */
} SpCallSite;

/*
 * The site of this call, with what the reference (or hash) means to this
 * statement.  Raises what sp_model_ref.h says, for the right to predict.
 */
extern SpCallSite *sp_call_site(FunctionCallInfo fcinfo, text *ref);
extern SpCallSite *sp_call_site_by_program(FunctionCallInfo fcinfo, bytea *program);

/* How many calls have had a site there before this one, as far as they were asked for. */
extern uint32 sp_call_site_calls(FunctionCallInfo fcinfo);

/*
 * A site that lives in a child of parent and is released with it.  Its evaluator
 * takes room bytes at most (0: any number), and fewer rows than capacity if
 * they would not fit, but always one; site->capacity says how many.
 */
extern SpCallSite *sp_call_site_make(MemoryContext parent, uint32 capacity, Size room);

/* One that is this call's alone, for as long as its fn_extra lives. */
extern SpCallSite *sp_call_site_own(FunctionCallInfo fcinfo, uint32 capacity);

/* Make such a site serve what the reference means to this statement; raises as sp_call_site. */
extern void sp_call_site_use(SpCallSite *site, text *ref);

/*
 * Evaluate rows that are bound.  wanted is a mask of 1 << SpOutput; asking for
 * an output that the model does not have raises 22023 with what it has.
 */
extern void sp_call_site_run(SpCallSite *site, uint32 rows, uint32 wanted, bool has_missing);

/* Does the served model have the output? */
extern bool sp_call_site_has(const SpCallSite *site, SpOutput output);

/* Numbers in a row of an output that the model has. */
extern uint32 sp_call_site_width(const SpCallSite *site, SpOutput output);

/* The number of a label in the database's encoding; the model's n_labels if it has none of that name. */
extern uint32 sp_call_site_label(SpCallSite *site, text *label);

#endif
