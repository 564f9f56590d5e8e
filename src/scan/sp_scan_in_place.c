/*
 * src/scan/sp_scan_in_place.c
 *
 * Calls that stay in the scan of a table, because the plan gives few rows or they
 * are in a filter, read the row in the scan's slot instead of a value of its
 * type (api/sp_slot_row.h).
 */
#include "server/sp_compat.h"

#include "catalog/pg_type.h"
#include "miscadmin.h"
#include "nodes/nodeFuncs.h"

#include "api/sp_slot_row.h"
#include "scan/sp_scan.h"

static bool
is_row_of(const Node *node, Index table)
{
	const Var  *var = (const Var *) node;

	return IsA(node, Var) && var->varno == (int) table && var->varattno == InvalidAttrNumber &&
		var->varlevelsup == 0 && var->vartype != RECORDOID;
}

static Node *
read_in_place(Node *node, void *table)
{
	FuncExpr   *call;

	if (node == NULL)
		return NULL;
	node = expression_tree_mutator(node, read_in_place, table);
	if (!sp_scan_is_call(node))
		return node;
	call = (FuncExpr *) node;
	if (is_row_of(lsecond(call->args), *(const Index *) table))
		lsecond(call->args) = sp_slot_row(lsecond(call->args));
	return node;
}

static List *
in_place(List *expressions, Index table)
{
	/* copied only if there is a call: most statements have none */
	return sp_scan_has_calls((Node *) expressions) ? (List *) read_in_place((Node *) expressions, &table) : expressions;
}

static void
visit(Plan *plan)
{
	ListCell   *cell;

	check_stack_depth();
	if (sp_scan_is_of_table(plan))
	{
		plan->targetlist = in_place(plan->targetlist, ((const Scan *) plan)->scanrelid);
		plan->qual = in_place(plan->qual, ((const Scan *) plan)->scanrelid);
	}
	foreach(cell, sp_scan_children(plan))
		visit(lfirst(cell));
}

void
sp_scan_in_place(PlannedStmt *stmt)
{
	ListCell   *cell;

	if (stmt->planTree != NULL)
		visit(stmt->planTree);
	foreach(cell, stmt->subplans)
		if (lfirst(cell) != NULL)
			visit(lfirst(cell));
}
