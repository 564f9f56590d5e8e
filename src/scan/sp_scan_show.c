/*
 * src/scan/sp_scan_show.c
 *
 * What EXPLAIN shows of a plan that was rewritten: the calls as they were
 * written, evaluated by the node, and rows as t.* wherever they are read.
 *
 * EXPLAIN prints the plan that it has executed, so this changes a copy that
 * is the statement's own, when nothing of it will be executed any more.
 */
#include "server/sp_compat.h"

#include "miscadmin.h"
#include "nodes/nodeFuncs.h"
#include "nodes/value.h"

#include "api/sp_slot_row.h"
#include "scan/sp_scan.h"

/* What invalidates a plan is asked of cached plans only: in a copy of ours this stands in its place. */
#define OWN_COPY "smartpouch: shown, not cached"

typedef struct Show
{
	int			varno;			/* of columns of the node of ours that is read; 0 if none is */
	int			gathered;		/* their number that says so; the calls follow */
	const List *columns;		/* all of them, if the node itself is shown */
} Show;

static bool
is_ours(const Plan *plan)
{
	return plan != NULL && IsA(plan, CustomScan) && ((const CustomScan *) plan)->methods == &sp_scan_methods;
}

static int
gathered_number(const Plan *node)
{
	return list_length(list_nth(((const CustomScan *) node)->custom_private, SP_SCAN_SOURCES)) + 1;
}

static bool
is_gathered(const TargetEntry *entry, int number)
{
	const Var  *var = (const Var *) entry->expr;

	return IsA(var, Var) && var->varno == INDEX_VAR && var->varattno == number;
}

/* A node of ours that gives all its columns, for an aggregate to choose. */
static bool
feeds_aggregate(const Plan *plan)
{
	return is_ours(plan) && list_length(plan->targetlist) >= gathered_number(plan) &&
		is_gathered(list_nth(plan->targetlist, gathered_number(plan) - 1), gathered_number(plan));
}

static bool
has_slot_row(Node *node, void *context)
{
	return node != NULL && (sp_is_slot_row(node) || expression_tree_walker(node, has_slot_row, context));
}

static bool
is_rewritten(Plan *plan)
{
	ListCell   *cell;

	if (plan == NULL)
		return false;
	check_stack_depth();
	if (is_ours(plan) || has_slot_row((Node *) plan->targetlist, NULL) || has_slot_row((Node *) plan->qual, NULL))
		return true;
	foreach(cell, sp_scan_children(plan))
		if (is_rewritten(lfirst(cell)))
			return true;
	return false;
}

PlannedStmt *
sp_scan_to_show(PlannedStmt *stmt)
{
	bool		concerns = is_rewritten(stmt->planTree);
	PlannedStmt *copy;
	ListCell   *cell;

	foreach(cell, stmt->subplans)
		concerns = concerns || is_rewritten(lfirst(cell));
	if (!concerns)
		return stmt;
	copy = copyObject(stmt);
	copy->invalItems = list_make1(makeString(pstrdup(OWN_COPY)));
	return copy;
}

static bool
is_own_copy(const PlannedStmt *stmt)
{
	return list_length(stmt->invalItems) == 1 && IsA(linitial(stmt->invalItems), String) &&
		strcmp(strVal(linitial(stmt->invalItems)), OWN_COPY) == 0;
}

static bool
is_column(const Node *node, const Show *show)
{
	return show->varno != 0 && IsA(node, Var) && ((const Var *) node)->varno == show->varno;
}

/* Is it a call in its place, CASE WHEN gathered THEN column ELSE call END?  Nothing else reads gathered. */
static bool
is_either(const Node *node, const Show *show)
{
	const CaseExpr *either = (const CaseExpr *) node;
	const Node *condition;

	if (!IsA(node, CaseExpr) || either->arg != NULL || list_length(either->args) != 1)
		return false;
	condition = (const Node *) linitial_node(CaseWhen, either->args)->expr;
	return is_column(condition, show) && ((const Var *) condition)->varattno == show->gathered;
}

static Node *
shown(Node *node, void *context)
{
	const Show *show = context;

	if (node == NULL)
		return NULL;
	if (sp_is_slot_row(node))
		return sp_row_of_slot(node);
	/* the node shows the call; who reads the node, its column */
	if (is_either(node, show) && show->columns == NIL)
		return (Node *) linitial_node(CaseWhen, ((CaseExpr *) node)->args)->result;
	if (is_either(node, show))
		return (Node *) ((CaseExpr *) node)->defresult;
	if (show->columns != NIL && is_column(node, show) && ((Var *) node)->varattno > show->gathered)
		return (Node *) list_nth_node(TargetEntry, show->columns, ((Var *) node)->varattno - 1)->expr;
	return expression_tree_mutator(node, shown, context);
}

static void
show_expressions(Plan *plan, Show *show)
{
	plan->targetlist = (List *) shown((Node *) plan->targetlist, show);
	plan->qual = (List *) shown((Node *) plan->qual, show);
}

/* Without the column that says whether the calls' columns hold; an aggregate reads those by their resno still. */
static void
show_node(CustomScan *node)
{
	Show		show = {INDEX_VAR, gathered_number(&node->scan.plan), node->custom_scan_tlist};

	if (feeds_aggregate(&node->scan.plan))
		node->scan.plan.targetlist = list_delete_nth_cell(node->scan.plan.targetlist, show.gathered - 1);
	show_expressions(&node->scan.plan, &show);
}

static void
show_plan(Plan *plan)
{
	Show		show = {0};
	ListCell   *cell;

	check_stack_depth();
	if (feeds_aggregate(plan->lefttree))
	{
		show.varno = OUTER_VAR;
		show.gathered = gathered_number(plan->lefttree);
	}
	if (is_ours(plan))
		show_node((CustomScan *) plan);
	else
		show_expressions(plan, &show);
	foreach(cell, sp_scan_children(plan))
		show_plan(lfirst(cell));
}

void
sp_scan_show(PlannedStmt *stmt)
{
	ListCell   *cell;

	if (!is_own_copy(stmt))
		return;
	if (stmt->planTree != NULL)
		show_plan(stmt->planTree);
	foreach(cell, stmt->subplans)
		if (lfirst(cell) != NULL)
			show_plan(lfirst(cell));
}
