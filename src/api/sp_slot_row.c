/*
 * src/api/sp_slot_row.c
 */
#include "server/sp_compat.h"

#include "access/sysattr.h"
#include "catalog/pg_type.h"
#include "nodes/makefuncs.h"

#include "api/sp_slot_row.h"

Node *
sp_slot_row(const Var *row)
{
	Var		   *ctid = makeVar(row->varno, SelfItemPointerAttributeNumber, TIDOID, -1, InvalidOid, row->varlevelsup);

	return (Node *) makeRelabelType((Expr *) ctid, row->vartype, row->vartypmod, InvalidOid, COERCE_SQL_SYNTAX);
}

bool
sp_is_slot_row(const Node *argument)
{
	const RelabelType *label = (const RelabelType *) argument;

	return IsA(argument, RelabelType) && label->relabelformat == COERCE_SQL_SYNTAX && IsA(label->arg, Var) &&
		((const Var *) label->arg)->varattno == SelfItemPointerAttributeNumber;
}

Node *
sp_row_of_slot(const Node *argument)
{
	const RelabelType *label = (const RelabelType *) argument;
	const Var  *ctid = (const Var *) label->arg;

	return (Node *) makeVar(ctid->varno, InvalidAttrNumber, label->resulttype, label->resulttypmod, InvalidOid,
							ctid->varlevelsup);
}
