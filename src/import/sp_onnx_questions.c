/*
 * src/import/sp_onnx_questions.c
 *
 * Equality and membership as columns of places (sp_onnx_questions.h).
 *
 * ONNX Runtime compares in the type of the input, which thresholds and members
 * have too.  NaN equals nothing: it goes to the false child, or to the true one
 * if the node tracks missing values there; it is always unequal.
 */
#include <math.h>
#include <string.h>

#include "import/sp_onnx_questions.h"
#include "import/sp_sort.h"

/* places are floats in the trees' input, and this many of them are exact */
#define SP_MAX_PLACES (1 << 24)

/* One value that a node asks for. */
typedef struct SpAsked
{
	uint32_t	n;
	uint32_t   *node;
	int64_t    *feature;
	int64_t    *key;			/* orders as the value does */
	double	   *value;
	uint32_t   *order;			/* by feature, then value */
} SpAsked;

static int64_t
sp_order_key(double value)
{
	int64_t		bits;

	memcpy(&bits, &value, sizeof(bits));
	return bits < 0 ? INT64_MIN - bits : bits;
}

static uint32_t
sp_count_asked(const SpOnnxEnsemble *ensemble, uint32_t node)
{
	if (ensemble->modes[node] == SP_ONNX_EQ || ensemble->modes[node] == SP_ONNX_NEQ)
		return 1;
	return ensemble->modes[node] == SP_ONNX_MEMBER ? ensemble->first_member[node + 1] - ensemble->first_member[node] : 0;
}

static bool
sp_tracks_true(const SpOnnxEnsemble *ensemble, uint32_t node)
{
	return ensemble->tracks && ensemble->tracks[node] == 1;
}

static SpStatus
sp_asked_room(SpOnnxEnsemble *ensemble, SpAsked *asked)
{
	SpContext  *cx = ensemble->onnx->cx;

	SP_TRY(sp_alloc_array(cx, asked->n, sizeof(uint32_t), (void **) &asked->node));
	SP_TRY(sp_alloc_array(cx, asked->n, sizeof(uint32_t), (void **) &asked->order));
	SP_TRY(sp_alloc_array(cx, asked->n, sizeof(int64_t), (void **) &asked->feature));
	SP_TRY(sp_alloc_array(cx, asked->n, sizeof(int64_t), (void **) &asked->key));
	return sp_alloc_array(cx, asked->n, sizeof(double), (void **) &asked->value);
}

static SpStatus
sp_asked_add(SpOnnxEnsemble *ensemble, SpAsked *asked, uint32_t node, double value)
{
	/* -0 equals 0 */
	value += 0.0;
	if (isnan(value))
		return SP_ENSEMBLE_FAIL(ensemble, SP_ERR_FORMAT, "node %lld of tree %lld asks for equality with what is no number",
								(long long) ensemble->node_ids[node], (long long) ensemble->tree_ids[node]);
	asked->node[asked->n] = node;
	asked->feature[asked->n] = ensemble->features[node];
	asked->value[asked->n] = value;
	asked->key[asked->n] = sp_order_key(value);
	asked->order[asked->n] = asked->n;
	asked->n++;
	return SP_OK;
}

/* All values in the order of nodes, and the order by feature and value. */
static SpStatus
sp_asked_fill(SpOnnxEnsemble *ensemble, uint32_t width, SpAsked *asked)
{
	SP_TRY(sp_asked_room(ensemble, asked));
	asked->n = 0;
	for (uint32_t node = 0; node < ensemble->n_nodes; node++)
	{
		uint32_t	count = sp_count_asked(ensemble, node);

		/* the builder would take a column of places for a feature */
		if (ensemble->modes[node] != SP_ONNX_LEAF && (ensemble->features[node] < 0 || ensemble->features[node] >= width))
			return SP_ENSEMBLE_FAIL(ensemble, SP_ERR_FORMAT, "node %lld of tree %lld splits on feature %lld of %u",
									(long long) ensemble->node_ids[node], (long long) ensemble->tree_ids[node],
									(long long) ensemble->features[node], width);
		for (uint32_t at = 0; at < count; at++)
			SP_TRY(sp_asked_add(ensemble, asked, node, ensemble->modes[node] == SP_ONNX_MEMBER ?
								ensemble->members[ensemble->first_member[node] + at] : ensemble->thresholds[node]));
	}
	sp_sort_by_key(asked->order, asked->n, asked->feature);
	for (uint32_t begin = 0, end; begin < asked->n; begin = end)
	{
		end = begin;
		while (end < asked->n && asked->feature[asked->order[end]] == asked->feature[asked->order[begin]])
			end++;
		sp_sort_by_key(asked->order + begin, end - begin, asked->key);
		SP_TRY(sp_poll(ensemble->onnx->cx));
	}
	return SP_OK;
}

/* The column of places of one feature. */
static SpStatus
sp_place_column(SpOnnxEnsemble *ensemble, uint32_t in, uint32_t feature, double *values, uint32_t n, uint32_t *value)
{
	SpOnnx	   *onnx = ensemble->onnx;
	SpType		type = sp_builder_value(onnx->builder, in).type;
	SpGeneral	gather = {.n_inputs = 1, .inputs = &in, .n_indices = 1, .indices = &feature};
	SpGeneral	encode = {.n_inputs = 1, .inputs = value, .dims = {n + 2, n + 1, n}, .n_numbers = n, .numbers = values, .n_indices = n};

	if (n > SP_MAX_PLACES - 2)
		return SP_ENSEMBLE_FAIL(ensemble, SP_ERR_LIMIT, "feature %u is compared with %u values, more than the limit of %d",
								feature, n, SP_MAX_PLACES - 2);
	SP_TRY(sp_alloc_array(onnx->cx, n, sizeof(uint32_t), (void **) &encode.indices));
	for (uint32_t at = 0; at < n; at++)
		encode.indices[at] = at;
	SP_TRY(sp_builder_general(onnx->builder, SP_OP_GATHER, &gather, value));
	SP_TRY(sp_builder_general(onnx->builder, SP_OP_ENCODE, &encode, value));
	sp_free(onnx->cx, encode.indices);
	return sp_onnx_cast(onnx, *value, type, value);
}

/*
 * Number the values of the feature at order[begin], and note places with the
 * nodes.  Values come in ascending order, so each node's places do as well.
 */
static uint32_t
sp_number_places(SpOnnxQuestions *questions, const SpAsked *asked, uint32_t begin, uint32_t column,
				 double *values, uint32_t *n_values)
{
	uint32_t	at = begin;
	uint32_t	n = 0;

	for (; at < asked->n && asked->feature[asked->order[at]] == asked->feature[asked->order[begin]]; at++)
	{
		uint32_t	pair = asked->order[at];
		uint32_t	node = asked->node[pair];
		uint32_t   *room = questions->places + questions->first_place[node];

		if (n == 0 || asked->value[pair] != values[n - 1])
			values[n++] = asked->value[pair];
		questions->column[node] = column;
		if (questions->n_places[node] == 0 || room[questions->n_places[node] - 1] != n - 1)
			room[questions->n_places[node]++] = n - 1;
	}
	for (uint32_t pair = begin; pair < at; pair++)
	{
		uint32_t	node = asked->node[asked->order[pair]];
		uint32_t   *room = questions->places + questions->first_place[node];

		/* a member of what is true for NaN */
		if (questions->ensemble->modes[node] != SP_ONNX_NEQ && sp_tracks_true(questions->ensemble, node) &&
			room[questions->n_places[node] - 1] != n)
			room[questions->n_places[node]++] = n;
	}
	*n_values = n;
	return at;
}

static SpStatus
sp_questions_room(SpOnnxQuestions *questions, uint32_t *n_asked)
{
	SpOnnxEnsemble *ensemble = questions->ensemble;
	SpContext  *cx = ensemble->onnx->cx;
	uint32_t	n = ensemble->n_nodes;
	uint64_t	n_places = 0;

	SP_TRY(sp_alloc_array(cx, n, sizeof(uint32_t), (void **) &questions->column));
	SP_TRY(sp_alloc_array(cx, n, sizeof(uint32_t), (void **) &questions->n_places));
	SP_TRY(sp_alloc_array(cx, (size_t) n + 1, sizeof(uint32_t), (void **) &questions->first_place));
	*n_asked = 0;
	for (uint32_t node = 0; node < n; node++)
	{
		uint32_t	count = sp_count_asked(ensemble, node);

		questions->column[node] = SP_NO_VALUE;
		questions->first_place[node] = (uint32_t) n_places;
		*n_asked += count;
		/* and one for NaN */
		n_places += count > 0 ? (uint64_t) count + 1 : 0;
		if (n_places > UINT32_MAX)
			return SP_ENSEMBLE_FAIL(ensemble, SP_ERR_LIMIT, "the nodes ask for too many values");
	}
	questions->first_place[n] = (uint32_t) n_places;
	return sp_alloc_array(cx, n_places, sizeof(uint32_t), (void **) &questions->places);
}

SpStatus
sp_questions_collect(SpOnnxQuestions *questions, SpOnnxEnsemble *ensemble, uint32_t *in)
{
	SpContext  *cx = ensemble->onnx->cx;
	uint32_t	width = sp_builder_value(ensemble->onnx->builder, *in).width;
	SpAsked		asked = {0};
	SpGeneral	concat = {.n_inputs = 1, .dims = {1}};
	double	   *values;
	bool		any = false;

	*questions = (SpOnnxQuestions) {.ensemble = ensemble};
	for (uint32_t node = 0; node < ensemble->n_nodes && !any; node++)
		any = ensemble->modes[node] >= SP_ONNX_EQ && ensemble->modes[node] <= SP_ONNX_MEMBER;
	if (!any)
		return SP_OK;
	SP_TRY(sp_questions_room(questions, &asked.n));
	SP_TRY(sp_alloc_array(cx, asked.n, sizeof(double), (void **) &values));
	SP_TRY(sp_alloc_array(cx, (size_t) asked.n + 1, sizeof(uint32_t), (void **) &concat.inputs));
	SP_TRY(sp_asked_fill(ensemble, width, &asked));
	concat.inputs[0] = *in;
	for (uint32_t at = 0; at < asked.n;)
	{
		uint32_t	feature = (uint32_t) asked.feature[asked.order[at]];
		uint32_t	n_values;

		at = sp_number_places(questions, &asked, at, width + concat.n_inputs - 1, values, &n_values);
		SP_TRY(sp_place_column(ensemble, *in, feature, values, n_values, &concat.inputs[concat.n_inputs]));
		concat.n_inputs++;
	}
	return sp_builder_general(ensemble->onnx->builder, SP_OP_CONCAT, &concat, in);
}

void
sp_questions_split(const SpOnnxQuestions *questions, uint32_t number, SpNode *split)
{
	split->feature = (int32_t) questions->column[number];
	split->threshold = number;
	split->flags = SP_NODE_CATEGORY;
}

SpStatus
sp_questions_sets(SpOnnxQuestions *questions, SpNode *nodes, uint32_t n_nodes, SpTreeSpec *spec)
{
	SpContext  *cx = questions->ensemble->onnx->cx;
	uint32_t	n_categories = 0;

	if (questions->column == NULL)
		return SP_OK;
	SP_TRY(sp_grow_array(cx, (void **) &questions->first_category, &questions->first_capacity,
						 (size_t) n_nodes + 1, sizeof(uint32_t)));
	questions->first_category[0] = 0;
	for (uint32_t at = 0; at < n_nodes; at++)
	{
		uint32_t	number;

		if (nodes[at].feature == SP_LEAF || !(nodes[at].flags & SP_NODE_CATEGORY))
			continue;
		number = (uint32_t) nodes[at].threshold;
		SP_TRY(sp_grow_array(cx, (void **) &questions->categories, &questions->categories_capacity,
							 (size_t) n_categories + questions->n_places[number], sizeof(uint32_t)));
		memcpy(questions->categories + n_categories, questions->places + questions->first_place[number],
			   questions->n_places[number] * sizeof(uint32_t));
		n_categories += questions->n_places[number];
		nodes[at].threshold = spec->n_sets;
		questions->first_category[++spec->n_sets] = n_categories;
	}
	spec->first_category = questions->first_category;
	spec->categories = questions->categories;
	return SP_OK;
}
