/*
 * src/import/sp_tree_reach.c
 *
 * Dropping the nodes of a tree that no path leads to.
 */
#include <string.h>

#include "import/sp_tree_reach.h"

#define SP_UNREACHED UINT32_MAX
#define SP_NODES_PER_POLL 65536

static SpStatus
sp_tree_visit(SpContext *cx, SpTreeReach *scratch, uint32_t n_nodes, uint32_t parent,
			  uint32_t child, uint32_t *n_reached)
{
	if (child >= n_nodes)
		return sp_fail(cx, SP_ERR_FORMAT, "node %u has a child out of range", parent);
	if (scratch->place[child] != SP_UNREACHED)
		return sp_fail(cx, SP_ERR_FORMAT, "node %u has more than one parent", child);
	scratch->place[child] = 0;
	scratch->queue[(*n_reached)++] = child;
	return SP_OK;
}

static void
sp_tree_compact(SpTreeReach *scratch, SpNode *nodes, uint32_t *n_nodes)
{
	uint32_t   *place = scratch->place;
	uint32_t	count = 0;
	uint32_t	i;

	for (i = 0; i < *n_nodes; i++)
	{
		if (place[i] != SP_UNREACHED)
			place[i] = count++;
	}
	for (i = 0; i < *n_nodes; i++)
	{
		SpNode		node = nodes[i];

		if (place[i] == SP_UNREACHED)
			continue;
		if (node.feature != SP_LEAF)
		{
			node.left = place[node.left];
			node.right = place[node.right];
		}
		nodes[place[i]] = node;
	}
	*n_nodes = count;
}

SpStatus
sp_tree_reach(SpContext *cx, SpTreeReach *scratch, SpNode *nodes, uint32_t *n_nodes)
{
	uint32_t	n_reached = 0;
	uint32_t	i;

	if (*n_nodes == 0)
		return sp_fail(cx, SP_ERR_FORMAT, "a tree has no nodes");
	SP_TRY(sp_grow_array(cx, (void **) &scratch->queue, &scratch->queue_capacity, *n_nodes,
						 sizeof(uint32_t)));
	SP_TRY(sp_grow_array(cx, (void **) &scratch->place, &scratch->place_capacity, *n_nodes,
						 sizeof(uint32_t)));
	memset(scratch->place, 0xff, *n_nodes * sizeof(uint32_t));
	SP_TRY(sp_tree_visit(cx, scratch, *n_nodes, 0, 0, &n_reached));
	for (i = 0; i < n_reached; i++)
	{
		uint32_t	number = scratch->queue[i];
		const SpNode *node = &nodes[number];

		if (i % SP_NODES_PER_POLL == SP_NODES_PER_POLL - 1)
			SP_TRY(sp_poll(cx));
		if (node->feature == SP_LEAF)
			continue;
		SP_TRY(sp_tree_visit(cx, scratch, *n_nodes, number, node->left, &n_reached));
		SP_TRY(sp_tree_visit(cx, scratch, *n_nodes, number, node->right, &n_reached));
	}
	if (n_reached < *n_nodes)
		sp_tree_compact(scratch, nodes, n_nodes);
	return SP_OK;
}
