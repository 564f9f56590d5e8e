/*
 * src/scan/sp_scan_exec.c
 *
 * The node at run time.
 *
 * Features are bound into the models' evaluators as rows arrive, so of a row
 * only the columns that are passed on are kept.  A row that cannot be bound
 * ends the block before it and stays in the child's slot until its turn.
 *
 * The first row of a scan goes to the row functions: whatever is wrong with a
 * model is said by them, and a plan that gives one row costs nothing more.
 * Then blocks grow, so that no more rows are read in vain than were given.
 */
#include "server/sp_compat.h"

#include "commands/explain.h"
#include SP_EXPLAIN_HEADER
#include SP_EXPLAIN_STATE_HEADER
#include "executor/executor.h"
#include "miscadmin.h"
#include "nodes/makefuncs.h"
#include "nodes/nodeFuncs.h"
#include "utils/datum.h"
#include "utils/memutils.h"
#include "utils/rel.h"

#include "scan/sp_scan.h"
#include "scan/sp_scan_source.h"
#include "server/sp_guc.h"

typedef struct ScanNode
{
	CustomScanState css;
	int			n_sources;
	int			n_calls;
	int			n_columns;		/* before the calls' */
	int			n_carried;
	SpSource   *sources;
	SpCall	   *calls;
	int		   *attributes;		/* of each column: the child's, from 1, or 0 for its row */
	ExprState  *whole_row;		/* NULL if no column is */
	int		   *carried;		/* indexes of columns, from 0 */
	int16	   *lengths;		/* of the carried columns' types */
	bool	   *by_value;
	bool		needs_all;
	int			capacity;
	int			block_limit;	/* rows of the next block; 1 means a row for the row functions */
	int			rows;			/* in the block */
	int			next;
	bool		is_ready;		/* all sources can serve blocks, */
	Oid			user;			/* for this user, */
	uint64		generation;		/* with the rights that this registry gives */
	SpSimd		simd;			/* that the block was evaluated with */
	bool		has_ended;		/* the child has no more rows */
	TupleTableSlot *pending;	/* a row of the child that is in no block */
	MemoryContext block_mcx;	/* values of the block's rows */
	Datum	   *values;			/* rows times carried */
	bool	   *nulls;
	ExprContext *bind_context;
	ScanState  *table;			/* the child if it reads a table's rows as they are stored, or NULL */
	ItemPointerData *tids;		/* of the block's rows in it */
} ScanNode;

static Node *create_state(CustomScan *plan);
static void begin(CustomScanState *css, EState *estate, int eflags);
static TupleTableSlot *next_row(CustomScanState *css);
static void end(CustomScanState *css);
static void rescan(CustomScanState *css);
static void explain(CustomScanState *css, List *ancestors, ExplainState *es);

const CustomScanMethods sp_scan_methods = {
	.CustomName = "smartpouch",
	.CreateCustomScanState = create_state
};

static const CustomExecMethods exec_methods = {
	.CustomName = "smartpouch",
	.BeginCustomScan = begin,
	.ExecCustomScan = next_row,
	.EndCustomScan = end,
	.ReScanCustomScan = rescan,
	.ExplainCustomScan = explain
};

static Node *
create_state(CustomScan *plan)
{
	ScanNode   *node = palloc0(sizeof(ScanNode));

	(void) plan;
	NodeSetTag(node, T_CustomScanState);
	node->css.methods = &exec_methods;
	return (Node *) node;
}

static SpSource *
source_of(ScanNode *node, FuncExpr *call)
{
	Expr	   *model = linitial(call->args);
	Expr	   *features = lsecond(call->args);
	SpSource   *source = node->sources;

	for (; source < node->sources + node->n_sources; source++)
		if (equal(source->model_argument, model) && equal(source->expression, features))
			return source;
	node->n_sources++;
	source->model_argument = model;
	source->model_value = ExecInitExpr(model, &node->css.ss.ps);
	source->expression = features;
	source->features = ExecInitExpr(features, &node->css.ss.ps);
	source->is_whole_row = IsA(features, Var) && ((Var *) features)->varattno == 0;
	source->argtype = exprType((Node *) features);
	source->is_null = palloc0(mul_size(node->capacity, sizeof(bool)));
	return source;
}

static void
begin_calls(ScanNode *node, CustomScan *plan)
{
	List	   *kinds = list_nth(plan->custom_private, SP_SCAN_KINDS);

	node->n_calls = list_length(plan->custom_exprs);
	node->calls = palloc0(mul_size(node->n_calls, sizeof(SpCall)));
	node->sources = palloc0(mul_size(node->n_calls, sizeof(SpSource)));
	for (int i = 0; i < node->n_calls; i++)
	{
		FuncExpr   *expression = list_nth(plan->custom_exprs, i);
		SpCall	   *call = &node->calls[i];

		call->kind = (SpCallKind) list_nth_int(kinds, i);
		call->source = source_of(node, expression);
		if (call->kind == SP_CALL_PROBABILITY)
			call->label_value = ExecInitExpr(lthird(expression->args), &node->css.ss.ps);
	}
}

static void
begin_columns(ScanNode *node, CustomScan *plan)
{
	List	   *sources = list_nth(plan->custom_private, SP_SCAN_SOURCES);

	node->n_columns = list_length(sources);
	node->attributes = palloc(mul_size(node->n_columns, sizeof(int)));
	for (int i = 0; i < node->n_columns; i++)
	{
		Node	   *column = (Node *) list_nth_node(TargetEntry, plan->custom_scan_tlist, i)->expr;

		node->attributes[i] = list_nth_int(sources, i);
		if (node->attributes[i] == 0)
			node->whole_row = ExecInitExpr((Expr *) makeVar(OUTER_VAR, 0, exprType(column), -1, InvalidOid, 0),
										   &node->css.ss.ps);
	}
}

static void
begin_carried(ScanNode *node, List *carried, TupleDesc desc)
{
	Size		kept;

	node->n_carried = list_length(carried);
	kept = mul_size(node->capacity, Max(node->n_carried, 1));
	node->carried = palloc(mul_size(Max(node->n_carried, 1), sizeof(int)));
	node->lengths = palloc(mul_size(Max(node->n_carried, 1), sizeof(int16)));
	node->by_value = palloc(mul_size(Max(node->n_carried, 1), sizeof(bool)));
	for (int i = 0; i < node->n_carried; i++)
	{
		Form_pg_attribute attribute;

		node->carried[i] = list_nth_int(carried, i) - 1;
		attribute = TupleDescAttr(desc, node->carried[i]);
		node->lengths[i] = attribute->attlen;
		node->by_value[i] = attribute->attbyval;
	}
	node->values = palloc(mul_size(kept, sizeof(Datum)));
	node->nulls = palloc(mul_size(kept, sizeof(bool)));
}

/*
 * UPDATE and DELETE ... WHERE CURRENT OF look in a cursor's plan for the scan
 * of the table and for the row in its slot.  The child is ahead, so they have
 * to find the row here.
 */
static void
begin_table(ScanNode *node, Plan *child)
{
	if (!sp_scan_is_of_table(child))
		return;
	node->table = (ScanState *) outerPlanState(node);
	node->css.ss.ss_currentRelation = node->table->ss_currentRelation;
	node->tids = palloc(mul_size(node->capacity, sizeof(ItemPointerData)));
}

static void
begin(CustomScanState *css, EState *estate, int eflags)
{
	ScanNode   *node = (ScanNode *) css;
	CustomScan *plan = (CustomScan *) css->ss.ps.plan;

	outerPlanState(css) = ExecInitNode(outerPlan(plan), estate, eflags & ~(EXEC_FLAG_BACKWARD | EXEC_FLAG_MARK));
	node->needs_all = intVal(list_nth(plan->custom_private, SP_SCAN_NEEDS_ALL)) != 0;
	node->capacity = sp_batch_size;
	node->block_limit = 1;
	begin_calls(node, plan);
	begin_columns(node, plan);
	begin_carried(node, list_nth(plan->custom_private, SP_SCAN_CARRIED), css->ss.ss_ScanTupleSlot->tts_tupleDescriptor);
	begin_table(node, outerPlan(plan));
	node->block_mcx = AllocSetContextCreate(CurrentMemoryContext, "smartpouch block", ALLOCSET_DEFAULT_SIZES);
	node->bind_context = CreateExprContext(estate);
}

/* Resolves the references, under the statement's snapshot. */
static bool
get_ready(ScanNode *node)
{
	for (int i = 0; i < node->n_sources; i++)
		if (!sp_source_ready(&node->sources[i], node->calls, node->n_calls, node->bind_context, &node->capacity))
			return false;
	return true;
}

/* Bind row number row of the block; false if the row is not for blocks. */
static bool
bind_row(ScanNode *node, TupleTableSlot *slot, int row)
{
	MemoryContext old;
	bool		is_bound = true;

	ResetExprContext(node->bind_context);
	node->bind_context->ecxt_outertuple = slot;
	old = MemoryContextSwitchTo(node->bind_context->ecxt_per_tuple_memory);
	/* in the order of the calls, and no features beyond the first that the row functions would complain about */
	for (int i = 0; is_bound && i < node->n_sources; i++)
		is_bound = sp_source_bind(&node->sources[i], node->bind_context, row);
	MemoryContextSwitchTo(old);
	return is_bound;
}

/* A column of the row that is the context's outer tuple. */
static Datum
column_value(ScanNode *node, ExprContext *context, int column, bool *is_null)
{
	if (node->attributes[column] == 0)
		return ExecEvalExprSwitchContext(node->whole_row, context, is_null);
	return slot_getattr(context->ecxt_outertuple, node->attributes[column], is_null);
}

static void
keep_columns(ScanNode *node, int row)
{
	MemoryContext old = MemoryContextSwitchTo(node->block_mcx);

	for (int i = 0; i < node->n_carried; i++)
	{
		Size		at = (Size) row * node->n_carried + i;

		node->values[at] = column_value(node, node->bind_context, node->carried[i], &node->nulls[at]);
		if (!node->nulls[at] && !node->by_value[i])
			node->values[at] = datumCopy(node->values[at], false, node->lengths[i]);
	}
	if (node->table != NULL)
		node->tids[row] = node->table->ss_ScanTupleSlot->tts_tid;
	MemoryContextSwitchTo(old);
}

static TupleTableSlot *
child_row(ScanNode *node)
{
	TupleTableSlot *slot;

	if (node->has_ended)
		return NULL;
	slot = ExecProcNode(outerPlanState(node));
	node->has_ended = TupIsNull(slot);
	return node->has_ended ? NULL : slot;
}

static void
remember_rights(ScanNode *node)
{
	node->user = GetUserId();
	node->generation = sp_registry_generation;
}

static bool
may_gather(ScanNode *node)
{
	if (node->block_limit < 2 || (node->needs_all && !sp_scan_runs_to_end(node->css.ss.ps.state)))
		return false;
	if (!node->is_ready)
	{
		node->is_ready = get_ready(node);
		remember_rights(node);
	}
	return node->is_ready;
}

/*
 * Rights are asked for at each call.  In a cursor, or above the node, the
 * current user or what he may do may change between two rows; those that are
 * evaluated already are given to nobody who might not have asked for them.
 */
static void
check_rights(ScanNode *node)
{
	for (int i = 0; i < node->n_sources; i++)
		sp_source_check(&node->sources[i]);
	remember_rights(node);
}

/* All rows of the block, once for each source. */
static void
evaluate(ScanNode *node)
{
	node->simd = sp_guc_simd();
	for (int i = 0; i < node->n_sources; i++)
		sp_source_run(&node->sources[i], node->rows);
}

/* After this there is a block, or a pending row, or no row is left. */
static void
gather(ScanNode *node)
{
	bool		is_block = may_gather(node);

	node->rows = 0;
	node->next = 0;
	MemoryContextReset(node->block_mcx);
	do
	{
		TupleTableSlot *slot = child_row(node);

		if (slot == NULL)
			break;
		if (!is_block || !bind_row(node, slot, node->rows))
		{
			node->pending = slot;
			break;
		}
		keep_columns(node, node->rows++);
	} while (node->rows < Min(node->block_limit, node->capacity) &&
			 MemoryContextMemAllocated(node->block_mcx, false) <= (Size) work_mem * 1024);
	node->block_limit = Min(node->block_limit * 2, node->capacity);
	if (node->rows == 0)
		return;
	evaluate(node);
	/* of EXPLAIN's counters those that no other node has a use for, so that workers' are added */
	InstrCountFiltered1(node, 1);
	InstrCountTuples2(node, node->rows);
}

/* The next row of the block into the scan slot. */
static void
store_gathered(ScanNode *node, TupleTableSlot *slot)
{
	int			row = node->next++;
	Size		first = (Size) row * node->n_carried;

	if (node->table != NULL)
		slot->tts_tid = node->tids[row];
	memset(slot->tts_isnull, true, node->n_columns);
	for (int i = 0; i < node->n_carried; i++)
	{
		slot->tts_values[node->carried[i]] = node->values[first + i];
		slot->tts_isnull[node->carried[i]] = node->nulls[first + i];
	}
	slot->tts_values[node->n_columns] = BoolGetDatum(true);
	slot->tts_isnull[node->n_columns] = false;
	for (int i = 0; i < node->n_calls; i++)
		slot->tts_values[node->n_columns + 1 + i] =
			sp_call_result(&node->calls[i], row, &slot->tts_isnull[node->n_columns + 1 + i]);
}

/* The pending row as it came. */
static void
store_pending(ScanNode *node, TupleTableSlot *slot)
{
	ExprContext *context = node->css.ss.ps.ps_ExprContext;

	context->ecxt_outertuple = node->pending;
	node->pending = NULL;
	if (node->table != NULL)
		slot->tts_tid = node->table->ss_ScanTupleSlot->tts_tid;
	for (int i = 0; i < node->n_columns; i++)
		slot->tts_values[i] = column_value(node, context, i, &slot->tts_isnull[i]);
	slot->tts_values[node->n_columns] = BoolGetDatum(false);
	slot->tts_isnull[node->n_columns] = false;
	memset(slot->tts_isnull + node->n_columns + 1, true, node->n_calls);
}

static TupleTableSlot *
next_row(CustomScanState *css)
{
	ScanNode   *node = (ScanNode *) css;
	ExprContext *context = css->ss.ps.ps_ExprContext;
	TupleTableSlot *slot = css->ss.ss_ScanTupleSlot;
	MemoryContext old;

	CHECK_FOR_INTERRUPTS();
	ResetExprContext(context);
	if (unlikely(node->is_ready && (node->user != GetUserId() || node->generation != sp_registry_generation)))
		check_rights(node);
	/* other instructions may give other last digits */
	if (unlikely(node->next < node->rows && node->simd != sp_guc_simd()))
		evaluate(node);
	if (node->next >= node->rows && node->pending == NULL)
		gather(node);
	ExecClearTuple(slot);
	if (node->next >= node->rows && node->pending == NULL)
		return slot;
	old = MemoryContextSwitchTo(context->ecxt_per_tuple_memory);
	if (node->next < node->rows)
		store_gathered(node, slot);
	else
		store_pending(node, slot);
	MemoryContextSwitchTo(old);
	ExecStoreVirtualTuple(slot);
	if (node->table != NULL)
		slot->tts_tableOid = RelationGetRelid(node->table->ss_currentRelation);
	if (css->ss.ps.ps_ProjInfo == NULL)
		return slot;
	context->ecxt_scantuple = slot;
	return ExecProject(css->ss.ps.ps_ProjInfo);
}

static void
end(CustomScanState *css)
{
	ScanNode   *node = (ScanNode *) css;

	for (int i = 0; i < node->n_sources; i++)
		if (node->sources[i].site != NULL)
		{
			MemoryContextDelete(node->sources[i].site->mcx);
			node->sources[i].site = NULL;
		}
	ExecEndNode(outerPlanState(css));
}

static void
rescan(CustomScanState *css)
{
	ScanNode   *node = (ScanNode *) css;

	node->rows = 0;
	node->next = 0;
	node->pending = NULL;
	node->has_ended = false;
	node->block_limit = 1;
	if (outerPlanState(css)->chgParam == NULL)
		ExecReScan(outerPlanState(css));
}

/* In all loops and workers. */
static void
explain_blocks(const Instrumentation *seen, ExplainState *es)
{
	if (!es->analyze || seen == NULL || (seen->nloops == 0 && es->format == EXPLAIN_FORMAT_TEXT))
		return;
	ExplainPropertyFloat("Batches", NULL, seen->nfiltered1, 0, es);
	ExplainPropertyFloat("Rows Gathered", NULL, seen->ntuples2, 0, es);
}

static void
explain(CustomScanState *css, List *ancestors, ExplainState *es)
{
	ScanNode   *node = (ScanNode *) css;

	(void) ancestors;
	ExplainPropertyList("Models", sp_sources_shown(node->sources, node->n_sources, node->bind_context), es);
	explain_blocks(css->ss.ps.instrument, es);
}
