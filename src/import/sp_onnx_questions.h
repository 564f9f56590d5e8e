/*
 * src/import/sp_onnx_questions.h
 *
 * Questions of equality and membership in an ONNX tree ensemble.
 *
 * A tree of ours knows comparisons and sets of small integers.  So each
 * feature that is asked "x == v" or "x in {v, ...}" gets a column beside it:
 * the place of x among all values that any node asks it for, the number of
 * these values for NaN, one more for anything else.  A question is then a set
 * of places.  That is exact whatever the values are, and adds no nodes.
 */
#ifndef SP_ONNX_QUESTIONS_H
#define SP_ONNX_QUESTIONS_H

#include "import/sp_onnx_ensemble.h"

typedef struct SpOnnxQuestions
{
	SpOnnxEnsemble *ensemble;
	/* by node of the ensemble; all NULL if nothing is asked */
	uint32_t   *column;			/* the column of places, or SP_NO_VALUE */
	uint32_t   *first_place;	/* n_nodes + 1: first of its room in places */
	uint32_t   *n_places;		/* how many it has there */
	uint32_t   *places;			/* ascending for each node */
	/* one tree's, reused */
	uint32_t   *first_category;
	size_t		first_capacity;
	uint32_t   *categories;
	size_t		categories_capacity;
} SpOnnxQuestions;

/* Find all questions; *in becomes a value with the columns of places behind its own. */
extern SpStatus sp_questions_collect(SpOnnxQuestions *questions, SpOnnxEnsemble *ensemble, uint32_t *in);

/* Make a node's split ask; its threshold is the node's number until sp_questions_sets. */
extern void sp_questions_split(const SpOnnxQuestions *questions, uint32_t number, SpNode *split);

/* Number the sets that the nodes of one tree ask for, and put them into the tree's description. */
extern SpStatus sp_questions_sets(SpOnnxQuestions *questions, SpNode *nodes, uint32_t n_nodes, SpTreeSpec *spec);

#endif
