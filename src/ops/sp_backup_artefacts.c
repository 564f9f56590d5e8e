/*
 * src/ops/sp_backup_artefacts.c
 */
#include "server/sp_compat.h"

#include "utils/hsearch.h"
#include "utils/memutils.h"

#include "ops/sp_backup.h"

static void
add_set(SpArtefacts *artefacts, const SpFolder *folder, const char *label)
{
	MemoryContext mcx = AllocSetContextCreate(CurrentMemoryContext, "smartpouch manifest", ALLOCSET_DEFAULT_SIZES);
	MemoryContext old = MemoryContextSwitchTo(mcx);
	char	   *why;
	SpFolder   *set = sp_set_open(folder, label, &why);
	uint8		hash[SP_SHA256_SIZE];
	SpManifest *manifest = set == NULL ? NULL : sp_manifest_read(set, label, hash, &why);
	ListCell   *cell;

	if (manifest != NULL)
	{
		foreach(cell, manifest->artefacts)
		{
			const SpBackupFile *file = lfirst(cell);
			bool		found;
			SpBackupFile *entry = hash_search(artefacts, file->name, HASH_ENTER, &found);

			if (!found)
				*entry = *file;
		}
	}
	MemoryContextSwitchTo(old);
	MemoryContextDelete(mcx);
}

SpArtefacts *
sp_artefacts_of_sets(const SpFolder *folder)
{
	HASHCTL		control = {.keysize = SP_BACKUP_NAME_SIZE, .entrysize = sizeof(SpBackupFile),
	.hcxt = CurrentMemoryContext};
	SpArtefacts *artefacts = hash_create("smartpouch artefacts", 1024, &control,
										 HASH_ELEM | HASH_STRINGS | HASH_CONTEXT);
	ListCell   *cell;

	foreach(cell, sp_folder_names(folder))
		if (sp_backup_is_label(lfirst(cell)))
			add_set(artefacts, folder, lfirst(cell));
	return artefacts;
}

const SpBackupFile *
sp_artefacts_find(SpArtefacts *artefacts, const char *name)
{
	return artefacts == NULL ? NULL : hash_search(artefacts, name, HASH_FIND, NULL);
}
