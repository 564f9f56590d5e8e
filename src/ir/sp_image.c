/*
 * src/ir/sp_image.c
 *
 * Telling a whole packed image from anything else.  Offsets are not checked:
 * an image with the right checksum is one that sp_pack made.
 */
#include "ir/sp_checksum.h"
#include "ir/sp_image.h"

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
