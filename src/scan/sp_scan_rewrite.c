/*
 * src/scan/sp_scan_rewrite.c
 *
 * Rewriting a finished plan: after set_plan_references, so on the way no node
 * has to survive the planner, and everything is where it will be evaluated.
 *
 * From the top down a node learns how much of it is read and what is above it;
 * the calls move on the way back.
 */
#include "server/sp_compat.h"

#include "access/htup_details.h"
#include "catalog/pg_type.h"
#include "miscadmin.h"
#include "nodes/makefuncs.h"
#include "nodes/nodeFuncs.h"

#include "scan/sp_scan.h"

/* A plan that is thought to give fewer rows has nothing to gather. */
#define FEWEST_ROWS 2

typedef struct Rewrite
{
	const PlannedStmt *stmt;
	bool		is_cursor;
	int			last_node;		/* largest plan_node_id */
	bool		changed;
} Rewrite;

/* How much of a node is read. */
typedef enum Reads
{
	READS_SOME,
	READS_ALL_OF_RUN,			/* all if the run of the executor is not limited */
	READS_ALL
} Reads;

/* What a node learns of those above it. */
typedef struct Above
{
	Reads		reads;
	SpHazard	between;		/* the worst of what is evaluated between two of its rows */
	bool		is_bounded;		/* a LIMIT tells a sort below how many rows it wants */
	bool		is_marked;		/* a merge join marks and restores its position */
} Above;

/* The worst of what the node evaluates between two rows of its first input, if that is known. */
static SpHazard
hazard_of_node(const Plan *plan, const Rewrite *rewrite)
{
	SpHazard	hazard = Max(sp_scan_hazard((Node *) plan->targetlist, true, NULL, rewrite->stmt),
							 sp_scan_hazard((Node *) plan->qual, true, NULL, rewrite->stmt));

	if (!sp_scan_compares_quietly(plan))
		hazard = Max(hazard, SP_HAZARD_ERROR);
	if (IsA(plan, NestLoop))
	{
		hazard = Max(hazard, sp_scan_hazard((Node *) ((const Join *) plan)->joinqual, true, NULL, rewrite->stmt));
		hazard = Max(hazard, sp_scan_plan_hazard(plan->righttree, false, NULL, rewrite->stmt));
	}
	return hazard;
}

/* Is all of the input read before the first row is given? */
static bool
reads_input_first(const Plan *plan)
{
	switch (nodeTag(plan))
	{
		case T_Sort:
		case T_Hash:
			return true;
		case T_Agg:
			return ((const Agg *) plan)->aggstrategy == AGG_PLAIN || ((const Agg *) plan)->aggstrategy == AGG_HASHED;
		default:
			return false;
	}
}

/* Is all of the first input read if all of the node is? */
static bool
reads_all(const Plan *plan)
{
	switch (nodeTag(plan))
	{
		case T_Result:
		case T_Append:
		case T_Material:
		case T_Unique:
		case T_Group:
		case T_Agg:
		case T_WindowAgg:
		case T_IncrementalSort:
		case T_Gather:
		case T_GatherMerge:
		case T_SubqueryScan:
		case T_ProjectSet:
		case T_NestLoop:
			return true;
		default:
			return false;
	}
}

/* Does the node tell its input of a LIMIT, as ExecSetTupleBound does? */
static bool
passes_bound(const Plan *plan)
{
	return IsA(plan, Result) || IsA(plan, Append) || IsA(plan, MergeAppend) || IsA(plan, Gather) ||
		IsA(plan, GatherMerge) || (IsA(plan, SubqueryScan) && plan->qual == NIL);
}

/* What the first input of a node learns. */
static Above
above_input(const Plan *plan, Above above, const Rewrite *rewrite)
{
	Above		below = {.reads = READS_SOME, .between = SP_HAZARD_EFFECT};

	if (reads_input_first(plan))
	{
		below.reads = READS_ALL;
		below.between = IsA(plan, Agg) ? hazard_of_node(plan, rewrite) : SP_HAZARD_NONE;
	}
	else if (reads_all(plan))
	{
		below.reads = above.reads;
		below.between = Max(above.between, hazard_of_node(plan, rewrite));
	}
	else if (IsA(plan, Limit))
		below.between = above.between;
	below.is_bounded = IsA(plan, Limit) || (above.is_bounded && passes_bound(plan));
	below.is_marked = above.is_marked && IsA(plan, Result);
	return below;
}

/* A node between the two would keep the bound from the sort. */
static bool
bound_meets_sort(const Plan *plan)
{
	ListCell   *cell;

	if (IsA(plan, Sort) || IsA(plan, IncrementalSort))
		return true;
	if (!passes_bound(plan))
		return false;
	foreach(cell, sp_scan_children(plan))
		if (bound_meets_sort(lfirst(cell)))
			return true;
	return false;
}

static List *
column_entries(const List *expressions)
{
	List	   *entries = NIL;
	ListCell   *cell;

	foreach(cell, expressions)
		entries = lappend(entries, makeTargetEntry(lfirst(cell), (AttrNumber) (foreach_current_index(cell) + 1),
												   NULL, false));
	return entries;
}

static List *
expressions_of(const List *entries)
{
	List	   *expressions = NIL;
	ListCell   *cell;

	foreach(cell, entries)
		expressions = lappend(expressions, ((TargetEntry *) lfirst(cell))->expr);
	return expressions;
}

/* The columns of a list of expressions, as seen from the node that is varno. */
static List *
column_vars(const List *expressions, int varno)
{
	List	   *vars = NIL;
	ListCell   *cell;

	foreach(cell, expressions)
	{
		Node	   *node = lfirst(cell);

		vars = lappend(vars, makeVar(varno, (AttrNumber) (foreach_current_index(cell) + 1), exprType(node),
									 exprTypmod(node), exprCollation(node), 0));
	}
	return vars;
}

/* The columns as EXPLAIN prints them, and then gathered and the calls. */
static List *
node_columns(const SpSplit *split, List *sources)
{
	List	   *columns = column_vars(split->columns, OUTER_VAR);
	ListCell   *cell;

	foreach(cell, columns)
	{
		int			source = list_nth_int(sources, foreach_current_index(cell));

		if (source == 0)
			lfirst(cell) = copyObject(list_nth(split->columns, foreach_current_index(cell)));
		else
			((Var *) lfirst(cell))->varattno = (AttrNumber) source;
	}
	columns = lappend(columns, makeBoolConst(true, false));
	return column_entries(list_concat(columns, split->calls));
}

/* Put a node above child; its target list is the caller's to set. */
static CustomScan *
make_node(Plan *child, const SpSplit *split, List *carried, bool needs_all, Rewrite *rewrite)
{
	CustomScan *node = makeNode(CustomScan);
	Plan	   *plan = &node->scan.plan;
	List	   *sources = sp_scan_unpack(child, split->columns, rewrite->stmt);

	/* costs and parameters are the child's */
	*plan = *child;
	plan->type = T_CustomScan;
	plan->plan_node_id = ++rewrite->last_node;
	plan->parallel_aware = false;
	plan->targetlist = NIL;
	plan->qual = NIL;
	plan->lefttree = child;
	plan->righttree = NULL;
	plan->extParam = bms_copy(child->extParam);
	plan->allParam = bms_copy(child->allParam);
	child->initPlan = NIL;
	node->custom_scan_tlist = node_columns(split, sources);
	node->custom_exprs = sp_scan_calls_over(split, sources);
	node->custom_private = list_make4(makeInteger(needs_all), split->kinds, carried, sources);
	node->methods = &sp_scan_methods;
	rewrite->changed = true;
	return node;
}

/* Can calls over the rows of plan be moved?  plan gives their columns, rest is evaluated where they were. */
static bool
can_move(Plan *plan, const SpSplit *split, Node *rest, Above above, bool *needs_all, const Rewrite *rewrite)
{
	SpHazard	hazard;
	SpHazard	between;
	ListCell   *cell;

	/* an aggregate may sort all that the node gives */
	if (list_length(split->columns) + 1 + list_length(split->calls) > MaxTupleAttributeNumber)
		return false;
	/* an Append starts foreign scans that can work beside each other itself, and has to find them */
	if (plan->plan_rows < FEWEST_ROWS || plan->async_capable || above.is_marked ||
		(above.is_bounded && bound_meets_sort(plan)))
		return false;
	hazard = sp_scan_plan_hazard(plan, true, NULL, rewrite->stmt);
	foreach(cell, split->calls)
	{
		FuncExpr   *call = lfirst(cell);
		SpHazard	of_features = sp_scan_hazard(lsecond(call->args), true, NULL, rewrite->stmt);

		hazard = Max(hazard, of_features);
	}
	*needs_all = hazard != SP_HAZARD_NONE && above.reads != READS_ALL;
	between = Max(above.between, sp_scan_hazard(rest, true, NULL, rewrite->stmt));
	return hazard == SP_HAZARD_NONE || (hazard == SP_HAZARD_SESSION && between < SP_HAZARD_EFFECT) ||
		(hazard == SP_HAZARD_ERROR && above.reads != READS_SOME && between < SP_HAZARD_ERROR);
}

/* Nodes that compute a target list, over rows that have passed their filters. */
static bool
is_projecting(const Plan *plan)
{
	switch (nodeTag(plan))
	{
		case T_SeqScan:
		case T_SampleScan:
		case T_IndexScan:
		case T_IndexOnlyScan:
		case T_BitmapHeapScan:
		case T_TidScan:
		case T_TidRangeScan:
		case T_SubqueryScan:
		case T_FunctionScan:
		case T_TableFuncScan:
		case T_ValuesScan:
		case T_CteScan:
		case T_NamedTuplestoreScan:
		case T_NestLoop:
		case T_MergeJoin:
		case T_HashJoin:
		case T_Agg:
		case T_WindowAgg:
		case T_Group:
			return true;
		case T_Result:
			return plan->lefttree != NULL;
		default:
			return false;
	}
}

/*
 * UPDATE and DELETE ... WHERE CURRENT OF find the row of a cursor below these,
 * or in a scan that has more than its slot to tell it, and below a node of ours
 * only in the slots of scans of tables.
 */
static bool
hides_row_of_cursor(const Plan *plan, const Rewrite *rewrite)
{
	return rewrite->is_cursor && (IsA(plan, SubqueryScan) || IsA(plan, IndexOnlyScan) || IsA(plan, Result));
}

/* Take over the projection of plan. */
static Plan *
split_projection(Plan *plan, Above above, Rewrite *rewrite)
{
	SpSplit		split = {.of_aggregate = false};
	List	   *targets = plan->targetlist;
	List	   *collected = sp_scan_collect(&split, targets);
	bool		needs_all;
	CustomScan *node;

	if (split.calls == NIL)
		return plan;
	plan->targetlist = column_entries(split.columns);
	if (!can_move(plan, &split, (Node *) collected, above, &needs_all, rewrite))
	{
		plan->targetlist = targets;
		return plan;
	}
	targets = sp_scan_replace(&split, targets);
	node = make_node(plan, &split, sp_scan_columns_read(collected, list_length(split.columns)), needs_all, rewrite);
	node->scan.plan.targetlist = targets;
	return &node->scan.plan;
}

/* Numbers of the columns that a grouping compares. */
static List *
grouping_columns(const Agg *agg, List *columns)
{
	ListCell   *cell;

	for (int i = 0; i < agg->numCols; i++)
		columns = list_append_unique_int(columns, agg->grpColIdx[i]);
	foreach(cell, agg->chain)
		columns = grouping_columns(lfirst(cell), columns);
	return columns;
}

/* Put a node below an aggregate for the calls in its arguments. */
static void
feed_aggregate(Agg *agg, Above above, Rewrite *rewrite)
{
	Plan	   *child = agg->plan.lefttree;
	SpSplit		split = {.of_aggregate = true};
	List	   *collected;
	List	   *replaced;
	List	   *carried;
	bool		needs_all;
	CustomScan *node;

	split.columns = expressions_of(child->targetlist);
	collected = sp_scan_collect(&split, list_make2(agg->plan.targetlist, agg->plan.qual));
	if (split.calls == NIL)
		return;
	if (reads_input_first(&agg->plan))
	{
		above.reads = READS_ALL;
		above.between = SP_HAZARD_NONE;
	}
	above.is_bounded = false;
	above.is_marked = false;
	if (!can_move(child, &split, (Node *) collected, above, &needs_all, rewrite))
		return;
	carried = grouping_columns(agg, sp_scan_columns_read(collected, list_length(split.columns)));
	replaced = sp_scan_replace(&split, list_make2(agg->plan.targetlist, agg->plan.qual));
	node = make_node(child, &split, carried, needs_all, rewrite);
	node->scan.plan.targetlist = column_entries(column_vars(expressions_of(node->custom_scan_tlist), INDEX_VAR));
	agg->plan.targetlist = linitial(replaced);
	agg->plan.qual = lsecond(replaced);
	agg->plan.lefttree = &node->scan.plan;
}

static Plan *rewrite_plan(Plan *plan, Above above, Rewrite *rewrite);

static void
rewrite_list(List *plans, Above above, Rewrite *rewrite)
{
	ListCell   *cell;

	foreach(cell, plans)
		lfirst(cell) = rewrite_plan(lfirst(cell), above, rewrite);
}

static Plan *
rewrite_plan(Plan *plan, Above above, Rewrite *rewrite)
{
	Above		below;
	Above		beside = {.reads = READS_SOME, .between = SP_HAZARD_EFFECT, .is_marked = IsA(plan, MergeJoin)};

	check_stack_depth();
	/* others' nodes, and those that read their input again and again or lock its rows */
	if (IsA(plan, CustomScan) || IsA(plan, ForeignScan) || IsA(plan, LockRows) || IsA(plan, RecursiveUnion))
		return plan;
	below = above_input(plan, above, rewrite);
	if (plan->lefttree)
		plan->lefttree = rewrite_plan(plan->lefttree, below, rewrite);
	if (plan->righttree)
		plan->righttree = rewrite_plan(plan->righttree, beside, rewrite);
	if (IsA(plan, Append))
		rewrite_list(((Append *) plan)->appendplans, below, rewrite);
	else if (IsA(plan, MergeAppend))
		rewrite_list(((MergeAppend *) plan)->mergeplans, below, rewrite);
	else if (IsA(plan, SubqueryScan))
		((SubqueryScan *) plan)->subplan = rewrite_plan(((SubqueryScan *) plan)->subplan, below, rewrite);
	if (IsA(plan, Agg) && plan->lefttree)
		feed_aggregate((Agg *) plan, above, rewrite);
	return is_projecting(plan) && !hides_row_of_cursor(plan, rewrite) ? split_projection(plan, above, rewrite) : plan;
}

/* The largest plan_node_id; *has_calls is set if a target list or a filter (of groups, say) has calls. */
static int
survey(Plan *plan, bool *has_calls)
{
	int			largest = plan->plan_node_id;
	ListCell   *cell;

	check_stack_depth();
	*has_calls = *has_calls || sp_scan_has_calls((Node *) plan->targetlist) ||
		sp_scan_has_calls((Node *) plan->qual);
	foreach(cell, sp_scan_children(plan))
	{
		int			of_child = survey(lfirst(cell), has_calls);

		largest = Max(largest, of_child);
	}
	return largest;
}

/* Of all plans of a statement that is of the right kind; 0 if nothing can be moved. */
static int
survey_statement(const PlannedStmt *stmt)
{
	bool		has_calls = false;
	int			largest;
	ListCell   *cell;

	if ((stmt->commandType != CMD_SELECT && stmt->commandType != CMD_INSERT) ||
		stmt->planTree == NULL || stmt->rowMarks != NIL || stmt->hasModifyingCTE)
		return 0;
	largest = survey(stmt->planTree, &has_calls);
	foreach(cell, stmt->subplans)
		if (lfirst(cell) != NULL)
		{
			int			of_subplan = survey(lfirst(cell), &has_calls);

			largest = Max(largest, of_subplan);
		}
	return has_calls ? Max(largest, 1) : 0;
}

bool
sp_scan_concerns(const PlannedStmt *stmt)
{
	return survey_statement(stmt) > 0;
}

bool
sp_scan_rewrite(PlannedStmt *stmt, bool is_cursor)
{
	Rewrite		rewrite = {.stmt = stmt, .is_cursor = is_cursor, .last_node = survey_statement(stmt)};
	Above		top = {.reads = READS_ALL_OF_RUN, .between = SP_HAZARD_NONE};
	Above		inside = {.reads = READS_SOME, .between = SP_HAZARD_EFFECT};
	ListCell   *cell;

	if (rewrite.last_node == 0)
		return false;
	foreach(cell, stmt->subplans)
		if (lfirst(cell) != NULL)
			lfirst(cell) = rewrite_plan(lfirst(cell), inside, &rewrite);
	stmt->planTree = rewrite_plan(stmt->planTree, top, &rewrite);
	return rewrite.changed;
}
