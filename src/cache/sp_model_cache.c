/*
 * src/cache/sp_model_cache.c
 */
#include "server/sp_compat.h"

#include <math.h>

#include "access/xact.h"
#include "miscadmin.h"
#include "portability/instr_time.h"
#include "utils/hsearch.h"
#include "utils/memutils.h"
#include "utils/timestamp.h"

#include "cache/sp_model_cache.h"
#include "cache/sp_shared_sweep.h"
#include "ir/sp_pack.h"
#include "server/sp_error.h"
#include "server/sp_guc.h"
#include "server/sp_memory.h"
#include "server/sp_metrics.h"

/* Below this every integer is a double of its own. */
#define MAX_EXACT_INTEGER 9007199254740992.0

static HTAB *models = NULL;
static Size total_size = 0;
static uint64 use_counter = 0;
static uint64 seen_changes = 0;

static void
make_table(void)
{
	HASHCTL		control = {
		.keysize = SP_SHA256_SIZE,
		.entrysize = sizeof(SpLoadedModel),
		.hcxt = CacheMemoryContext
	};

	models = hash_create("smartpouch models", 16, &control, HASH_ELEM | HASH_BLOBS | HASH_CONTEXT);
}

static void
drop(SpLoadedModel *model)
{
	MemoryContext mcx = model->mcx;

	if (model->is_shared)
		sp_shared_detach(&model->shared);
	total_size -= model->size;
	hash_search(models, model->program, HASH_REMOVE, NULL);
	MemoryContextDelete(mcx);
}

/* Let go of images that were evicted: their memory is free when the last session has. */
static void
drop_evicted(void)
{
	uint64		changes = sp_shared_changes();
	HASH_SEQ_STATUS status;
	SpLoadedModel *model;

	if (likely(changes == seen_changes) || models == NULL)
		return;
	seen_changes = changes;
	hash_seq_init(&status, models);
	while ((model = hash_seq_search(&status)) != NULL)
		if (model->is_shared && model->pins == 0 && !sp_shared_is_there(&model->shared))
			drop(model);
}

static void
at_transaction_end(XactEvent event, void *argument)
{
	(void) argument;
	if (event == XACT_EVENT_COMMIT || event == XACT_EVENT_ABORT)
		drop_evicted();
}

void
sp_model_cache_init(void)
{
	sp_shared_init();
	/* of callbacks the last one is called first: what the sweep evicts is let go of here */
	RegisterXactCallback(at_transaction_end, NULL);
	sp_shared_sweep_init();
}

/* Drop unpinned models, least recently pinned first, until the rest fits. */
static void
make_room(void)
{
	while (total_size > (Size) sp_model_memory * 1024)
	{
		HASH_SEQ_STATUS status;
		SpLoadedModel *model;
		SpLoadedModel *oldest = NULL;

		hash_seq_init(&status, models);
		while ((model = hash_seq_search(&status)) != NULL)
			if (model->pins == 0 && !model->is_shared && (oldest == NULL || model->last_used < oldest->last_used))
				oldest = model;
		if (oldest == NULL)
			break;
		drop(oldest);
		sp_metrics_cache_eviction();
	}
}

static const double *
number_labels(const SpImage *image, MemoryContext mcx)
{
	double	   *numbers;

	if (image->label_type != SP_TYPE_I64 || image->n_labels == 0)
		return NULL;
	numbers = MemoryContextAlloc(mcx, mul_size(image->n_labels, sizeof(double)));
	for (uint32 i = 0; i < image->n_labels; i++)
	{
		numbers[i] = strtod(sp_image_label(image, i), NULL);
		if (fabs(numbers[i]) >= MAX_EXACT_INTEGER)
			return NULL;
	}
	return numbers;
}

static void
damaged(const SpVersionRow *version, const SpContext *cx)
{
	if (cx->error.status != SP_ERR_FORMAT)
		sp_raise(cx, NULL);
	ereport(ERROR,
			(errcode(ERRCODE_DATA_CORRUPTED),
			 errmsg("the stored form with SHA-256 %s cannot be read: %s",
					sp_hash_hex(version->program), cx->error.message),
			 errhint("It may have been written by a newer smartpouch.")));
}

/*
 * Read the stored form and pack it, with the intermediate model in a context
 * of its own.  What the import has accepted is not measured against today's
 * settings again: a lowered limit must not take a model out of production.
 */
static const SpImage *
load_image(const SpVersionRow *version, Snapshot snapshot, MemoryContext mcx)
{
	MemoryContext work = AllocSetContextCreate(CurrentMemoryContext, "smartpouch load",
											   ALLOCSET_DEFAULT_SIZES);
	MemoryContext old = MemoryContextSwitchTo(work);
	char	   *program = sp_registry_blob(version->program, version->program_bytes, snapshot, work);
	SpContext	cx;
	SpModel    *model;
	SpImage    *image;

	sp_context_init(&cx, work);
	sp_limits_none(&cx.limits);
	if (sp_model_read(&cx, program, (Size) version->program_bytes, &model) != SP_OK)
		damaged(version, &cx);
	sp_context_move(&cx, mcx);
	if (sp_pack(&cx, model, &image) != SP_OK)
		damaged(version, &cx);
	MemoryContextSwitchTo(old);
	MemoryContextDelete(work);
	return image;
}

const SpImage *
sp_model_load(const SpVersionRow *version, Snapshot snapshot)
{
	return load_image(version, snapshot, CurrentMemoryContext);
}

/* As load_image, counted with its time. */
static const SpImage *
load_counted(const SpVersionRow *version, Snapshot snapshot, MemoryContext mcx)
{
	const SpImage *volatile image = NULL;
	instr_time	began;
	instr_time	ended;

	sp_metrics_cache_miss();
	INSTR_TIME_SET_CURRENT(began);
	PG_TRY();
	{
		image = load_image(version, snapshot, mcx);
	}
	PG_FINALLY();
	{
		INSTR_TIME_SET_CURRENT(ended);
		INSTR_TIME_SUBTRACT(ended, began);
		sp_metrics_loaded(&version->model_id, version->version, (uint64) sp_instr_time_ns_compat(ended),
						  image != NULL);
	}
	PG_END_TRY();
	return image;
}

/* Make the entry for an image in mcx, or for a shared one that is pinned. */
static SpLoadedModel *
add(const uint8 *program, MemoryContext mcx, const SpImage *image, const SpSharedImage *shared)
{
	const double *label_numbers = number_labels(image, mcx);
	SpLoadedModel *model = hash_search(models, program, HASH_ENTER, NULL);

	/* nothing below raises, so the table never holds half an entry */
	model->mcx = mcx;
	model->image = image;
	model->label_numbers = label_numbers;
	model->size = shared != NULL ? 0 : MemoryContextMemAllocated(mcx, true);
	model->pins = 0;
	model->hits = 0;
	model->is_shared = shared != NULL;
	if (shared != NULL)
		model->shared = *shared;
	model->changes = sp_shared_changes();
	MemoryContextSetParent(mcx, CacheMemoryContext);
	total_size += model->size;
	return model;
}

/* As add; an error gives the pin back. */
static SpLoadedModel *
add_shared(const uint8 *program, SpSharedImage *shared)
{
	MemoryContext mcx = AllocSetContextCreate(CurrentMemoryContext, "smartpouch shared model",
											  ALLOCSET_SMALL_SIZES);
	SpLoadedModel *model = NULL;

	PG_TRY();
	{
		model = add(program, mcx, shared->image, shared);
	}
	PG_CATCH();
	{
		sp_shared_unpin(shared);
		sp_shared_detach(shared);
		PG_RE_THROW();
	}
	PG_END_TRY();
	return model;
}

static SpLoadedModel *
load_own(const SpVersionRow *version, Snapshot snapshot)
{
	MemoryContext mcx = AllocSetContextCreate(CurrentMemoryContext, "smartpouch model",
											  ALLOCSET_SMALL_SIZES);

	return add(version->program, mcx, load_counted(version, snapshot, mcx), NULL);
}

/* The slot is claimed: fill it, or keep the image as our own if it has no place. */
static SpLoadedModel *
load_claimed(const SpVersionRow *version, Snapshot snapshot)
{
	volatile MemoryContext mcx = NULL;
	const SpImage *volatile image = NULL;
	volatile bool published = false;
	SpSharedImage shared;

	PG_TRY();
	{
		mcx = AllocSetContextCreate(CurrentMemoryContext, "smartpouch model", ALLOCSET_SMALL_SIZES);
		image = load_counted(version, snapshot, mcx);
		published = sp_shared_publish(image, &shared);
	}
	PG_CATCH();
	{
		sp_shared_give_up();
		PG_RE_THROW();
	}
	PG_END_TRY();
	if (!published)
		return add(version->program, mcx, image, NULL);
	MemoryContextDelete(mcx);
	return add_shared(version->program, &shared);
}

/* Load and, if shared, pin there.  Only committed content is shared. */
static SpLoadedModel *
load(const SpVersionRow *version, Snapshot snapshot)
{
	SpSharedImage shared;

	if (sp_shared_model_memory > 0 && sp_shared_available() &&
		sp_registry_program_is_committed(version->program, snapshot))
		switch (sp_shared_find(version->program, version->program_bytes, true, &shared))
		{
			case SP_SHARED_FOUND:
				sp_metrics_cache_hit();
				return add_shared(version->program, &shared);
			case SP_SHARED_CLAIMED:
				return load_claimed(version, snapshot);
			case SP_SHARED_PRIVATE:
				break;
		}
	return load_own(version, snapshot);
}

/* An own image gives way to a shared one that another session has made since. */
static SpLoadedModel *
adopt_shared(SpLoadedModel *model)
{
	uint8		program[SP_SHA256_SIZE];
	SpSharedImage shared;

	memcpy(program, model->program, SP_SHA256_SIZE);
	model->changes = sp_shared_changes();
	if (!sp_shared_available() || sp_shared_find(program, 0, false, &shared) != SP_SHARED_FOUND)
		return model;
	drop(model);
	return add_shared(program, &shared);
}

/* Can an entry be used as it is?  Then it is pinned in shared memory if it is there. */
static bool
is_usable(SpLoadedModel *model)
{
	if (model->pins > 0)
		return true;
	return model->is_shared ? sp_shared_pin(&model->shared) : model->changes == sp_shared_changes();
}

static SpLoadedModel *
find(const uint8 *program)
{
	SpLoadedModel *model = hash_search(models, program, HASH_FIND, NULL);

	if (model == NULL || is_usable(model))
		return model;
	if (!model->is_shared)
		return adopt_shared(model);
	drop(model);
	return NULL;
}

static void
count_pin(SpLoadedModel *model)
{
	model->pins++;
	model->hits++;
	model->last_used = ++use_counter;
	model->last_pinned = GetCurrentStatementStartTimestamp();
}

SpLoadedModel *
sp_model_pin(const SpVersionRow *version, Snapshot snapshot)
{
	SpLoadedModel *model;

	if (models == NULL)
		make_table();
	sp_shared_sweep();
	drop_evicted();
	model = find(version->program);
	if (model != NULL)
		sp_metrics_cache_hit();
	else
		model = load(version, snapshot);
	count_pin(model);
	make_room();
	return model;
}

SpLoadedModel *
sp_model_pin_loaded(const uint8 *program)
{
	SpLoadedModel *model;
	SpSharedImage shared;

	if (models == NULL)
		make_table();
	sp_shared_sweep();
	drop_evicted();
	model = find(program);
	if (model == NULL && sp_shared_available() && sp_shared_find(program, 0, false, &shared) == SP_SHARED_FOUND)
		model = add_shared(program, &shared);
	if (model == NULL)
		return NULL;
	sp_metrics_cache_hit();
	count_pin(model);
	return model;
}

bool
sp_model_pin_again(SpLoadedModel **model)
{
	sp_shared_sweep();
	drop_evicted();
	if (*model == NULL || !is_usable(*model))
		return false;
	sp_metrics_cache_hit();
	count_pin(*model);
	return true;
}

void
sp_model_unpin(SpLoadedModel *model)
{
	Assert(model->pins > 0);
	if (--model->pins > 0)
		return;
	if (model->is_shared)
		sp_shared_unpin(&model->shared);
	make_room();
}

bool
sp_model_warm(const SpVersionRow *version, Snapshot snapshot)
{
	SpLoadedModel *model = models ? hash_search(models, version->program, HASH_FIND, NULL) : NULL;
	bool		is_shared;

	if (model != NULL && !model->is_shared && model->pins == 0 && sp_shared_available())
		drop(model);
	model = sp_model_pin(version, snapshot);
	is_shared = model->is_shared;
	sp_model_unpin(model);
	return is_shared;
}

SpSharedEvicted
sp_model_evict(const uint8 *program)
{
	SpLoadedModel *model = models ? hash_search(models, program, HASH_FIND, NULL) : NULL;
	SpSharedEvicted result = SP_SHARED_ABSENT;

	if (sp_shared_available())
		result = sp_shared_evict(MyDatabaseId, program);
	if (model != NULL && model->pins > 0)
		result = SP_SHARED_IN_USE;
	else if (model != NULL && result != SP_SHARED_IN_USE)
	{
		result = SP_SHARED_EVICTED;
		drop(model);
	}
	return result;
}

SpSharedFacts *
sp_model_own(int *count)
{
	HASH_SEQ_STATUS status;
	SpLoadedModel *model;
	SpSharedFacts *facts;

	*count = 0;
	if (models == NULL)
		return NULL;
	facts = palloc0(mul_size(hash_get_num_entries(models) + 1, sizeof(SpSharedFacts)));
	hash_seq_init(&status, models);
	while ((model = hash_seq_search(&status)) != NULL)
	{
		SpSharedFacts *next = &facts[*count];

		if (model->is_shared)
			continue;
		next->phase = SP_SLOT_READY;
		next->database = MyDatabaseId;
		memcpy(next->program, model->program, SP_SHA256_SIZE);
		next->bytes = model->image->size;
		next->pins = model->pins > 0;
		next->hits = model->hits - 1;
		next->loads = 1;
		next->last_used = model->last_pinned;
		(*count)++;
	}
	return facts;
}
