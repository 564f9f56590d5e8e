/*
 * src/cache/sp_shared_sweep.h
 *
 * Freeing shared images of what no registry has any more.
 */
#ifndef SP_SHARED_SWEEP_H
#define SP_SHARED_SWEEP_H

/* Once per process, from sp_model_cache_init. */
extern void sp_shared_sweep_init(void);

/*
 * Look for such images if something has changed since anybody did; reads the
 * registry.  Also evicts what a limit that was lowered has no room for.
 */
extern void sp_shared_sweep(void);

/* The running transaction has changed the registry: its commit makes images in shared memory due for a check. */
extern void sp_shared_sweep_registry_changed(void);

#endif
