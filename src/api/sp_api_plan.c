/*
 * src/api/sp_api_plan.c
 *
 * What the planner asks about the prediction functions: their cost, and how
 * many rows predict_batch returns.
 *
 * It asks while it plans, so an answer never raises: what no version can be
 * found for gets the default cost, and the error when it is executed.
 */
#include "server/sp_compat.h"

#include "catalog/pg_type.h"
#include "fmgr.h"
#include "nodes/nodeFuncs.h"
#include "nodes/supportnodes.h"
#include "optimizer/optimizer.h"
#include "utils/array.h"
#include "utils/lsyscache.h"
#include "utils/snapmgr.h"

#include "auth/sp_permission.h"
#include "cache/sp_resolve.h"

PG_FUNCTION_INFO_V1(smartpouch_predict_support);

/*
 * Core charges cpu_operator_cost for an operator as fast as an addition.
 * Measured with PostgreSQL 15 on the machine of sp_row_cost's prices: sum(f1 + ... + f28)
 * over 300,000 cached rows of 28 real columns is planned as 29,173 and takes 85 ms,
 * so one cpu_operator_cost of 0.0025 stands for 7 ns.  A call without its
 * kernel takes 150 ns for an array.
 */
#define OPERATOR_NS 7.0
#define CALL_OPERATORS 20.0

#define BATCH_ROWS 1000			/* as ROWS in sql/install/40_predict.sql */

/* EXPLAIN tells nothing of a model of others. */
static bool
may_see(const SpModelRow *model)
{
	return sp_permission(&model->id, model->owner_oid, model->owner_cluster) & SP_MAY_SEE;
}

/* The version that a constant first argument means to the planner's snapshot; false if there is none. */
static bool
constant_version(List *arguments, SpResolved *resolved)
{
	const Const *model = linitial(arguments);
	const struct varlena *bytes;

	if (!IsA(model, Const) || model->constisnull || !ActiveSnapshotSet() || !sp_registry_fits())
		return false;
	bytes = PG_DETOAST_DATUM_PACKED(model->constvalue);
	if (model->consttype == TEXTOID)
		return sp_resolve_try(VARDATA_ANY(bytes), VARSIZE_ANY_EXHDR(bytes), resolved) &&
			may_see(&resolved->rows.model);
	if (model->consttype != BYTEAOID || VARSIZE_ANY_EXHDR(bytes) != SP_SHA256_SIZE)
		return false;
	return sp_registry_find_program((const uint8 *) VARDATA_ANY(bytes), GetActiveSnapshot(), may_see,
									&resolved->rows);
}

/* The rows of a two-dimensional array, if they can be told; else 0. */
static double
batch_rows(Node *array)
{
	if (IsA(array, Const) && !((Const *) array)->constisnull)
	{
		ArrayType  *value = DatumGetArrayTypeP(((Const *) array)->constvalue);

		return ARR_NDIM(value) == 2 ? ARR_DIMS(value)[0] : 0;
	}
	if (IsA(array, ArrayExpr) && ((ArrayExpr *) array)->multidims)
		return list_length(((ArrayExpr *) array)->elements);
	return 0;
}

/* Of a function that returns sets, or 0 for any other. */
static double
rows_of_call(Oid function, List *arguments)
{
	double		rows;

	if (!get_func_retset(function))
		return 0;
	rows = batch_rows(lsecond(arguments));
	return rows > 0 ? rows : BATCH_ROWS;
}

static bool
answer_cost(SupportRequestCost *request)
{
	List	   *arguments;
	SpResolved	resolved;
	double		rows;

	if (request->node == NULL || !IsA(request->node, FuncExpr))
		return false;
	arguments = ((FuncExpr *) request->node)->args;
	if (!constant_version(arguments, &resolved))
		return false;
	rows = rows_of_call(request->funcid, arguments);
	request->startup = 0;
	request->per_tuple = cpu_operator_cost *
		(CALL_OPERATORS + (double) resolved.rows.version.row_cost / OPERATOR_NS * Max(rows, 1));
	return true;
}

static bool
answer_rows(SupportRequestRows *request)
{
	double		rows;

	if (request->node == NULL || !IsA(request->node, FuncExpr))
		return false;
	rows = batch_rows(lsecond(((FuncExpr *) request->node)->args));
	if (rows > 0)
		request->rows = rows;
	return rows > 0;
}

/* NULL leaves it to the COST and ROWS of the function. */
Datum
smartpouch_predict_support(PG_FUNCTION_ARGS)
{
	Node	   *request = (Node *) PG_GETARG_POINTER(0);
	bool		answered = false;

	if (IsA(request, SupportRequestCost))
		answered = answer_cost((SupportRequestCost *) request);
	else if (IsA(request, SupportRequestRows))
		answered = answer_rows((SupportRequestRows *) request);
	PG_RETURN_POINTER(answered ? request : NULL);
}
