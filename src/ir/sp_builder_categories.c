/*
 * src/ir/sp_builder_categories.c
 *
 * The strings that a model knows, found by hash while it is built.
 */
#include <string.h>

#include "ir/sp_builder_internal.h"

static uint64_t
hash_text(SpStr text)
{
	uint64_t	hash = 0xcbf29ce484222325;

	for (size_t at = 0; at < text.size; at++)
		hash = (hash ^ (uint8_t) text.data[at]) * 0x100000001b3;
	return hash ^ hash >> 32;
}

static uint32_t *
find_slot(SpBuilder *builder, SpStr text)
{
	size_t		mask = builder->category_slots_count - 1;
	size_t		slot = hash_text(text) & mask;

	for (;; slot = (slot + 1) & mask)
	{
		uint32_t	entry = builder->category_slots[slot];

		if (entry == 0 || sp_str_is(text, builder->model->categories[entry - 1]))
			return &builder->category_slots[slot];
	}
}

static SpStatus
grow_slots(SpBuilder *builder)
{
	size_t		count = builder->category_slots_count ? builder->category_slots_count * 2 : 64;
	void	   *memory;

	SP_TRY(sp_alloc_array(builder->cx, count, sizeof(uint32_t), &memory));
	sp_free(builder->cx, builder->category_slots);
	builder->category_slots = memory;
	builder->category_slots_count = count;
	for (uint32_t at = 0; at < builder->model->n_categories; at++)
	{
		const char *text = builder->model->categories[at];

		*find_slot(builder, (SpStr) {text, strlen(text)}) = at + 1;
	}
	return SP_OK;
}

SpStatus
sp_builder_category(SpBuilder *builder, SpStr text, int64_t *number)
{
	SpModel    *model = builder->model;
	uint32_t   *slot;

	SP_TRY(sp_builder_ready(builder));
	if (text.size > 0 && !sp_str_is_text(text))
		return sp_fail(builder->cx, SP_ERR_FORMAT, "a category is not well-formed text");
	if (2 * ((size_t) model->n_categories + 1) > builder->category_slots_count)
		SP_TRY(grow_slots(builder));
	slot = find_slot(builder, text);
	if (*slot == 0)
	{
		if (model->n_categories >= builder->cx->limits.max_features)
			return sp_fail_limit(builder->cx, "max_features", "model has more categories than the limit of %u",
						   builder->cx->limits.max_features);
		SP_TRY(sp_grow_array(builder->cx, (void **) &model->categories, &builder->categories_capacity,
							 (size_t) model->n_categories + 1, sizeof(char *)));
		SP_TRY(sp_copy_str(builder->cx, text, &model->categories[model->n_categories]));
		*slot = ++model->n_categories;
	}
	*number = *slot - 1;
	return SP_OK;
}
