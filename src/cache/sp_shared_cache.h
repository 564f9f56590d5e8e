/*
 * src/cache/sp_shared_cache.h
 *
 * One copy of a model's packed image for all sessions of the server, found by
 * database, hash of the stored form and layout of images.
 *
 * Nothing here fails a statement for lack of shared memory: the caller is told
 * to make an image of its own.  The protocol of locks heads sp_shared_cache.c.
 */
#ifndef SP_SHARED_CACHE_H
#define SP_SHARED_CACHE_H

#include "server/sp_compat.h"

#include "datatype/timestamp.h"
#include "storage/dsm.h"

#include "ir/sp_image.h"
#include "server/sp_hash.h"

/* An image in shared memory as this process sees it. */
typedef struct SpSharedImage
{
	int			slot;
	uint32		generation;		/* of the slot when it held the image */
	dsm_segment *segment;		/* mapped until sp_shared_detach */
	const SpImage *image;
} SpSharedImage;

typedef enum SpSharedFind
{
	SP_SHARED_FOUND,			/* pinned and mapped */
	SP_SHARED_CLAIMED,			/* ours to make: sp_shared_publish or sp_shared_give_up must follow */
	SP_SHARED_PRIVATE			/* cannot be shared now: make an image of your own */
} SpSharedFind;

/* Once per process, from _PG_init. */
extern void sp_shared_init(void);

/* Is there a shared cache? Attaches to it at the first call. */
extern bool sp_shared_available(void);

/*
 * Find the image, waiting for a session that makes it; may_claim false only
 * looks.  The wait ends with a pending interrupt, and after seconds that grow
 * with bytes, the size of the stored form.
 */
extern SpSharedFind sp_shared_find(const uint8 *program, int64 bytes, bool may_claim, SpSharedImage *shared);

/* Takes no lock.  False when the image has been evicted; sp_shared_detach should follow. */
extern bool sp_shared_pin(const SpSharedImage *shared);
extern void sp_shared_unpin(const SpSharedImage *shared);
extern bool sp_shared_is_there(const SpSharedImage *shared);
extern void sp_shared_detach(SpSharedImage *shared);

typedef enum SpSharedEvicted
{
	SP_SHARED_ABSENT,
	SP_SHARED_EVICTED,
	SP_SHARED_IN_USE			/* pinned: stays */
} SpSharedEvicted;

extern SpSharedEvicted sp_shared_evict(Oid database, const uint8 *program);

/*
 * The registry of the database is gone: nobody finds its images any more, and
 * the memory of pinned ones is freed later.  Also while a transaction commits.
 */
extern void sp_shared_forget(Oid database);

/* ---- sp_shared_fill.c ---- */

/* Copy the image into the claimed slot and pin it; false when it has no place there, which ends the claim. */
extern bool sp_shared_publish(const SpImage *image, SpSharedImage *shared);

/* End the claim, if there is one, so that another session may try. */
extern void sp_shared_give_up(void);

/* The limit may be a lower one: evict what is beyond it.  False if something there is pinned, or the lock is not free. */
extern bool sp_shared_trim(void);

/* ---- sp_shared_facts.c ---- */

/* Moves whenever an image comes or goes; 0 while there is no shared cache. */
extern uint64 sp_shared_changes(void);

typedef enum SpSharedPhase
{
	SP_SLOT_FREE,
	SP_SLOT_LOADING,
	SP_SLOT_READY,
	SP_SLOT_REFUSED				/* had no place; not tried again for a while */
} SpSharedPhase;

typedef struct SpSharedFacts
{
	SpSharedPhase phase;
	Oid			database;
	uint8		program[SP_SHA256_SIZE];
	Size		bytes;
	uint32		pins;			/* sessions and workers whose running statements use it */
	uint64		hits;
	uint64		loads;
	TimestampTz last_used;
	int			slot;
	bool		is_checked;		/* just now and since a registry changed, by a session like ours: sp_shared_set_checked */
} SpSharedFacts;

/* All slots that are not free; palloc'd. */
extern SpSharedFacts *sp_shared_facts(int *count);

/*
 * Counts the transactions that changed a registry, in any database; the
 * committer counts, or else a session that learns of the change.  Images that
 * nobody has checked since may be of versions or databases that are gone.
 */
extern void sp_shared_registry_changed(void);
extern uint64 sp_shared_registry_changes(void);

/*
 * The image of fact was worth keeping after this many changes.  Sessions of
 * its database ask their registry, others whether the database is there, and
 * neither does the other's work.
 */
extern void sp_shared_set_checked(const SpSharedFacts *fact, uint64 registry_changes);

/* ---- sp_shared_memory.c ---- */

/* Shared memory for the control block, filled by init when it is new; NULL when there is none. */
extern void *sp_shared_control(void);
extern void sp_shared_control_request(Size size, void (*init) (void *block));

/* NULL instead of an error; mapped until dsm_detach. */
extern dsm_segment *sp_dsm_create_quietly(Size size);
extern dsm_segment *sp_dsm_attach_quietly(dsm_handle handle);

#endif
