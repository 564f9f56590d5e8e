/*
 * src/api/sp_model_ref.c
 */
#include "server/sp_compat.h"


#include "api/sp_model_ref.h"
#include "auth/sp_permission.h"
#include "server/sp_snapshot.h"

void
sp_model_ref(const text *ref, uint32 bit, SpResolved *resolved)
{
	const char *bytes = VARDATA_ANY(ref);
	Size		size = VARSIZE_ANY_EXHDR(ref);
	SpFound		found = sp_resolve(bytes, size, resolved);

	if (found != SP_NO_MODEL && found != SP_NOT_COPIED)
		sp_permission_require(&resolved->rows.model, bit);
	if (found != SP_FOUND)
	{
		SpReference reference;

		sp_reference_parse(&reference, bytes, size);
		sp_registry_not_found(found, &reference);
	}
}

bool
sp_model_ref_try(const text *ref, uint32 bit, SpResolved *resolved)
{
	const SpModelRow *model = &resolved->rows.model;

	return sp_registry_fits() && sp_resolve_try(VARDATA_ANY(ref), VARSIZE_ANY_EXHDR(ref), resolved) &&
		(sp_permission(&model->id, model->owner_oid, model->owner_cluster) & bit) != 0;
}

static bool
may_predict(const SpModelRow *model)
{
	return sp_permission(&model->id, model->owner_oid, model->owner_cluster) & SP_MAY_PREDICT;
}

/* Who has only the hash may not know the model's name, so the error does not tell it. */
void
sp_model_by_program(const uint8 *program, SpResolved *resolved)
{
	if (sp_registry_subscription(sp_active_snapshot()) == SP_HALF_COPIED)
		sp_registry_not_found(SP_NOT_COPIED, NULL);
	if (sp_resolve_program(program, may_predict, resolved))
		return;
	if (sp_resolve_program(program, NULL, resolved))
		ereport(ERROR,
				(errcode(ERRCODE_INSUFFICIENT_PRIVILEGE),
				 errmsg("permission denied for the version with SHA-256 %s", sp_hash_hex(program)),
				 errhint("The owner of its model can grant the privilege predict with smartpouch.grant_model().")));
	ereport(ERROR,
			(errcode(ERRCODE_UNDEFINED_OBJECT),
			 errmsg("no version has SHA-256 %s", sp_hash_hex(program)),
			 errhint("Column sha256 of the view smartpouch.versions lists them.")));
}
