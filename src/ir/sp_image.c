/*
 * src/ir/sp_image.c
 *
 * Telling a whole packed image from anything else.  Offsets are not checked:
 * an image with the right checksum is one that sp_pack made.
 */
#include <string.h>

#include "base/sp_city_hash.h"
#include "ir/sp_checksum.h"
#include "ir/sp_image.h"

static int64_t
find_text(const SpImage *image, uint64_t offset, uint32_t n, const char *utf8, size_t size)
{
	const SpImageCategory *categories = sp_image_at(image, offset);
	uint32_t	low = 0;
	uint32_t	high = n;

	while (low < high)
	{
		uint32_t	middle = low + (high - low) / 2;
		const char *text = sp_image_string(image, categories[middle].text);
		size_t		length = strlen(text);
		int			order = memcmp(text, utf8, length < size ? length : size);

		if (order == 0 && length == size)
			return categories[middle].number;
		if (order < 0 || (order == 0 && length < size))
			low = middle + 1;
		else
			high = middle;
	}
	return -1;
}

int64_t
sp_image_category(const SpImage *image, const char *utf8, size_t size)
{
	return find_text(image, image->categories, image->n_categories, utf8, size);
}

int64_t
sp_image_find_text(const SpImage *image, const SpImageFeature *feature, const char *utf8, size_t size)
{
	if (feature->kind == SP_CATEGORIES_HASH)
		return sp_image_find_number(image, feature, sp_cat_hash(utf8, size));
	return find_text(image, feature->categories, feature->n_categories, utf8, size);
}

static int64_t
find_number(const SpImageNumber *numbers, uint32_t n, double wanted)
{
	uint32_t	low = 0;
	uint32_t	high = n;

	while (low < high)
	{
		uint32_t	middle = low + (high - low) / 2;

		if (numbers[middle].value == wanted)
			return numbers[middle].number;
		if (numbers[middle].value < wanted)
			low = middle + 1;
		else
			high = middle;
	}
	return -1;
}

int64_t
sp_image_find_number(const SpImage *image, const SpImageFeature *feature, double number)
{
	/* a number of TEXT is a place itself */
	if (feature->kind == SP_CATEGORIES_TEXT)
		return number >= 0 && number < feature->n_categories && number == (uint32_t) number ? (int64_t) number : -1;
	return find_number(sp_image_at(image, feature->categories), feature->n_categories, number);
}

bool
sp_image_is_valid(const SpImage *image, size_t size)
{
	if (size < sizeof(SpImage) || (uintptr_t) image % SP_IMAGE_ALIGN != 0)
		return false;
	if (image->magic != SP_IMAGE_MAGIC || image->version != SP_IMAGE_VERSION)
		return false;
	if (image->size != size)
		return false;
	return image->checksum == sp_checksum(&image->task, size - offsetof(SpImage, task));
}
