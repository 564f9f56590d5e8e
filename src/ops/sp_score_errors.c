/*
 * src/ops/sp_score_errors.c
 */
#include "server/sp_compat.h"

#include <float.h>
#include <math.h>

#include "ops/sp_score.h"

StaticAssertDecl(sizeof(SpErrors) == SP_N_ERRORS * sizeof(double), "an array of doubles");

void
sp_errors_add(SpErrors *errors, double truth, double predicted)
{
	double		error = fabs(truth - predicted);
	double		from_mean;

	if (errors->rows == 0)
		errors->first = truth;
	from_mean = truth - errors->first - errors->mean;
	errors->rows += 1;
	errors->absolute += error;
	errors->squared += error * error;
	errors->relative += error / fmax(fabs(truth), DBL_EPSILON);
	errors->mean += from_mean / errors->rows;
	errors->spread += from_mean * (truth - errors->first - errors->mean);
}

void
sp_errors_merge(SpErrors *into, const SpErrors *from)
{
	double		rows = into->rows + from->rows;
	double		between;

	if (from->rows == 0)
		return;
	if (into->rows == 0)
		into->first = from->first;
	between = from->first - into->first + (from->mean - into->mean);
	into->absolute += from->absolute;
	into->squared += from->squared;
	into->relative += from->relative;
	into->spread += from->spread + between * between * into->rows * from->rows / rows;
	into->mean += between * from->rows / rows;
	into->rows = rows;
}

double
sp_errors_mae(const SpErrors *errors)
{
	return errors->absolute / errors->rows;
}

double
sp_errors_rmse(const SpErrors *errors)
{
	return sqrt(errors->squared / errors->rows);
}

double
sp_errors_mape(const SpErrors *errors)
{
	return errors->relative / errors->rows;
}

double
sp_errors_r2(const SpErrors *errors)
{
	if (errors->rows < 2)
		return NAN;
	if (errors->spread == 0)
		return errors->squared == 0 ? 1 : 0;
	return 1 - errors->squared / errors->spread;
}

double
sp_log_loss(double probability)
{
	if (probability < DBL_EPSILON)
		probability = DBL_EPSILON;
	else if (probability > 1 - DBL_EPSILON)
		probability = 1 - DBL_EPSILON;
	return -log(probability);
}
