/*
 * src/cache/sp_model_cache.h
 *
 * Packed images that this backend has loaded, found by the hash of the stored
 * form.  Content with a hash never changes, so nothing here is ever stale.
 *
 * Images stay within smartpouch.model_memory by dropping the least recently
 * pinned; a pinned image is never dropped.
 */
#ifndef SP_MODEL_CACHE_H
#define SP_MODEL_CACHE_H

#include "server/sp_compat.h"

#include "utils/snapshot.h"

#include "ir/sp_image.h"
#include "registry/sp_registry.h"

typedef struct SpLoadedModel
{
	uint8		program[SP_SHA256_SIZE];	/* hash key */
	MemoryContext mcx;			/* holds everything below */
	const SpImage *image;
	const double *label_numbers;	/* n_labels, or NULL when labels are not numbers that a double holds */
	Size		size;
	int			pins;
	uint64		last_used;
} SpLoadedModel;

/*
 * Load (or find) and pin.  Raises what sp_registry_blob raises, and XX001 when
 * the stored form is damaged.
 */
extern SpLoadedModel *sp_model_pin(const SpVersionRow *version, Snapshot snapshot);
extern void sp_model_unpin(SpLoadedModel *model);

#endif
