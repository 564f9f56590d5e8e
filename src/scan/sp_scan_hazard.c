/*
 * src/scan/sp_scan_hazard.c
 *
 * Whether evaluating expressions earlier than they would be without us could
 * be seen: by effects of volatile functions, or by an error
 * of a row that the query would not have reached, or not before another error.
 *
 * A function raises no error that depends on its arguments if it is leakproof,
 * or one of the server's own comparisons (numeric's are not marked leakproof).
 * What depends on no row raises at the first row or never: such an expression
 * is harmless where it is sure to have been evaluated by then.  The inner side
 * of a nested loop depends on the row by the parameters that the loop sets.
 */
#include "server/sp_compat.h"

#include "access/transam.h"
#include "catalog/pg_aggregate.h"
#include "catalog/pg_proc.h"
#include "catalog/pg_type.h"
#include "miscadmin.h"
#include "nodes/nodeFuncs.h"
#include "nodes/subscripting.h"
#include "optimizer/clauses.h"
#include "optimizer/optimizer.h"
#include "parser/parse_coerce.h"
#include "utils/fmgroids.h"
#include "utils/lsyscache.h"

#include "scan/sp_scan.h"

typedef struct Look
{
	bool		sure;			/* evaluated by the time of the first row */
	const Bitmapset *of_row;	/* parameters that nested loops set from each row */
	const PlannedStmt *stmt;
	SpHazard	hazard;			/* the worst so far */
} Look;

static bool look_at(Node *node, Look *look);

static void
worsen(Look *look, SpHazard hazard)
{
	look->hazard = Max(look->hazard, hazard);
}

bool
sp_scan_is_server_comparison(Oid operator)
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
	return is_quiet_function(operator->opfuncid) || sp_scan_is_server_comparison(operator->opno);
}

/* Of the server's own types those whose values are compared, added and printed without an error. */
static bool
is_plain(Oid type)
{
	char		category;
	bool		is_preferred;

	if (type >= FirstNormalObjectId)
		return false;
	get_type_category_preferred(type, &category, &is_preferred);
	return category == TYPCATEGORY_NUMERIC || category == TYPCATEGORY_BOOLEAN || category == TYPCATEGORY_STRING ||
		category == TYPCATEGORY_DATETIME;
}

/*
 * Of the server's own aggregates those of one plain value or of several numbers
 * that overflow need numbers beyond a double's range or 2^63 rows.  Others may
 * raise for a row or a group: jsonb_object_agg a NULL key, array_agg arrays of
 * different sizes, percentile_cont a fraction above 1.
 */
static bool
is_quiet_aggregate(const Aggref *aggregate)
{
	bool		all_numbers = true;
	ListCell   *cell;

	if (aggregate->aggfnoid == F_COUNT_ANY || aggregate->aggfnoid == F_STRING_AGG_TEXT_TEXT)
		return true;
	if (aggregate->aggfnoid >= FirstNormalObjectId || aggregate->aggkind != AGGKIND_NORMAL ||
		aggregate->aggfnoid == F_SUM_FLOAT4)
		return false;
	foreach(cell, aggregate->aggargtypes)
	{
		if (!is_plain(lfirst_oid(cell)))
			return false;
		all_numbers = all_numbers && TypeCategory(lfirst_oid(cell)) == TYPCATEGORY_NUMERIC;
	}
	return all_numbers || list_length(aggregate->aggargtypes) == 1;
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
	return (IsA(node, Aggref) && ((Aggref *) node)->aggfnoid >= FirstNormalObjectId) ||
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
		case T_ArrayExpr:
			/* arrays of arrays must have arrays of one size */
			return !((ArrayExpr *) node)->multidims;
		case T_FuncExpr:
			return is_quiet_function(((FuncExpr *) node)->funcid);
		case T_OpExpr:
		case T_DistinctExpr:
		case T_NullIfExpr:
			return is_quiet_operator((OpExpr *) node);
		case T_ScalarArrayOpExpr:
			return is_quiet_function(((ScalarArrayOpExpr *) node)->opfuncid) ||
				sp_scan_is_server_comparison(((ScalarArrayOpExpr *) node)->opno);
		case T_SubscriptingRef:
			{
				const SubscriptingRef *ref = (const SubscriptingRef *) node;

				return ref->refassgnexpr == NULL &&
					getSubscriptingRoutines(ref->refcontainertype, NULL)->fetch_leakproof;
			}
		case T_Aggref:
			return is_quiet_aggregate((Aggref *) node);
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

bool
sp_scan_depends_on_row(Node *node, const Bitmapset *of_row)
{
	if (node == NULL)
		return false;
	if (IsA(node, Var))
		return true;
	if (IsA(node, Param))
		return ((Param *) node)->paramkind == PARAM_EXEC && bms_is_member(((Param *) node)->paramid, of_row);
	return expression_tree_walker(node, sp_scan_depends_on_row, (void *) of_row);
}

/* Does it evaluate to the same value or error for all rows of a scan? */
static bool
is_row_independent(Node *node, const Bitmapset *of_row)
{
	return (IsA(node, FuncExpr) || IsA(node, OpExpr) || IsA(node, CoerceViaIO) || IsA(node, CoerceToDomain)) &&
		!sp_scan_depends_on_row(node, of_row);
}

static bool
look_at_subplan(SubPlan *subplan, Look *look)
{
	Plan	   *plan = look->stmt == NULL ? NULL : list_nth(look->stmt->subplans, subplan->plan_id - 1);

	worsen(look, SP_HAZARD_ERROR);
	worsen(look, plan == NULL ? SP_HAZARD_EFFECT : sp_scan_plan_hazard(plan, false, look->of_row, look->stmt));
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
		if (sure && is_row_independent(node, look->of_row))
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
sp_scan_hazard(Node *expression, bool sure, const Bitmapset *of_row, const PlannedStmt *stmt)
{
	Look		look = {sure, of_row, stmt, SP_HAZARD_NONE};

	if (expression == NULL)
		return SP_HAZARD_NONE;
	if (contain_volatile_functions(expression))
		return SP_HAZARD_EFFECT;
	if (depends_on_session(expression, NULL))
		worsen(&look, SP_HAZARD_SESSION);
	(void) look_at(expression, &look);
	return look.hazard;
}
