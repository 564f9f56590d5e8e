/*
 * src/scan/sp_scan_unpack.c
 *
 * A scan of a table that gives whole rows, as features of predict('m', t),
 * would copy each into a value of the row's type.  It gives the table's columns
 * instead, which costs it nothing: it has no projection then.
 */
#include "server/sp_compat.h"

#include "access/table.h"
#include "nodes/makefuncs.h"
#include "parser/parsetree.h"
#include "utils/rel.h"

#include "scan/sp_scan.h"

bool
sp_scan_is_of_table(const Plan *plan)
{
	switch (nodeTag(plan))
	{
		case T_SeqScan:
		case T_SampleScan:
		case T_IndexScan:
		case T_BitmapHeapScan:
		case T_TidScan:
		case T_TidRangeScan:
			return true;
		default:
			return false;
	}
}

/* The table's columns as a target list; NIL where its rows as stored are not like that. */
static List *
table_columns(Oid table, Index varno)
{
	Relation	relation = table_open(table, NoLock);
	TupleDesc	desc = RelationGetDescr(relation);
	List	   *columns = NIL;

	for (int i = 0; i < desc->natts; i++)
	{
		Form_pg_attribute attribute = TupleDescAttr(desc, i);
		Var		   *var;

		/* as for the physical target lists of the planner */
		if (attribute->attisdropped || attribute->atthasmissing)
		{
			columns = NIL;
			break;
		}
		var = makeVar((int) varno, attribute->attnum, attribute->atttypid, attribute->atttypmod,
					  attribute->attcollation, 0);
		columns = lappend(columns, makeTargetEntry((Expr *) var, attribute->attnum, NULL, false));
	}
	table_close(relation, NoLock);
	return columns;
}

/* The numbers of columns that are all columns of the scanned table, one of them at least its whole row; or NIL. */
static List *
numbers_of(List *columns, Index varno)
{
	List	   *numbers = NIL;
	bool		has_whole_row = false;
	ListCell   *cell;

	foreach(cell, columns)
	{
		Var		   *var = lfirst(cell);

		if (!IsA(var, Var) || var->varno != (int) varno || var->varattno < 0)
			return NIL;
		has_whole_row |= var->varattno == 0;
		numbers = lappend_int(numbers, var->varattno);
	}
	return has_whole_row ? numbers : NIL;
}

List *
sp_scan_unpack(Plan *plan, List *columns, const PlannedStmt *stmt)
{
	List	   *numbers = NIL;
	List	   *physical = NIL;

	if (sp_scan_is_of_table(plan))
		numbers = numbers_of(columns, ((Scan *) plan)->scanrelid);
	if (numbers != NIL)
		physical = table_columns(rt_fetch(((Scan *) plan)->scanrelid, stmt->rtable)->relid, ((Scan *) plan)->scanrelid);
	if (physical != NIL)
	{
		plan->targetlist = physical;
		return numbers;
	}
	numbers = NIL;
	for (int i = 1; i <= list_length(columns); i++)
		numbers = lappend_int(numbers, i);
	return numbers;
}
