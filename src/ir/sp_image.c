/*
 * src/ir/sp_image.c
 *
 * Telling a whole packed image from anything else.  Offsets are not checked:
 * an image with the right checksum is one that sp_pack made.
 */
#include <string.h>

#include "ir/sp_checksum.h"
#include "ir/sp_image.h"

int64_t
sp_image_category(const SpImage *image, const char *utf8, size_t size)
{
	const SpImageCategory *categories = sp_image_at(image, image->categories);
	uint32_t	low = 0;
	uint32_t	high = image->n_categories;

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
