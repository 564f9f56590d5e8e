/*
 * src/scan/sp_scan_hazard.c
 *
 * Whether evaluating expressions and reading plans earlier than they would be
 * without us could be seen: by effects of volatile functions, or by an error
 * of a row that the query would not have reached, or not before another error.
 *
 * A function raises no error that depends on its arguments if it is leakproof,
 * or one of the server's own comparisons (numeric's are not marked leakproof).
 * What depends on no row raises at the first row or never: such an expression
 * is harmless where it is sure to have been evaluated by then.
 */
#include "server/sp_compat.h"

#include "access/transam.h"
#include "catalog/pg_proc.h"
#include "catalog/pg_type.h"
#include "miscadmin.h"
#include "nodes/nodeFuncs.h"
#include "nodes/subscripting.h"
#include "optimizer/clauses.h"
#include "optimizer/optimizer.h"
#include "utils/fmgroids.h"
#include "utils/lsyscache.h"

#include "scan/sp_scan.h"

typedef struct Look
{
	bool		sure;			/* evaluated by the time of the first row */
	const PlannedStmt *stmt;
	SpHazard	hazard;			/* the worst so far */
} Look;

static bool look_at(Node *node, Look *look);

static void
worsen(Look *look, SpHazard hazard)
{
	look->hazard = Max(look->hazard, hazard);
}

static bool
is_server_comparison(Oid operator)
{
	Oid			left;
	Oid			right;
	List	   *meanings;

	if (operator >= FirstNormalObjectId)
		return false;
	op_input_types(operator, &left, &right);
	/* containers compare by what they contain, which may be anybody's */
	if (left == RECORDOID || left == ANYARRAYOID || left == ANYRANGEOID || left == ANYMULTIRANGEOID)
		return false;
	meanings = operator_meanings_compat(operator);
	list_free_deep(meanings);
	return meanings != NIL;
}

static bool
is_quiet_function(Oid function)
{
	return OidIsValid(function) && get_func_leakproof(function);
}

static bool
is_quiet_operator(OpExpr *operator)
{
	set_opfuncid(operator);
	return is_quiet_function(operator->opfuncid) || is_server_comparison(operator->opno);
}

/* Of the server's own aggregates those that overflow need numbers beyond a double's range or 2^63 rows. */
static bool
is_server_aggregate(const Aggref *aggregate)
{
	return aggregate->aggfnoid < FirstNormalObjectId;
}

static bool
is_row_number(const WindowFunc *function)
{
	return function->winfnoid == F_ROW_NUMBER || function->winfnoid == F_RANK_ ||
		function->winfnoid == F_DENSE_RANK_;
}

/* Of a user's own aggregate or window function the volatility is not that of the functions behind it. */
static bool
is_users_aggregate(Node *node)
{
	return (IsA(node, Aggref) && !is_server_aggregate((Aggref *) node)) ||
		(IsA(node, WindowFunc) && ((WindowFunc *) node)->winfnoid >= FirstNormalObjectId);
}

/* Does the node itself, its arguments aside, raise nothing? */
static bool
is_quiet(Node *node)
{
	switch (nodeTag(node))
	{
		case T_List:
		case T_TargetEntry:
		case T_Var:
		case T_Const:
		case T_Param:
		case T_CaseTestExpr:
		case T_BoolExpr:
		case T_CaseExpr:
		case T_CaseWhen:
		case T_CoalesceExpr:
		case T_RelabelType:
		case T_CollateExpr:
		case T_ArrayExpr:
		case T_RowExpr:
		case T_NamedArgExpr:
		case T_FieldSelect:
		case T_NullTest:
		case T_BooleanTest:
		case T_GroupingFunc:
		case T_SQLValueFunction:
		case T_SortGroupClause:
		case T_ArrayCoerceExpr:
		case T_ConvertRowtypeExpr:
			return true;
		case T_FuncExpr:
			return is_quiet_function(((FuncExpr *) node)->funcid);
		case T_OpExpr:
		case T_DistinctExpr:
		case T_NullIfExpr:
			return is_quiet_operator((OpExpr *) node);
		case T_ScalarArrayOpExpr:
			return is_quiet_function(((ScalarArrayOpExpr *) node)->opfuncid) ||
				is_server_comparison(((ScalarArrayOpExpr *) node)->opno);
		case T_SubscriptingRef:
			{
				const SubscriptingRef *ref = (const SubscriptingRef *) node;

				return ref->refassgnexpr == NULL &&
					getSubscriptingRoutines(ref->refcontainertype, NULL)->fetch_leakproof;
			}
		case T_Aggref:
			return is_server_aggregate((Aggref *) node);
		case T_WindowFunc:
			return is_row_number((WindowFunc *) node);
		default:
			return false;
	}
}

/* Nodes that do not evaluate all their arguments always. */
static bool
is_conditional(Node *node)
{
	return IsA(node, BoolExpr) || IsA(node, CaseExpr) || IsA(node, CoalesceExpr) || IsA(node, SubscriptingRef) ||
		IsA(node, ArrayCoerceExpr) || IsA(node, Aggref) || IsA(node, WindowFunc);
}

/* Does it evaluate to the same value or error for all rows of a scan? */
static bool
is_row_independent(Node *node)
{
	return (IsA(node, FuncExpr) || IsA(node, OpExpr) || IsA(node, CoerceViaIO) || IsA(node, CoerceToDomain)) && !contain_var_clause(node);
}

static bool
look_at_subplan(SubPlan *subplan, Look *look)
{
	Plan	   *plan = look->stmt == NULL ? NULL : list_nth(look->stmt->subplans, subplan->plan_id - 1);

	worsen(look, SP_HAZARD_ERROR);
	worsen(look, plan == NULL ? SP_HAZARD_EFFECT : sp_scan_plan_hazard(plan, false, look->stmt));
	return expression_tree_walker((Node *) subplan, look_at, look);
}

static bool
look_at(Node *node, Look *look)
{
	bool		sure = look->sure;
	bool		stop;

	if (node == NULL)
		return false;
	check_stack_depth();
	if (IsA(node, SubPlan))
		return look_at_subplan((SubPlan *) node, look);
	/* a subquery that does not depend on the row may be evaluated here */
	if (IsA(node, Param) && ((Param *) node)->paramkind == PARAM_EXEC && !sure)
		worsen(look, SP_HAZARD_ERROR);
	if (is_users_aggregate(node))
		worsen(look, SP_HAZARD_EFFECT);
	if (!is_quiet(node))
	{
		if (sure && is_row_independent(node))
			return false;
		worsen(look, SP_HAZARD_ERROR);
	}
	look->sure = sure && !is_conditional(node);
	stop = expression_tree_walker(node, look_at, look);
	look->sure = sure;
	return stop;
}

/* A stable function may make anything of the user and the settings, the server's own mostly of the time zone. */
static bool
is_session_function(Oid function, void *context)
{
	(void) context;
	return function != F_NOW && function != F_TRANSACTION_TIMESTAMP && function != F_STATEMENT_TIMESTAMP &&
		func_volatile(function) == PROVOLATILE_STABLE;
}

static bool
is_session_value(const SQLValueFunction *value)
{
	return value->op != SVFOP_CURRENT_TIMESTAMP && value->op != SVFOP_CURRENT_TIMESTAMP_N;
}

/* May its value change in a transaction, between two runs of the executor? */
static bool
depends_on_session(Node *node, void *context)
{
	if (node == NULL)
		return false;
	if (IsA(node, SQLValueFunction) && is_session_value((SQLValueFunction *) node))
		return true;
	return check_functions_in_node(node, is_session_function, context) ||
		expression_tree_walker(node, depends_on_session, context);
}

SpHazard
sp_scan_hazard(Node *expression, bool sure, const PlannedStmt *stmt)
{
	Look		look = {sure, stmt, SP_HAZARD_NONE};

	if (expression == NULL)
		return SP_HAZARD_NONE;
	if (contain_volatile_functions(expression))
		return SP_HAZARD_EFFECT;
	if (depends_on_session(expression, NULL))
		worsen(&look, SP_HAZARD_SESSION);
	(void) look_at(expression, &look);
	return look.hazard;
}

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

/* What a node evaluates besides its target list and filter; *known false if we do not know. */
static List *
own_expressions(const Plan *plan, bool *known)
{
	*known = true;
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
		case T_WindowAgg:
		case T_ProjectSet:
		case T_SetOp:
		case T_CteScan:
			/* all rows of a function are made at the first one */
		case T_FunctionScan:
		case T_TableFuncScan:
			/* evaluated before the first row */
		case T_Limit:
			return NIL;
		case T_Result:
			return list_make1(((const Result *) plan)->resconstantqual);
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
			*known = false;
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

SpHazard
sp_scan_plan_hazard(Plan *plan, bool sure, const PlannedStmt *stmt)
{
	bool		known;
	List	   *expressions = own_expressions(plan, &known);
	SpHazard	hazard;
	ListCell   *cell;

	check_stack_depth();
	if (!known)
		return SP_HAZARD_EFFECT;
	expressions = lappend(lappend(expressions, plan->qual), plan->targetlist);
	hazard = sp_scan_hazard((Node *) expressions, sure && evaluates_at_first(plan), stmt);
	if (IsA(plan, CteScan))
		hazard = Max(hazard, sp_scan_plan_hazard(list_nth(stmt->subplans, ((CteScan *) plan)->ctePlanId - 1),
												 false, stmt));
	sure = sure && asks_all_children(plan);
	foreach(cell, sp_scan_children(plan))
		hazard = Max(hazard, sp_scan_plan_hazard(lfirst(cell), sure, stmt));
	return hazard;
}
