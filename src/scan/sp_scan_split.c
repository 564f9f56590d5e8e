/*
 * src/scan/sp_scan_split.c
 *
 * Expressions are those of a finished plan, after set_plan_references.  Where
 * a projection is split, its own Vars (and Aggrefs, ...) become columns of the
 * child, and the expressions read the node's scan tuple by INDEX_VAR; an
 * aggregate reads the node's output, which is the same columns, by OUTER_VAR.
 */
#include "server/sp_compat.h"

#include "access/htup_details.h"
#include "access/transam.h"
#include "catalog/pg_language.h"
#include "catalog/pg_proc.h"
#include "catalog/pg_type.h"
#include "nodes/makefuncs.h"
#include "nodes/nodeFuncs.h"
#include "optimizer/optimizer.h"
#include "utils/builtins.h"
#include "utils/lsyscache.h"
#include "utils/syscache.h"

#include "scan/sp_scan.h"

static const struct
{
	const char *symbol;
	int			n_arguments;
}			functions[] = {
	[SP_CALL_NUMBER] = {"smartpouch_predict", 2},
	[SP_CALL_LABEL] = {"smartpouch_predict_label", 2},
	[SP_CALL_PROBABILITIES] = {"smartpouch_predict_proba", 2},
	[SP_CALL_PROBABILITY] = {"smartpouch_predict_proba_label", 3},
	[SP_CALL_RAW] = {"smartpouch_predict_raw", 2},
};

/* Is it one of our functions?  By symbol, as its name and schema are the user's to change. */
static bool
is_call(Node *node, SpCallKind *kind)
{
	HeapTuple	tuple;
	bool		found = false;

	if (!IsA(node, FuncExpr) || ((FuncExpr *) node)->funcid < FirstNormalObjectId)
		return false;
	tuple = SearchSysCache1(PROCOID, ObjectIdGetDatum(((FuncExpr *) node)->funcid));
	if (!HeapTupleIsValid(tuple))
		return false;
	if (((Form_pg_proc) GETSTRUCT(tuple))->prolang == ClanguageId)
	{
		bool		null;
		Datum		source = SysCacheGetAttr(PROCOID, tuple, Anum_pg_proc_prosrc, &null);
		char	   *symbol = null ? NULL : TextDatumGetCString(source);

		for (int i = 0; symbol != NULL && !found && i < (int) lengthof(functions); i++)
		{
			found = strcmp(symbol, functions[i].symbol) == 0 &&
				list_length(((FuncExpr *) node)->args) == functions[i].n_arguments;
			if (found)
				*kind = (SpCallKind) i;
		}
	}
	ReleaseSysCache(tuple);
	return found;
}

bool
sp_scan_is_call(Node *node)
{
	SpCallKind	kind;

	return is_call(node, &kind);
}

static bool
has_calls_walker(Node *node, void *context)
{
	if (node == NULL)
		return false;
	return sp_scan_is_call(node) || expression_tree_walker(node, has_calls_walker, context);
}

bool
sp_scan_has_calls(Node *expressions)
{
	return has_calls_walker(expressions, NULL);
}

/* Is it the same for all rows of an execution: a constant, or a parameter of the statement? */
static bool
is_fixed(Node *node)
{
	while (IsA(node, RelabelType))
		node = (Node *) ((RelabelType *) node)->arg;
	return IsA(node, Const) ? !((Const *) node)->constisnull :
		IsA(node, Param) && ((Param *) node)->paramkind == PARAM_EXTERN;
}

/*
 * Can a node evaluate the call?  The model (and label) must be fixed; the
 * features depend on the row and on nothing volatile.
 */
static bool
is_movable(Node *node, SpCallKind *kind)
{
	List	   *arguments;
	Node	   *features;

	if (!is_call(node, kind))
		return false;
	arguments = ((FuncExpr *) node)->args;
	features = lsecond(arguments);
	return is_fixed(linitial(arguments)) &&
		(*kind != SP_CALL_PROBABILITY || is_fixed(lthird(arguments))) &&
		contain_var_clause(features) &&
		sp_scan_hazard(features, false, NULL, NULL) != SP_HAZARD_EFFECT;
}

/* The number of node in list, which it is added to if it is new; from 1. */
static int
number_in(List **list, Node *node)
{
	ListCell   *cell;

	foreach(cell, *list)
		if (equal(lfirst(cell), node))
			return foreach_current_index(cell) + 1;
	*list = lappend(*list, copyObject(node));
	return list_length(*list);
}

/* What a projecting node has from elsewhere: its input's columns and its own results. */
static bool
is_column(Node *node)
{
	return IsA(node, Var) || IsA(node, Aggref) || IsA(node, GroupingFunc) || IsA(node, WindowFunc);
}

static Var *
column_of(int varno, int number, Node *like)
{
	return makeVar(varno, (AttrNumber) number, exprType(like), exprTypmod(like), exprCollation(like), 0);
}

typedef struct Walk
{
	SpSplit    *split;
	bool		collect;
	bool		everywhere;		/* every row evaluates what is looked at */
} Walk;

static Node *walk_expression(Node *node, Walk *walk);

/* The expression over the split's columns. */
static Node *
over_columns(Node *node, SpSplit *split)
{
	if (node == NULL)
		return NULL;
	if (split->of_aggregate && IsA(node, Var))
		return (Node *) column_of(INDEX_VAR, ((Var *) node)->varattno, node);
	if (!split->of_aggregate && is_column(node))
		return (Node *) column_of(INDEX_VAR, number_in(&split->columns, node), node);
	return expression_tree_mutator(node, over_columns, split);
}

static Node *
over_child(Node *node, List *sources)
{
	if (node == NULL)
		return NULL;
	if (IsA(node, Var))
		return (Node *) column_of(OUTER_VAR, list_nth_int(sources, ((Var *) node)->varattno - 1), node);
	return expression_tree_mutator(node, over_child, sources);
}

List *
sp_scan_calls_over(const SpSplit *split, List *sources)
{
	return (List *) over_child((Node *) split->calls, sources);
}

/* The call in its place, for rows that come with it and for rows that do not. */
static Node *
case_of(Node *call, int varno, int gathered, int number)
{
	CaseExpr   *either = makeNode(CaseExpr);
	CaseWhen   *when = makeNode(CaseWhen);

	when->expr = (Expr *) makeVar(varno, (AttrNumber) gathered, BOOLOID, -1, InvalidOid, 0);
	when->result = (Expr *) column_of(varno, gathered + number, call);
	when->location = -1;
	either->casetype = exprType(call);
	either->casecollid = exprCollation(call);
	either->args = list_make1(when);
	either->defresult = (Expr *) call;
	either->location = -1;
	return (Node *) either;
}

static Node *
replace_call(Node *node, SpCallKind kind, Walk *walk)
{
	SpSplit    *split = walk->split;
	Node	   *call = over_columns(node, split);
	int			before = list_length(split->calls);
	int			number = number_in(&split->calls, call);

	if (list_length(split->calls) > before)
		split->kinds = lappend_int(split->kinds, (int) kind);
	if (walk->collect)
		return (Node *) makeNullConst(exprType(node), exprTypmod(node), exprCollation(node));
	return case_of(split->of_aggregate ? copyObject(node) : call,
				   split->of_aggregate ? OUTER_VAR : INDEX_VAR, list_length(split->columns) + 1, number);
}

/* Nodes that evaluate all their arguments, always. */
static bool
evaluates_all(Node *node)
{
	switch (nodeTag(node))
	{
		case T_List:
		case T_TargetEntry:
		case T_DistinctExpr:
		case T_RelabelType:
		case T_CoerceViaIO:
		case T_ArrayExpr:
		case T_RowExpr:
		case T_FieldSelect:
		case T_NullTest:
		case T_BooleanTest:
		case T_FuncExpr:
		case T_OpExpr:
		case T_ScalarArrayOpExpr:
		case T_MinMaxExpr:
		case T_ArrayCoerceExpr:
		case T_CoerceToDomain:
			return true;
		default:
			return false;
	}
}

/* The array is always evaluated; its subscripts not if it is NULL. */
static Node *
walk_subscript(SubscriptingRef *ref, Walk *walk)
{
	SubscriptingRef *copy = makeNode(SubscriptingRef);
	bool		everywhere = walk->everywhere;

	*copy = *ref;
	copy->refexpr = (Expr *) walk_expression((Node *) ref->refexpr, walk);
	walk->everywhere = false;
	copy->refupperindexpr = (List *) walk_expression((Node *) ref->refupperindexpr, walk);
	copy->reflowerindexpr = (List *) walk_expression((Node *) ref->reflowerindexpr, walk);
	copy->refassgnexpr = (Expr *) walk_expression((Node *) ref->refassgnexpr, walk);
	walk->everywhere = everywhere;
	return (Node *) copy;
}

/* Calls only in the arguments of aggregates without FILTER. */
static Node *
walk_aggregate(Aggref *aggregate, Walk *walk)
{
	Aggref	   *copy = copyObject(aggregate);

	if (aggregate->aggfilter != NULL)
		return (Node *) copy;
	walk->everywhere = true;
	copy->args = (List *) walk_expression((Node *) aggregate->args, walk);
	walk->everywhere = false;
	return (Node *) copy;
}

static Node *
walk_expression(Node *node, Walk *walk)
{
	SpSplit    *split = walk->split;
	bool		everywhere = walk->everywhere;
	SpCallKind	kind = SP_CALL_NUMBER;
	Node	   *result;

	if (node == NULL)
		return NULL;
	if (split->of_aggregate && IsA(node, Aggref))
		return walk_aggregate((Aggref *) node, walk);
	if (everywhere && is_movable(node, &kind))
		return replace_call(node, kind, walk);
	if (!split->of_aggregate && is_column(node))
		return (Node *) column_of(INDEX_VAR, number_in(&split->columns, node), node);
	if (IsA(node, SubscriptingRef))
		return walk_subscript((SubscriptingRef *) node, walk);
	walk->everywhere = everywhere && evaluates_all(node);
	result = expression_tree_mutator(node, walk_expression, walk);
	walk->everywhere = everywhere;
	return result;
}

List *
sp_scan_collect(SpSplit *split, List *expressions)
{
	Walk		walk = {split, .collect = true, .everywhere = !split->of_aggregate};

	return (List *) walk_expression((Node *) expressions, &walk);
}

List *
sp_scan_replace(SpSplit *split, List *expressions)
{
	Walk		walk = {split, .collect = false, .everywhere = !split->of_aggregate};

	return (List *) walk_expression((Node *) expressions, &walk);
}

static bool
collect_numbers(Node *node, List **numbers)
{
	if (node == NULL)
		return false;
	if (IsA(node, Var) && (((Var *) node)->varno == INDEX_VAR || ((Var *) node)->varno == OUTER_VAR))
		*numbers = list_append_unique_int(*numbers, ((Var *) node)->varattno);
	return expression_tree_walker(node, collect_numbers, numbers);
}

List *
sp_scan_columns_read(List *collected, int n)
{
	List	   *numbers = NIL;
	List	   *read = NIL;
	ListCell   *cell;

	(void) collect_numbers((Node *) collected, &numbers);
	foreach(cell, numbers)
		if (lfirst_int(cell) >= 1 && lfirst_int(cell) <= n)
			read = lappend_int(read, lfirst_int(cell));
	return read;
}
