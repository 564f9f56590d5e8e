/*
 * src/ir/sp_pack_sets.c
 *
 * Columns of membership.  Splits that ask the same of the same feature share
 * one: they are found by sorting all questions, which takes the same time
 * whatever they are.
 */
#include <string.h>

#include "ir/sp_pack_internal.h"

/* A split by a set. */
typedef struct Question
{
	uint32_t	feature;
	uint32_t	flags;
	uint32_t	set;
	uint32_t	size;
	const uint32_t *categories;
} Question;

static int
compare(const Question *a, const Question *b)
{
	if (a->feature != b->feature)
		return a->feature < b->feature ? -1 : 1;
	if (a->flags != b->flags)
		return a->flags < b->flags ? -1 : 1;
	if (a->size != b->size)
		return a->size < b->size ? -1 : 1;
	return memcmp(a->categories, b->categories, a->size * sizeof(uint32_t));
}

static void
merge_runs(const Question *from, Question *to, size_t begin, size_t middle, size_t end)
{
	size_t		left = begin;
	size_t		right = middle;

	for (size_t at = begin; at < end; at++)
	{
		bool		take_left = right >= end || (left < middle && compare(&from[left], &from[right]) <= 0);

		to[at] = from[take_left ? left++ : right++];
	}
}

/* Bottom-up merge sort: no recursion, and equal questions stay in the order of the trees. */
static SpStatus
sort(SpPacker *packer, Question *questions, uint32_t n)
{
	Question   *from = questions;
	Question   *to;
	void	   *memory;

	SP_TRY(sp_alloc_array(packer->cx, n, sizeof(Question), &memory));
	to = memory;
	for (size_t run = 1; run < n; run *= 2)
	{
		Question   *swap = from;

		SP_TRY(sp_poll(packer->cx));
		for (size_t begin = 0; begin < n; begin += 2 * run)
		{
			size_t		middle = begin + run < n ? begin + run : n;

			merge_runs(from, to, begin, middle, middle + run < n ? middle + run : n);
		}
		from = to;
		to = swap;
	}
	if (from != questions)
		memcpy(questions, from, n * sizeof(Question));
	sp_free(packer->cx, memory);
	return SP_OK;
}

static SpStatus
collect(SpPacker *packer, const SpTrees *trees, Question **questions)
{
	void	   *memory;

	SP_TRY(sp_alloc_array(packer->cx, trees->n_sets, sizeof(Question), &memory));
	*questions = memory;
	for (uint32_t at = 0; at < trees->first_node[trees->n_trees]; at++)
	{
		const SpNode *node = &trees->nodes[at];
		uint32_t	set;

		if (node->feature == SP_LEAF || !(node->flags & SP_NODE_CATEGORY))
			continue;
		set = (uint32_t) node->threshold;
		(*questions)[set] = (Question) {
			.feature = (uint32_t) node->feature, .flags = node->flags, .set = set,
			.size = trees->first_category[set + 1] - trees->first_category[set],
			.categories = trees->categories + trees->first_category[set]
		};
	}
	return sort(packer, *questions, trees->n_sets);
}

static uint32_t
count_words(const uint32_t *categories, uint32_t size)
{
	uint32_t	count = 1;

	for (uint32_t at = 1; at < size; at++)
		count += categories[at] / 32 != categories[at - 1] / 32;
	return count;
}

SpStatus
sp_pack_sets_plan(SpPacker *packer, const SpTrees *trees, SpTreesPlan *plan)
{
	SpPackedTrees *packed = &plan->packed;
	Question   *questions;
	uint32_t   *numbers;
	void	   *memory;
	uint64_t	n_words = 0;
	uint32_t	n = 0;

	if (trees->n_sets == 0)
		return SP_OK;
	SP_TRY(collect(packer, trees, &questions));
	SP_TRY(sp_alloc_array(packer->cx, trees->n_sets, 4 * sizeof(uint32_t), &memory));
	numbers = memory;
	plan->column_of_set = numbers;
	plan->set_of_column = numbers + trees->n_sets;
	plan->feature_of_column = numbers + 2 * (size_t) trees->n_sets;
	plan->flags_of_column = numbers + 3 * (size_t) trees->n_sets;
	for (uint32_t at = 0; at < trees->n_sets; at++)
	{
		const Question *question = &questions[at];

		if (at == 0 || compare(question, question - 1) != 0)
		{
			plan->set_of_column[n] = question->set;
			plan->feature_of_column[n] = question->feature;
			plan->flags_of_column[n] = question->flags & (SP_NODE_MISSING_LEFT | SP_NODE_TRUNCATE);
			n_words += count_words(question->categories, question->size);
			n++;
		}
		if (n > UINT32_MAX - packed->n_flags)
			return sp_fail(packer->cx, SP_ERR_LIMIT, "tree ensemble is too large");
		plan->column_of_set[question->set] = packed->n_flags + n - 1;
	}
	sp_free(packer->cx, questions);
	packed->n_columns = packed->n_flags + n;
	packed->sets = sp_pack_reserve(packer, n, sizeof(SpPackedSet), SP_IMAGE_ALIGN);
	packed->words = sp_pack_reserve(packer, n_words, sizeof(SpPackedWord), SP_IMAGE_ALIGN);
	return SP_OK;
}

void
sp_pack_sets_fill(SpPacker *packer, const SpTrees *trees, const SpTreesPlan *plan)
{
	const SpPackedTrees *packed = &plan->packed;
	SpPackedColumn *columns = (SpPackedColumn *) (packer->image + packed->columns) + packed->n_flags;
	SpPackedSet *sets = (SpPackedSet *) (packer->image + packed->sets);
	SpPackedWord *words = (SpPackedWord *) (packer->image + packed->words);
	uint64_t	n_words = 0;

	for (uint32_t at = 0; at < packed->n_columns - packed->n_flags; at++)
	{
		uint32_t	set = plan->set_of_column[at];

		columns[at] = (SpPackedColumn) {plan->feature_of_column[at], SP_FILL_CATEGORY};
		sets[at] = (SpPackedSet) {.flags = plan->flags_of_column[at], .first_word = n_words};
		for (uint32_t from = trees->first_category[set]; from < trees->first_category[set + 1]; from++)
		{
			uint32_t	category = trees->categories[from];

			if (sets[at].n_words == 0 || words[n_words - 1].index != category / 32)
			{
				words[n_words++] = (SpPackedWord) {category / 32, 0};
				sets[at].n_words++;
			}
			words[n_words - 1].bits |= UINT32_C(1) << category % 32;
		}
	}
}
