/*
 * src/scan/sp_scan_hazard_plan.c
 *
 * Whether reading rows of a plan earlier than they would be without us could
 * be seen: the worst of all that its nodes evaluate for them.
 */
#include "server/sp_compat.h"

#include "miscadmin.h"

#include "scan/sp_scan.h"

List *
sp_scan_children(const Plan *plan)
{
	List	   *children = NIL;

	switch (nodeTag(plan))
	{
		case T_Append:
			children = list_copy(((const Append *) plan)->appendplans);
			break;
		case T_MergeAppend:
			children = list_copy(((const MergeAppend *) plan)->mergeplans);
			break;
		case T_BitmapAnd:
			children = list_copy(((const BitmapAnd *) plan)->bitmapplans);
			break;
		case T_BitmapOr:
			children = list_copy(((const BitmapOr *) plan)->bitmapplans);
			break;
		case T_CustomScan:
			children = list_copy(((const CustomScan *) plan)->custom_plans);
			break;
		case T_SubqueryScan:
			children = list_make1(((const SubqueryScan *) plan)->subplan);
			break;
		default:
			break;
	}
	if (plan->lefttree)
		children = lappend(children, plan->lefttree);
	if (plan->righttree)
		children = lappend(children, plan->righttree);
	return children;
}

static bool
are_server_comparisons(const Oid *operators, int n)
{
	for (int i = 0; i < n; i++)
		if (!sp_scan_is_server_comparison(operators[i]))
			return false;
	return true;
}

bool
sp_scan_compares_quietly(const Plan *plan)
{
	const Agg  *agg = (const Agg *) plan;
	const Group *group = (const Group *) plan;
	const Unique *unique = (const Unique *) plan;
	const SetOp *set = (const SetOp *) plan;
	const Sort *sort = &((const IncrementalSort *) plan)->sort;
	const MergeAppend *merge = (const MergeAppend *) plan;
	const WindowAgg *window = (const WindowAgg *) plan;

	switch (nodeTag(plan))
	{
		case T_Agg:
			return agg->aggstrategy == AGG_HASHED || are_server_comparisons(agg->grpOperators, agg->numCols);
		case T_Group:
			return are_server_comparisons(group->grpOperators, group->numCols);
		case T_Unique:
			return are_server_comparisons(unique->uniqOperators, unique->numCols);
		case T_SetOp:
			return are_server_comparisons(set_operators_compat(set), set->numCols);
		case T_IncrementalSort:
			return are_server_comparisons(sort->sortOperators, sort->numCols);
		case T_MergeAppend:
			return are_server_comparisons(merge->sortOperators, merge->numCols);
		case T_WindowAgg:
			return are_server_comparisons(window->partOperators, window->partNumCols) &&
				are_server_comparisons(window->ordOperators, window->ordNumCols);
		default:
			return true;
	}
}

/* Does a node evaluate nothing besides its target list and filter, but operators of sorts and groups? */
static bool
has_no_expressions(const Plan *plan)
{
	switch (nodeTag(plan))
	{
		case T_SeqScan:
		case T_SubqueryScan:
		case T_NamedTuplestoreScan:
		case T_BitmapAnd:
		case T_BitmapOr:
		case T_Hash:
		case T_Material:
		case T_Sort:
		case T_IncrementalSort:
		case T_Unique:
		case T_Group:
		case T_Append:
		case T_MergeAppend:
		case T_Gather:
		case T_GatherMerge:
		case T_Agg:
		case T_ProjectSet:
		case T_SetOp:
		case T_CteScan:
			return true;
		default:
			return false;
	}
}

/* What other nodes evaluate besides; *known false if we do not know. */
static List *
own_expressions(const Plan *plan, bool *known)
{
	*known = true;
	switch (nodeTag(plan))
	{
		case T_Limit:
			return list_make2(((const Limit *) plan)->limitOffset, ((const Limit *) plan)->limitCount);
		case T_WindowAgg:
			return list_make2(((const WindowAgg *) plan)->startOffset, ((const WindowAgg *) plan)->endOffset);
		case T_Result:
			return list_make1(((const Result *) plan)->resconstantqual);
		case T_FunctionScan:
			return list_copy(((const FunctionScan *) plan)->functions);
		case T_TableFuncScan:
			return list_make1(((const TableFuncScan *) plan)->tablefunc);
		case T_SampleScan:
			return list_make1(((const SampleScan *) plan)->tablesample);
		case T_IndexScan:
			return list_make2(((const IndexScan *) plan)->indexqualorig, ((const IndexScan *) plan)->indexorderbyorig);
		case T_IndexOnlyScan:
			return list_make2(((const IndexOnlyScan *) plan)->indexqual, ((const IndexOnlyScan *) plan)->indexorderby);
		case T_BitmapIndexScan:
			return list_make1(((const BitmapIndexScan *) plan)->indexqualorig);
		case T_BitmapHeapScan:
			return list_make1(((const BitmapHeapScan *) plan)->bitmapqualorig);
		case T_TidScan:
			return list_make1(((const TidScan *) plan)->tidquals);
		case T_TidRangeScan:
			return list_make1(((const TidRangeScan *) plan)->tidrangequals);
		case T_ValuesScan:
			return list_make1(((const ValuesScan *) plan)->values_lists);
		case T_Memoize:
			return list_make1(((const Memoize *) plan)->param_exprs);
		case T_NestLoop:
			return list_make1(((const Join *) plan)->joinqual);
		case T_MergeJoin:
			return list_make2(((const Join *) plan)->joinqual, ((const MergeJoin *) plan)->mergeclauses);
		case T_HashJoin:
			return list_make2(((const Join *) plan)->joinqual, ((const HashJoin *) plan)->hashclauses);
		default:
			*known = has_no_expressions(plan);
			return NIL;
	}
}

static bool
is_inner_join(const Plan *plan)
{
	return ((const Join *) plan)->jointype == JOIN_INNER;
}

/* Has the node evaluated all its expressions by the time that it gives its first row? */
static bool
evaluates_at_first(const Plan *plan)
{
	switch (nodeTag(plan))
	{
			/* each row has expressions of its own */
		case T_ValuesScan:
			return false;
		case T_NestLoop:
		case T_MergeJoin:
		case T_HashJoin:
			return is_inner_join(plan);
		default:
			return true;
	}
}

/* Has each child given a row by the time that the node gives its first? */
static bool
asks_all_children(const Plan *plan)
{
	switch (nodeTag(plan))
	{
		case T_Append:
		case T_BitmapOr:
			return false;
		case T_NestLoop:
		case T_MergeJoin:
		case T_HashJoin:
			return is_inner_join(plan);
		case T_Agg:
			return ((const Agg *) plan)->numCols > 0;
		default:
			return true;
	}
}

/* Are the node's own expressions evaluated once, before its first row?  All rows of a function are made then. */
static bool
evaluates_once(const Plan *plan, List *expressions, const Bitmapset *of_row)
{
	return (IsA(plan, FunctionScan) || IsA(plan, TableFuncScan) || IsA(plan, Limit) || IsA(plan, WindowAgg)) &&
		!sp_scan_depends_on_row((Node *) expressions, of_row);
}

/* Subqueries that are evaluated anew for each row of a nested loop above. */
static SpHazard
subqueries_hazard(const Plan *plan, const Bitmapset *of_row, const PlannedStmt *stmt)
{
	SpHazard	hazard = SP_HAZARD_NONE;
	ListCell   *cell;

	foreach(cell, plan->initPlan)
	{
		Plan	   *subquery = list_nth(stmt->subplans, ((SubPlan *) lfirst(cell))->plan_id - 1);

		if (bms_overlap(subquery->allParam, of_row))
			hazard = Max(hazard, Max(SP_HAZARD_ERROR, sp_scan_plan_hazard(subquery, false, of_row, stmt)));
	}
	return hazard;
}

/* With the parameters that a nested loop sets for its inner side. */
static const Bitmapset *
params_of_inner(const NestLoop *loop, const Bitmapset *of_row)
{
	Bitmapset  *params = bms_copy(of_row);
	ListCell   *cell;

	foreach(cell, loop->nestParams)
		params = bms_add_member(params, ((NestLoopParam *) lfirst(cell))->paramno);
	return params;
}

SpHazard
sp_scan_plan_hazard(Plan *plan, bool sure, const Bitmapset *of_row, const PlannedStmt *stmt)
{
	bool		known;
	List	   *expressions = own_expressions(plan, &known);
	SpHazard	hazard;
	ListCell   *cell;

	check_stack_depth();
	if (!known)
		return SP_HAZARD_EFFECT;
	if (sure && evaluates_once(plan, expressions, of_row))
		expressions = NIL;
	expressions = lappend(lappend(expressions, plan->qual), plan->targetlist);
	hazard = sp_scan_hazard((Node *) expressions, sure && evaluates_at_first(plan), of_row, stmt);
	hazard = Max(hazard, subqueries_hazard(plan, of_row, stmt));
	if (!sp_scan_compares_quietly(plan))
		hazard = Max(hazard, SP_HAZARD_ERROR);
	if (IsA(plan, CteScan))
		hazard = Max(hazard, sp_scan_plan_hazard(list_nth(stmt->subplans, ((CteScan *) plan)->ctePlanId - 1),
										 false, NULL, stmt));
	sure = sure && asks_all_children(plan);
	foreach(cell, sp_scan_children(plan))
	{
		Plan	   *child = lfirst(cell);
		bool		is_inner = IsA(plan, NestLoop) && child == plan->righttree;

		hazard = Max(hazard, sp_scan_plan_hazard(child, sure, is_inner ? params_of_inner((NestLoop *) plan, of_row) : of_row, stmt));
	}
	return hazard;
}
