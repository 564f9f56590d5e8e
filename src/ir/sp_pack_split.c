/*
 * src/ir/sp_pack_split.c
 *
 * Every comparison of a tree as x <= threshold in the type of its input, with
 * the same outcome for every x (sp_pack.h says why).
 */
#include <math.h>

#include "ir/sp_pack_internal.h"

/* The largest float that is not above the number. */
static float
float_not_above(double number)
{
	float		nearest = (float) number;

	return nearest > number ? nextafterf(nearest, -INFINITY) : nearest;
}

/*
 * threshold of x <= threshold, which is the same as x < bound.  Only for a
 * bound above -infinity.
 */
static double
below(double bound, SpType in_type)
{
	float		lower;

	if (in_type == SP_TYPE_F64)
		return nextafter(bound, -INFINITY);
	lower = float_not_above(bound);
	return lower == bound ? nextafterf(lower, -INFINITY) : lower;
}

SpPackedSplit
sp_pack_split(const SpNode *node, SpType in_type)
{
	bool		missing_left = (node->flags & SP_NODE_MISSING_LEFT) != 0;
	SpPackedSplit split = {.threshold = node->threshold};

	if (node->flags & SP_NODE_CATEGORY)
	{
		split.threshold = 0;
		split.fill = SP_FILL_CATEGORY;
		return split;
	}
	if (node->flags & SP_NODE_LE)
	{
		if (in_type == SP_TYPE_F32)
			split.threshold = float_not_above(node->threshold);
	}
	else if (node->threshold == -INFINITY)
	{
		split.threshold = INFINITY;
		split.swapped = true;
		missing_left = !missing_left;
	}
	else
		split.threshold = below(node->threshold, in_type);

	split.fill = missing_left ? SP_FILL_LOW : SP_FILL_HIGH;
	if (!missing_left && split.threshold == INFINITY)
	{
		split.fill = SP_FILL_FLAG;
		split.threshold = 0.5;
	}
	if (node->flags & SP_NODE_ZERO_MISSING)
		split.fill += split.fill == SP_FILL_FLAG ? SP_FILL_ZERO_FLAG - SP_FILL_FLAG : SP_FILL_ZERO_LOW - SP_FILL_LOW;
	return split;
}
