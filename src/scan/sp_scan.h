/*
 * src/scan/sp_scan.h
 *
 * Predictions over blocks of rows inside ordinary plans.
 *
 * A finished plan is rewritten: a node whose target list calls predict,
 * predict_label, predict_proba or predict_raw with a model that is a constant
 * or a parameter of the statement hands its projection to a CustomScan above
 * it, and an aggregate whose arguments call them gets one below it.  The node
 * gathers rows, evaluates each model once for the block, and passes rows on
 * unchanged.
 *
 * A call stays where it was, as CASE WHEN gathered THEN column ELSE call END:
 * the node gives its columns to rows that a block could serve, and any other
 * row (the first one, one that cannot be bound) goes through with gathered
 * false, so that the function itself answers or raises, in its turn among the
 * other expressions of the row.  Nothing that a row function says is said
 * anywhere else.
 *
 * What remains to be seen is reading ahead: below the node rows are read, and
 * features computed, earlier than without it.  Nothing volatile may be there,
 * and what may raise an error only if all rows are read anyhow and nothing
 * that is evaluated in between may raise another (sp_scan_hazard.c).  Filters
 * by the current user or a setting are read ahead in one run of the executor
 * only, and only if nothing volatile is evaluated in between: who fetches from
 * a cursor, or what a trigger does, may have changed either meanwhile.
 *
 * Only calls that every row evaluates move (never out of CASE, COALESCE,
 * AND/OR, NULLIF or an aggregate's FILTER), and only in SELECT and INSERT ...
 * SELECT without row locks.
 */
#ifndef SP_SCAN_H
#define SP_SCAN_H

#include "server/sp_compat.h"

#include "nodes/extensible.h"
#include "nodes/plannodes.h"

/* What a call asks of the model. */
typedef enum SpCallKind
{
	SP_CALL_NUMBER,
	SP_CALL_LABEL,
	SP_CALL_PROBABILITIES,
	SP_CALL_PROBABILITY,		/* of the label that is its third argument */
	SP_CALL_RAW
} SpCallKind;

/*
 * The private data of the CustomScan: {needs_all, kinds, carried, sources}.
 * needs_all: rows may be gathered only in a run of the executor that is not
 * limited.  kinds: of each call.  carried: numbers of the columns that the
 * target list reads outside the calls.  sources: for each column the number of
 * the child's column that it is, or 0 for the child's whole row.
 *
 * custom_scan_tlist is the columns, then gathered, then a column for each
 * call; custom_exprs are the calls over the child's columns (OUTER_VAR).
 */
#define SP_SCAN_NEEDS_ALL 0
#define SP_SCAN_KINDS 1
#define SP_SCAN_CARRIED 2
#define SP_SCAN_SOURCES 3

extern const CustomScanMethods sp_scan_methods;

/* Once per process, from _PG_init: node, planner and executor hooks. */
extern void sp_scan_init(void);

/* Is there anything that might move?  Cheap, and changes nothing. */
extern bool sp_scan_concerns(const PlannedStmt *stmt);

/* Move what can move, in place; true if anything did.  is_cursor: WHERE CURRENT OF may ask for its row. */
extern bool sp_scan_rewrite(PlannedStmt *stmt, bool is_cursor);

/* Will this run of the executor read all that the plan gives? */
extern bool sp_scan_runs_to_end(const EState *estate);

/* ---- sp_scan_hazard.c: how evaluating something earlier could be seen ---- */

typedef enum SpHazard
{
	SP_HAZARD_NONE,
	SP_HAZARD_SESSION,			/* depends on the current user or on settings, which may change between two runs */
	SP_HAZARD_ERROR,			/* it may raise */
	SP_HAZARD_EFFECT			/* volatile, or not known */
} SpHazard;

/*
 * sure: by the time that the first row is passed on, the expression has been
 * evaluated; then what depends on no row has raised already if it raises at all.
 * of_row: parameters that nested loops above set from each row.
 */
extern SpHazard sp_scan_hazard(Node *expression, bool sure, const Bitmapset *of_row, const PlannedStmt *stmt);

/* Is it one of the server's own comparisons, which raise nothing? */
extern bool sp_scan_is_server_comparison(Oid operator);

/* Does it depend on columns, or on one of the parameters? */
extern bool sp_scan_depends_on_row(Node *expression, const Bitmapset *of_row);

/* ---- sp_scan_hazard_plan.c ---- */

/* Of reading rows of a plan; sure as above for the filters of its nodes. */
extern SpHazard sp_scan_plan_hazard(Plan *plan, bool sure, const Bitmapset *of_row, const PlannedStmt *stmt);

/* Does a node that sorts or groups as it gives rows compare them by such? */
extern bool sp_scan_compares_quietly(const Plan *plan);

/* Children of a plan node, in a new list. */
extern List *sp_scan_children(const Plan *plan);

/* ---- sp_scan_unpack.c ---- */

/* Is the plan a scan of one table, whose rows are in its slot as they are stored? */
extern bool sp_scan_is_of_table(const Plan *plan);

/*
 * Where each of the columns that a plan gives will be in its output: its
 * number, or 0 for the whole row.  The plan's target list is changed where
 * that spares it the making of row values.
 */
extern List *sp_scan_unpack(Plan *plan, List *columns, const PlannedStmt *stmt);

/* ---- sp_scan_in_place.c ---- */

/* Let calls that are left in scans of tables read rows where they are. */
extern void sp_scan_in_place(PlannedStmt *stmt);

/* ---- sp_scan_show.c ---- */

/* The statement to execute for EXPLAIN: a copy, if there is anything to show otherwise than it is executed. */
extern PlannedStmt *sp_scan_to_show(PlannedStmt *stmt);

/* Change such a copy into what is shown, when it has been executed; any other statement is left as it is. */
extern void sp_scan_show(PlannedStmt *stmt);

/* ---- sp_scan_split.c: taking calls out of expressions ---- */

typedef struct SpSplit
{
	bool		of_aggregate;	/* calls in arguments of aggregates; the child's columns stay as they are */
	List	   *columns;		/* the child's; otherwise what the expressions need of it: Var, Aggref, ... */
	List	   *calls;			/* over the columns, by INDEX_VAR */
	List	   *kinds;
} SpSplit;

/* Is it a call of one of the functions? */
extern bool sp_scan_is_call(Node *node);

/* Does any expression call one of the functions, wherever? */
extern bool sp_scan_has_calls(Node *expressions);

/* Find calls and columns; the expressions with NULL in the place of calls, which are of no use but to look at. */
extern List *sp_scan_collect(SpSplit *split, List *expressions);

/* After collecting: the expressions over the node's columns. */
extern List *sp_scan_replace(SpSplit *split, List *expressions);

/* The calls over a child whose columns are the split's, or those that sources tell. */
extern List *sp_scan_calls_over(const SpSplit *split, List *sources);

/* Numbers of those of the first n columns that collected expressions read. */
extern List *sp_scan_columns_read(List *collected, int n);

#endif
