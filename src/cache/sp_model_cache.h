/*
 * src/cache/sp_model_cache.h
 *
 * Packed images that this backend uses, found by the hash of the stored form.
 * Content with a hash never changes, so nothing here is ever stale.
 *
 * An image is in shared memory (sp_shared_cache.h) where that can be had and
 * the version is committed, else in this backend's own.  Own images stay
 * within smartpouch.model_memory by dropping the least recently pinned; a
 * pinned image is never dropped, wherever it is.
 */
#ifndef SP_MODEL_CACHE_H
#define SP_MODEL_CACHE_H

#include "server/sp_compat.h"

#include "utils/snapshot.h"

#include "cache/sp_shared_cache.h"
#include "ir/sp_image.h"
#include "registry/sp_registry.h"

typedef struct SpLoadedModel
{
	uint8		program[SP_SHA256_SIZE];	/* hash key */
	MemoryContext mcx;			/* holds everything below that is not shared */
	const SpImage *image;
	const double *label_numbers;	/* n_labels, or NULL when labels are not numbers that a double holds */
	Size		size;			/* of mcx; 0 for a shared image */
	int			pins;
	uint64		last_used;
	uint64		hits;
	TimestampTz last_pinned;
	bool		is_shared;
	SpSharedImage shared;
	uint64		changes;		/* of the shared cache when this was loaded as our own */
} SpLoadedModel;

/* Once per process, from _PG_init. */
extern void sp_model_cache_init(void);

/*
 * Load (or find) and pin.  Raises what sp_registry_blob raises, and XX001 when
 * the stored form is damaged.
 */
extern SpLoadedModel *sp_model_pin(const SpVersionRow *version, Snapshot snapshot);

/* Pin what is in memory, ours or shared, under that hash; else NULL. */
extern SpLoadedModel *sp_model_pin_loaded(const uint8 *program);

/* An image in the current context that is in no cache and not counted; raises as sp_model_pin. */
extern const SpImage *sp_model_load(const SpVersionRow *version, Snapshot snapshot);

/*
 * Pin a model that was pinned before and let go.  *model must become NULL when
 * the model's context is reset.  False if the model is no longer to be used:
 * see sp_model_pin then.
 */
extern bool sp_model_pin_again(SpLoadedModel **model);
extern void sp_model_unpin(SpLoadedModel *model);

/* Load into shared memory, though this backend may have its own copy; true when it is there. */
extern bool sp_model_warm(const SpVersionRow *version, Snapshot snapshot);

/* Drop this backend's copy unless it is pinned, and the shared one. */
extern SpSharedEvicted sp_model_evict(const uint8 *program);

/* Images that are this backend's own; palloc'd. */
extern SpSharedFacts *sp_model_own(int *count);

#endif
