/*
 * src/server/sp_worker_counts.c
 *
 * A box for each process that can lead workers, by its number.  A spinlock
 * protects a box; under it some keys are compared and some numbers added.
 * Workers end before their leader does, so a box is its leader's while they write.
 */
#include "server/sp_compat.h"

#include "access/parallel.h"
#include "miscadmin.h"
#include "port/atomics.h"
#include "storage/proc.h"
#include "storage/spin.h"

#include "server/sp_shared_area.h"
#include "server/sp_worker_counts.h"

#define BOX_SIZE 8				/* versions, users and stages in the workers of one statement */

typedef struct Box
{
	slock_t		lock;
	pg_atomic_uint32 used;
	SpWorkerCount counts[BOX_SIZE];
} Box;

static Size
boxes_size(void)
{
	return mul_size(MaxBackends, sizeof(Box));
}

static void
init_boxes(void *block)
{
	Box		   *boxes = block;

	for (int i = 0; i < MaxBackends; i++)
	{
		SpinLockInit(&boxes[i].lock);
		pg_atomic_init_u32(&boxes[i].used, 0);
	}
}

static SpSharedArea area = {
	.name = "smartpouch worker counts", .size = boxes_size, .init = init_boxes
};

void
sp_worker_counts_init(void)
{
	sp_shared_area_request(&area);
}

/* NULL for processes that lead no workers. */
static Box *
box_of(const PGPROC *leader)
{
	int			number;

	if (area.block == NULL || leader == NULL)
		return NULL;
	number = (int) (leader - ProcGlobal->allProcs);
	return number < MaxBackends ? (Box *) area.block + number : NULL;
}

void
sp_observation_add(SpObservation *seen, const SpObservation *more)
{
	seen->calls += more->calls;
	seen->rows += more->rows;
	seen->busy += more->busy;
	seen->cpu += more->cpu;
	for (int reason = 0; reason < SP_N_REASONS; reason++)
		seen->errors[reason] += more->errors[reason];
}

bool
sp_worker_counts_give(const SpWorkerCount *count)
{
	Box		   *box = MyProc != NULL ? box_of(MyProc->lockGroupLeader) : NULL;
	uint32		used;
	uint32		i = 0;

	if (box == NULL)
		return false;
	SpinLockAcquire(&box->lock);
	used = pg_atomic_read_u32(&box->used);
	while (i < used && !sp_pair_same(&box->counts[i].counted, &count->counted))
		i++;
	if (i < used)
		sp_observation_add(&box->counts[i].seen, &count->seen);
	else if (i < BOX_SIZE)
	{
		box->counts[i] = *count;
		pg_atomic_write_u32(&box->used, used + 1);
	}
	SpinLockRelease(&box->lock);
	return i < BOX_SIZE;
}

bool
sp_worker_counts_take(SpWorkerCount *count)
{
	Box		   *box = box_of(MyProc);
	uint32		used;

	if (box == NULL || pg_atomic_read_u32(&box->used) == 0)
		return false;
	SpinLockAcquire(&box->lock);
	used = pg_atomic_read_u32(&box->used);
	if (used > 0)
	{
		*count = box->counts[used - 1];
		pg_atomic_write_u32(&box->used, used - 1);
	}
	SpinLockRelease(&box->lock);
	return used > 0;
}
