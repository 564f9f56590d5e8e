/*
 * src/ir/sp_pack_features.c
 *
 * Packing what a model knows by name: features with their categories, and the
 * strings of encoders.
 */
#include <string.h>

#include "ir/sp_pack_internal.h"

/* Numbers and texts have entries of different sizes; both are a whole number of 8 bytes. */
static size_t
entry_size(const SpCategories *categories)
{
	return categories->kind == SP_CATEGORIES_TEXT ? sizeof(SpImageCategory) : sizeof(SpImageNumber);
}

uint64_t
sp_pack_strings_size(const SpModel *model)
{
	uint64_t	size = 0;

	for (uint32_t at = 0; at < model->n_features; at++)
	{
		const SpCategories *categories = &model->features[at].categories;

		size += strlen(model->features[at].name) + 1;
		for (uint32_t place = 0; categories->kind == SP_CATEGORIES_TEXT && place < categories->n; place++)
			size += strlen(categories->texts[place]) + 1;
	}
	for (uint32_t at = 0; at < model->n_labels; at++)
		size += strlen(model->labels[at]) + 1;
	for (uint32_t at = 0; at < model->n_categories; at++)
		size += strlen(model->categories[at]) + 1;
	return size;
}

uint64_t
sp_pack_lists_size(const SpModel *model)
{
	uint64_t	size = 0;

	for (uint32_t at = 0; at < model->n_features; at++)
		size += model->features[at].categories.n * entry_size(&model->features[at].categories);
	return size;
}

/* What becomes of unseen texts and numbers: the importer's wish, else the source's rule. */
static SpUnseen
unseen_text(const SpModel *model, const SpFeature *feature)
{
	return model->on_unseen != SP_UNSEEN_SOURCE ? model->on_unseen : feature->categories.unseen;
}

static SpUnseen
unseen_number(const SpModel *model, const SpFeature *feature)
{
	bool		goes_on = feature->categories.kind == SP_CATEGORIES_TEXT || feature->categories.kind == SP_CATEGORIES_CODE;

	return goes_on ? model->on_unseen : unseen_text(model, feature);
}

bool
sp_pack_maps_numbers(const SpModel *model)
{
	for (uint32_t at = 0; at < model->n_features; at++)
	{
		SpCategoryKind kind = model->features[at].categories.kind;

		if (kind == SP_CATEGORIES_NUMBER || kind == SP_CATEGORIES_HASH ||
			(kind != SP_CATEGORIES_NONE && model->on_unseen != SP_UNSEEN_SOURCE))
			return true;
	}
	return false;
}

uint32_t
sp_pack_string(SpPacker *packer, uint64_t *next, const char *string)
{
	uint64_t	offset = *next;
	size_t		size = strlen(string) + 1;

	memcpy(packer->image + offset, string, size);
	*next += size;
	return (uint32_t) offset;
}

static void
fill_list(SpPacker *packer, const SpCategories *categories, uint64_t list, uint64_t *next)
{
	for (uint32_t at = 0; at < categories->n; at++)
	{
		uint32_t	place = categories->order[at];
		char	   *entry = packer->image + list + at * entry_size(categories);

		if (categories->kind == SP_CATEGORIES_TEXT)
			*(SpImageCategory *) entry = (SpImageCategory) {
				sp_pack_string(packer, next, categories->texts[place]), place
			};
		else
			*(SpImageNumber *) entry = (SpImageNumber) {.value = categories->numbers[place], .number = place};
	}
}

SpImageFeature
sp_pack_feature(SpPacker *packer, const SpFeature *feature, uint64_t *next, uint64_t *next_list)
{
	const SpCategories *categories = &feature->categories;
	SpImageFeature packed = {
		.name = sp_pack_string(packer, next, feature->name), .type = feature->type, .input = feature->input,
		.column = feature->column, .kind = (uint8_t) categories->kind,
		.unseen = (uint8_t) unseen_text(packer->model, feature),
		.unseen_number = (uint8_t) unseen_number(packer->model, feature), .has_default = feature->has_default,
		.accepts_missing = feature->accepts_missing,
		.n_categories = categories->n, .categories = *next_list, .default_value = feature->default_value
	};

	fill_list(packer, categories, *next_list, next);
	*next_list += categories->n * entry_size(categories);
	return packed;
}

/* Sift entry at down in a heap of n categories. */
static void
sift_category(const SpPacker *packer, SpImageCategory *heap, uint32_t at, uint32_t n)
{
	for (;;)
	{
		uint32_t	child = 2 * at + 1;
		SpImageCategory moved = heap[at];

		if (child >= n)
			return;
		if (child + 1 < n && strcmp(packer->image + heap[child].text, packer->image + heap[child + 1].text) < 0)
			child++;
		if (strcmp(packer->image + moved.text, packer->image + heap[child].text) >= 0)
			return;
		heap[at] = heap[child];
		heap[child] = moved;
		at = child;
	}
}

/* Heapsort: no recursion and no memory, whatever the strings. */
void
sp_pack_categories(SpPacker *packer, uint64_t offset, uint64_t *next)
{
	const SpModel *model = packer->model;
	SpImageCategory *categories = (SpImageCategory *) (packer->image + offset);
	uint32_t	n = model->n_categories;

	for (uint32_t at = 0; at < n; at++)
		categories[at] = (SpImageCategory) {sp_pack_string(packer, next, model->categories[at]), at};
	for (uint32_t at = n / 2; at > 0; at--)
		sift_category(packer, categories, at - 1, n);
	for (uint32_t left = n; left > 1; left--)
	{
		SpImageCategory largest = categories[0];

		categories[0] = categories[left - 1];
		categories[left - 1] = largest;
		sift_category(packer, categories, 0, left - 1);
	}
}
