/*
 * src/cache/sp_model_cache.c
 */
#include "server/sp_compat.h"

#include <math.h>

#include "utils/hsearch.h"
#include "utils/memutils.h"

#include "cache/sp_model_cache.h"
#include "ir/sp_pack.h"
#include "server/sp_error.h"
#include "server/sp_guc.h"
#include "server/sp_memory.h"

/* Below this every integer is a double of its own. */
#define MAX_EXACT_INTEGER 9007199254740992.0

static HTAB *models = NULL;
static Size total_size = 0;
static uint64 use_counter = 0;

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

	total_size -= model->size;
	hash_search(models, model->program, HASH_REMOVE, NULL);
	MemoryContextDelete(mcx);
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
			if (model->pins == 0 && (oldest == NULL || model->last_used < oldest->last_used))
				oldest = model;
		if (oldest == NULL)
			break;
		drop(oldest);
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
	cx.alloc.arg = mcx;
	if (sp_pack(&cx, model, &image) != SP_OK)
		damaged(version, &cx);
	MemoryContextSwitchTo(old);
	MemoryContextDelete(work);
	return image;
}

static SpLoadedModel *
load(const SpVersionRow *version, Snapshot snapshot)
{
	MemoryContext mcx = AllocSetContextCreate(CurrentMemoryContext, "smartpouch model",
											  ALLOCSET_SMALL_SIZES);
	const SpImage *image = load_image(version, snapshot, mcx);
	const double *label_numbers = number_labels(image, mcx);
	SpLoadedModel *model = hash_search(models, version->program, HASH_ENTER, NULL);

	/* nothing below raises, so the table never holds half an entry */
	model->mcx = mcx;
	model->image = image;
	model->label_numbers = label_numbers;
	model->size = MemoryContextMemAllocated(mcx, true);
	model->pins = 0;
	MemoryContextSetParent(mcx, CacheMemoryContext);
	total_size += model->size;
	return model;
}

SpLoadedModel *
sp_model_pin(const SpVersionRow *version, Snapshot snapshot)
{
	SpLoadedModel *model;

	if (models == NULL)
		make_table();
	model = hash_search(models, version->program, HASH_FIND, NULL);
	if (model == NULL)
		model = load(version, snapshot);
	model->pins++;
	model->last_used = ++use_counter;
	make_room();
	return model;
}

void
sp_model_unpin(SpLoadedModel *model)
{
	Assert(model->pins > 0);
	if (--model->pins == 0)
		make_room();
}
