/*
 * src/scan/sp_scan_source.h
 *
 * Calls of one model with the same features, evaluated together.
 */
#ifndef SP_SCAN_SOURCE_H
#define SP_SCAN_SOURCE_H

#include "server/sp_compat.h"

#include "nodes/execnodes.h"

#include "api/sp_call_site.h"
#include "scan/sp_scan.h"

typedef struct SpSource
{
	Expr	   *model_argument;
	ExprState  *model_value;
	text	   *model;			/* NULL until it is asked for, or if it is NULL */
	Expr	   *expression;		/* the features */
	ExprState  *features;
	bool		is_whole_row;	/* the features are the child's row, which is never NULL */
	Oid			argtype;
	SpCallSite *site;			/* NULL until blocks can be served */
	bool		is_hopeless;	/* no such model for this user, or it cannot serve all the calls */
	uint32		wanted;			/* outputs, a mask of 1 << SpOutput */
	bool		has_missing;	/* in the block */
	bool	   *is_null;		/* of the block's rows: the features are NULL */
} SpSource;

typedef struct SpCall
{
	SpCallKind	kind;
	SpSource   *source;
	ExprState  *label_value;	/* SP_CALL_PROBABILITY: the label, */
	text	   *label_text;		/* NULL until it is asked for, or if it is NULL, */
	uint32		label;			/* and its number */
	bool		is_value;		/* SP_CALL_NUMBER: the value, not a label as a number */
} SpCall;

/*
 * Get ready to serve rows rows at once, in the query's memory; *rows is lowered for
 * wide models.  context is any of the node's.  False, silently, if there is no such model or it lacks what a
 * call asks for: the row functions will say so.  The calls are all of the node.
 */
extern bool sp_source_ready(SpSource *source, SpCall *calls, int n_calls, ExprContext *context, int *rows);

/*
 * Features of one row of the child (context's outer tuple) into row number row
 * of the block; false if a row function should have it.
 */
extern bool sp_source_bind(SpSource *source, ExprContext *context, int row);

/* The current user or the registry is not what it was: raises 42501 unless he may predict with the model still. */
extern void sp_source_check(SpSource *source);

/* Evaluate the block's rows. */
extern void sp_source_run(SpSource *source, int rows);

/* What the call gives for a row of the block, in the current memory context. */
extern Datum sp_call_result(const SpCall *call, int row, bool *is_null);

/*
 * Each model with the version that its reference means now, to whom may know
 * it, or a parameter that has no value: strings for EXPLAIN.
 */
extern List *sp_sources_shown(const SpSource *sources, int n, ExprContext *context);

#endif
