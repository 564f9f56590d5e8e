/*
 * src/import/sp_tree_reach.h
 *
 * Source files keep nodes that no path leads to (XGBoost's pruned nodes); the
 * builder refuses them.
 */
#ifndef SP_TREE_REACH_H
#define SP_TREE_REACH_H

#include "ir/sp_builder.h"

/* Scratch memory, kept from tree to tree; starts zeroed. */
typedef struct SpTreeReach
{
	uint32_t   *queue;
	size_t		queue_capacity;
	uint32_t   *place;
	size_t		place_capacity;
} SpTreeReach;

/*
 * Drop the nodes that cannot be reached from node 0 and number the others
 * anew, in their order.  SP_ERR_FORMAT for a child out of range or met twice.
 */
extern SpStatus sp_tree_reach(SpContext *cx, SpTreeReach *scratch, SpNode *nodes, uint32_t *n_nodes);

#endif
